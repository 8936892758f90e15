/* Closed-form guidance: brake to the start of the finish, then finish at a constant deceleration.
 *
 * Vertically the plan has two phases, both integrated backwards from the ground in steps of speed: the
 * finish, on the landing engines at their planned throttle, and before it the braking phase, on all
 * engines at a throttle that is solved for so that the phases meet the present height (one Newton step a
 * frame).  Horizontally the command is the quadratic law of the Apollo lunar descent (Klumpp 1974, eq. 10)
 * with zero final position, velocity and acceleration: a = -12 r / t^2 - 6 v / t. */
#include "fk_math.h"
#include "fk_parts.h"

#include <math.h>

#define NO_THRUST_LEFT 0.99    /* throttle of the braking, beyond which the finish is planned from ... */
#define SOFT_SHORT 0.5         /* ... half the height, ... */
#define SOFT_DECIDED_S 2.0     /* ... until so shortly before it */
#define LEAST_DECEL_MPS2 0.5   /* a profile that brakes less than this never ends */
#define LATERAL_TIME_MIN_S 8.0 /* that it works with: the lateral loop stays slower than the attitude loop */
#define LAW_PART 0.5           /* of what is asked across, while a plan is followed */
#define POSITION_FADES_S 4.0
#define NEWTON_PROBE 0.02
#define SLOPE_FRAMES 4 /* for which a slope is kept */
#define NEWTON_STEP 0.05
#define END_HEIGHT_M 0.15 /* the finish aims at the touchdown speed this high */
#define END_HEIGHT_STRONG_M 0.08
#define LEG_REACH                                                                                            \
    2.0 /* of the legs, about, over the root of the body's cross-section: one is first when tilted */
#define FREEZE_BELOW_M 12.0   /* the finish's deceleration is no longer solved for, unless ... */
#define NOT_ENOUGH 1.15       /* ... so much more is needed, ... */
#define NEEDED_FILTER_S 0.2   /* ... for longer than chugging takes, ... */
#define FROZEN_BELOW_M 1.0    /* ... and then down to here */
#define STRONG_MPS2 3.0       /* net, of engines at their floor that stop the stage in a blink: ... */
#define STRONG_BELOW_M 0.4    /* ... theirs is solved for down to here */
#define GENTLE_BELOW_M 5.0    /* engines that can hover do the last of the finish at ... */
#define GENTLE_DECEL_MPS2 3.6 /* ... this deceleration at most: heights err, and thrust lags */
#define SPEED_GAIN 1.6        /* 1/s, speed error to acceleration in the finish */
#define FINISH_DECEL_LEAST 3.5
#define FINISH_DECEL_GENTLE 9.0  /* engines that can do much more leave it unused */
#define FLOOR_ROOM 0.05          /* of throttle, to brake less with */
#define FINISH_THROTTLE_MAX 0.92 /* leaves something to correct with */
#define FINISH_ACCEL_MAX 30.0
#define TILT_AT_GROUND_RAD 0.035
#define TILT_PER_M 0.0022
#define SPARE_THROTTLE 0.93 /* that the engines but one may need */
#define SPARE_GAIN 4.0
#define TURN_RADPS 0.2
#define TURN_ENDS_S 0.55 /* gimbals at their stop take half a second to change sides */
#define ASIDE_TURN_RADPS 0.3
#define ASIDE_TURN_ENDS_S 1.0
#define ASIDE_TILT_SLOW 2.5
#define LIFT_MUCH 0.6          /* of thrust and drag */
#define TILT_FORCE_LEAST 1.2   /* g: less does not last, and is no force to take the tilt from */
#define SLOW_MPS 5.0           /* below this the velocity is no direction to steer by */
#define STIFFNESS_LEAST 0.3    /* of the larger of the two opposing forces */
#define LATERAL_LIMIT_PART 0.5 /* of the vertical specific force */
#define NO_CHANGE_S 1e3
#define TURN_AHEAD_S 0.3 /* before the engines change, the attitude turns to where it will be trimmed then */

/* Full thrust of a set of engines and what the atmosphere takes of it. */
typedef struct {
    double vac_n, loss_n, flow_per_n, lag_s, floor;
    double sound_sl_n; /* if none were weak */
    int32_t count;
} engines_t;

typedef struct {
    double height_m, time_s, mass_kg;
    double finish_s; /* time_s at the start of the finish */
    int32_t steps;   /* that it took to get there */
} profile_t;

static engines_t sum_engines(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                             const int32_t member[FK_ENGINES])
{
    engines_t s = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0};
    for (int32_t i = 0; i < c->engine_count; i++) {
        if (member[i]) {
            const fk_if_engine_config_t *e = &c->engine[i];
            s.vac_n += e->thrust_vac_n * engine[i].efficiency;
            s.loss_n += e->thrust_vac_n - e->thrust_sl_n;
            s.sound_sl_n += e->thrust_sl_n;
            s.flow_per_n = 1.0 / (e->isp_vac_s * FK_G0);
            s.lag_s = e->thrust_lag_s;
            s.floor = fk_max(s.floor, fk_least_thrust_sl_n(e) / e->thrust_sl_n);
            s.count++;
        }
    }
    return s;
}

/* Engines that can finish the landing: the centre one where it runs, else all that are in the plan. */
static void choose_landing(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                           const int32_t braking[FK_ENGINES], int32_t landing[FK_ENGINES], int32_t in_coast)
{
    int32_t centre = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        landing[i] =
            braking[i] && c->engine[i].centre && !engine[i].excused && (in_coast || engine[i].running);
        centre |= landing[i];
    }
    for (int32_t i = 0; i < c->engine_count && !centre; i++) {
        landing[i] = braking[i] && !engine[i].excused;
    }
}

/* Engines that brake: in coast all that are healthy, afterwards those that run. */
static void choose_braking(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                           const fk_modes_t *modes, int32_t braking[FK_ENGINES], int32_t in_coast)
{
    for (int32_t i = 0; i < c->engine_count; i++) {
        braking[i] = modes->share[i] && !engine[i].failed && (in_coast || engine[i].running);
    }
}

static double thrust_at(const engines_t *e, double throttle, double pressure_ratio)
{
    const double full_sl = e->vac_n - e->loss_n;
    return throttle * full_sl + e->loss_n * (1.0 - pressure_ratio);
}

/* Backwards from `end` (reached at speed v_low): height, time and mass where the speed was v_high. */
static profile_t climb_back(profile_t end, const engines_t *e, double throttle, double drag_area,
                            double v_low, double v_high)
{
    profile_t p = end;
    const double dv = (v_high - v_low) / (double)FK_PROFILE_STEPS;
    if (!(dv > 0.0)) {
        return p;
    }
    for (int32_t i = 0; i < FK_PROFILE_STEPS; i++) {
        const double v = v_low + ((double)i + 0.5) * dv;
        const fk_air_t air = fk_air_at(p.height_m);
        const double thrust = thrust_at(e, throttle, air.pressure_ratio);
        const double accel =
            (thrust / p.mass_kg) + fk_drag_mps2(drag_area, air.density_kgpm3, v, p.mass_kg) - FK_G0;
        const double dt = dv / fk_max(accel, LEAST_DECEL_MPS2);
        p.height_m += v * dt;
        p.time_s += dt;
        p.mass_kg += thrust * e->flow_per_n * dt;
        p.steps++;
    }
    return p;
}

/* Drag area for the vertical balance while the engines burn, from the model's force of this moment. */
static double burning_drag_area(const fk_if_config_t *c, const fk_stage_t *stage)
{
    if (stage->dynamic_pressure_pa < 100.0) {
        return c->ref_area_m2 * c->aero_axial[0] * c->plume_factor;
    }
    const double half_plume = 0.5 * (1.0 + c->plume_factor);
    return stage->axial_n / stage->dynamic_pressure_pa * fk_min(1.0, half_plume / stage->plume);
}

/* What the engines that finish can do at the least and at the most. */
static void find_strength(fk_plan_t *plan, const fk_stage_t *stage, const engines_t *land)
{
    const double full = stage->strength * thrust_at(land, 1.0, 1.0) / plan->final_mass_kg;
    plan->least_decel_mps2 = land->floor * full - FK_G0;
    plan->drag_mean_mps2 = 0.5 * stage->axial_n / stage->mass_kg;
    plan->most_decel_mps2 = FINISH_THROTTLE_MAX * full - FK_G0;
}

/* Plans the finish: its throttle, raised where weak engines need it, its deceleration and its first speed. */
static void plan_finish(fk_plan_t *plan, const fk_if_config_t *c, const fk_stage_t *stage,
                        const engines_t *land)
{
    const double mass = plan->final_mass_kg;
    const double full = fk_max(thrust_at(land, 1.0, 1.0), 1.0);
    const double least = mass * (FK_G0 + FINISH_DECEL_LEAST) / full;
    const double gentle = fk_max(mass * (FK_G0 + FINISH_DECEL_GENTLE) / full, land->floor + FLOOR_ROOM);
    const double v0 = c->touchdown_speed_mps;
    plan->land_throttle =
        fk_clamp(fk_max(fk_min(c->land_throttle, gentle), least), land->floor, FINISH_THROTTLE_MAX);
    /* engines that cannot hover would lift the stage off again from there: they aim closer to the ground */
    plan->end_height_m =
        thrust_at(land, land->floor, 1.0) < mass * FK_G0 ? END_HEIGHT_M : END_HEIGHT_STRONG_M;
    plan->finish_decel_mps2 = plan->land_throttle * full / mass - FK_G0;
    find_strength(plan, stage, land);
    /* a weak engine takes no longer than a sound one: that would cost more propellant than there is */
    const double decel = fk_max(plan->finish_decel_mps2, LEAST_DECEL_MPS2);
    const double sound =
        fk_clamp(c->land_throttle * land->sound_sl_n / mass - FK_G0, LEAST_DECEL_MPS2, FINISH_DECEL_GENTLE);
    const double part = fk_min(plan->soft_part, decel / sound);
    plan->speed_in_mps = sqrt(v0 * v0 + 2.0 * decel * part * c->soft_finish_height_m);
}

/* The whole descent backwards from the ground to speed v. */
static profile_t whole_descent(fk_plan_t *plan, const fk_if_config_t *c, const engines_t *brake,
                               const engines_t *land, double throttle, double v)
{
    const double drag_area = plan->drag_area_m2;
    const double end_s = plan->end_height_m / c->touchdown_speed_mps;
    profile_t p = {plan->end_height_m, end_s, plan->final_mass_kg, 0.0, 0};
    const double joined = fk_min(plan->speed_in_mps, v);
    p = climb_back(p, land, plan->land_throttle, drag_area, c->touchdown_speed_mps, joined);
    p.finish_s = p.time_s;
    p = climb_back(p, brake, throttle, drag_area, joined, v);
    plan->profile_steps += p.steps;
    return p;
}

void fk_guidance_init(fk_plan_t *plan, const fk_if_config_t *c)
{
    plan->brake_throttle = c->brake_throttle;
    plan->soft_part = 1.0;
    plan->land_accel_mps2 = 1.0;
    plan->margin_m = 1e5;
    plan->final_mass_kg = c->dry_mass_kg + 0.3 * (c->mass_kg - c->dry_mass_kg);
}

static void learn_final_mass(fk_plan_t *plan, const fk_if_config_t *c, const fk_stage_t *stage, profile_t p)
{
    const double wrong = fk_clamp(stage->mass_kg - p.mass_kg, -500.0, 500.0);
    plan->final_mass_kg = fk_clamp(plan->final_mass_kg + 0.2 * wrong, c->dry_mass_kg, stage->mass_kg);
}

/* Coast: how much height is left before the planned burn has to start. */
static void plan_ignition(fk_plan_t *plan, const fk_if_config_t *c, const fk_stage_t *stage,
                          const engines_t *brake, const engines_t *land, double v, double height)
{
    plan_finish(plan, c, stage, land);
    const profile_t p = whole_descent(plan, c, brake, land, c->brake_throttle, v);
    plan->margin_m = height - p.height_m - v * c->engine[0].start_s;
    plan->time_to_go_s = p.time_s;
    plan->to_light_s = c->engine[0].start_s;
    learn_final_mass(plan, c, stage, p);
}

/* The throttle to brake with now.  Where the engines but one would need more than they have, all brake harder
 * at first, until the loss of one can be borne. */
static double sparing_throttle(const fk_plan_t *plan, const fk_if_config_t *c, const engines_t *brake)
{
    const double u = plan->brake_throttle;
    const double bearable = SPARE_THROTTLE * (double)(brake->count - 1) / (double)brake->count;
    if (brake->count < c->engine_count || brake->count < 3) {
        return u;
    }
    return fk_clamp(u + SPARE_GAIN * fk_max(u - bearable, 0.0), u, fk_max(u, SPARE_THROTTLE));
}

/* Braking: one Newton step on the throttle so that the planned descent starts at the present height. */
static void plan_braking(fk_plan_t *plan, const fk_if_config_t *c, const fk_stage_t *stage,
                         const engines_t *brake, const engines_t *land, double v, double height)
{
    plan_finish(plan, c, stage, land);
    const double u = plan->brake_throttle;
    const profile_t at = whole_descent(plan, c, brake, land, u, v);
    if (plan->slope_frames-- <= 0) {
        const profile_t beside = whole_descent(plan, c, brake, land, u + NEWTON_PROBE, v);
        plan->slope_m = fk_min((beside.height_m - at.height_m) / NEWTON_PROBE, -1.0);
        plan->slope_frames = SLOPE_FRAMES;
    }
    const double step = fk_clamp((height - at.height_m) / plan->slope_m, -NEWTON_STEP, NEWTON_STEP);
    plan->brake_throttle = fk_clamp(u + step, brake->floor, 1.0);
    /* where thrust is short a finish of half the height leaves it to the braking; it does not come back */
    if (plan->brake_throttle > NO_THRUST_LEFT && plan->time_to_finish_s > SOFT_DECIDED_S) {
        plan->soft_part = SOFT_SHORT;
    }
    plan->flown_throttle = sparing_throttle(plan, c, brake);
    plan->time_to_go_s = at.time_s;
    plan->time_to_finish_s = at.time_s - at.finish_s;
    plan->margin_m = 0.0;
    plan->to_light_s = 0.0;
    learn_final_mass(plan, c, stage, at);
}

/* Specific force along the body while braking. */
static double braking_force(const fk_plan_t *plan, const fk_stage_t *stage, const engines_t *brake)
{
    return (thrust_at(brake, plan->flown_throttle, stage->pressure_ratio) + stage->axial_n) / stage->mass_kg;
}

/* Ignition: the braking that is due from where the engines will light. */
static void plan_lighting(fk_plan_t *plan, const fk_if_config_t *c, const fk_nav_t *nav,
                          const fk_stage_t *stage, const fk_modes_t *modes, const engines_t *brake,
                          const engines_t *land)
{
    const double t = fk_max(c->engine[0].start_s - (double)modes->frames_in_mode * c->frame_s, 0.0);
    const double gain = FK_G0 - stage->axial_n / stage->mass_kg;
    const double v = -nav->vel_cm_pad_mps[2];
    plan_braking(plan, c, stage, brake, land, v + gain * t, nav->height_m - v * t - 0.5 * gain * t * t);
    plan->to_light_s = t;
}

/* The finish: follow v^2 = v0^2 + 2 a h, looked at one thrust lag ahead; a is re-solved until the last metres. */
static double finish_accel(fk_plan_t *plan, const fk_if_config_t *c, const fk_nav_t *nav,
                           const engines_t *land)
{
    double force_pad[3];
    fk_rotate(nav->q_pad_from_body, nav->held_force_body, force_pad);
    const double lag = land->lag_s + FK_EXTRA_LAG_S;
    const double slowing = fk_clamp(force_pad[2] - FK_G0, -15.0, 60.0);
    const double v0 = c->touchdown_speed_mps;
    const double v = -nav->vel_pad_mps[2] - slowing * lag;
    const double tilt = sqrt(nav->axis_pad[0] * nav->axis_pad[0] + nav->axis_pad[1] * nav->axis_pad[1]);
    const double leg = plan->least_decel_mps2 > STRONG_MPS2 ? LEG_REACH * sqrt(c->ref_area_m2) * tilt : 0.0;
    const double h =
        nav->height_m - plan->end_height_m - leg + nav->vel_pad_mps[2] * lag + 0.5 * slowing * lag * lag;
    const double needed = fk_clamp((v * v - v0 * v0) / (2.0 * fk_max(h, 0.1)), 0.0, FINISH_ACCEL_MAX);
    const int32_t strong = plan->least_decel_mps2 > STRONG_MPS2;
    const double last = strong ? 0.0 : GENTLE_BELOW_M;
    const double low = fk_clamp(h, 0.0, last);
    const int32_t solved = h > FREEZE_BELOW_M || (strong && h > STRONG_BELOW_M);
    plan->needed_mean_mps2 += fk_min(c->frame_s / NEEDED_FILTER_S, 1.0) * (needed - plan->needed_mean_mps2);
    const int32_t short_of = plan->needed_mean_mps2 > NOT_ENOUGH * plan->land_accel_mps2;
    if (solved) {
        const double v1 = sqrt(v0 * v0 + 2.0 * GENTLE_DECEL_MPS2 * last);
        plan->land_accel_mps2 = fk_clamp((v * v - v1 * v1) / (2.0 * (h - last)), 0.0, FINISH_ACCEL_MAX);
    } else if (short_of && h > FROZEN_BELOW_M) {
        plan->land_accel_mps2 = plan->needed_mean_mps2;
    } else if (!strong && h < last) {
        plan->land_accel_mps2 = fk_min(plan->land_accel_mps2, GENTLE_DECEL_MPS2);
    }
    plan->needed_decel_mps2 = h > FROZEN_BELOW_M ? needed : 0.0;
    const double accel = plan->land_accel_mps2;
    const double end = h < last ? accel : GENTLE_DECEL_MPS2;
    const double wanted = sqrt(v0 * v0 + 2.0 * end * low + 2.0 * accel * (fk_max(h, 0.0) - low));
    const double feed = h > 0.0 && wanted > v0 ? accel : 0.0;
    plan->time_to_go_s = fk_max(nav->height_m, 0.0) / fk_max(0.5 * (v + v0), 0.5 * v0);
    plan->margin_m = 0.0;
    plan->to_light_s = 0.0;
    return fk_clamp(feed + SPEED_GAIN * (v - wanted), -FK_G0, FINISH_ACCEL_MAX) + FK_G0;
}

/* Side force of gimbals that hold the torque of these engines, all at one throttle (specific, pad axes). */
static void trim_of(const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                    const fk_engine_t engine[FK_ENGINES], const int32_t member[FK_ENGINES], double throttle,
                    double trim_pad[3])
{
    double side_body[3] = {0.0, 0.0, 0.0};
    for (int32_t i = 0; i < c->engine_count; i++) {
        const double thrust = member[i] ? throttle * c->engine[i].thrust_sl_n * engine[i].efficiency : 0.0;
        side_body[0] -= thrust * c->engine[i].pos_body_m[0];
        side_body[1] -= thrust * c->engine[i].pos_body_m[1];
    }
    fk_scale(1.0 / (fk_max(stage->cm_z_m - c->gimbal_plane_z_m, 1.0) * stage->mass_kg), side_body, side_body);
    fk_rotate(nav->q_pad_from_body, side_body, trim_pad);
}

/* What pushes across now and after the next change of engines: they light, or all but the landing ones stop. */
static void foresee_change(fk_plan_t *plan, const fk_if_config_t *c, const fk_nav_t *nav,
                           const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES],
                           const fk_modes_t *modes, const int32_t next[FK_ENGINES], const engines_t *burning)
{
    fk_across_t *a = &plan->across;
    const int32_t waits = modes->mode == FK_IF_TERMINAL && !(stage->thrust_total_n > 0.0);
    const double throttle = modes->mode == FK_IF_IGNITION ? plan->brake_throttle : plan->land_throttle;
    a->change_s = modes->mode == FK_IF_IGNITION || waits ? plan->to_light_s
                  : modes->mode == FK_IF_BRAKING         ? plan->time_to_finish_s
                                                         : NO_CHANGE_S;
    const double lift = stage->normal_n_per_rad / stage->mass_kg;
    const double thrust = thrust_at(burning, throttle, stage->pressure_ratio);
    a->push_mps2[0] = nav->held_force_body[2] - lift;
    a->push_mps2[1] = (thrust + stage->axial_n) / stage->mass_kg - lift;
    fk_copy(stage->trim_pad_mps2, plan->trim_pad_mps2[0]);
    trim_of(c, nav, stage, engine, next, throttle, plan->trim_pad_mps2[1]);
    for (int32_t i = 0; i < 2; i++) {
        fk_copy(plan->trim_pad_mps2[i], a->side_pad_mps2[i]);
        fk_add_scaled(1.0, stage->missed_pad_mps2, a->side_pad_mps2[i]);
        fk_add_scaled(-lift / fk_max(stage->speed_mps, SLOW_MPS), nav->vel_cm_pad_mps, a->side_pad_mps2[i]);
    }
}

/* The horizontal command, for the state that the stage will have once its attitude has followed. */
static void lateral_accel(const fk_nav_t *nav, const fk_across_t *across, double time_to_go, double vertical,
                          double accel[3])
{
    const double lead = FK_ATTITUDE_LEAD_S;
    const double t = fk_max(time_to_go - lead, LATERAL_TIME_MIN_S);
    const double limit = LATERAL_LIMIT_PART * fk_max(vertical, 1.0);
    const double fade = fk_clamp(time_to_go / POSITION_FADES_S, 0.0, 1.0);
    for (int32_t i = 0; i < 2; i++) {
        double pos = nav->pos_cm_pad_m[i];
        double vel = nav->vel_cm_pad_mps[i];
        fk_swing_ahead(across, i, lead, nav->axis_pad[i], nav->swing_pad[i], &pos, &vel);
        accel[i] = fk_lateral_law_mps2(fade * pos, vel, t);
    }
    const double size = sqrt(accel[0] * accel[0] + accel[1] * accel[1]);
    const double s = size > limit ? limit / size : 1.0;
    accel[0] *= s;
    accel[1] *= s;
}

/* Keeps the tilt of a unit vector below a limit (given by its sine). */
static void limit_tilt(double axis[3], double sine)
{
    const double across = sqrt(axis[0] * axis[0] + axis[1] * axis[1]);
    if (across <= sine && axis[2] > 0.0) {
        return;
    }
    const double s = across > 1e-9 ? sine / across : 0.0;
    axis[0] *= s;
    axis[1] *= s;
    axis[2] = sqrt(fk_max(1.0 - axis[0] * axis[0] - axis[1] * axis[1], 0.0));
}

/* Tilt that gives a specific force `wanted` across the flow.  About the direction against the velocity a
 * tilt d pushes with (T + A - N) d / m: lift works against thrust, and alone it works the other way.  A stage
 * that lands counts on thrust throughout. */
static double tilt_for(const fk_stage_t *stage, const fk_divert_t *divert, double thrust_n, double wanted)
{
    const double pushed = thrust_n + stage->axial_n;
    const double stiffness = pushed - stage->normal_n_per_rad;
    const double least = STIFFNESS_LEAST * fk_max(pushed, stage->normal_n_per_rad);
    if (thrust_n > 0.0 && (stiffness > 0.0 || !divert->given_up)) {
        return stage->mass_kg * wanted / fk_max(stiffness, fk_max(least, 0.1 * stage->mass_kg * FK_G0));
    }
    return stage->normal_n_per_rad > 0.2 * stage->mass_kg
               ? stage->mass_kg * wanted / fk_min(stiffness, -least)
               : 0.0;
}

/* How far beyond its limit the stage may tilt: where there is no landing to spoil, as far as lift does the work,
 * or thrust is not yet undone by it. */
static double tilt_factor(const fk_stage_t *stage, const fk_divert_t *divert, double thrust_n)
{
    const double lift = stage->normal_n_per_rad / fk_max(thrust_n + stage->axial_n, 1.0);
    if (!divert->given_up) {
        return 1.0;
    }
    return thrust_n > 1.0 ? FK_ASIDE_TILT + ASIDE_TILT_SLOW * fk_max(LIFT_MUCH - lift, 0.0)
                          : FK_ASIDE_TILT_BARE;
}

/* Where the nose has to point so that thrust, drag and lift together give `force` (specific, pad axes). */
static void point_nose(fk_demand_t *demand, const fk_if_config_t *c, const fk_nav_t *nav,
                       const fk_stage_t *stage, const fk_divert_t *divert, double thrust_n,
                       const double force[3])
{
    double e[3] = {0.0, 0.0, 1.0};
    double across[3];
    demand->turn_limit_radps = divert->given_up ? ASIDE_TURN_RADPS : TURN_RADPS;
    demand->turn_ends_s = divert->given_up ? ASIDE_TURN_ENDS_S : TURN_ENDS_S;
    if (stage->speed_mps > SLOW_MPS) {
        fk_scale(-1.0 / stage->speed_mps, nav->vel_cm_pad_mps, e);
    }
    fk_copy(force, across);
    fk_add_scaled(-fk_dot(force, e), e, across);
    const double wanted = fk_norm(across);
    const double limit = fk_sin(fk_min(tilt_factor(stage, divert, thrust_n) * c->tilt_limit_rad, 1.0));
    const double tilt = fk_clamp(tilt_for(stage, divert, thrust_n, wanted), -limit, limit);
    fk_copy(e, demand->axis_pad);
    fk_add_scaled(wanted > 1e-9 ? tilt / wanted : 0.0, across, demand->axis_pad);
    fk_scale(1.0 / fk_max(fk_norm(demand->axis_pad), 1e-6), demand->axis_pad, demand->axis_pad);
    const double upright = TILT_AT_GROUND_RAD + TILT_PER_M * fk_max(nav->height_m, 0.0);
    limit_tilt(demand->axis_pad, divert->given_up ? 0.7 : fk_clamp(upright, 0.0, 0.7));
}

/* Away from the pad, where the stage cannot land on it. */
static void steer_aside(const fk_divert_t *divert, double accel[3])
{
    for (int32_t i = 0; i < 2; i++) {
        accel[i] = divert->accel_mps2 * divert->aside[i];
    }
}

/* The closed forms' specific force: theirs upwards, and what the quadratic law asks across. */
static void closed_form_force(const fk_nav_t *nav, const fk_plan_t *plan, const fk_divert_t *divert,
                              double force[3])
{
    force[2] = plan->asked_mps2;
    if (divert->given_up) {
        steer_aside(divert, force);
        return;
    }
    lateral_accel(nav, &plan->across, plan->time_to_go_s, plan->asked_mps2, force);
}

/* What a plan asks for; across, in part what the quadratic law does: a plan is made anew twice a second and may leave
 * an offset to its end each time, where lift and wind undo what it counts on. */
static void follow_plan(const fk_plan_t *plan, const double planned_mps2[3], double force[3])
{
    const double law = plan->least_decel_mps2 > STRONG_MPS2 ? 1.0 : LAW_PART;
    for (int32_t i = 0; i < 2; i++) {
        force[i] = law * force[i] + (1.0 - law) * planned_mps2[i];
    }
    force[2] = planned_mps2[2];
}

/* Thrust and attitude that give the specific force asked for, with what acts besides them taken off. */
static void demand_force(fk_demand_t *demand, const fk_if_config_t *c, const fk_nav_t *nav,
                         const fk_stage_t *stage, const fk_plan_t *plan, const fk_divert_t *divert,
                         const double asked[3])
{
    double force[3];
    const int32_t after = plan->across.change_s < TURN_AHEAD_S;
    fk_copy(asked, force);
    fk_add_scaled(-1.0, stage->missed_pad_mps2, force);
    fk_add_scaled(-1.0, plan->trim_pad_mps2[after], force);
    const double lasting = fk_max(asked[2], TILT_FORCE_LEAST * FK_G0);
    point_nose(demand, c, nav, stage, divert, fk_max(stage->mass_kg * lasting - stage->axial_n, 1.0), force);
    const double upright = fk_max(nav->axis_pad[2], 0.7);
    demand->thrust_n = fk_max(stage->mass_kg * force[2] / upright - stage->axial_n, 0.0);
    fk_scale(demand->thrust_n / stage->mass_kg, demand->axis_pad, demand->accel_pad_mps2);
}

/* Not under power: nothing to steer with but lift, when the stage still flies towards the pad. */
static void demand_coast(fk_demand_t *demand, const fk_if_config_t *c, const fk_nav_t *nav,
                         const fk_stage_t *stage, const fk_plan_t *plan, const fk_divert_t *divert)
{
    const double up[3] = {0.0, 0.0, 1.0};
    fk_copy(up, demand->axis_pad);
    if (nav->known && nav->vel_cm_pad_mps[2] < -SLOW_MPS) {
        double force[3] = {0.0, 0.0, stage->axial_n / stage->mass_kg};
        const double coast_s = fk_max(plan->margin_m, 0.0) / -nav->vel_cm_pad_mps[2] + plan->to_light_s;
        if (divert->given_up) {
            steer_aside(divert, force);
        } else {
            lateral_accel(nav, &plan->across, 0.6 * plan->time_to_go_s + coast_s, FK_G0, force);
        }
        point_nose(demand, c, nav, stage, divert, 0.0, force);
    }
    demand->thrust_n = 0.0;
    fk_scale(0.0, up, demand->accel_pad_mps2);
}

/* The finish as it will be flown by engines that were stopped and are to be lit again. */
static void await_relight(fk_plan_t *plan, const fk_if_config_t *c, const fk_nav_t *nav,
                          const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES],
                          const fk_modes_t *modes)
{
    int32_t member[FK_ENGINES] = {0};
    double started_s = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        member[i] = engine[i].spare || (modes->share[i] && !engine[i].failed);
        started_s = member[i] ? fk_max(started_s, engine[i].starting_s) : started_s;
    }
    const engines_t spare = sum_engines(c, engine, member);
    plan_finish(plan, c, stage, &spare);
    plan->spare_most_mps2 = plan->most_decel_mps2;
    plan->time_to_go_s = fk_max(nav->height_m, 0.0) / fk_max(-0.7 * nav->vel_pad_mps[2], 1.0);
    plan->to_light_s = fk_max(c->engine[0].start_s - started_s, 0.0);
    foresee_change(plan, c, nav, stage, engine, modes, member, &spare);
}

/* Until they burn the nose turns to where they will be wanted to push. */
static void demand_relight(fk_demand_t *demand, const fk_if_config_t *c, const fk_nav_t *nav,
                           const fk_stage_t *stage, const fk_plan_t *plan, const fk_divert_t *divert)
{
    double force[3] = {0.0, 0.0, plan->finish_decel_mps2 + FK_G0};
    lateral_accel(nav, &plan->across, plan->time_to_go_s, force[2], force);
    fk_add_scaled(-1.0, stage->missed_pad_mps2, force);
    fk_add_scaled(-1.0, plan->trim_pad_mps2[1], force);
    point_nose(demand, c, nav, stage, divert, stage->mass_kg * force[2], force);
    demand->thrust_n = 0.0;
    fk_scale(0.0, demand->axis_pad, demand->accel_pad_mps2);
}

void fk_guidance_update(fk_plan_t *plan, fk_demand_t *demand, const fk_if_config_t *c, const fk_nav_t *nav,
                        const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES],
                        const fk_modes_t *modes, const fk_divert_t *divert, int32_t followed,
                        const double force_mps2[3])
{
    int32_t braking[FK_ENGINES] = {0};
    int32_t landing[FK_ENGINES] = {0};
    double force[3];
    const int32_t in_coast = modes->mode <= FK_IF_IGNITION;
    plan->profile_steps = 0;
    choose_braking(c, engine, modes, braking, in_coast);
    choose_landing(c, engine, braking, landing, in_coast);
    const engines_t brake = sum_engines(c, engine, braking);
    const engines_t land = sum_engines(c, engine, landing);
    const double v = -nav->vel_cm_pad_mps[2];
    plan->drag_area_m2 = burning_drag_area(c, stage);
    plan->lift_area_m2 =
        stage->axial_n > 1.0 ? plan->drag_area_m2 * stage->normal_n_per_rad / stage->axial_n : 0.0;
    if (modes->relighting) {
        await_relight(plan, c, nav, stage, engine, modes);
    }
    if (!nav->known || brake.count == 0 || modes->mode >= FK_IF_TOUCHDOWN) {
        if (nav->known && modes->mode == FK_IF_TERMINAL && modes->relighting && !divert->given_up) {
            demand_relight(demand, c, nav, stage, plan, divert);
            return;
        }
        demand_coast(demand, c, nav, stage, plan, divert);
        return;
    }
    if (in_coast) {
        if (modes->mode == FK_IF_IGNITION) {
            plan_lighting(plan, c, nav, stage, modes, &brake, &land);
            plan->asked_mps2 = braking_force(plan, stage, &brake) * nav->axis_pad[2];
        } else {
            plan_ignition(plan, c, stage, &brake, &land, v, nav->height_m);
        }
        foresee_change(plan, c, nav, stage, engine, modes, braking, &brake);
        demand_coast(demand, c, nav, stage, plan, divert);
        return;
    }
    foresee_change(plan, c, nav, stage, engine, modes, landing, &land);
    if (modes->mode == FK_IF_BRAKING) {
        plan_braking(plan, c, stage, &brake, &land, v, nav->height_m);
        plan->asked_mps2 = braking_force(plan, stage, &brake) * nav->axis_pad[2];
    } else {
        find_strength(plan, stage, &land);
        plan->asked_mps2 = finish_accel(plan, c, nav, &land);
    }
    closed_form_force(nav, plan, divert, force);
    if (followed) {
        follow_plan(plan, force_mps2, force);
    }
    demand_force(demand, c, nav, stage, plan, divert, force);
}
