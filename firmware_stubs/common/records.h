/* records.h - the records that cross the wires, as structs in SI units, and their wire form.
 *
 * The wire form is defined by rigs/bus.dbc alone; generated/ holds its C.  Packing saturates at the
 * signal's range and takes a value that is not finite for zero: the range is checked where a record
 * is made, and again where one is received.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdint.h>

#define RECORDS_MAX_ENGINES 40
#define RECORDS_COMMAND_ID 0x040u /* plus the engine's number, from 1 */
#define RECORDS_STATUS_ID 0x100u
#define RECORDS_GIMBAL_ID 0x140u
#define RECORDS_TELEMETRY_ID 0x200u
#define RECORDS_TELEMETRY_FRAMES 7
#define RECORDS_NAV_BYTES 64

enum { /* record_command_t.request */
       REQUEST_SAFE = 0,
       REQUEST_ARM = 1,
       REQUEST_START = 2,
       REQUEST_RUN = 3,
       REQUEST_SHUTDOWN = 4
};

enum { /* record_status_t.state */
       ENGINE_SAFE = 0,
       ENGINE_ARMED = 1,
       ENGINE_START = 2,
       ENGINE_MAINSTAGE = 3,
       ENGINE_SHUTDOWN = 4,
       ENGINE_FAULT = 5
};

enum {                     /* bits of record_status_t.fault, latched until the board is initialised */
       FAULT_WATCHDOG = 1, /* no valid command for the watchdog time */
       FAULT_NOT_LIT = 2,  /* no chamber pressure within the light timeout */
       FAULT_SENSOR = 4    /* a sensor had no valid reading */
};

typedef struct {
    int64_t valid_t_ns;
    double pos_pad_m[3];
    double vel_pad_mps[3];
    double q_pad_from_body[4];
    double omega_body_radps[3];
    double force_body_mps2[3];
    double height_m;
    int32_t valid;
    int32_t fresh; /* 1: arrived since the last frame (never on the wire) */
} record_nav_t;

typedef struct {
    double ox_valve_cmd;
    double fuel_valve_cmd;
    double gimbal_x_cmd_rad;
    double gimbal_y_cmd_rad;
    int32_t request;
    int32_t fresh;
} record_command_t;

typedef struct {
    double ox_valve_pos;
    double fuel_valve_pos;
    double chamber_pa;
    double gimbal_x_rad;
    double gimbal_y_rad;
    int32_t state;
    int32_t fault;
    int32_t rejected; /* frames rejected by the board so far, low 8 bits */
    int32_t fresh;
} record_status_t;

typedef struct {
    double accel_cmd_pad_mps2[3];
    double time_to_go_s;
    double thrust_cmd_n;
    double mass_est_kg;
    double ignition_margin_m;
    double ignition_margin_s;
    double plan_age_s;
    double nav_age_s;
    uint64_t engine_failed; /* bit n - 1: engine n */
    uint64_t engine_share;
    int32_t mode;
    int32_t plan_source;
    int32_t rejected;
    int32_t kernel_not_finite;   /* frames so far, at most 255 */
    int32_t kernel_out_of_range; /* likewise */
    int32_t work;                /* of the kernel in this frame, in its own unit */
    int32_t ignition_margin_known;
    int32_t fresh;
} record_telemetry_t;

/* Counter and checksum of a frame are left zero: the link puts them in. */
void records_pack_command(uint8_t data[8], const record_command_t *record);
void records_pack_status(uint8_t data[8], const record_status_t *record);
void records_pack_gimbal(uint8_t data[8], const record_status_t *record);
void records_pack_telemetry(uint8_t data[8], uint32_t index, const record_telemetry_t *record);
void records_pack_nav(uint8_t data[RECORDS_NAV_BYTES], uint8_t counter, const record_nav_t *record);

/* Each returns 1, or 0 when a signal is out of its range: then the record is untouched.  Of a
 * record only the fields that the frame carries are written; `fresh` is left alone. */
int32_t records_unpack_command(record_command_t *record, const uint8_t data[8]);
int32_t records_unpack_status(record_status_t *record, const uint8_t data[8]);
int32_t records_unpack_gimbal(record_status_t *record, const uint8_t data[8]);
int32_t records_unpack_telemetry(record_telemetry_t *record, uint32_t index, const uint8_t data[8]);
int32_t records_unpack_nav(record_nav_t *record, uint8_t *counter, const uint8_t data[RECORDS_NAV_BYTES]);

/* What a record looks like once it has been on the wire. */
void records_round_command(record_command_t *record);
void records_round_status(record_status_t *record);
void records_round_telemetry(record_telemetry_t *record);
void records_round_nav(record_nav_t *record);

#endif
