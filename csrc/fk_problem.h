/* fk_problem.h - a powered descent in physical units, and the scaled program that is solved for it.
 *
 * Least propellant to a given state at a given time, in the log-mass variables of Acikmese & Ploen, J. Guid.
 * Control Dyn. 30(5), 2007: u = T/m, sigma >= |u|, z = ln m. Axes are east, north, up.
 */
#ifndef FK_PROBLEM_H
#define FK_PROBLEM_H

#include <stdint.h>

#define FK_NODES 60      /* states of one program, first and last included */
#define FK_NODES_LEAST 4 /* the last two stages are determined by the final state */

/* One descent. Arrays hold one value for each node; with zero-order hold the last of them is unused. */
typedef struct {
    int32_t nodes;        /* 4 to FK_NODES */
    int32_t foh;          /* 1: thrust acceleration linear between nodes; 0: constant */
    int32_t has_pointing; /* limits that are on */
    int32_t has_glide_slope;
    int32_t has_speed_limit;
    int32_t has_switch; /* for fk_descent: bounds change at a node that it finds */
    double final_time_s;
    double mass_kg;
    double dry_mass_kg;
    double mass_flow_s_per_m; /* kg/s for each newton */
    double thrust_min_n[FK_NODES];
    double thrust_max_n[FK_NODES];
    double gravity_mps2[3];
    double accel_mps2[FK_NODES][3]; /* known acceleration besides gravity: drag along the last plan */
    double pos_m[3];
    double vel_mps[3];
    double final_pos_m[3];
    double final_vel_mps[3];
    double frame_rate_radps[3]; /* of the axes against the stars */
    double pointing_rad;        /* half-angle of thrust about up */
    double glide_slope_rad;     /* half-angle about up, apex at the final position */
    double speed_limit_mps;
    double later_thrust_min_n; /* for fk_descent: bounds from the switch on */
    double later_thrust_max_n;
    double drag_area_m2; /* for fk_descent: drag coefficient times area; 0: no drag */
} fk_problem_t;

/* One interval, exactly discretised: x+ = a x + b u for the shifted state x = y - d u, y being the true one.
 * With first-order hold the shift moves the part of the next control out of the recursion. */
typedef struct {
    double a[6][6];
    double b[6][3];
    double d[6][3];
    double bz; /* log mass: z+ = z + bz sigma, true z = z + dz sigma */
    double dz;
} fk_interval_t;

/* Limits at each node, scaled; delta = z - z0 in scaled log mass. */
typedef struct {
    double z0[FK_NODES];     /* expansion point, Acikmese & Ploen 2007 eq. (36) */
    double z_low[FK_NODES];  /* z0, at the last node not below dry mass */
    double z_high[FK_NODES]; /* with least thrust all the way */
    double top[FK_NODES];    /* sigma <= top - top_slope delta */
    double top_slope[FK_NODES];
    double floor[FK_NODES]; /* sigma >= floor - floor_slope delta + root^2 delta^2 / 2 */
    double floor_slope[FK_NODES];
    double root[FK_NODES];
} fk_limits_t;

/* The program: what fk_socp solves. Scaled to O(1); position is relative to the final one. */
typedef struct {
    int32_t nodes;
    int32_t stages; /* nodes with control */
    int32_t foh;
    int32_t soft;    /* 1: least miss instead of least propellant */
    int32_t turning; /* 1: the axes turn, so an interval couples the three axes */
    int32_t has_pointing;
    int32_t has_glide_slope;
    int32_t has_speed_limit;
    int32_t broken; /* 1: the initial or final state itself breaks a limit */
    double length_m;
    double speed_mps;
    double accel_mps2;
    double log_mass; /* unit of z - ln(mass) */
    double dt_s;
    double start[6];
    double final_vel[3];
    double dry; /* scaled log of the dry mass */
    double speed_limit;
    double cos_pointing;
    double sin_glide;
    double cos_glide;
    fk_interval_t first; /* of stage 0, whose true state is known: d = 0 */
    fk_interval_t later;
    double gain_last[3][6]; /* u = -gain x of the last stages, which the final state determines */
    double gain_before[3][6];
    double meet_last[3][6]; /* u = -meet end, end being the error of the final state without u */
    double meet_before[3][6];
    double drift[FK_NODES]
                [6]; /* of the shifted state over interval k, due to gravity and known accelerations */
    fk_limits_t limit;
    fk_problem_t given; /* last: the rest is cleared before it is filled in */
} fk_program_t;

/* What was found, in physical units. With zero-order hold the last thrust is that of the stage before. */
typedef struct {
    int32_t status;
    int32_t iterations;
    double propellant_kg;
    double miss_m;   /* horizontal distance from the final position; zero for the least-propellant problem */
    double switch_s; /* first node with the later bounds, from fk_descent; 0: no switch */
    double t_s[FK_NODES];
    double pos_m[FK_NODES][3];
    double vel_mps[FK_NODES][3];
    double mass_kg[FK_NODES];
    double thrust_n[FK_NODES][3];
} fk_answer_t;

/* 1 when every value is finite and in range: masses 1e-3 to 1e9 kg, dry mass at most mass; mass flow 1e-9 to 1
 * kg/s for each newton; thrust 0 to 1e12 N, the upper bound above zero and not below the lower one; final time 1e-3
 * to 1e5 s; pointing 0 to pi; glide slope 1e-6 to pi / 2; speed limit 1e-6 to 1e6 m/s; lengths, speeds and
 * accelerations to 1e9; drag area 0 to 1e6 m2; and the axes turn by less than 1 rad in one interval. */
int32_t fk_problem_usable(const fk_problem_t *p);

/* Scaled program of a descent. soft: the least-miss problem. Returns 0, or 1 when the data are not finite or
 * out of range, and the program is then not to be solved. */
int32_t fk_problem_scale(fk_program_t *out, const fk_problem_t *in, int32_t soft);

#endif
