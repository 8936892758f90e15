/* The optimiser in flight.
 *
 * A solve is given the state predicted for the moment from which its plan can be flown: the frames of the
 * solve and the time in which the attitude follows lie between.  A few interior-point iterations a frame; a
 * plan that is not optimal, not finite or too late is dropped, and the last one flies on until it is too old.
 * Final time and step-down are those of the closed-form plan; drag is taken along the last plan (successive
 * linearisation). */
#include "fk_math.h"
#include "fk_parts.h"

#include <math.h>
#include <string.h>

#define SOLVE_S 0.08       /* most iterations of a solve */
#define EVERY_S 0.40       /* from solve to solve */
#define FRESH_S 1.0        /* an older plan is not followed */
#define LAST_S 3.0         /* the last seconds belong to the closed form */
#define LATERAL_TIME_S 8.0 /* of the feedback: 12 / t^2 and 6 / t, as the closed form's */
#define VERTICAL_POS_GAIN 0.5
#define VERTICAL_VEL_GAIN 1.4
#define POS_ERROR_LEFT 0.6 /* after the time until a plan is flown */
#define VEL_ERROR_LEFT 0.2
#define LATE_S 0.3     /* into braking, engines that start late are still waited for */
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
    const int32_t k = (int32_t)fk_clamp(place, 0.0, (double)(r->nodes - 2));
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
    const int32_t k = (int32_t)fk_clamp(place, 0.0, (double)(r->nodes - 2));
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
static void coast_across(const fk_nav_t *nav, const fk_plan_t *plan, int32_t i, double dt, double *pos,
                         double *vel)
{
    *pos = nav->pos_cm_pad_m[i];
    *vel = nav->vel_cm_pad_mps[i];
    fk_swing_ahead(&plan->across, i, dt, nav->axis_pad[i], nav->swing_pad[i], pos, vel);
}

/* Height and climb rate after dt under a specific force. */
static void push_down(double force_mps2, double dt, double *pos, double *vel)
{
    *pos += dt * *vel + 0.5 * dt * dt * (force_mps2 - FK_G0);
    *vel += dt * (force_mps2 - FK_G0);
}

/* Height and climb rate after dt: the present force holds until the engines follow, then that of the closed form. */
static void coast_down(const fk_nav_t *nav, const fk_plan_t *plan, double lag, double dt, double *pos,
                       double *vel)
{
    double force[3];
    const double held = fk_min(plan->to_light_s + lag, dt);
    fk_rotate(nav->q_pad_from_body, nav->held_force_body, force);
    *pos = nav->pos_cm_pad_m[2];
    *vel = nav->vel_cm_pad_mps[2];
    push_down(force[2], held, pos, vel);
    push_down(plan->brake_push_mps2 * nav->axis_pad[2], dt - held, pos, vel);
}

/* Where the stage will be after `ahead`. Across, the attitude decides; downwards it follows the plan, and what
 * is left of the present error by then is a part of it. */
static void predict(const fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                    const fk_plan_t *plan, double now_s, double ahead, double pos[3], double vel[3])
{
    if (o->flown.valid) {
        double now_pos[3];
        double now_vel[3];
        double force[3];
        planned(o, now_s, now_pos, now_vel, force);
        planned(o, now_s + ahead, pos, vel, force);
        pos[2] += POS_ERROR_LEFT * (nav->pos_cm_pad_m[2] - now_pos[2]);
        vel[2] += VEL_ERROR_LEFT * (nav->vel_cm_pad_mps[2] - now_vel[2]);
    } else {
        coast_down(nav, plan, lag_of(c), ahead, &pos[2], &vel[2]);
    }
    for (int32_t i = 0; i < 2; i++) {
        coast_across(nav, plan, i, ahead, &pos[i], &vel[i]);
    }
}

/* Whether a plan counts on an engine: it burns, or it should by now and has not been given up. */
static int32_t counted_on(const fk_if_config_t *c, const fk_engine_t *engine, const fk_modes_t *modes,
                          int32_t i)
{
    const int32_t waiting = modes->mode == FK_IF_IGNITION
                            || (modes->mode == FK_IF_BRAKING && modes->frames_in_mode * c->frame_s < LATE_S);
    return engine[i].running || (waiting && modes->share[i] && !engine[i].failed);
}

static int32_t engines_counted_on(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                                  const fk_modes_t *modes)
{
    int32_t count = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        count += counted_on(c, engine, modes, i);
    }
    return count;
}

/* Full thrust of the engines that burn before, or after, the step-down. */
static double full_thrust(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                          const fk_modes_t *modes, int32_t landing)
{
    int32_t centre = 0;
    double full = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        centre |= counted_on(c, engine, modes, i) && c->engine[i].centre;
    }
    for (int32_t i = 0; i < c->engine_count; i++) {
        if (counted_on(c, engine, modes, i) && (!landing || !centre || c->engine[i].centre)) {
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
    const double density = fk_air_at(pos[2]).density_kgpm3;
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
    const double x = p->pos_m[0] - p->final_pos_m[0];
    const double y = p->pos_m[1] - p->final_pos_m[1];
    const double across = sqrt(x * x + y * y);
    p->has_glide_slope = height > 5.0 && across < 0.8 * height;
    p->glide_slope_rad = fk_max(GLIDE_LEAST_RAD, fk_atan(GLIDE_ROOM * across / fk_max(height, 1.0)));
}

/* Where the lateral law of the closed form, which has the last seconds, would leave the stage: a plan that
 * aims there joins it without a jump, and asks for no tilt that the attitude could not undo in time. */
static void set_final_state(fk_problem_t *p, const fk_if_config_t *c, double end_height_m)
{
    const double dt = p->final_time_s / (double)FK_PROFILE_STEPS;
    for (int32_t i = 0; i < 2; i++) {
        double pos = p->pos_m[i];
        double vel = p->vel_mps[i];
        for (int32_t k = 0; k < FK_PROFILE_STEPS; k++) {
            const double left = fk_max(p->final_time_s - ((double)k + 0.5) * dt, LATERAL_TIME_S);
            vel += dt * (-12.0 * pos / (left * left) - 6.0 * vel / left);
            pos += dt * vel;
        }
        p->final_pos_m[i] = pos;
        p->final_vel_mps[i] = vel;
    }
    p->final_pos_m[2] = end_height_m;
    p->final_vel_mps[2] = -c->touchdown_speed_mps;
}

/* As many nodes as bring one of them closest to the step-down. */
static int32_t choose_nodes(double final_time_s, double finish_s)
{
    int32_t best = FK_PLAN_NODES;
    double least = 1.0;
    for (int32_t n = FK_PLAN_NODES; n > FK_PLAN_NODES_LEAST && finish_s > 0.0; n--) {
        const double place = finish_s / final_time_s * (double)(n - 1);
        const double off = fk_clamp(place, 0.0, 1e3) - (double)(int32_t)(fk_clamp(place, 0.0, 1e3) + 0.5);
        if (off * off < least) {
            least = off * off;
            best = n;
        }
    }
    return best;
}

/* The coming plan starts once it is solved for, the attitude can follow and the engines burn. */
static double time_ahead(const fk_plan_t *plan)
{
    return fk_max(SOLVE_S + FK_ATTITUDE_LEAD_S, plan->to_light_s);
}

static double time_planned(const fk_plan_t *plan, const fk_if_config_t *c)
{
    return plan->time_to_go_s + plan->to_light_s - time_ahead(plan)
           - plan->end_height_m / c->touchdown_speed_mps;
}

static void pose(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                 const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                 double now_s)
{
    fk_problem_t *p = &o->problem;
    const double wait = time_ahead(plan);
    const double finish =
        modes->mode == FK_IF_TERMINAL ? 0.0 : plan->time_to_finish_s + plan->to_light_s - wait;
    memset(p, 0, sizeof *p);
    p->has_pointing = 1;
    p->pointing_rad = PLAN_TILT_RAD;
    p->final_time_s = time_planned(plan, c);
    p->nodes = choose_nodes(p->final_time_s, finish);
    p->mass_kg = stage->mass_kg;
    p->dry_mass_kg = 0.9 * c->dry_mass_kg; /* the tanks are not this plan's to guard */
    p->mass_flow_s_per_m = 1.0 / (c->engine[0].isp_vac_s * FK_G0);
    p->gravity_mps2[2] = -FK_G0;
    predict(o, c, nav, plan, now_s, wait, p->pos_m, p->vel_mps);
    set_final_state(p, c, plan->end_height_m);
    set_glide_slope(p);
    const double step = p->final_time_s / (double)(p->nodes - 1);
    const double full[2] = {full_thrust(c, engine, modes, 0), full_thrust(c, engine, modes, 1)};
    const double landing = modes->mode == FK_IF_TERMINAL
                               ? stage->mass_kg * (plan->land_accel_mps2 + FK_G0) / fk_max(full[1], 1.0)
                               : plan->land_throttle;
    for (int32_t k = 0; k < p->nodes; k++) {
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
    o->start_s = now_s + time_ahead(plan);
    o->engines = engines_counted_on(c, engine, modes);
    if (time_planned(plan, c) < 1.0) {
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
    r->start_s = o->start_s;
    r->nodes = p->nodes;
    r->step_s = p->final_time_s / (double)(p->nodes - 1);
    for (int32_t k = 0; k < p->nodes; k++) {
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

static int32_t sound(const fk_answer_t *a, int32_t nodes)
{
    return fk_all_finite(a->pos_m[0], 3 * nodes) && fk_all_finite(a->vel_mps[0], 3 * nodes)
           && fk_all_finite(a->thrust_n[0], 3 * nodes) && fk_all_finite(a->mass_kg, nodes);
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
        if (sound(&o->answer, o->problem.nodes)) {
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

/* The first solve ends just before the engines light. */
static int32_t due(const fk_optimiser_t *o, const fk_modes_t *modes, const fk_plan_t *plan, double now_s)
{
    const int32_t first = modes->mode == FK_IF_BRAKING || plan->to_light_s < 2.0 * SOLVE_S;
    return first && (!o->flown.valid || now_s - o->began_s >= EVERY_S);
}

void fk_plan_update(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                    const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                    double now_s)
{
    const int32_t before_landing = modes->mode == FK_IF_IGNITION || modes->mode == FK_IF_BRAKING;
    o->iterations = 0;
    if (!c->optimise || !nav->known || !(before_landing || modes->mode == FK_IF_TERMINAL)) {
        o->solving = o->flown.valid = o->before.valid = 0;
        return;
    }
    if (before_landing && engines_counted_on(c, engine, modes) < o->engines) {
        o->solving = o->flown.valid = o->before.valid = 0;
    }
    if (o->solving) {
        advance(o, now_s);
    } else if (due(o, modes, plan, now_s)) {
        begin(o, c, nav, stage, engine, modes, plan, now_s);
    }
}

int32_t fk_plan_follow(const fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                       const fk_modes_t *modes, const fk_plan_t *plan, double now_s, double force_mps2[3])
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
            coast_across(nav, plan, i, lead[i], &ahead, &speed);
        } else {
            coast_down(nav, plan, lead[i], lead[i], &ahead, &speed);
        }
        planned(o, now_s + lead[i], pos, vel, wanted);
        force_mps2[i] = wanted[i] + pos_gain[i] * (pos[i] - ahead) + vel_gain[i] * (vel[i] - speed);
    }
    return 1;
}
