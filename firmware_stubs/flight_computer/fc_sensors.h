/* fc_sensors.h - what sensors say on lines of their own: STIM300, UBX-NAV-PVT, US-D1.
 *
 * Bytes in, the newest record of each sensor out; damage is counted by reason.  Formats and their sources:
 * docs/WIRE.md.  The guidance kernel flies on the navigation link alone; these records are for whoever
 * navigates on board.
 */
#ifndef FC_SENSORS_H
#define FC_SENSORS_H

#include <stdint.h>

#include "link.h"
#include "port.h"

#define FC_STIM300_BYTES 28
#define FC_NAV_PVT_BYTES 100
#define FC_US_D1_BYTES 6
#define FC_LINE_ROOM 100 /* the longest frame */

enum {                   /* what the beginning of a buffer is */
       FC_LOOK_MORE = 0, /* too little to tell */
       FC_LOOK_BAD,      /* no good frame: `reason`; a damaged one would have `count` bytes (0: unknown) */
       FC_LOOK_SKIP,     /* `count` bytes of a message for somebody else */
       FC_LOOK_FRAME     /* an undamaged frame of `count` bytes */
};

typedef struct {
    int32_t kind;
    uint32_t count;
    uint32_t reason; /* LINK_... */
} fc_look_t;

typedef struct {
    double rate_body_radps[3];
    double force_body_mps2[3];
    uint32_t latency_us; /* from the measurement to the datagram's first bit */
    uint8_t
        rate_status; /* bits: 7 integrity, 6 start-up, 5 outside conditions, 4 overload, 3 channel, 2-0 z y x */
    uint8_t force_status;
    uint8_t counter; /* of the unit's own measurements, 2,000 a second */
    uint8_t usable;  /* 1: no status bit speaks against the values */
} fc_imu_t;

typedef struct {
    double latitude_deg;
    double longitude_deg;
    double height_m; /* above the ellipsoid */
    double vel_ned_mps[3];
    double horizontal_m; /* accuracies, as the receiver believes them */
    double vertical_m;
    double speed_mps;
    uint32_t itow_ms;
    uint8_t fix_type;
    uint8_t satellites;
    uint8_t usable; /* 1: the receiver vouches for a fix in three dimensions */
    uint8_t reserved;
} fc_gnss_t;

typedef struct {
    double height_m;
    uint8_t snr;
    uint8_t usable; /* 1: there was an echo */
    uint8_t reserved[6];
} fc_altimeter_t;

/* One line's receiver. */
typedef struct {
    uint8_t bytes[FC_LINE_ROOM];
    uint32_t used;
    uint32_t skip;        /* bytes of a message for somebody else, still to come */
    uint32_t out_of_step; /* 1: searching the next good frame */
    uint32_t until_step;  /* bytes left to where a damaged frame would end, 0: unknown */
    uint32_t tick;        /* of the last message */
    uint32_t step;        /* least step of it seen so far, 0: none yet */
    uint32_t seen;
    link_counters_t counters;
} fc_line_t;

typedef struct {
    fc_line_t line[PORT_LINES];
    fc_imu_t imu; /* the newest of each */
    fc_gnss_t gnss;
    fc_altimeter_t altimeter;
} fc_sensors_t;

/* Say what `used` (at least 1) bytes begin with.  Pure. */
fc_look_t fc_sensors_look_stim300(const uint8_t *bytes, uint32_t used);
fc_look_t fc_sensors_look_nav_pvt(const uint8_t *bytes, uint32_t used);
fc_look_t fc_sensors_look_us_d1(const uint8_t *bytes, uint32_t used);

/* Take one byte of a line (PORT_IMU, PORT_GNSS, PORT_ALTIMETER); 1 when it completed an accepted message. */
int32_t fc_sensors_byte(fc_sensors_t *sensors, uint32_t line, uint8_t byte);

/* Read all lines of a port, as far as it has any. */
void fc_sensors_receive(fc_sensors_t *sensors, const port_t *port);

#endif
