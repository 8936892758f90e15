/* The optimiser in flight.
 *
 * A solve is given the state predicted for the moment from which its plan can be flown: the frames of the
 * solve and the time in which the attitude follows lie between.  Two interior-point iterations a frame; a
 * plan that is not optimal, not finite or too late is dropped, and the last one flies on until it is too old.
 * Final time and step-down are those of the closed-form plan; drag is taken along the last plan (successive
 * linearisation). */
#include "fk_math.h"
#include "fk_parts.h"

#include <math.h>
#include <string.h>

#define SOLVE_S 0.13       /* most iterations of a solve at two a frame */
#define EVERY_S 0.35       /* from solve to solve */
#define FRESH_S 1.0        /* an older plan is not followed */
#define LAST_S 3.2         /* the last seconds belong to the closed form */
#define LATERAL_TIME_S 8.0 /* of the feedback: 12 / t^2 and 6 / t, as the closed form's */
#define VERTICAL_POS_GAIN 0.5
#define VERTICAL_VEL_GAIN 1.4
#define POS_ERROR_LEFT 0.6 /* after the time until a plan is flown */
#define VEL_ERROR_LEFT 0.2
#define SETTLED_S 0.35 /* of braking before the first solve: thrust has built up */
#define GLIDE_LEAST_RAD 0.035
#define GLIDE_ROOM 1.05
#define LIFT_PART 0.5 /* of the lift of the last plan that the next one counts on */
#define BAND_WHOLE_S                                                                                         \
    5.0 /* from the plan's start until the band has its whole width: what is flown is the start */
#define BAND_AT_FIRST_S 0.5
#define BAND 0.08 /* of throttle about the closed form's */
#define PLAN_TILT_RAD 0.35

static double lag_of(const fk_if_config_t *c)
{
    return c->engine[0].thrust_lag_s + FK_EXTRA_LAG_S;
}

/* State and force of a trajectory at time t; before its first node, as if that force had acted. */
static void at_time(const fk_trajectory_t *r, double t, double pos[3], double vel[3], double force[3])
{
    const double place = (t - r->start_s) / r->step_s;
    const int32_t k = (int32_t)fk_clamp(place, 0.0, (double)(FK_PLAN_NODES - 2));
    const double dt = t - r->start_s - (double)k * r->step_s;
    for (int32_t i = 0; i < 3; i++) {
        const double accel = r->force_mps2[k][i] - (i == 2 ? FK_G0 : 0.0);
        force[i] = r->force_mps2[k][i];
        vel[i] = r->vel_mps[k][i] + accel * dt;
        pos[i] = r->pos_m[k][i] + r->vel_mps[k][i] * dt + 0.5 * accel * dt * dt;
    }
}

/* Tilt of a plan's thrust about the direction against the velocity, as a vector across it. */
static void tilt_of(const fk_trajectory_t *r, double t, const double vel[3], double tilt[3])
{
    const double place = (t - r->start_s) / r->step_s;
    const int32_t k = (int32_t)fk_clamp(place, 0.0, (double)(FK_PLAN_NODES - 2));
    const double speed = fk_norm(vel);
    const double thrust = fk_norm(r->thrust_mps2[k]);
    if (speed < 20.0 || thrust < 1.0) {
        return;
    }
    fk_scale(1.0 / thrust, r->thrust_mps2[k], tilt);
    const double along = fk_dot(tilt, vel) / (speed * speed);
    fk_add_scaled(-along, vel, tilt);
}

static void planned(const fk_optimiser_t *o, double t, double pos[3], double vel[3], double force[3])
{
    const int32_t early = t < o->flown.start_s && o->before.valid;
    at_time(early ? &o->before : &o->flown, t, pos, vel, force);
}

/* Position and velocity of one horizontal axis after dt, the attitude turning on as it does now. */
static void coast_across(const fk_nav_t *nav, const fk_stage_t *stage, int32_t i, double dt, double *pos,
                         double *vel)
{
    const double push = fk_max(nav->held_force_body[2], 1.0);
    *pos = nav->pos_cm_pad_m[i];
    *vel = nav->vel_cm_pad_mps[i];
    fk_swing_ahead(dt, push, nav->axis_pad[i], nav->swing_pad[i], stage->trim_pad_mps2[i], pos, vel);
}

/* Height and climb rate after dt under the present force. */
static void coast_down(const fk_nav_t *nav, double dt, double *pos, double *vel)
{
    double force[3];
    fk_rotate(nav->q_pad_from_body, nav->held_force_body, force);
    *pos = nav->pos_cm_pad_m[2] + dt * nav->vel_cm_pad_mps[2] + 0.5 * dt * dt * (force[2] - FK_G0);
    *vel = nav->vel_cm_pad_mps[2] + dt * (force[2] - FK_G0);
}

/* Where the stage will be at time t. Across, the attitude decides; downwards it follows the plan, and what
 * is left of the present error by then is a part of it. */
static void predict(const fk_optimiser_t *o, const fk_nav_t *nav, const fk_stage_t *stage, double now_s,
                    double t, double pos[3], double vel[3])
{
    if (o->flown.valid) {
        double now_pos[3];
        double now_vel[3];
        double force[3];
        planned(o, now_s, now_pos, now_vel, force);
        planned(o, t, pos, vel, force);
        pos[2] += POS_ERROR_LEFT * (nav->pos_cm_pad_m[2] - now_pos[2]);
        vel[2] += VEL_ERROR_LEFT * (nav->vel_cm_pad_mps[2] - now_vel[2]);
    } else {
        coast_down(nav, t - now_s, &pos[2], &vel[2]);
    }
    for (int32_t i = 0; i < 2; i++) {
        coast_across(nav, stage, i, t - now_s, &pos[i], &vel[i]);
    }
}

static int32_t running_engines(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES])
{
    int32_t count = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        count += engine[i].running;
    }
    return count;
}

/* Full thrust of the engines that burn before, or after, the step-down. */
static double full_thrust(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES], int32_t landing)
{
    int32_t centre = 0;
    double full = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        centre |= engine[i].running && c->engine[i].centre;
    }
    for (int32_t i = 0; i < c->engine_count; i++) {
        if (engine[i].running && (!landing || !centre || c->engine[i].centre)) {
            full += c->engine[i].thrust_sl_n * engine[i].efficiency;
        }
    }
    return full;
}

/* Bounds about the closed form's throttle: at a given final time the propellant hardly depends on how thrust
 * is spread over it, and left alone the optimum would run from bound to bound.  Where they are too narrow,
 * the next solve has the whole range. */
static void thrust_bounds(const fk_optimiser_t *o, const fk_if_config_t *c, double full, double throttle,
                          double t, double *least, double *most)
{
    const double low = o->wide ? c->engine[0].throttle_floor : c->throttle_plan_low;
    const double high = o->wide ? 1.0 : c->throttle_plan_high;
    const double room = o->wide ? 1.0 : BAND * fk_min(1.0, (t + BAND_AT_FIRST_S) / BAND_WHOLE_S);
    *least = full * fk_clamp(throttle - room, low, high - 0.01);
    *most = full * fk_clamp(throttle + room, low + 0.01, high);
}

/* Aerodynamic acceleration at a node of the coming plan: drag, and lift by the tilt of the last plan. */
static void air_at_node(const fk_optimiser_t *o, const fk_plan_t *plan, double t, double part, double mass,
                        double out[3])
{
    double pos[3];
    double vel[3];
    double tilt[3] = {0.0, 0.0, 0.0};
    if (o->flown.valid) {
        double force[3];
        planned(o, t, pos, vel, force);
        tilt_of(&o->flown, t, vel, tilt);
    } else {
        for (int32_t i = 0; i < 3; i++) {
            pos[i] = o->problem.pos_m[i] * (1.0 - part) * (1.0 - part);
            vel[i] = o->problem.vel_mps[i] * (1.0 - part);
        }
    }
    const double theta = 1.0 - fk_clamp(2.25577e-5 * pos[2], 0.0, 0.30);
    const double density = 1.225 * theta * theta * theta * theta * (0.7441 + 0.2559 * theta);
    const double speed = fk_norm(vel);
    fk_scale(-0.5 * density * plan->drag_area_m2 * speed / mass, vel, out);
    fk_add_scaled(LIFT_PART * 0.5 * density * (plan->drag_area_m2 - plan->lift_area_m2) * speed * speed
                      / mass,
                  tilt, out);
}

/* A cone about the pad that the stage is in already, and that it stays in: the offset is not left for the
 * last seconds, in which the attitude could not follow. */
static void set_glide_slope(fk_problem_t *p)
{
    const double height = p->pos_m[2] - p->final_pos_m[2];
    const double across = sqrt(p->pos_m[0] * p->pos_m[0] + p->pos_m[1] * p->pos_m[1]);
    p->has_glide_slope = height > 5.0 && across < 0.8 * height;
    p->glide_slope_rad = fk_max(GLIDE_LEAST_RAD, fk_atan(GLIDE_ROOM * across / fk_max(height, 1.0)));
}

static void pose(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                 const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                 double now_s)
{
    fk_problem_t *p = &o->problem;
    const double wait = SOLVE_S + FK_ATTITUDE_LEAD_S;
    const double finish = modes->mode == FK_IF_TERMINAL ? 0.0 : plan->time_to_finish_s - wait;
    memset(p, 0, sizeof *p);
    p->nodes = FK_PLAN_NODES;
    p->has_pointing = 1;
    p->pointing_rad = PLAN_TILT_RAD;
    p->final_time_s = plan->time_to_go_s - plan->end_height_m / c->touchdown_speed_mps - wait;
    p->mass_kg = stage->mass_kg;
    p->dry_mass_kg = 0.9 * c->dry_mass_kg; /* the tanks are not this plan's to guard */
    p->mass_flow_s_per_m = 1.0 / (c->engine[0].isp_vac_s * FK_G0);
    p->gravity_mps2[2] = -FK_G0;
    predict(o, nav, stage, now_s, now_s + wait, p->pos_m, p->vel_mps);
    p->final_pos_m[2] = plan->end_height_m;
    set_glide_slope(p);
    p->final_vel_mps[2] = -c->touchdown_speed_mps;
    const double step = p->final_time_s / (double)(FK_PLAN_NODES - 1);
    const double full[2] = {full_thrust(c, engine, 0), full_thrust(c, engine, 1)};
    const double landing = modes->mode == FK_IF_TERMINAL
                               ? stage->mass_kg * (plan->land_accel_mps2 + FK_G0) / fk_max(full[1], 1.0)
                               : plan->land_throttle;
    for (int32_t k = 0; k < FK_PLAN_NODES; k++) {
        const double t = (double)k * step;
        const double part = t / p->final_time_s;
        const double mass = stage->mass_kg + part * (plan->final_mass_kg - stage->mass_kg);
        const int32_t last = t + 0.5 * step >= finish;
        thrust_bounds(o, c, full[last], last ? landing : plan->brake_throttle, t, &p->thrust_min_n[k],
                      &p->thrust_max_n[k]);
        air_at_node(o, plan, now_s + wait + t, part, mass, p->accel_mps2[k]);
    }
}

static void begin(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                  const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                  double now_s)
{
    o->began_s = now_s;
    o->engines = running_engines(c, engine);
    if (plan->time_to_go_s - SOLVE_S - FK_ATTITUDE_LEAD_S < 1.0) {
        return;
    }
    pose(o, c, nav, stage, engine, modes, plan, now_s);
    if (fk_problem_scale(&o->program, &o->problem, 0) != 0) {
        o->dropped++;
        return;
    }
    fk_socp_init(&o->socp, &o->program);
    o->solving = 1;
}

static void accept(fk_optimiser_t *o)
{
    const fk_answer_t *a = &o->answer;
    const fk_problem_t *p = &o->problem;
    fk_trajectory_t *r = &o->flown;
    o->before = o->flown;
    r->start_s = o->began_s + SOLVE_S + FK_ATTITUDE_LEAD_S;
    r->step_s = p->final_time_s / (double)(FK_PLAN_NODES - 1);
    for (int32_t k = 0; k < FK_PLAN_NODES; k++) {
        for (int32_t i = 0; i < 3; i++) {
            r->pos_m[k][i] = a->pos_m[k][i];
            r->vel_mps[k][i] = a->vel_mps[k][i];
            r->thrust_mps2[k][i] = a->thrust_n[k][i] / fk_max(a->mass_kg[k], 1.0);
            r->force_mps2[k][i] = r->thrust_mps2[k][i] + p->accel_mps2[k][i];
        }
    }
    r->valid = 1;
    o->wide = 0;
    o->known_s = o->began_s;
    o->accepted++;
}

static int32_t sound(const fk_answer_t *a)
{
    return fk_all_finite(a->pos_m[0], 3 * FK_PLAN_NODES) && fk_all_finite(a->vel_mps[0], 3 * FK_PLAN_NODES)
           && fk_all_finite(a->thrust_n[0], 3 * FK_PLAN_NODES) && fk_all_finite(a->mass_kg, FK_PLAN_NODES);
}

static void advance(fk_optimiser_t *o, double now_s)
{
    const int32_t before = o->socp.iterations;
    const int32_t status = fk_socp_iterate(&o->socp, FK_PLAN_ITERATIONS);
    o->iterations = o->socp.iterations - before;
    if (status == FK_SOCP_RUNNING && now_s - o->began_s < SOLVE_S) {
        return;
    }
    o->solving = 0;
    if (status == FK_SOCP_OPTIMAL) {
        fk_socp_result(&o->socp, &o->answer);
        if (sound(&o->answer)) {
            accept(o);
            return;
        }
    }
    o->wide = status == FK_SOCP_INFEASIBLE && !o->wide;
    o->dropped++;
}

static int32_t powered(const fk_modes_t *modes)
{
    return modes->mode == FK_IF_BRAKING || modes->mode == FK_IF_TERMINAL;
}

static int32_t settled(const fk_modes_t *modes, const fk_if_config_t *c)
{
    return modes->mode != FK_IF_BRAKING || modes->frames_in_mode * c->frame_s > SETTLED_S;
}

void fk_plan_update(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                    const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                    double now_s)
{
    o->iterations = 0;
    if (!c->optimise || !powered(modes) || !nav->known) {
        o->solving = o->flown.valid = o->before.valid = 0;
        return;
    }
    const int32_t lost = running_engines(c, engine) < o->engines && modes->mode == FK_IF_BRAKING;
    if (lost || now_s < o->began_s) { /* a clock that ran backwards would keep a plan fresh for ever */
        o->solving = o->flown.valid = o->before.valid = 0;
    }
    if (o->solving) {
        advance(o, now_s);
    } else if (settled(modes, c) && (!o->flown.valid || now_s - o->began_s >= EVERY_S)) {
        begin(o, c, nav, stage, engine, modes, plan, now_s);
    }
}

int32_t fk_plan_follow(const fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                       const fk_stage_t *stage, const fk_modes_t *modes, const fk_plan_t *plan, double now_s,
                       double force_mps2[3])
{
    double pos[3];
    double vel[3];
    const double lead[3] = {FK_ATTITUDE_LEAD_S, FK_ATTITUDE_LEAD_S, lag_of(c)};
    const double pos_gain[3] = {12.0 / (LATERAL_TIME_S * LATERAL_TIME_S),
                                12.0 / (LATERAL_TIME_S * LATERAL_TIME_S), VERTICAL_POS_GAIN};
    const double vel_gain[3] = {6.0 / LATERAL_TIME_S, 6.0 / LATERAL_TIME_S, VERTICAL_VEL_GAIN};
    if (!powered(modes) || !o->flown.valid || now_s - o->known_s > FRESH_S || plan->time_to_go_s < LAST_S) {
        return 0;
    }
    for (int32_t i = 0; i < 3; i++) {
        double ahead;
        double speed;
        double wanted[3];
        if (i < 2) {
            coast_across(nav, stage, i, lead[i], &ahead, &speed);
        } else {
            coast_down(nav, lead[i], &ahead, &speed);
        }
        planned(o, now_s + lead[i], pos, vel, wanted);
        force_mps2[i] = wanted[i] + pos_gain[i] * (pos[i] - ahead) + vel_gain[i] * (vel[i] - speed);
    }
    return 1;
}
