/* Engine health: chamber pressure against what the measured valves should give. */
#include "fk_math.h"
#include "fk_parts.h"

#define LOW_PRESSURE 0.70 /* of the expected pressure: the requirement's own threshold */
#define LOW_FRAMES 3      /* 20 ms and the frame that shows it */
#define JUDGED_ABOVE 0.25 /* expected pressure below which nothing is concluded */
#define SETTLE_S 0.06     /* after MAINSTAGE, before the pressure is judged */
#define SILENT_FRAMES 6   /* without a valid status */
#define LATE_PART 0.75    /* of the start time: who lights later has propellant pooled that burns at once */
#define JUST_LIT 0.3      /* expected pressure after that: the turbopump still has to spool up, ... */
#define SPOOL_LAG_S 0.3   /* ... with this lag, for ... */
#define SPOOL_UP_S 0.6
#define START_GRACE_S 2.5 /* on top of the engine's start time */
#define EFFICIENCY_FILTER_S 0.2
#define LEVEL_S 0.3    /* after MAINSTAGE, before efficiency is */
#define GIVEN_MOST 2.0 /* of full pressure: a chugging chamber's peaks count as well as its troughs */

#define PART_FOLLOWS_S 0.1
#define VALVE_OFF 0.08 /* a part that rests so far from where it should be obeys nobody */
#define VALVE_RESTS 0.01
#define GIMBAL_OFF_RAD 0.010
#define GIMBAL_RESTS_RAD 0.001
#define LOOK_FRAMES 10
#define HIGH_PRESSURE 1.25 /* of the expected pressure */
#define WILD_LOOKS 2
#define WILD_AFTER_S 0.5  /* after MAINSTAGE */
#define GIMBAL_LATE_S 0.1 /* that a sound gimbal may be late */
#define CRAWLS 0.25       /* of its rate */
#define HARD_OVER 0.5     /* of its limit: beyond, the others are better off without it */
#define LAME_S 0.3        /* of a gimbal that is elsewhere */
#define LAME_MOST_S 1.0
#define LAME_FORGOTTEN 0.125 /* of the time that it is where it should be */

#define HOME_FRAMES 3
#define HOPED_S 1.2   /* that a board takes to restart, mostly */
#define DARK_FRAMES 3 /* of silence, as when a board restarts */

void fk_health_init(fk_engine_t engine[FK_ENGINES])
{
    for (int32_t i = 0; i < FK_ENGINES; i++) {
        engine[i].efficiency = engine[i].given = engine[i].taken = 1.0;
    }
}

static void track_expected(fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s,
                           double dt)
{
    const double valve = fk_clamp(fk_min(s->ox_valve_pos, s->fuel_valve_pos), 0.0, 1.0);
    if (s->state != FK_IF_ENGINE_MAINSTAGE) {
        e->lit_s = 0.0;
    } else if (!(e->lit_s > 0.0)) {
        e->late = e->starting_s > LATE_PART * c->start_s;
        e->expected = e->late ? fk_min(e->expected, JUST_LIT) : e->expected;
    }
    e->lit_s += s->state == FK_IF_ENGINE_MAINSTAGE ? dt : 0.0;
    const double lag_s = e->late && e->lit_s < SPOOL_UP_S ? SPOOL_LAG_S : c->thrust_lag_s;
    e->expected += dt / (lag_s + dt) * (valve - e->expected);
}

static void judge_pressure(fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s,
                           double dt)
{
    const double measured = s->chamber_pa / c->chamber_pa;
    const int32_t judged = e->running_s > SETTLE_S && e->expected > JUDGED_ABOVE;
    if (!judged) {
        e->low_frames = 0;
        return;
    }
    e->low_frames = measured < LOW_PRESSURE * e->expected ? e->low_frames + 1 : 0;
    if (e->running && e->running_s > LEVEL_S) {
        const double part = fk_min(dt / EFFICIENCY_FILTER_S, 1.0);
        e->given += part * (fk_clamp(measured, 0.0, GIVEN_MOST) - e->given);
        e->taken += part * (e->expected - e->taken);
        e->efficiency = fk_clamp(e->given / e->taken, LOW_PRESSURE, HIGH_PRESSURE);
    }
}

static double rate_of(const fk_engine_t *e, int32_t part, double most)
{
    return fk_clamp((e->asked[part] - e->due[part]) / PART_FOLLOWS_S, -most, most);
}

/* Does a gimbal stay behind, and hardly moves?  It is elsewhere by more than it may be late. */
static int32_t lags(const fk_engine_t *e, const fk_if_engine_config_t *c, int32_t part, double wrong,
                    double moved, double dt)
{
    const double rate = rate_of(e, part, c->gimbal_rate_radps);
    const double far = GIMBAL_OFF_RAD + GIMBAL_LATE_S * fk_max(rate, -rate);
    const double crawl = CRAWLS * LOOK_FRAMES * dt * c->gimbal_rate_radps;
    return wrong * wrong > far * far && moved * moved < crawl * crawl;
}

/* Once every so many frames: what was seen is counted, and remembered of a gimbal, as it is not asked all the time. */
static void look_at(fk_engine_t *e, int32_t off, int32_t stuck, int32_t lame, double dt)
{
    const int32_t judged = e->running_s > WILD_AFTER_S;
    e->wild_looks = off && judged ? e->wild_looks + 1 : 0;
    e->stuck_looks = stuck && judged ? e->stuck_looks + 1 : 0;
    e->wild = e->wild_looks >= WILD_LOOKS;
    e->stuck = e->stuck_looks >= WILD_LOOKS;
    e->lame_s = fk_clamp(e->lame_s + LOOK_FRAMES * dt * (lame && e->running ? 1.0 : -LAME_FORGOTTEN), 0.0,
                         LAME_MOST_S);
    e->lame = e->lame_s > (e->lame ? 0.0 : LAME_S);
    e->looked = 0;
}

/* Does an engine do what it is asked?  A slow part moves on; one that rests elsewhere does not. */
static void judge_obedience(fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s,
                            double dt)
{
    const double at[FK_PARTS] = {s->ox_valve_pos, s->fuel_valve_pos, s->gimbal_x_rad, s->gimbal_y_rad};
    const int32_t look = ++e->looked >= LOOK_FRAMES;
    const double part = fk_min(dt / PART_FOLLOWS_S, 1.0); /* frames of any length */
    e->pressure += part * (fk_clamp(s->chamber_pa / c->chamber_pa, 0.0, 5.0) - e->pressure);
    int32_t stuck = 0;
    int32_t lame = 0;
    int32_t off = e->pressure > HIGH_PRESSURE * fk_max(e->expected, c->throttle_floor);
    for (int32_t i = 0; i < FK_PARTS; i++) {
        const double far = i < 2 ? VALVE_OFF : GIMBAL_OFF_RAD;
        const double rest = i < 2 ? VALVE_RESTS : GIMBAL_RESTS_RAD;
        const double wrong = at[i] - e->due[i];
        const double moved = at[i] - e->seen[i];
        const int32_t rests = wrong * wrong > far * far && moved * moved < rest * rest;
        const double over = i < 2 ? far : HARD_OVER * c->gimbal_limit_rad;
        off |= rests && wrong * wrong > over * over;
        stuck |= rests && i >= 2;
        lame |= i >= 2 && lags(e, c, i, wrong, moved, dt);
        e->due[i] += dt * rate_of(e, i, i < 2 ? c->valve_slew_per_s : c->gimbal_rate_radps);
        e->seen[i] = look ? at[i] : e->seen[i];
    }
    if (look) {
        look_at(e, off, stuck, lame, dt);
    }
}

/* What ends an engine's part in the flight for good: too little pressure, a fault, or that it does not light. */
static int32_t is_dead(const fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s)
{
    const int32_t in_mainstage = s->state == FK_IF_ENGINE_MAINSTAGE;
    const int32_t never_lit = !in_mainstage && e->starting_s > c->start_s + START_GRACE_S;
    return e->low_frames >= LOW_FRAMES || s->state == FK_IF_ENGINE_FAULT || never_lit;
}

/* What ends it until its board is back: silence, or that it shut the engine down by itself. */
static int32_t has_left(const fk_engine_t *e, const fk_if_engine_status_t *s, int32_t was_running)
{
    return e->silent_frames >= SILENT_FRAMES || (was_running && s->state != FK_IF_ENGINE_MAINSTAGE);
}

static int32_t is_at_rest(const fk_if_engine_config_t *c, const fk_if_engine_status_t *s)
{
    return s->state == FK_IF_ENGINE_SAFE && s->ox_valve_pos < VALVE_OFF && s->fuel_valve_pos < VALVE_OFF
           && s->chamber_pa < JUDGED_ABOVE * c->chamber_pa;
}

/* A board that restarts has forgotten that its engine burnt: nothing is wrong with that but that it is shut.  Where
 * the board dropped its drives first, the engine was given up for that; then the silence tells. */
static void await_board(fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s,
                        double dt)
{
    e->away &= e->failed && !(s->fresh && s->state == FK_IF_ENGINE_FAULT);
    e->away_s = e->away ? e->away_s + dt : 0.0;
    e->dark = e->away && (e->dark || e->silent_frames >= DARK_FRAMES);
    e->home = e->dark && s->fresh && is_at_rest(c, s) ? e->home + 1 : 0;
    const int32_t may_come = e->away && e->startable;
    e->back = may_come && e->home >= HOME_FRAMES;
    e->hoped = may_come && (e->back || e->away_s < HOPED_S);
}

/* An engine that is to burn: its start and its time in MAINSTAGE are counted, and it is judged. */
static void follow_burn(fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s,
                        double dt)
{
    const int32_t was_running = e->running;
    e->starts += !(e->starting_s > 0.0);
    e->starting_s += dt;
    e->running = s->state == FK_IF_ENGINE_MAINSTAGE && !e->failed;
    e->running_s = e->running ? e->running_s + dt : 0.0;
    const int32_t dead = is_dead(e, c, s);
    if (dead || has_left(e, s, was_running)) {
        e->failed = 1;
        e->away = e->dark = !dead;
        e->running = 0;
    }
}

static void update_one(fk_engine_t *e, const fk_if_engine_config_t *c, const fk_if_engine_status_t *s,
                       int32_t asked_start, double dt)
{
    e->silent_frames = s->fresh ? 0 : e->silent_frames + 1;
    if (s->fresh) {
        e->state = s->state;
        track_expected(e, c, s, dt);
        judge_pressure(e, c, s, dt);
        judge_obedience(e, c, s, dt);
    }
    if (asked_start && !e->stopped) {
        follow_burn(e, c, s, dt);
    } else {
        e->running = 0;
    }
    e->startable = e->starts < FK_STARTS_MOST && e->starts < c->starts;
    await_board(e, c, s, dt);
    e->spare = e->stopped && !e->weak && !e->failed && e->startable && e->silent_frames < SILENT_FRAMES;
}

void fk_health_update(fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c, const fk_if_input_t *in,
                      const int32_t asked_start[FK_ENGINES])
{
    for (int32_t i = 0; i < c->engine_count; i++) {
        fk_if_engine_status_t status = in->engine[i];
        const double values[5] = {status.ox_valve_pos, status.fuel_valve_pos, status.chamber_pa,
                                  status.gimbal_x_rad, status.gimbal_y_rad};
        if (!fk_all_finite(values, 5)) {
            status.fresh = 0;
        }
        update_one(&engine[i], &c->engine[i], &status, asked_start[i], c->frame_s);
    }
}
