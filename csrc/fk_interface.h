/* fk_interface.h - the interface between a landing-guidance kernel and Lastbrake.
 *
 * A kernel is anything that implements the three functions at the end of this file: they describe
 * it, start it, and run one minor frame.  Inputs, outputs and configuration are plain structs; all
 * state lives in a block of memory that the caller owns, so that several kernels can fly side by
 * side.  A kernel needs no heap, no clock and no other header of this project.
 *
 * Frames of reference: pad = east, north, up, origin at the pad's centre; body = z towards the nose,
 * origin at the centre of the leg-foot plane.  Quaternions are scalar first and turn body vectors
 * into pad vectors.  SI units.  Validity is always a flag, never a NaN.
 */
#ifndef FK_INTERFACE_H
#define FK_INTERFACE_H

#include <stddef.h>
#include <stdint.h>

#define FK_IF_VERSION 2
#define FK_IF_MAX_ENGINES 40
#define FK_IF_FINS 4
#define FK_IF_AERO_POINTS 12
#define FK_IF_MOST_WORK 65534

enum { /* fk_if_telemetry_t.mode */
       FK_IF_COAST = 0,
       FK_IF_IGNITION = 1,
       FK_IF_BRAKING = 2,
       FK_IF_TERMINAL = 3,
       FK_IF_TOUCHDOWN = 4,
       FK_IF_SHUTDOWN_DONE = 5,
       FK_IF_ABORT = 6
};

enum { /* fk_if_telemetry_t.plan_source */
       FK_IF_BY_NOTHING = 0,
       FK_IF_BY_CLOSED_FORM = 1,
       FK_IF_BY_OPTIMISER = 2,
       FK_IF_ASIDE_OF_KEEP_OUT = 3
};

enum { /* fk_if_engine_command_t.request */
       FK_IF_REQUEST_SAFE = 0,
       FK_IF_REQUEST_ARM = 1,
       FK_IF_REQUEST_START = 2,
       FK_IF_REQUEST_RUN = 3,
       FK_IF_REQUEST_SHUTDOWN = 4
};

enum { /* fk_if_engine_status_t.state */
       FK_IF_ENGINE_SAFE = 0,
       FK_IF_ENGINE_ARMED = 1,
       FK_IF_ENGINE_START = 2,
       FK_IF_ENGINE_MAINSTAGE = 3,
       FK_IF_ENGINE_SHUTDOWN = 4,
       FK_IF_ENGINE_FAULT = 5
};

/* ---- configuration: the guidance data of a vehicle, constant for a flight ---- */

typedef struct {
    double pos_body_m[2];    /* x, y of the gimbal point; all lie in gimbal_plane_z_m */
    double thrust_sl_n;      /* full thrust at sea level */
    double thrust_vac_n;     /* full thrust in vacuum */
    double throttle_floor;   /* least steady chamber pressure, fraction of full */
    double isp_vac_s;        /* vacuum specific impulse */
    double chamber_pa;       /* chamber pressure at full thrust */
    double thrust_lag_s;     /* valve position to thrust, first order */
    double valve_slew_per_s; /* fastest valve, fraction of the stroke a second */
    double start_s;          /* START request to the throttle floor, healthy engine */
    double gimbal_limit_rad; /* on each axis */
    double gimbal_rate_radps;
    int32_t centre; /* 1: on the axis, may land the stage by itself */
    int32_t starts; /* igniter starts at the beginning of the flight */
} fk_if_engine_config_t;

typedef struct {
    uint32_t version; /* FK_IF_VERSION */
    uint32_t size;    /* sizeof(fk_if_config_t) */
    double frame_s;   /* one minor frame */

    int32_t engine_count;    /* engines that take part in the landing burn */
    int32_t ignition_forced; /* 1: light at ignition_forced_t_s, whatever the kernel thinks */
    double ignition_forced_t_s;
    fk_if_engine_config_t engine[FK_IF_MAX_ENGINES];

    double mass_kg; /* believed mass at the start of the flight */
    double dry_mass_kg;
    double dry_cm_z_m;              /* centre of mass, empty */
    double propellant_cm_z_m;       /* centre of mass of the propellant that is left for landing */
    double inertia_transverse_kgm2; /* at the start, about the centre of mass */
    double inertia_axial_kgm2;
    double gimbal_plane_z_m;
    double length_m;

    double ref_area_m2;
    int32_t aero_points; /* entries used in the tables */
    int32_t optimise;    /* 1: the braking burn is flown along optimised plans, where the kernel has any */
    double aero_mach[FK_IF_AERO_POINTS];
    double aero_axial[FK_IF_AERO_POINTS];        /* axial force coefficient, engines first */
    double aero_normal_slope[FK_IF_AERO_POINTS]; /* normal force coefficient a radian */
    double aero_cp_z_m;                          /* where the normal force acts */
    double plume_factor; /* aerodynamic forces behind the plume, fraction of those without */
    double fin_z_m;
    double fin_arm_m;            /* distance of a fin's centre of pressure from the axis */
    double fin_slope_m2_per_rad; /* force of one fin = dynamic pressure * this * deflection */
    double fin_limit_rad;
    double fin_rate_radps;

    double throttle_plan_low; /* planning band, fractions of full thrust */
    double throttle_plan_high;
    double land_throttle;  /* planned throttle of the landing engines after the step-down */
    double brake_throttle; /* planned throttle of the braking engines */
    double touchdown_speed_mps;
    double soft_finish_height_m; /* below this the descent is slow */
    double tilt_limit_rad;       /* commanded tilt, high above the ground */
    double keep_out_radius_m;
} fk_if_config_t;

/* ---- one minor frame: inputs ---- */

typedef struct {
    int64_t valid_t_ns;  /* time for which the solution holds, on the clock of t_ns */
    double pos_pad_m[3]; /* body origin */
    double vel_pad_mps[3];
    double q_pad_from_body[4];
    double omega_body_radps[3];
    double force_body_mps2[3]; /* specific force */
    double height_m;           /* above the ground */
    int32_t fresh;             /* 1: arrived since the last frame */
    int32_t valid;             /* 1: the unit vouches for it */
} fk_if_nav_t;

typedef struct {
    double ox_valve_pos; /* 0 shut .. 1 open */
    double fuel_valve_pos;
    double chamber_pa;
    double gimbal_x_rad;
    double gimbal_y_rad;
    int32_t state;
    int32_t fault; /* bits of the board's fault word, 0 when healthy */
    int32_t fresh; /* 1: a valid status arrived since the last frame */
    int32_t reserved;
} fk_if_engine_status_t;

typedef struct {
    int64_t t_ns; /* time of this frame */
    fk_if_nav_t nav;
    fk_if_engine_status_t engine[FK_IF_MAX_ENGINES];
    int32_t abort; /* 1: shut everything down */
    int32_t reserved;
} fk_if_input_t;

/* ---- one minor frame: outputs ---- */

typedef struct {
    double ox_valve_cmd;     /* 0 .. 1 */
    double fuel_valve_cmd;   /* 0 .. 1 */
    double gimbal_x_cmd_rad; /* thrust deflected towards body x, within the engine's limit */
    double gimbal_y_cmd_rad;
    int32_t request;
    int32_t failed; /* 1: held for failed */
    int32_t share;  /* 1: takes part in the plan */
    int32_t reserved;
} fk_if_engine_command_t;

typedef struct {
    double accel_cmd_pad_mps2[3]; /* commanded thrust acceleration */
    double time_to_go_s;
    double thrust_cmd_n;
    double mass_est_kg;
    double ignition_margin_m; /* height left before the burn has to start, 0 afterwards */
    double plan_age_s;
    double nav_age_s;
    double ignition_margin_s;      /* the burn could begin so much later and still land, where known */
    int32_t ignition_margin_known; /* 1: it is known; the last one before the burn counts */
    int32_t work;                  /* done in this step, in the unit of fk_if_info_t.work_bound */
    int32_t mode;
    int32_t plan_source; /* FK_IF_BY_... */
} fk_if_telemetry_t;

typedef struct {
    fk_if_engine_command_t engine[FK_IF_MAX_ENGINES];
    double fin_cmd_rad[FK_IF_FINS]; /* force along (z x r) for a positive deflection: +x, +y, -x, -y fin */
    fk_if_telemetry_t telemetry;
} fk_if_output_t;

/* ---- the three functions ---- */

typedef struct {
    uint32_t version;    /* FK_IF_VERSION the kernel was written for */
    uint32_t state_size; /* bytes of state, aligned to 16, that the caller provides */
    uint32_t input_size, output_size, config_size; /* sizeof the structs as the kernel knows them */
    uint32_t work_bound; /* most work of one step, counted in what is the same on every machine, say turns of
                          * the longest loops; at most FK_IF_MOST_WORK; 0: the kernel states none */
    const char *name;    /* short, printable */
} fk_if_info_t;

/* Describes the kernel; touches nothing. */
void fk_if_describe(fk_if_info_t *info);

/* Brings the state to the start of a flight.  0: ready; else the configuration was refused. */
int32_t fk_if_init(void *state, const fk_if_config_t *config);

/* Runs one minor frame.  Never fails: what cannot be used is ignored, and the output is always
 * finite and in range. */
void fk_if_step(void *state, const fk_if_input_t *in, fk_if_output_t *out);

#endif
