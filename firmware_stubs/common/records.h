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
#define RECORDS_ENABLE_ID 0x010u
#define RECORDS_DRIVE_ID 0x180u
#define RECORDS_QUERY_ID 0x700u
#define RECORDS_IDENTITY_ID 0x700u /* plus the engine's number, from 1 */
#define RECORDS_COMPUTER_IDENTITY_ID 0x740u

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

enum {                    /* bits of record_status_t.fault, latched until the board is initialised ... */
       FAULT_NOT_LIT = 2, /* no chamber pressure within the light timeout */
       FAULT_SENSOR = 4,  /* a sensor had no valid reading */
       /* ... or, of these, takes the leave of the next run */
       FAULT_WATCHDOG = 1, /* no valid command for the watchdog time */
       FAULT_ENABLE = 8,   /* the enable frame was lost, withdrawn or changed outside SAFE */
       FAULT_BENCHES = 16, /* two benches enabled at once */
       FAULT_LIMIT = 32    /* an actuator has used up what it is allowed */
};

enum { /* record_enable_t.mode */
       ENABLE_STOP = 0,
       ENABLE_COLD = 1, /* everything runs, nothing is driven */
       ENABLE_DRIVE = 2
};

enum { /* record_identity_t.role */
       ROLE_ENGINE_VALVE = 0,
       ROLE_FLIGHT_COMPUTER = 1
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

/* The bench's leave to move. */
typedef struct {
    uint32_t nonce; /* of the bench's run */
    int32_t mode;
    int32_t igniter; /* 1: igniter power is allowed */
} record_enable_t;

/* What a valve board drives, or would drive were it not inhibited; -1 .. 1 of the full speed. */
typedef struct {
    double ox_drive;
    double fuel_drive;
    double gimbal_x_drive;
    double gimbal_y_drive;
    int32_t igniter;
    int32_t mode;   /* the leave that the board has: ENABLE_STOP, _COLD or _DRIVE */
    uint32_t nonce; /* the low 8 bits go out */
} record_drive_t;

typedef struct {
    int32_t role;
    uint32_t version;
    uint32_t build; /* 24 bits of the digest of the sources */
    uint32_t table; /* 16 bits of the digest of the bus table */
    uint32_t echo;  /* the question's */
} record_identity_t;

/* Counter and checksum of a frame are left zero: the link puts them in. */
void records_pack_command(uint8_t data[8], const record_command_t *record);
void records_pack_status(uint8_t data[8], const record_status_t *record);
void records_pack_gimbal(uint8_t data[8], const record_status_t *record);
void records_pack_telemetry(uint8_t data[8], uint32_t index, const record_telemetry_t *record);
void records_pack_drive(uint8_t data[8], const record_drive_t *record);
void records_pack_identity(uint8_t data[8], const record_identity_t *record);
void records_pack_nav(uint8_t data[RECORDS_NAV_BYTES], uint8_t counter, const record_nav_t *record);

/* Each returns 1, or 0 when a signal is out of its range: then the record is untouched.  Of a
 * record only the fields that the frame carries are written; `fresh` is left alone. */
int32_t records_unpack_command(record_command_t *record, const uint8_t data[8]);
int32_t records_unpack_status(record_status_t *record, const uint8_t data[8]);
int32_t records_unpack_gimbal(record_status_t *record, const uint8_t data[8]);
int32_t records_unpack_telemetry(record_telemetry_t *record, uint32_t index, const uint8_t data[8]);
int32_t records_unpack_enable(record_enable_t *record, const uint8_t data[8]);
int32_t records_unpack_query(uint32_t *echo, const uint8_t data[8]);
int32_t records_unpack_nav(record_nav_t *record, uint8_t *counter, const uint8_t data[RECORDS_NAV_BYTES]);

/* What a record looks like once it has been on the wire. */
void records_round_command(record_command_t *record);
void records_round_status(record_status_t *record);
void records_round_telemetry(record_telemetry_t *record);
void records_round_nav(record_nav_t *record);

#endif
