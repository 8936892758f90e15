/* Flight modes, and which engines take part. */
#include "fk_math.h"
#include "fk_parts.h"

#define TOUCH_HEIGHT_M 0.06
#define STOPPED_MPS 0.15 /* descending slower than this low down: cut, or the stage rises again */
#define STOPPED_HEIGHT_M 1.0
#define CUT_LAG_S 0.12 /* that thrust lasts after the cut: engines that cannot hover are cut in time */
#define HOVER_MPS2 0.5 /* net deceleration at the floor, at most, of engines that can */
#define LOW_FRAMES 400
#define HIT_MPS 2.5 /* that fast, whatever is down there is hit: no reason to burn on */
#define STEP_DOWN_SPEED_MAX_MPS 120.0
#define UPSET_COSINE 0.5 /* tilted further than this, thrust no longer helps */
#define DONE_AFTER_FRAMES 200
#define RISING_MPS 2.0
#define RELIGHT_S 1.3       /* of fall, and ... */
#define RELIGHT_BASE_M 10.0 /* ... height below which engines are not lit again in place of one that burns */
#define PAUSE_S 0.9         /* at the least, between two burns, as if both ended at once */
#define PAUSE_ABOVE_MPS 10.0
#define TOO_STRONG 0.97 /* needed over least deceleration */
#define PAUSE_PART 0.8  /* of the most deceleration, needed after the shortest pause */
#define SETTLED_FRAMES 20
#define ALONE_FRAMES 60 /* after the step-down until the rest of what turned the stage is gone */
#define ALONE_S 0.2
#define EXCUSED_S 1.0         /* in which the others are judged too */
#define OVERBORNE_S 2.0       /* in which a roll would show */
#define ROLL_TELLS_RADPS2 0.1 /* held while it burns */
#define RESUMED_FRAMES 50     /* into the flight */
#define TOO_WEAK 1.1          /* needed over most deceleration */
#define FALL_PART 0.8         /* of the most deceleration, needed after a fall */
#define LIGHT_PART 0.75       /* of the start time: as if the thrust came at once then */
#define TAIL_FRAMES 40        /* that the tail of its thrust takes, and ... */
#define TAIL_MPS2 3.0         /* ... by how much it spoils the plan at most */
#define SHUT 0.02
#define WORTH_S 4.0        /* of braking that is left, from which on an engine is lit again for it, ... */
#define WORTH_THROTTLE 0.9 /* ... or needed of the others */
#define FADE_S 0.2         /* for which what is left of an engine that stopped still pushes, as if in full */

void fk_modes_init(fk_modes_t *modes)
{
    modes->mode = FK_IF_COAST;
}

static void enter(fk_modes_t *modes, int32_t mode)
{
    modes->mode = mode;
    modes->frames_in_mode = 0;
}

static int32_t any_running(const fk_engine_t engine[FK_ENGINES], int32_t count)
{
    int32_t any = 0;
    for (int32_t i = 0; i < count; i++) {
        any |= engine[i].running;
    }
    return any;
}

static int32_t centre_runs(const fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c)
{
    int32_t runs = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        runs |= c->engine[i].centre && engine[i].running && !engine[i].excused;
    }
    return runs;
}

/* The finish can be joined once its planned deceleration stops the stage in the height that is left. */
static int32_t finish_due(const fk_if_config_t *c, const fk_nav_t *nav, const fk_plan_t *plan)
{
    const double v = -nav->vel_pad_mps[2];
    const double v0 = c->touchdown_speed_mps;
    const double height = fk_max(nav->height_m, 0.1);
    const double needed = (v * v - v0 * v0) / (2.0 * height);
    return v < STEP_DOWN_SPEED_MAX_MPS && needed <= plan->finish_decel_mps2;
}

/* Engines that the finish does not use are shut down: when it begins, and where the centre engine joins it later, once
 * that can do the rest alone. */
static void step_down(fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c)
{
    const int32_t centre = centre_runs(engine, c);
    for (int32_t i = 0; i < c->engine_count; i++) {
        if ((centre && !c->engine[i].centre) || engine[i].excused) {
            engine[i].stopped = 1;
            engine[i].weak = engine[i].excused;
            engine[i].running = 0;
        }
    }
}

static int32_t centre_is_enough(const fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                                const fk_nav_t *nav, const fk_plan_t *plan)
{
    const double v = -nav->vel_pad_mps[2];
    int32_t settled = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        settled |= c->engine[i].centre && engine[i].running_s > SETTLED_FRAMES * c->frame_s;
    }
    return settled && v * v <= 2.0 * fk_max(nav->height_m, 0.1) * plan->most_decel_mps2;
}

static int32_t stopped(const fk_nav_t *nav)
{
    const double slowing = fk_max(nav->axial_mps2 - FK_G0, 0.0);
    const double sinking = -nav->vel_pad_mps[2] - CUT_LAG_S * slowing;
    return sinking < STOPPED_MPS && nav->height_m < STOPPED_HEIGHT_M;
}

static int32_t touched_down(const fk_nav_t *nav)
{
    return nav->height_m < TOUCH_HEIGHT_M || stopped(nav);
}

/* Engines that cannot hover carry a stage that they stopped too early up until its tanks are dry: it falls less
 * far when they are cut. */
static int32_t carried_up(const fk_nav_t *nav, const fk_plan_t *plan)
{
    return plan->least_decel_mps2 > 0.0 && nav->vel_pad_mps[2] > RISING_MPS;
}

/* Where engines can hover, the finish goes on below the ground that navigation believes in until the stage stops, or
 * for so long: a height that is too low by a metre is no fall from there. */
static int32_t finish_over(fk_modes_t *modes, const fk_nav_t *nav, const fk_plan_t *plan)
{
    const int32_t hover = plan->least_decel_mps2 < HOVER_MPS2;
    const int32_t low = nav->height_m < TOUCH_HEIGHT_M;
    const int32_t hits = -nav->vel_pad_mps[2] > HIT_MPS;
    modes->low_frames += low;
    return stopped(nav) || (low && (!hover || hits || modes->low_frames > LOW_FRAMES))
           || carried_up(nav, plan);
}

static int32_t ignition_due(const fk_if_config_t *c, const fk_plan_t *plan, const fk_nav_t *nav,
                            const fk_if_input_t *in)
{
    if (c->ignition_forced) {
        return (double)in->t_ns * 1e-9 >= c->ignition_forced_t_s;
    }
    const int32_t spent = plan->margin_known && plan->margin_s <= FK_IGNITION_SPARE_S;
    return nav->known && (plan->margin_m <= 0.0 || spent);
}

/* A flight whose ignition is due as soon as it begins has begun before: its computer was reset, and its engines have
 * burnt already. */
static void count_start_before(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c)
{
    modes->resumed = !c->ignition_forced && modes->frames_in_mode < RESUMED_FRAMES;
    for (int32_t i = 0; i < c->engine_count; i++) {
        engine[i].starts += modes->resumed;
    }
}

static int32_t armed(const fk_if_config_t *c, const fk_if_input_t *in)
{
    int32_t all = 1;
    for (int32_t i = 0; i < c->engine_count; i++) {
        all &= in->engine[i].state != FK_IF_ENGINE_SAFE;
    }
    return all;
}

/* Can the stage stop at this deceleration after falling for a time t, on what is left of an engine's push at first? */
static int32_t can_fall(const fk_nav_t *nav, double t, double decel_mps2)
{
    const double pushed_s = fk_min(t, FADE_S);
    const double gain = fk_max(nav->held_force_body[2], 0.0) * pushed_s;
    const double v = FK_G0 * t - nav->vel_pad_mps[2] - gain;
    const double height =
        nav->height_m + nav->vel_pad_mps[2] * t - 0.5 * FK_G0 * t * t + gain * (t - 0.5 * pushed_s);
    return height > 0.0 && v * v < 2.0 * height * decel_mps2;
}

/* The deceleration for which engines are lit again: what is left of a lost engine's push is put on top, as it may last,
 * but no more than they can do without it, and little of it as long as it may be but the usual tail. */
static double relight_decel(const fk_modes_t *modes, const fk_nav_t *nav, const fk_plan_t *plan)
{
    const double push = fk_max(nav->held_force_body[2], 0.0);
    const double with = modes->unpowered_frames > TAIL_FRAMES ? push : fk_min(push, TAIL_MPS2);
    const double most = fk_max(FALL_PART * plan->most_decel_mps2, plan->finish_decel_mps2);
    return fk_min(plan->finish_decel_mps2 + with, most);
}

/* All that are ready burn again; a board that is not ready with the others' follows them while they start. */
static void light_spares(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (engine[i].spare && engine[i].state == FK_IF_ENGINE_ARMED) {
            engine[i].stopped = 0;
            engine[i].starting_s = engine[i].running_s = 0.0;
            modes->relit = 1;
        }
    }
}

/* Where the finish lost its engines, those that were stopped are lit again, as late as their planned deceleration
 * allows: they are strong, and lit too early they would stop the stage above the ground.  Where it is too weak they
 * are planned for. */
static void light_again(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                        const fk_nav_t *nav, const fk_plan_t *plan)
{
    const int32_t running = any_running(engine, c->engine_count);
    modes->unpowered_frames = running ? 0 : modes->unpowered_frames + 1;
    const int32_t planned = modes->relighting; /* for these engines, in the frame before */
    int32_t spare = 0;
    int32_t starting = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        starting |= modes->share[i] && !engine[i].failed;
        spare += engine[i].spare;
    }
    modes->weak = running && spare > 1 && plan->needed_decel_mps2 > TOO_WEAK * plan->most_decel_mps2;
    modes->relighting = modes->weak || (!running && (starting || spare));
    const int32_t due =
        starting ? modes->relit && !running
                 : !can_fall(nav, LIGHT_PART * c->engine[0].start_s, relight_decel(modes, nav, plan));
    if (planned && due) {
        light_spares(modes, engine, c->engine_count);
    }
}

/* An engine that was given up because its board restarted is lit again, where there is time to use it or the others
 * are not enough; in the finish it is kept in case that loses its own, the centre engine only where there is no other. */
static void take_back(const fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                      const fk_plan_t *plan)
{
    const int32_t finishing = modes->mode == FK_IF_TERMINAL;
    int32_t running = 0;
    int32_t others = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        running |= engine[i].running;
        others |= modes->share[i] || engine[i].spare;
    }
    const int32_t braking = modes->mode == FK_IF_IGNITION || modes->mode == FK_IF_BRAKING;
    const int32_t worth =
        !running || plan->time_to_finish_s > WORTH_S || plan->brake_throttle > WORTH_THROTTLE;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const int32_t centre = c->engine[i].centre;
        const int32_t burns = braking && (worth || centre);
        if (engine[i].back && (burns || (finishing && !(centre && others)))) {
            engine[i].failed = engine[i].away = engine[i].back = engine[i].hoped = 0;
            engine[i].starting_s = engine[i].running_s = 0.0;
            engine[i].stopped = finishing;
        }
    }
}

/* While several burn, a moment that one gimbal can hardly hold is laid to the one that does not follow; alone, to an
 * engine whose gimbal says that it does. */
static int32_t is_odd(const fk_engine_t *e, int32_t finishing, int32_t pushing)
{
    return e->wild || (finishing && e->stuck) /* braking, the others steer as well */
           || (pushing && finishing != e->lame);
}

/* Both valves fell shut: its board lost what it drives them with, and may restart. */
static int32_t drives_dropped(const fk_engine_t *e)
{
    return e->seen[0] < SHUT && e->seen[1] < SHUT;
}

/* In the finish one engine burns alone, and its gimbal could hardly hold what turns the stage: its own push. */
static int32_t pushes_alone(const fk_modes_t *modes, const fk_control_t *control)
{
    return control->overborne_s > ALONE_S && modes->frames_in_mode > ALONE_FRAMES;
}

/* The first engine that is odd; what the others did may look different without it. */
static void give_up_odd(fk_engine_t engine[FK_ENGINES], int32_t count, int32_t finishing, int32_t pushing)
{
    for (int32_t i = 0; i < count; i++) {
        if (engine[i].running && is_odd(&engine[i], finishing, pushing)) {
            engine[i].failed = 1;
            engine[i].away = drives_dropped(&engine[i]);
            engine[i].running = 0;
            return;
        }
    }
}

/* An engine that does not do what it is asked is given up where the others can do without it: braking, once the loss
 * of any one can be borne, and for a push that may be another's only while all others burn; in the finish, while there
 * is height to light the others again. */
static void give_up_wild(const fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                         const fk_nav_t *nav, const fk_control_t *control)
{
    const double v = -nav->vel_pad_mps[2];
    const double burnt_s = modes->frames_in_mode * c->frame_s;
    int32_t running = 0;
    int32_t spare = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        running += engine[i].running && !engine[i].wild;
        spare += engine[i].spare;
    }
    const int32_t others = modes->mode == FK_IF_BRAKING && burnt_s > FK_ENGINE_OUT_S && running > 1;
    const int32_t again =
        modes->mode == FK_IF_TERMINAL && spare > 1 && nav->height_m > RELIGHT_S * v + RELIGHT_BASE_M;
    const int32_t pushes = others ? running > 2 && control->overborne_s > ALONE_S
                                  : again && running == 1 && pushes_alone(modes, control);
    if (others || again) {
        give_up_odd(engine, c->engine_count, again, pushes);
    }
}

static int32_t gimbal_fails(const fk_engine_t *e)
{
    return e->lame || e->stuck;
}

/* Something turns the stage that the gimbal of one engine could hardly hold: is it that of the centre engine?  Of one
 * off the axis it may be as well, but then the others hold it, or it rolls the stage. */
static int32_t centre_pushes(const fk_control_t *control)
{
    const double roll = control->roll_integral;
    return control->overborne_s > OVERBORNE_S && roll * roll < ROLL_TELLS_RADPS2 * ROLL_TELLS_RADPS2;
}

/* Engines off the axis that burn, obey and steer. */
static double sound_others(const fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c)
{
    double others = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const int32_t sound = engine[i].running && !engine[i].wild && !gimbal_fails(&engine[i]);
        others += sound && !c->engine[i].centre ? 1.0 : 0.0;
    }
    return others;
}

/* A centre engine whose gimbal does not follow is no engine to finish on alone: that is planned for the others, where
 * there are two and they are not too strong for what is left, and it is stopped once they can brake without it. */
static void excuse_lame(const fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                        const fk_nav_t *nav, const fk_plan_t *plan, const fk_control_t *control)
{
    const double v = nav->vel_pad_mps[2];
    const double others = sound_others(engine, c);
    const double least = others * (plan->least_decel_mps2 + FK_G0) - FK_G0;
    const int32_t can = others > 1.0 && v * v > 2.0 * fk_max(nav->height_m, 0.1) * least;
    const int32_t bears = modes->frames_in_mode * c->frame_s > FK_ENGINE_OUT_S;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const int32_t still = engine[i].excused && others > 1.0;
        engine[i].excused = modes->mode == FK_IF_BRAKING && c->engine[i].centre
                            && (still || (can && (gimbal_fails(&engine[i]) || centre_pushes(control))));
        engine[i].excused_s = engine[i].excused ? engine[i].excused_s + c->frame_s : 0.0;
        if (engine[i].excused_s > EXCUSED_S && bears) {
            engine[i].stopped = engine[i].weak = 1;
            engine[i].running = 0;
        }
    }
}

/* Engines that are too weak to finish on are stopped for good while those that can be lit again would still stop the
 * fall. */
static void stop_weak(const fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                      const fk_nav_t *nav, const fk_plan_t *plan)
{
    const int32_t can = modes->weak && can_fall(nav, c->engine[0].start_s, FALL_PART * plan->spare_most_mps2);
    for (int32_t i = 0; can && i < c->engine_count; i++) {
        engine[i].weak |= engine[i].running;
        engine[i].stopped |= engine[i].weak;
        engine[i].running &= !engine[i].weak;
    }
}

/* Engines so strong that they would stop the stage far above the ground are stopped at once, while each has a
 * start left, and lit again in time. */
static void pause_strong(const fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                         const fk_nav_t *nav, const fk_plan_t *plan)
{
    const double v = -nav->vel_pad_mps[2];
    const double height = fk_max(nav->height_m, 0.1);
    const double least = plan->least_decel_mps2 + plan->drag_mean_mps2;
    int32_t can = v > PAUSE_ABOVE_MPS && v * v < TOO_STRONG * 2.0 * height * least
                  && can_fall(nav, PAUSE_S, PAUSE_PART * plan->most_decel_mps2);
    for (int32_t i = 0; i < c->engine_count; i++) {
        can &= !engine[i].running || engine[i].startable;
    }
    for (int32_t i = 0; can && i < c->engine_count; i++) {
        engine[i].stopped |= engine[i].running && modes->frames_in_mode > SETTLED_FRAMES;
        engine[i].running &= !engine[i].stopped;
    }
}

static void share_engines(fk_modes_t *modes, const fk_engine_t engine[FK_ENGINES], int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        modes->share[i] = !engine[i].failed && !engine[i].stopped && modes->mode < FK_IF_TOUCHDOWN;
    }
}

/* The finish: which engines fly it on, until it is over. */
static void finish(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                   const fk_nav_t *nav, const fk_plan_t *plan)
{
    if (finish_over(modes, nav, plan)) {
        enter(modes, FK_IF_TOUCHDOWN);
        return;
    }
    if (centre_is_enough(engine, c, nav, plan)) {
        step_down(engine, c);
    }
    stop_weak(modes, engine, c, nav, plan);
    pause_strong(modes, engine, c, nav, plan);
    light_again(modes, engine, c, nav, plan);
}

static void next_mode(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                      const fk_nav_t *nav, const fk_plan_t *plan, const fk_if_input_t *in)
{
    switch (modes->mode) {
    case FK_IF_COAST:
        /* a board that cannot be armed does not hold up the others beyond the last moment */
        if (ignition_due(c, plan, nav, in) && (armed(c, in) || modes->frames_in_mode > 10)) {
            count_start_before(modes, engine, c);
            enter(modes, FK_IF_IGNITION);
        }
        break;
    case FK_IF_IGNITION:
        if (touched_down(nav)) {
            enter(modes, FK_IF_TOUCHDOWN);
        } else if (any_running(engine, c->engine_count)) {
            enter(modes, FK_IF_BRAKING);
        }
        break;
    case FK_IF_BRAKING:
        if (touched_down(nav)) {
            enter(modes, FK_IF_TOUCHDOWN);
        } else if (finish_due(c, nav, plan)) {
            enter(modes, FK_IF_TERMINAL);
            step_down(engine, c);
        }
        break;
    case FK_IF_TERMINAL:
        finish(modes, engine, c, nav, plan);
        break;
    case FK_IF_TOUCHDOWN:
        if (modes->frames_in_mode > DONE_AFTER_FRAMES) {
            enter(modes, FK_IF_SHUTDOWN_DONE);
        }
        break;
    default:
        break;
    }
}

void fk_modes_update(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                     const fk_nav_t *nav, const fk_plan_t *plan, const fk_control_t *control,
                     const fk_if_input_t *in)
{
    if (modes->frames_in_mode < 1000000) {
        modes->frames_in_mode++;
    }
    const int32_t upset = nav->known && nav->axis_pad[2] < UPSET_COSINE;
    if (modes->mode != FK_IF_ABORT && (in->abort || nav->lost || upset)) {
        enter(modes, FK_IF_ABORT);
    }
    take_back(modes, engine, c, plan);
    give_up_wild(modes, engine, c, nav, control);
    excuse_lame(modes, engine, c, nav, plan, control);
    next_mode(modes, engine, c, nav, plan, in);
    share_engines(modes, engine, c->engine_count);
}
