/* How long ignition may wait.
 *
 * In the coast the optimiser looks for the latest ignition after which a landing is still found although any one
 * engine stops FK_ENGINE_OUT_S after it: a bisection over ignition times, a bounded part of a probe in each
 * frame.  A probe first flies the descent forward at one throttle, found by Newton's method, which gives it
 * final time and drag; then the optimiser says whether thrust within RESERVE of the engines' bounds, pointing
 * and propellant allow it.  Once found, the latest time is followed: the bracket is opened again and closed. */
#include "fk_math.h"
#include "fk_parts.h"

#include <math.h>
#include <string.h>

#define RESERVE 0.95        /* of full thrust: mass may be 2 % more and thrust 3 % less than believed */
#define PROBE_TILT_RAD 0.35 /* of a probe's plan */
#define CLOSE_ENOUGH_S 0.1  /* width of the bracket */
#define REOPENED_S 1.0      /* to either side of the latest known time */
#define FOLLOW_EVERY_S 0.15 /* from probe to probe, once the latest time is known */
#define NEWTON_FRAMES 8     /* spent on a throttle */
#define NEWTON_DONE_M 2.0
#define NEWTON_PROBE 0.02
#define NEWTON_STEP 0.15
#define THROTTLE_MOST 1.3 /* beyond it a probe needs no solve */
#define SLOWEST_DECEL_MPS2 1.0
#define SPAN 2.4           /* of a descent, in units of height over speed: longer ones end in a formula */
#define WORTH_BELOW_S 25.0 /* from the ground, falling on: higher up there is time */

/* State of a descent flown forward. */
typedef struct {
    double t_s, height_m, sink_mps, mass_kg;
} fall_t;

/* What burns: all engines until one stops. */
typedef struct {
    double full_n[2], floor_n[2], loss_n[2], flow_per_n, stop_s;
} cluster_t;

static cluster_t cluster_of(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES])
{
    cluster_t s = {{0.0, 0.0}, {0.0, 0.0}, {0.0, 0.0}, 0.0, 0.0};
    int32_t count = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        count += !engine[i].failed;
    }
    for (int32_t after = 0; after < 2; after++) {
        const double burning = (double)(after && count > 1 ? count - 1 : count);
        s.full_n[after] = burning * c->engine[0].thrust_sl_n;
        s.floor_n[after] = burning * fk_least_thrust_sl_n(&c->engine[0]);
        s.loss_n[after] = burning * (c->engine[0].thrust_vac_n - c->engine[0].thrust_sl_n);
    }
    s.flow_per_n = 1.0 / (c->engine[0].isp_vac_s * FK_G0);
    s.stop_s = FK_ENGINE_OUT_S - c->engine[0].start_s;
    return s;
}

static double drag_of(double area_m2, const fall_t *f)
{
    const double density = fk_air_at(fk_max(f->height_m, 0.0)).density_kgpm3;
    return fk_drag_mps2(area_m2, density, f->sink_mps, f->mass_kg);
}

static void sink(fall_t *f, double decel_mps2, double dt)
{
    f->height_m -= dt * f->sink_mps - 0.5 * dt * dt * decel_mps2;
    f->sink_mps -= dt * decel_mps2;
    f->t_s += dt;
}

/* Unpowered fall to the moment at which the engines of a probe would burn. */
static fall_t fall_to_light(const fk_ignition_t *g, const fk_if_config_t *c, const fk_nav_t *nav,
                            const fk_stage_t *stage, double now_s)
{
    fall_t f = {0.0, nav->height_m, -nav->vel_cm_pad_mps[2], stage->mass_kg};
    const double area = stage->axial_n / fk_max(stage->dynamic_pressure_pa, 1.0);
    const double dt = fk_max(g->probe_s + c->engine[0].start_s - now_s, 0.0) / (double)FK_FALL_STEPS;
    for (int32_t k = 0; k < FK_FALL_STEPS; k++) {
        sink(&f, drag_of(area, &f) - FK_G0, dt);
    }
    f.t_s = 0.0;
    return f;
}

/* Thrust of the cluster at one throttle, t after it burns. */
static double thrust_at(const cluster_t *s, double throttle, double t, double height)
{
    const int32_t after = t >= s->stop_s;
    return throttle * s->full_n[after]
           + s->loss_n[after] * (1.0 - fk_air_at(fk_max(height, 0.0)).pressure_ratio);
}

/* Height left over when the descent from f at one throttle has come to touchdown speed; f becomes its end. */
static double descend(fall_t *f, const cluster_t *s, const fk_plan_t *plan, double throttle, double end_mps)
{
    const double dt = SPAN * fk_max(f->height_m, 1.0) / fk_max(f->sink_mps, 1.0) / (double)FK_PROFILE_STEPS;
    double decel = SLOWEST_DECEL_MPS2;
    for (int32_t k = 0; k < FK_PROFILE_STEPS && f->sink_mps > end_mps; k++) {
        const double thrust = thrust_at(s, throttle, f->t_s, f->height_m);
        decel = thrust / f->mass_kg + drag_of(plan->drag_area_m2, f) - FK_G0;
        const double part = fk_min(dt, (f->sink_mps - end_mps) / fk_max(decel, SLOWEST_DECEL_MPS2));
        sink(f, decel, part);
        f->mass_kg -= thrust * s->flow_per_n * part;
    }
    const double rest = fk_max(f->sink_mps - end_mps, 0.0) / fk_max(decel, SLOWEST_DECEL_MPS2);
    sink(f, fk_max(decel, SLOWEST_DECEL_MPS2), rest);
    return f->height_m - plan->end_height_m;
}

/* One Newton step on the throttle that brings the probe's descent to the ground. */
static double refine(fk_ignition_t *g, const fk_if_config_t *c, const fk_plan_t *plan, const cluster_t *s,
                     const fall_t *light)
{
    fall_t f = *light;
    fall_t beside = *light;
    const double left = descend(&f, s, plan, g->throttle, c->touchdown_speed_mps);
    const double more = descend(&beside, s, plan, g->throttle + NEWTON_PROBE, c->touchdown_speed_mps);
    const double slope = fk_max((more - left) / NEWTON_PROBE, 100.0);
    g->throttle = fk_clamp(g->throttle - fk_clamp(left / slope, -NEWTON_STEP, NEWTON_STEP), 0.3, 2.0);
    g->final_time_s = f.t_s;
    return left;
}

/* The probe's problem: nodes lie on the steps of a descent at the throttle found. */
static void pose(const fk_ignition_t *g, fk_problem_t *p, const fk_if_config_t *c, const fk_nav_t *nav,
                 const fk_stage_t *stage, const fk_plan_t *plan, const cluster_t *s, const fall_t *light,
                 double now_s)
{
    const double step = g->final_time_s / (double)(FK_PROBE_NODES - 1);
    const double wait = fk_max(g->probe_s + c->engine[0].start_s - now_s, 0.0);
    fall_t f = *light;
    memset(p, 0, sizeof *p);
    p->nodes = FK_PROBE_NODES;
    p->has_pointing = 1;
    p->pointing_rad = PROBE_TILT_RAD;
    p->final_time_s = g->final_time_s;
    p->mass_kg = stage->mass_kg;
    p->dry_mass_kg = c->dry_mass_kg;
    p->mass_flow_s_per_m = s->flow_per_n;
    p->gravity_mps2[2] = -FK_G0;
    for (int32_t i = 0; i < 2; i++) {
        p->vel_mps[i] = nav->vel_cm_pad_mps[i];
        p->pos_m[i] = nav->pos_cm_pad_m[i] + wait * nav->vel_cm_pad_mps[i];
    }
    p->pos_m[2] = light->height_m;
    p->vel_mps[2] = -light->sink_mps;
    p->final_pos_m[2] = plan->end_height_m;
    p->final_vel_mps[2] = -c->touchdown_speed_mps;
    for (int32_t k = 0; k < FK_PROBE_NODES; k++) {
        const int32_t after = f.t_s >= s->stop_s;
        const double drag = drag_of(plan->drag_area_m2, &f);
        const double thrust = thrust_at(s, g->throttle, f.t_s, f.height_m);
        p->thrust_min_n[k] = s->floor_n[after];
        p->thrust_max_n[k] = RESERVE * s->full_n[after];
        p->accel_mps2[k][2] = drag;
        sink(&f, thrust / f.mass_kg + drag - FK_G0, step);
        f.mass_kg -= thrust * s->flow_per_n * step;
    }
}

static void next_probe(fk_ignition_t *g)
{
    if (g->late_s - g->early_s < CLOSE_ENOUGH_S) {
        g->latest_s = g->early_s;
        g->known = 1;
        g->early_s -= CLOSE_ENOUGH_S;
        g->late_s += CLOSE_ENOUGH_S;
    }
    g->probe_s = 0.5 * (g->early_s + g->late_s);
    g->frames = 0;
    g->solving = 0;
}

static void answer(fk_ignition_t *g, double now_s, int32_t landable)
{
    g->answered_s = now_s;
    if (landable) {
        g->early_s = g->probe_s;
    } else {
        g->late_s = g->probe_s;
    }
    next_probe(g);
}

/* The bracket lies where the stage can be: from now on, and before it would hit the ground. */
static void keep_bracket(fk_ignition_t *g, const fk_nav_t *nav, double now_s)
{
    const double ground_s = now_s + fk_max(nav->height_m, 0.0) / fk_max(-nav->vel_cm_pad_mps[2], 1.0);
    if (g->begun && g->probe_s > now_s && g->probe_s < ground_s) {
        return;
    }
    g->begun = 1;
    g->early_s = fk_max(now_s, g->known ? g->latest_s - REOPENED_S : now_s);
    g->late_s = fk_max(fk_min(ground_s, g->known ? g->latest_s + REOPENED_S : ground_s),
                       g->early_s + 2.0 * CLOSE_ENOUGH_S);
    next_probe(g);
}

static void prepare(fk_ignition_t *g, fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                    const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES], const fk_plan_t *plan,
                    double now_s)
{
    const cluster_t s = cluster_of(c, engine);
    const fall_t light = fall_to_light(g, c, nav, stage, now_s);
    g->steps = FK_FALL_STEPS + 2 * FK_PROFILE_STEPS;
    const double left = refine(g, c, plan, &s, &light);
    g->frames++;
    if (light.height_m < 1.0 || (g->throttle > THROTTLE_MOST && left < 0.0)) {
        answer(g, now_s, 0);
    } else if (left * left < NEWTON_DONE_M * NEWTON_DONE_M || g->frames > NEWTON_FRAMES) {
        pose(g, &o->problem, c, nav, stage, plan, &s, &light, now_s);
        if (fk_problem_scale(&o->program, &o->problem, 0) != 0) {
            answer(g, now_s, 0);
            return;
        }
        fk_socp_init(&o->socp, &o->program);
        g->solving = 1;
    }
}

void fk_ignition_init(fk_ignition_t *g, const fk_if_config_t *c)
{
    g->throttle = c->brake_throttle;
}

void fk_ignition_update(fk_ignition_t *g, fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                        const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES],
                        const fk_modes_t *modes, fk_plan_t *plan, double now_s)
{
    const double sink_mps = nav->known ? -nav->vel_cm_pad_mps[2] : 0.0;
    g->steps = 0;
    if (!c->optimise || modes->mode != FK_IF_COAST || !nav->known
        || nav->height_m > WORTH_BELOW_S * sink_mps) {
        g->begun = 0;
        return;
    }
    keep_bracket(g, nav, now_s);
    plan->margin_known = g->known;
    plan->margin_s = g->latest_s - now_s;
    if (g->known && !g->solving && now_s - g->answered_s < FOLLOW_EVERY_S) {
        return;
    }
    if (g->solving) {
        const int32_t before = o->socp.iterations;
        const int32_t status = fk_socp_iterate(&o->socp, FK_PLAN_ITERATIONS);
        o->iterations = o->socp.iterations - before;
        if (status != FK_SOCP_RUNNING) {
            answer(g, now_s, status == FK_SOCP_OPTIMAL);
        }
    } else {
        prepare(g, o, c, nav, stage, engine, plan, now_s);
    }
}
