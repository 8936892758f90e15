/* Whether the stage can still land, and where to let it come down where it cannot.
 *
 * Every few frames the fall is flown forward on all the thrust that is left.  Where that meets the ground too fast for
 * a while, the stage is given up for good: it steers for a point beside the keep-out, on that side of the pad to
 * which it would come down anyway.  It goes on braking, unless that takes more from the reach than it gives:
 * at speed, lift works against the thrust of a tilted stage. */
#include "fk_math.h"
#include "fk_parts.h"

#include <math.h>

#define TOO_FAST_MPS 5.0 /* into the ground; with some trust in the forecast for each metre that is left: */
#define TOO_FAST_PER_M 0.02
#define EVERY_FRAMES 4   /* from forecast to forecast */
#define GIVEN_UP_AFTER 5 /* bad ones in a row */
#define CLEARANCE_M 30.0 /* beyond the keep-out */
#define SPAN 1.7         /* of a fall, in units of height over speed */
#define SLOWEST_MPS 5.0
#define TURN_S 1.0        /* until a tilt has effect */
#define MUCH_MORE 1.2     /* reach that is worth an engine */
#define STEER_LEAST_S 1.0 /* time to go, at least, that steering counts with */

typedef struct {
    double t_s, height_m, sink_mps, mass_kg;
    double pos_m[2], vel_mps[2];
    double reach_m, reach_mps; /* aside, by a tilt of one radian */
} fall_t;

/* What acts on the stage in a fall: thrust at sea level and what full pressure takes of it, and areas that give
 * axial and normal force (each radian) by dynamic pressure. */
typedef struct {
    double full_n, loss_n, axial_m2, normal_m2;
} forces_t;

static forces_t forces_on(const fk_if_config_t *c, const fk_stage_t *stage,
                          const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes)
{
    const double pressure = fk_max(stage->dynamic_pressure_pa, 1.0);
    forces_t a = {0.0, 0.0, stage->axial_n / pressure, stage->normal_n_per_rad / pressure};
    for (int32_t i = 0; i < c->engine_count && modes->mode < FK_IF_TOUCHDOWN; i++) {
        const int32_t hoped = engine[i].hoped && modes->mode < FK_IF_TERMINAL;
        const int32_t coming = (modes->share[i] && !engine[i].failed) || hoped;
        if (engine[i].running || coming || (modes->relighting && engine[i].spare)) {
            a.full_n += c->engine[i].thrust_sl_n * engine[i].efficiency;
            a.loss_n += c->engine[i].thrust_vac_n - c->engine[i].thrust_sl_n;
        }
    }
    return a;
}

/* The same without thrust: nothing shields the stage from the flow. */
static forces_t without_thrust(const forces_t *a, const fk_stage_t *stage)
{
    const forces_t bare = {0.0, 0.0, a->axial_m2 / stage->plume, a->normal_m2 / stage->plume};
    return bare;
}

static void fall_a_step(fall_t *f, const fk_if_config_t *c, const forces_t *a, double dt)
{
    const fk_air_t air = fk_air_at(f->height_m);
    const double thrust = a->full_n + a->loss_n * (1.0 - air.pressure_ratio);
    const double flow = 0.5 * air.density_kgpm3 * f->sink_mps;
    const double drag_per_s = flow * a->axial_m2 / f->mass_kg;
    const double decel = thrust / f->mass_kg + drag_per_s * f->sink_mps - FK_G0;
    const double stiffness = thrust + flow * f->sink_mps * (a->axial_m2 - a->normal_m2);
    f->height_m -= dt * f->sink_mps - 0.5 * dt * dt * decel;
    f->sink_mps -= dt * decel;
    for (int32_t i = 0; i < 2; i++) {
        f->pos_m[i] += dt * f->vel_mps[i];
        f->vel_mps[i] -= dt * drag_per_s * f->vel_mps[i];
    }
    if (f->t_s > TURN_S) {
        f->reach_mps += dt * fk_max(stiffness, -stiffness) / f->mass_kg;
        f->reach_m += dt * f->reach_mps;
    }
    f->mass_kg = fk_max(f->mass_kg - thrust * dt / (c->engine[0].isp_vac_s * FK_G0), c->dry_mass_kg);
    f->t_s += dt;
}

/* The fall from now on, to the ground or to a stop. */
static fall_t fall_on(const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                      const forces_t *a)
{
    fall_t f = {0.0, nav->height_m, -nav->vel_cm_pad_mps[2], stage->mass_kg, {0.0, 0.0}, {0.0, 0.0}, 0.0,
                0.0};
    const double dt = SPAN * f.height_m / fk_max(f.sink_mps, SLOWEST_MPS) / (double)FK_PROFILE_STEPS;
    for (int32_t i = 0; i < 2; i++) {
        f.pos_m[i] = nav->pos_cm_pad_m[i];
        f.vel_mps[i] = nav->vel_cm_pad_mps[i];
    }
    for (int32_t k = 0; k < FK_PROFILE_STEPS && f.height_m > 0.0 && f.sink_mps > c->touchdown_speed_mps;
         k++) {
        fall_a_step(&f, c, a, dt);
    }
    return f;
}

static void give_up(fk_divert_t *d, const fk_if_config_t *c, const fk_nav_t *nav, const fall_t *f,
                    fk_engine_t engine[FK_ENGINES])
{
    double x = f->pos_m[0];
    double y = f->pos_m[1];
    if (x * x + y * y < 1.0) {
        x = nav->vel_cm_pad_mps[0];
        y = nav->vel_cm_pad_mps[1];
    }
    const double size = sqrt(x * x + y * y);
    d->aside[0] = size > 1e-3 ? x / size : 1.0;
    d->aside[1] = size > 1e-3 ? y / size : 0.0;
    d->given_up = 1;
    for (int32_t i = 0; i < c->engine_count; i++) {
        engine[i].away = engine[i].back = 0; /* nothing is lit again */
    }
}

static void stop_all(const fk_if_config_t *c, fk_engine_t engine[FK_ENGINES])
{
    for (int32_t i = 0; i < c->engine_count; i++) {
        engine[i].stopped = 1;
        engine[i].starts = FK_STARTS_MOST; /* not to be lit again */
        engine[i].running = 0;
    }
}

void fk_divert_update(fk_divert_t *d, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                      fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes)
{
    d->steps = 0;
    if (!nav->known || modes->mode == FK_IF_COAST || modes->mode == FK_IF_TOUCHDOWN
        || modes->mode == FK_IF_SHUTDOWN_DONE || d->wait-- > 0) {
        return;
    }
    d->wait = EVERY_FRAMES - 1;
    const forces_t burning = forces_on(c, stage, engine, modes);
    const fall_t f = fall_on(c, nav, stage, &burning);
    const double too_fast = TOO_FAST_MPS + TOO_FAST_PER_M * fk_max(nav->height_m, 0.0);
    d->steps = FK_PROFILE_STEPS;
    d->bad = f.height_m <= 0.0 && f.sink_mps > too_fast ? d->bad + 1 : 0;
    if (!d->given_up && d->bad >= GIVEN_UP_AFTER) {
        const forces_t bare = without_thrust(&burning, stage);
        const fall_t coasting = fall_on(c, nav, stage, &bare);
        d->steps += FK_PROFILE_STEPS;
        give_up(d, c, nav, &f, engine);
        if (FK_ASIDE_TILT_BARE * coasting.reach_m > MUCH_MORE * FK_ASIDE_TILT * f.reach_m) {
            stop_all(c, engine);
        }
    }
    if (d->given_up) {
        const double t = fk_max(f.t_s - FK_ATTITUDE_LEAD_S, STEER_LEAST_S);
        const double along = f.pos_m[0] * d->aside[0] + f.pos_m[1] * d->aside[1];
        d->accel_mps2 = fk_max(2.0 * (c->keep_out_radius_m + CLEARANCE_M - along) / (t * t), 0.0);
    }
}
