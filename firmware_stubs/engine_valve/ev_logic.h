/* ev_logic.h - one engine's valves, igniter and gimbal: records in, drives and records out.
 *
 *      SAFE --ARM--> ARMED --START--> START --chamber pressure--> MAINSTAGE
 *       ^              |                |  \--light timeout--> FAULT  |
 *       |              v                v                        |    v
 *       +---------- SHUTDOWN <----------+----------<-------------+----+
 *
 * Valves open in START and MAINSTAGE only.  The shutdown sequence closes one valve, then the other,
 * and ends in SAFE when both are on their stops: there is no way back into START but through SAFE
 * and ARM.  FAULT runs the same sequence and waits in it for the request SAFE.  A board outside
 * SAFE that hears no valid command for the watchdog time shuts down by itself.
 *
 * Where the configuration demands it, a board moves only while it also has the bench's leave
 * (ev_enable.h): without it there is no way out of SAFE, and outside SAFE it shuts down.  An actuator
 * that has used up what it is allowed (ev_limits.h) shuts the board down too.  Closing a valve needs
 * no leave and has no limit.
 */
#ifndef EV_LOGIC_H
#define EV_LOGIC_H

#include <stdint.h>

#include "ev_enable.h"
#include "ev_limits.h"
#include "records.h"

#define EV_CONFIG_VERSION 2

typedef struct {
    uint32_t version; /* EV_CONFIG_VERSION */
    uint32_t size;    /* sizeof(ev_config_t) */
    double frame_s;
    double watchdog_s;
    double valve_slew_per_s; /* valve speed at full drive, strokes a second */
    double valve_gain_per_s; /* position loop */
    double gimbal_rate_radps;
    double gimbal_gain_per_s;
    double gimbal_limit_rad;
    double chamber_pa; /* at full thrust */
    double mainstage_chamber_fraction;
    double start_igniter_lead_s;  /* igniter on before the fuel valve opens */
    double start_fuel_lead_s;     /* fuel valve opens before the oxidiser valve */
    double start_valve_pos;       /* held until the chamber burns */
    double start_light_timeout_s; /* START to FAULT */
    double shutdown_gap_s;        /* from closing the first valve to closing the second */
    double stroke_time_s;         /* full stroke at the shutdown drive, upper bound */
    double closed_pos;            /* at or below it a valve counts as on its stop */
    ev_limit_t limit[EV_KINDS];   /* of a valve, of a gimbal axis, of the igniter */
    int32_t node;                 /* the engine's number, from 1 */
    int32_t shutdown_first;       /* EV_OX or EV_FUEL */
    int32_t enable_demanded;      /* 1: nothing moves without the bench's leave */
    int32_t reserved;
} ev_config_t;

enum { /* why the board last entered SHUTDOWN or FAULT */
       EV_CAUSE_NONE = 0,
       EV_CAUSE_COMMAND,
       EV_CAUSE_WATCHDOG,
       EV_CAUSE_NOT_LIT,
       EV_CAUSE_ENABLE,
       EV_CAUSE_LIMIT
};

typedef struct {
    double valve_pos[EV_VALVES];
    double gimbal_rad[EV_AXES];
    double chamber_pa;
    int32_t valve_valid[EV_VALVES];
    int32_t gimbal_valid[EV_AXES];
    int32_t chamber_valid;
    int32_t reserved;
} ev_sensors_t;

typedef struct {
    double valve_drive[EV_VALVES]; /* -1 .. 1 of the full slew rate */
    double gimbal_drive[EV_AXES];
    double igniter; /* 0 or 1 */
} ev_drives_t;

typedef struct {
    ev_config_t config;
    ev_enable_t enable;
    ev_usage_t usage[EV_ACTUATORS];
    ev_drives_t wanted;       /* what would be driven were nothing inhibited */
    record_command_t command; /* the newest that was valid */
    int64_t t_ns;
    int64_t heard_t_ns;            /* when the newest valid command came */
    int64_t entered_t_ns;          /* when this state was entered */
    int64_t close_t_ns[EV_VALVES]; /* when the sequence starts to close a valve */
    double held_pos[EV_VALVES];    /* newest valid reading of each sensor */
    double model_pos[EV_VALVES];   /* COLD: where the valves would be */
    double model_rad[EV_AXES];     /* COLD: where the gimbal would be */
    int32_t closed[EV_VALVES];     /* 1: on its stop, or given its time to get there */
    int32_t closed_frames;         /* frames in a row with both closed */
    int32_t state;
    int32_t cause;
    int32_t fault;
    int32_t sensed;  /* 1: both valves' sensors had a valid reading */
    int32_t limited; /* 1: an actuator has used up what it is allowed in this run */
    int32_t running; /* 0 until the first step */
} ev_t;

/* FIRMWARE_READY, FIRMWARE_BAD_VERSION, _SIZE or _VALUE. */
int32_t ev_init(ev_t *ev, const ev_config_t *config);

/* Takes a valid enable frame, before the step of the frame that it came in. */
void ev_hear_enable(ev_t *ev, int64_t t_ns, const record_enable_t *enable);

/* What the board drives or would drive, as it is reported. */
void ev_drive_record(const ev_t *ev, record_drive_t *record);

/* One frame.  `command` is used when its `fresh` is 1; status->rejected is the caller's. */
void ev_step(ev_t *ev, int64_t t_ns, const record_command_t *command, const ev_sensors_t *sensors,
             ev_drives_t *drives, record_status_t *status);

/* 1: in SAFE with both valves on their stops. */
int32_t ev_safe(const ev_t *ev);

/* State, and its cause where there is one, as text. */
const char *ev_describe(const ev_t *ev);

#endif
