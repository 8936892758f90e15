/* fk.h - Lastbrake's reference landing-guidance kernel.
 *
 * One fk_t, owned by the caller, holds everything.  fk_init brings it to the start of a flight, fk_step
 * runs one minor frame.  Types of inputs, outputs and configuration are those of fk_interface.h.
 *
 * Worst case of one fk_step: every loop is bounded by the constants below; the longest path is two
 * descent profiles of FK_PROFILE_STEPS steps in each of two phases and, where optimised plans are switched
 * on, FK_PLAN_ITERATIONS interior-point iterations on FK_PLAN_NODES nodes: FK_WORK_BOUND in all, which every
 * step counts.  FK_STATE_BYTES_MAX of state and FK_STACK_BYTES_MAX of stack.  No heap, no globals, no clock,
 * no recursion.
 */
#ifndef FK_H
#define FK_H

#include "fk_interface.h"
#include "fk_math.h"
#include "fk_socp.h"

#define FK_ENGINES FK_IF_MAX_ENGINES
#define FK_PROFILE_STEPS 24       /* steps of one predicted phase */
#define FK_STATE_BYTES_MAX 262144 /* bound of sizeof(fk_t), asserted in fk.c */
#define FK_STACK_BYTES_MAX 4096   /* of one fk_step on a 64-bit machine, checked by tools/check_stack.py */
#define FK_PLAN_NODES 30          /* of an optimised descent, at most */
#define FK_PLAN_NODES_LEAST 23
#define FK_PROBE_NODES 25   /* of a descent that ignition could wait for */
#define FK_FALL_STEPS 12    /* of the fall before it */
#define FK_ENGINE_OUT_S 3.0 /* after ignition, the loss of any one engine is to be landable */
#define FK_IGNITION_SPARE_S                                                                                  \
    2.1 /* ignition comes so much before the latest one: two seconds and what a probe may be off */
#define FK_STARTS_MOST 2     /* of an engine */
#define FK_ACTED 64          /* frames whose turns are remembered */
#define FK_PARTS 4           /* of an engine that move */
#define FK_PLAN_ITERATIONS 4 /* interior-point iterations a frame */
/* Most work of one step: steps of predicted phases, and nodes of the plan in each iteration. */
#define FK_WORK_BOUND (6 * FK_PROFILE_STEPS + FK_PLAN_ITERATIONS * FK_PLAN_NODES)
#define FK_STEP_INSTRUCTIONS_MAX 1000000 /* of one step on a Cortex-M7, counted where boards are emulated */

/* What the kernel believes about motion: the navigation solution smoothed and brought to now. */
typedef struct {
    int64_t valid_t_ns;
    int64_t behind_ns;     /* by how much the own clock is slow, by what the unit's times say */
    double age_s;          /* now minus the time of the last accepted solution */
    int32_t known;         /* 1 once a solution was accepted */
    int32_t lost;          /* 1 while the solution is too old to fly on */
    double unvouched_s;    /* since the unit last vouched for its solution, if it speaks */
    double doubt_pos_s[3]; /* since a component was last believed */
    double doubt_vel_s[3];
    double dead_vel_mps[2];     /* of the centre of mass across, as it is felt, drawn to the solutions' */
    double lean_rad[2];         /* about the pad's x and y: what attitudes are off by, taken off them */
    double rate_error_radps[3]; /* added to the turn rate, body axes */
    double doubt_rate_s;        /* since it was last believed */
    double arm_rate_mps[3];     /* of the centre of mass about the origin, as it lasts */
    double last_q[4];           /* of the last solution */
    /* at the time of the solution, position and velocity of the centre of mass as below */
    double held_pos_pad_m[3], held_vel_pad_mps[3], held_q[4], held_omega[3], held_force_body[3];
    /* now */
    double pos_pad_m[3]; /* body origin */
    double vel_pad_mps[3];
    double vel_cm_pad_mps[3];
    double pos_cm_pad_m[3]; /* centre of mass, minus its height above the body origin when upright */
    double q_pad_from_body[4];
    double omega_body_radps[3];
    double axis_pad[3];  /* body z */
    double swing_pad[3]; /* its rate, 1/s */
    double height_m;     /* body origin above the ground */
    double axial_mps2;   /* specific force along the body, filtered */
} fk_nav_t;

/* What it believes about the stage: mass, thrust, aerodynamic forces, and what the model misses. */
typedef struct {
    double mass_kg;
    double cm_z_m;
    double inertia_kgm2;
    double pressure_ratio; /* ambient over sea level */
    double density_kgpm3;
    double speed_mps;
    double mach;
    double dynamic_pressure_pa;
    double plume;                /* factor on aerodynamic forces */
    double axial_n;              /* aerodynamic force along the body axis */
    double normal_n_per_rad;     /* aerodynamic force across it, each radian of incidence */
    double thrust_n[FK_ENGINES]; /* from chamber pressure */
    double open[FK_ENGINES];     /* the less open of its two valves, filtered */
    double thrust_total_n;
    double strength;           /* what is felt of it over this, filtered */
    double turn_radps[2];      /* turn rate across the axis, filtered */
    double turned_radps2[2];   /* how fast that changes */
    double turn_most_radps2;   /* that fins and gimbals can do besides holding off-centre thrust */
    double fin_part;           /* of a torque across the axis; the rest is the gimbals' */
    double trim_pad_mps2[3];   /* side force of the gimbals that hold the torque of off-centre thrust */
    double wind_pad_mps[2];    /* as felt across: what the model misses at speed */
    double rest_pad_mps2[3];   /* measured minus modelled specific force, filtered */
    double missed_pad_mps2[3]; /* both together: specific force besides thrust, trim and still air */
} fk_stage_t;

/* Health of one engine. */
typedef struct {
    double expected;        /* chamber pressure due to the measured valves, fraction of full */
    double given, taken;    /* chamber pressure measured and expected, filtered, fractions of full */
    double efficiency;      /* the first over the second */
    double running_s;       /* since MAINSTAGE */
    double lit_s;           /* since its board said so, healthy or not */
    int32_t late;           /* 1: it lit late, and at once in full by what had pooled */
    double starting_s;      /* since START was asked for */
    double pressure;        /* of the chamber over its full one, filtered */
    double asked[FK_PARTS]; /* positions last commanded: valves (oxidiser, fuel), gimbals (x, y, rad) */
    double due[FK_PARTS];   /* where they should be by now */
    double seen[FK_PARTS];  /* where they were at the last look */
    int32_t looked;         /* frames since then */
    int32_t wild_looks;     /* in a row in which it did not do what it was asked */
    int32_t wild;           /* 1: it burns, but not as it is asked */
    double lame_s;          /* for which its gimbal was not where it should be, slowly forgotten */
    int32_t lame;           /* 1: its gimbal does not follow, ... */
    int32_t stuck_looks;
    int32_t stuck;      /* 1: ... and rests elsewhere */
    double excused_s;   /* for which it was ... */
    int32_t excused;    /* 1: on the axis, but the others are to finish without it */
    int32_t low_frames; /* consecutive frames with too little pressure */
    int32_t silent_frames;
    int32_t state;     /* of its board, as last heard */
    int32_t running;   /* MAINSTAGE, healthy, not stopped */
    int32_t stopped;   /* shut down on purpose: commanded again only where those that should land are lost */
    int32_t starts;    /* asked for so far */
    int32_t startable; /* one more is left */
    int32_t spare;     /* stopped, healthy, with a start left: may be lit again */
    int32_t weak;      /* 1: stopped as it was too weak, or not to be steered, and not lit again */
    int32_t failed;    /* latched, but for ... */
    int32_t away;      /* 1: ... one that nothing is known against but that its board left, ... */
    double away_s;     /* ... for which it has, ... */
    int32_t dark;      /* 1: ... or dropped its drives, and was silent since, ... */
    int32_t home;      /* frames in a row in which its board has been at rest again, ... */
    int32_t back;      /* 1: ... long enough to be taken back, ... */
    int32_t hoped;     /* 1: ... or it may still come */
} fk_engine_t;

/* The vertical plan: all engines brake down to a speed, then the landing engines finish. */
typedef struct {
    double brake_throttle;    /* solved for in every frame */
    double flown_throttle;    /* more, while the loss of an engine could not be borne */
    double land_throttle;     /* planned for the finish */
    double finish_decel_mps2; /* net deceleration that this gives */
    double least_decel_mps2;  /* of the engines that finish, at their floor, ... */
    double most_decel_mps2;   /* ... and at most */
    double drag_mean_mps2;    /* from now to the ground, as the stage slows down evenly */
    double spare_most_mps2;   /* of those that could be lit again, at most */
    double needed_decel_mps2; /* of the finish, now */
    double needed_mean_mps2;  /* the same, filtered */
    double land_accel_mps2;   /* net deceleration flown in the finish */
    double slope_m;           /* height of the planned descent by throttle */
    int32_t slope_frames;     /* for which it still holds */
    double time_to_go_s;
    double time_to_finish_s; /* to the start of the finish */
    double lift_area_m2; /* normal force by dynamic pressure, each radian of tilt, while the engines burn */
    double drag_area_m2; /* while the engines burn */
    double margin_m;     /* height left before ignition */
    double margin_s;     /* ignition could be so much later, where margin_known */
    int32_t margin_known;
    int32_t profile_steps; /* taken in this frame */
    double asked_mps2;     /* specific force that the closed form asks for, upwards */
    double to_light_s;     /* after ignition, until the engines should burn */
    double trim_pad_mps2[2]
                        [3]; /* side force of the gimbals that hold the torque, now and after that change */
    fk_across_t across;      /* what pushes across now, and after the engines change */
    double end_height_m;     /* where the finish reaches the touchdown speed */
    double soft_part;        /* of the height from which the finish is planned */
    double speed_in_mps;     /* speed at which the finish is joined */
    double final_mass_kg;
} fk_plan_t;

/* A descent as planned: thrust and drag constant from node to node. */
typedef struct {
    double start_s; /* of node 0, on the clock of the frames */
    double step_s;
    int32_t nodes;
    int32_t valid;
    double pos_m[FK_PLAN_NODES][3];
    double vel_mps[FK_PLAN_NODES][3];
    double force_mps2[FK_PLAN_NODES][3];  /* all but gravity */
    double thrust_mps2[FK_PLAN_NODES][3]; /* the part of it that the engines give */
} fk_trajectory_t;

/* The optimiser in flight: one solve after the other, a bounded part of it in each frame. */
typedef struct {
    fk_trajectory_t flown;  /* accepted last */
    fk_trajectory_t before; /* and the one before, which leads up to it */
    fk_problem_t problem;
    fk_program_t program;
    fk_socp_t socp;
    fk_answer_t answer;
    double began_s; /* when the running solve was given its problem */
    double start_s; /* when its plan starts */
    double known_s; /* when the flown plan was */
    int32_t solving;
    int32_t relaxed;    /* limits that the running solve does without, the last one having had no answer */
    int32_t engines;    /* that ran when the solve began */
    int32_t failed;     /* that had failed then */
    int32_t iterations; /* in this frame */
} fk_optimiser_t;

/* The search for the latest ignition from which the loss of an engine can be borne. */
typedef struct {
    double early_s; /* an ignition time found early enough, on the clock of the frames */
    double late_s;  /* one found too late */
    double probe_s; /* the one looked at */
    double latest_s;
    double answered_s; /* when the last probe was */
    double throttle;   /* of the probe's descent */
    double final_time_s;
    int32_t begun;
    int32_t known; /* latest_s holds */
    int32_t solving;
    int32_t frames; /* spent on this probe's throttle */
    int32_t steps;  /* of profiles, in this frame */
} fk_ignition_t;

/* A stage that cannot land is steered beside the keep-out. */
typedef struct {
    double aside[2];   /* unit vector from the pad to where it shall come down, east and north */
    double accel_mps2; /* that this takes */
    int32_t given_up;  /* latched */
    int32_t bad;       /* forecasts in a row by which it hits the ground */
    int32_t wait;      /* frames to the next one */
    int32_t steps;     /* of the forecast, in this frame */
} fk_divert_t;

/* What guidance asks of control and allocation. */
typedef struct {
    double accel_pad_mps2[3]; /* thrust acceleration */
    double axis_pad[3];       /* where the nose shall point */
    double thrust_n;
    double turn_limit_radps; /* fastest turn towards that axis, ... */
    double turn_ends_s;      /* ... which fins and gimbals have to be able to end in this time */
} fk_demand_t;

typedef struct {
    double torque_body_nm[3];
    double integral[2];   /* rad/s^2 */
    double roll_integral; /* rad/s^2 */
    int32_t burning;      /* bit by bit, the engines that did in the frame before */
    double anew_s;        /* for which what turns the stage is still learnt anew */
    double turning[2];    /* angular acceleration that acts by now, rad/s^2 */
    double pushed[2];     /* angular acceleration besides it, that nobody modelled, filtered, rad/s^2 */
    double
        overborne_s; /* for which holding against that would have left one engine too little to steer with */
    double acted_radps[FK_ACTED][2]; /* the sum of `turning` up to each of the last frames */
    int32_t acted_at;                /* the place of the last */
    double gimbal_rad[2];            /* where the gimbals that steer should be by now, x and y */
    double unmet[2];                 /* angular acceleration asked for beyond their reach, rad/s^2 */
} fk_control_t;

typedef struct {
    int32_t mode;
    int32_t
        relighting; /* 1 while some that were stopped are to be lit again: no engine burns, or they are ... */
    int32_t weak;   /* ... too weak for what is left */
    int32_t resumed; /* 1: the flight had begun before this kernel did */
    int32_t relit;   /* 1 once that was done: closed forms alone fly what is left */
    int32_t frames_in_mode;
    int32_t unpowered_frames;  /* of the finish, since an engine burnt */
    int32_t low_frames;        /* of the finish, in which the stage should stand already */
    int32_t share[FK_ENGINES]; /* 1: takes part in the plan */
} fk_modes_t;

typedef struct {
    fk_if_config_t config;
    fk_nav_t nav;
    fk_stage_t stage;
    fk_engine_t engine[FK_ENGINES];
    fk_plan_t plan;
    fk_optimiser_t optimiser;
    fk_ignition_t ignition;
    fk_divert_t divert;
    fk_demand_t demand;
    fk_control_t control;
    fk_modes_t modes;
} fk_t;

/* 0: ready.  Otherwise the configuration was refused: 1 version, 2 size, 3 a value not finite or out of
 * range; fk is then not to be stepped. */
int32_t fk_init(fk_t *fk, const fk_if_config_t *config);

/* One minor frame.  The output is finite and in range whatever the input. */
void fk_step(fk_t *fk, const fk_if_input_t *in, fk_if_output_t *out);

#endif
