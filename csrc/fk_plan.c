/* The optimiser in flight.
 *
 * A solve is given the state predicted for the moment from which its plan can be flown: the frames of the
 * solve and the engines' lag lie between.  Across, where the attitude follows later than thrust does, the state
 * is that of so much later, and the plan's motion with it.  A few interior-point iterations a frame; a plan that
 * is not optimal, not finite or too late is dropped, and the last one flies on until it is too old.  Final time
 * and step-down are those of the closed-form plan; drag is taken along the last plan (successive
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
#define AIM_TIME_S 4.0     /* of the law by which a plan would be at rest above the pad */
#define VERTICAL_POS_GAIN 0.5
#define VERTICAL_VEL_GAIN 1.4
#define LATE_S 0.3 /* into braking, engines that start late are still waited for */
#define GLIDE_LEAST_RAD 0.035
#define GLIDE_ROOM 1.05
#define BEARING_ABOVE_M 30.0
#define RELAXED_LEVELS 3 /* 0 all limits, 1 without the cone, 2 and with the whole thrust range */
#define LIFT_PART 0.5    /* of the lift of the last plan that the next one counts on */
#define BAND_WHOLE_S                                                                                         \
    5.0 /* from the plan's start until the band has its whole width: what is flown is the start */
#define BAND_AT_FIRST_S 0.5
#define BAND 0.08 /* of throttle about the closed form's */
#define SPARING_S 2.0
#define PLAN_TILT_RAD 0.35
#define TILT_ROOM_RAD 0.05 /* beyond what the lateral law asks for: tilting is no way to spend thrust */

static double lag_of(const fk_if_config_t *c)
{
    return c->engine[0].thrust_lag_s + FK_EXTRA_LAG_S;
}

/* The node that time t lies behind, the first and the last but one at the ends. */
static int32_t node_at(const fk_trajectory_t *r, double t)
{
    const double place = (t - r->start_s) / r->step_s;
    return (int32_t)fk_clamp(place, 0.0, (double)(r->nodes - 2));
}

/* State and force of a trajectory at time t; before its first node, as if that force had acted. */
static void at_time(const fk_trajectory_t *r, double t, double pos[3], double vel[3], double force[3])
{
    const int32_t k = node_at(r, t);
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
    const int32_t k = node_at(r, t);
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

/* Height and climb rate after dt: the present force holds until the engines follow, then what is asked of them. */
static void coast_down(const fk_nav_t *nav, double hold_s, double asked_mps2, double dt, double *pos,
                       double *vel)
{
    double force[3];
    const double held = fk_min(hold_s, dt);
    fk_rotate(nav->q_pad_from_body, nav->held_force_body, force);
    *pos = nav->pos_cm_pad_m[2];
    *vel = nav->vel_cm_pad_mps[2];
    push_down(force[2], held, pos, vel);
    push_down(asked_mps2, dt - held, pos, vel);
}

/* Where the stage will be when the coming plan starts; across, when the attitude follows it. */
static void predict(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_plan_t *plan,
                    double now_s)
{
    fk_problem_t *p = &o->problem;
    const double ahead = o->start_s - now_s;
    const double hold = plan->to_light_s + lag_of(c);
    double asked[3] = {0.0, 0.0, plan->asked_mps2};
    if (o->flown.valid) {
        double unused[3];
        planned(o, now_s + hold, unused, unused, asked);
    }
    coast_down(nav, hold, asked[2], ahead, &p->pos_m[2], &p->vel_mps[2]);
    for (int32_t i = 0; i < 2; i++) {
        coast_across(nav, plan, i, ahead + FK_ATTITUDE_LEAD_S - lag_of(c), &p->pos_m[i], &p->vel_mps[i]);
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

static int32_t engines_failed(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES])
{
    int32_t count = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        count += engine[i].failed;
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
        centre |= counted_on(c, engine, modes, i) && c->engine[i].centre && !engine[i].excused;
    }
    for (int32_t i = 0; i < c->engine_count; i++) {
        const int32_t lands = centre ? c->engine[i].centre : !engine[i].excused;
        if (counted_on(c, engine, modes, i) && (!landing || lands)) {
            full += c->engine[i].thrust_sl_n * engine[i].efficiency;
        }
    }
    return full;
}

/* Least thrust of an engine at sea level, fraction of the full one. */
static double floor_of(const fk_if_engine_config_t *e)
{
    return fk_least_thrust_sl_n(e) / e->thrust_sl_n;
}

/* Bounds about the closed form's throttle: at a given final time the propellant hardly depends on how thrust
 * is spread over it, and left alone the optimum would run from bound to bound.  Within the planning band while
 * braking, as long as the closed form is; in the last phase, and where the narrow bounds are out of reach, within what the engines can. */
static void thrust_bounds(const fk_optimiser_t *o, const fk_if_config_t *c, int32_t landing, double full,
                          double throttle, double t, double *least, double *most)
{
    const int32_t wide = o->relaxed > 1;
    const int32_t inside =
        throttle > c->throttle_plan_low + 0.5 * BAND && throttle < c->throttle_plan_high - 0.5 * BAND;
    const double low = wide || landing || !inside ? floor_of(&c->engine[0]) : c->throttle_plan_low;
    const double high = wide || landing || !inside ? 1.0 : c->throttle_plan_high;
    const double room = wide ? 1.0 : BAND * fk_min(1.0, (t + BAND_AT_FIRST_S) / BAND_WHOLE_S);
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

/* Flies the closed form's lateral law, which has the last seconds, through the plan's time.  Where it leaves
 * the stage is the final state: a plan that aims there joins it without a jump, and asks for no tilt that
 * the attitude could not undo in time.  The widest bearing on the way is the cone that the plan keeps to, so
 * that the offset is not left for the end; heights are those of the last plan. */
static void aim(fk_optimiser_t *o, const fk_if_config_t *c, double end_height_m)
{
    fk_problem_t *p = &o->problem;
    const double dt = p->final_time_s / (double)FK_PROFILE_STEPS;
    double pos[2] = {p->pos_m[0], p->pos_m[1]};
    double vel[2] = {p->vel_mps[0], p->vel_mps[1]};
    double hardest = 0.0;
    double widest = sqrt(pos[0] * pos[0] + pos[1] * pos[1]) / fk_max(p->pos_m[2], 1.0);
    for (int32_t k = 0; k < FK_PROFILE_STEPS; k++) {
        const double left = fk_max(p->final_time_s - FK_ATTITUDE_LEAD_S - ((double)k + 0.5) * dt, AIM_TIME_S);
        double at[3] = {0.0, 0.0, 0.0};
        double accel[2];
        if (o->flown.valid) {
            double unused[3];
            planned(o, o->start_s + (double)(k + 1) * dt, at, unused, unused);
        }
        for (int32_t i = 0; i < 2; i++) {
            accel[i] = fk_lateral_law_mps2(pos[i], vel[i], left);
            vel[i] += dt * accel[i];
            pos[i] += dt * vel[i];
        }
        hardest = fk_max(hardest, sqrt(accel[0] * accel[0] + accel[1] * accel[1]));
        if (at[2] > BEARING_ABOVE_M) {
            widest = fk_max(widest, sqrt(pos[0] * pos[0] + pos[1] * pos[1]) / at[2]);
        }
    }
    p->pointing_rad = fk_min(PLAN_TILT_RAD, TILT_ROOM_RAD + 1.5 * hardest / FK_G0);
    p->has_glide_slope = o->flown.valid && o->relaxed == 0 && p->pos_m[2] > BEARING_ABOVE_M && widest < 0.8;
    p->glide_slope_rad = fk_max(GLIDE_LEAST_RAD, fk_atan(GLIDE_ROOM * widest));
    for (int32_t i = 0; i < 2; i++) {
        p->final_pos_m[i] = pos[i];
        p->final_vel_mps[i] = vel[i];
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

/* Time until the coming plan starts: it is solved for, and the engines follow it. */
static double time_ahead(const fk_if_config_t *c, const fk_plan_t *plan)
{
    return fk_max(SOLVE_S + lag_of(c), plan->to_light_s);
}

/* Times and throttles of the vertical motion that the plan keeps close to. */
typedef struct {
    double final_time_s, finish_s, first_throttle, brake_throttle, land_throttle;
    double drag_throttle; /* what drag takes off the last at the start of the last phase */
} outline_t;

/* Of the closed form; in the last phase a constant deceleration from the predicted state. */
static outline_t outline_of(const fk_optimiser_t *o, const fk_if_config_t *c, const fk_stage_t *stage,
                            const fk_modes_t *modes, const fk_plan_t *plan, double ahead, double full_n)
{
    outline_t t = {plan->time_to_go_s + plan->to_light_s - ahead
                       - plan->end_height_m / c->touchdown_speed_mps,
                   plan->time_to_finish_s + plan->to_light_s - ahead,
                   plan->flown_throttle,
                   plan->brake_throttle,
                   plan->land_throttle,
                   0.0};
    if (modes->mode == FK_IF_TERMINAL) {
        const double v0 = c->touchdown_speed_mps;
        const double v = fk_max(-o->problem.vel_mps[2], v0);
        const double height = fk_max(o->problem.pos_m[2] - plan->end_height_m, 0.1);
        const double accel = (v * v - v0 * v0) / (2.0 * height);
        t.final_time_s = 2.0 * height / (v + v0);
        t.finish_s = 0.0;
        t.land_throttle = stage->mass_kg * (accel + FK_G0) / fk_max(full_n, 1.0);
        t.drag_throttle = stage->axial_n / fk_max(full_n, 1.0);
    }
    return t;
}

/* Braking harder at first is made up for later. */
static double throttle_at(const outline_t *line, double t)
{
    return line->brake_throttle
           + (line->first_throttle - line->brake_throttle) * fk_clamp(1.0 - t / SPARING_S, 0.0, 1.0);
}

static void pose(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                 const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                 double now_s)
{
    fk_problem_t *p = &o->problem;
    memset(p, 0, sizeof *p);
    predict(o, c, nav, plan, now_s);
    const double full[2] = {full_thrust(c, engine, modes, 0), full_thrust(c, engine, modes, 1)};
    const outline_t line = outline_of(o, c, stage, modes, plan, o->start_s - now_s, full[1]);
    p->has_pointing = 1;
    p->final_time_s = line.final_time_s;
    p->nodes = choose_nodes(p->final_time_s, line.finish_s);
    p->mass_kg = stage->mass_kg;
    p->dry_mass_kg = 0.9 * c->dry_mass_kg; /* the tanks are not this plan's to guard */
    p->mass_flow_s_per_m = 1.0 / (c->engine[0].isp_vac_s * FK_G0);
    p->gravity_mps2[2] = -FK_G0;
    aim(o, c, plan->end_height_m);
    const double step = p->final_time_s / (double)(p->nodes - 1);
    const double floor = floor_of(&c->engine[0]);
    for (int32_t k = 0; k < p->nodes; k++) {
        const double t = (double)k * step;
        const double part = t / p->final_time_s;
        const double mass = stage->mass_kg + part * (plan->final_mass_kg - stage->mass_kg);
        const int32_t last = t + 0.5 * step >= line.finish_s;
        const double landing = line.land_throttle - (1.0 - part) * (1.0 - part) * line.drag_throttle;
        const double throttle = last ? landing : throttle_at(&line, t);
        thrust_bounds(o, c, modes->mode == FK_IF_TERMINAL, full[last], throttle, t, &p->thrust_min_n[k],
                      &p->thrust_max_n[k]);
        if (!last && t > SPARING_S) {
            p->thrust_min_n[k] -=
                full[0] * fk_min(line.first_throttle - line.brake_throttle, throttle - floor);
        }
        air_at_node(o, plan, o->start_s + t, part, mass, p->accel_mps2[k]);
    }
}

static void begin(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                  const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                  double now_s)
{
    o->began_s = now_s;
    o->start_s = now_s + time_ahead(c, plan);
    o->engines = engines_counted_on(c, engine, modes);
    o->failed = engines_failed(c, engine);
    if (plan->time_to_go_s < LAST_S) {
        return;
    }
    pose(o, c, nav, stage, engine, modes, plan, now_s);
    if (fk_problem_scale(&o->program, &o->problem, 0) != 0) {
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
    o->relaxed = 0;
    o->known_s = o->began_s;
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
    o->relaxed = status == FK_SOCP_INFEASIBLE ? (o->relaxed + 1) % RELAXED_LEVELS : 0;
}

static int32_t powered(const fk_modes_t *modes)
{
    return modes->mode == FK_IF_BRAKING || modes->mode == FK_IF_TERMINAL;
}

/* The first solve ends just before the engines light. */
static int32_t due(const fk_optimiser_t *o, const fk_modes_t *modes, const fk_plan_t *plan, double now_s)
{
    const int32_t first = modes->mode == FK_IF_BRAKING || plan->to_light_s < 2.0 * SOLVE_S;
    return first && (!o->flown.valid || o->relaxed > 0 || now_s - o->began_s >= EVERY_S);
}

void fk_plan_update(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                    const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                    double now_s)
{
    const int32_t before_landing = modes->mode == FK_IF_IGNITION || modes->mode == FK_IF_BRAKING;
    o->iterations = 0;
    if (!c->optimise || !nav->known || !(before_landing || modes->mode == FK_IF_TERMINAL) || modes->relighting
        || modes->relit) {
        o->solving = o->flown.valid = o->before.valid = 0;
        return;
    }
    /* a clock that ran backwards would keep a plan fresh for ever */
    if (now_s < o->began_s || engines_failed(c, engine) > o->failed
        || (before_landing && engines_counted_on(c, engine, modes) < o->engines)) {
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
    double wanted[3];
    const double lead[3] = {FK_ATTITUDE_LEAD_S, FK_ATTITUDE_LEAD_S, lag_of(c)};
    const double pos_gain[3] = {12.0 / (LATERAL_TIME_S * LATERAL_TIME_S),
                                12.0 / (LATERAL_TIME_S * LATERAL_TIME_S), VERTICAL_POS_GAIN};
    const double vel_gain[3] = {6.0 / LATERAL_TIME_S, 6.0 / LATERAL_TIME_S, VERTICAL_VEL_GAIN};
    if (!powered(modes) || !o->flown.valid || now_s - o->known_s > FRESH_S || plan->time_to_go_s < LAST_S) {
        return 0;
    }
    planned(o, now_s + lag_of(c), pos, vel, wanted);
    for (int32_t i = 0; i < 3; i++) {
        double ahead;
        double speed;
        if (i < 2) {
            coast_across(nav, plan, i, lead[i], &ahead, &speed);
        } else {
            coast_down(nav, lead[i], 0.0, lead[i], &ahead, &speed);
        }
        force_mps2[i] = wanted[i] + pos_gain[i] * (pos[i] - ahead) + vel_gain[i] * (vel[i] - speed);
    }
    return 1;
}
