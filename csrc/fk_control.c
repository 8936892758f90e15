/* Attitude control: nose to the demanded axis, roll rate to nothing. */
#include "fk_math.h"
#include "fk_parts.h"

#define ANGLE_GAIN 0.7 /* 1/s: angle error to turn rate */
#define RATE_GAIN 4.2  /* 1/s: rate error to angular acceleration */
#define ROLL_GAIN 1.0  /* 1/s */
#define ROLL_INTEGRAL_S 2.0
#define ROLL_LIMIT 1.0 /* rad/s^2 */
#define ROLL_USEFUL_NM_PER_RAD 1e5
#define INTEGRAL_S 6.0     /* in which a turning moment that nobody modelled is held */
#define INTEGRAL_LIMIT 0.2 /* rad/s^2 */
#define TURN_LEAST_RADPS 0.05
#define PUSHED_FILTER_S 0.3
#define PUSHED_LIMIT 10.0    /* rad/s^2 */
#define SEEN_S 0.12          /* turns that are older tell nothing of what is asked now */
#define OVERBORNE_PART 0.7   /* of what the gimbal of one engine can do, while others steer as well, ... */
#define OVERBORNE_ALONE 0.85 /* ... and alone */
#define ACTUATION_MOST 0.5   /* of the way in one frame, however long that is */
#define ACTUATION_S 0.08     /* command to torque: what was asked for this long ago acts now */

void fk_control_init(fk_control_t *control)
{
    for (int32_t i = 0; i < 2; i++) {
        control->integral[i] = control->turning[i] = 0.0;
        control->gimbal_rad[i] = control->unmet[i] = control->pushed[i] = 0.0;
    }
    control->roll_integral = 0.0;
    control->overborne_s = control->anew_s = 0.0;
    control->burning = control->acted_at = 0;
}

/* Moment of the aerodynamic normal force about the centre of mass, body axes x and y. */
static void aerodynamic_moment(const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                               double moment[2])
{
    double flow_body[3];
    fk_rotate_back(nav->q_pad_from_body, nav->vel_cm_pad_mps, flow_body);
    const double across = stage->speed_mps > 1.0 ? stage->normal_n_per_rad / stage->speed_mps : 0.0;
    const double arm = c->aero_cp_z_m - stage->cm_z_m;
    moment[0] = arm * across * flow_body[1];
    moment[1] = -arm * across * flow_body[0];
}

/* The fastest turn: under thrust what is held against a moment is not there to end it. */
static double turn_limit(const fk_stage_t *stage, const fk_demand_t *demand, double held)
{
    const double left = demand->turn_ends_s * (stage->turn_most_radps2 - fk_max(held, -held));
    return stage->thrust_total_n > 0.0 ? fk_clamp(left, TURN_LEAST_RADPS, demand->turn_limit_radps)
                                       : demand->turn_limit_radps;
}

/* What turns the stage besides what was asked of fins and gimbals: a gimbal that is not where it says it is. */
static void find_pushed(fk_control_t *control, const fk_if_config_t *c, const fk_nav_t *nav,
                        const fk_stage_t *stage)
{
    const double arm = fk_max(stage->cm_z_m - c->gimbal_plane_z_m, 1.0);
    double strongest = 0.0;
    double pushed2 = 0.0;
    int32_t burning = 0;
    for (int32_t i = 0; i < 2; i++) {
        const double besides =
            fk_clamp(stage->turned_radps2[i] - control->turning[i], -PUSHED_LIMIT, PUSHED_LIMIT);
        control->pushed[i] += fk_min(c->frame_s / PUSHED_FILTER_S, 1.0) * (besides - control->pushed[i]);
        pushed2 += control->pushed[i] * control->pushed[i];
    }
    for (int32_t i = 0; i < c->engine_count; i++) {
        strongest = fk_max(strongest, stage->thrust_n[i]);
        burning += stage->thrust_n[i] > 0.0;
    }
    const double part = burning > 1 ? OVERBORNE_PART : OVERBORNE_ALONE;
    const double most = part * strongest * arm * c->engine[0].gimbal_limit_rad / stage->inertia_kgm2;
    const int32_t overborne = strongest > 0.0 && pushed2 > most * most && nav->age_s < SEEN_S;
    control->overborne_s = overborne ? control->overborne_s + c->frame_s : 0.0;
}

/* Turn rate that came on since a solution of this age: what was asked for, and acted by then, frame by frame. */
static double turned_since(const fk_control_t *control, const fk_if_config_t *c, double age_s, int32_t i)
{
    const int32_t frames = (int32_t)fk_clamp(age_s / c->frame_s + 0.5, 0.0, (double)(FK_ACTED - 1));
    const int32_t then = (control->acted_at + FK_ACTED - frames) % FK_ACTED;
    return control->acted_radps[control->acted_at][i] - control->acted_radps[then][i];
}

static void remember_turning(fk_control_t *control, const fk_if_config_t *c)
{
    const int32_t last = control->acted_at;
    control->acted_at = (last + 1) % FK_ACTED;
    for (int32_t i = 0; i < 2; i++) {
        control->acted_radps[control->acted_at][i] =
            control->acted_radps[last][i] + c->frame_s * control->turning[i];
    }
}

/* What is held against other moments becomes what was seen of them: after engines have stopped there is no time to wait
 * until it shows in the attitude. */
static double learnt_anew(const fk_control_t *control, const fk_if_config_t *c, int32_t i)
{
    return fk_min(c->frame_s / PUSHED_FILTER_S, 1.0) * (-control->pushed[i] - control->integral[i]);
}

/* Roll rate to nothing; what off-centre engines turn, those that steer hold while they burn. */
static void stop_roll(fk_control_t *control, const fk_if_config_t *c, const fk_nav_t *nav,
                      const fk_stage_t *stage, int32_t powered)
{
    const double rate = fk_clamp(nav->omega_body_radps[2], -1.0, 1.0);
    const double grown = control->roll_integral - ROLL_GAIN / ROLL_INTEGRAL_S * rate * c->frame_s;
    double off_centre = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const double *p = c->engine[i].pos_body_m;
        off_centre += stage->thrust_n[i] * (p[0] * p[0] + p[1] * p[1]);
    }
    control->roll_integral =
        powered && off_centre > ROLL_USEFUL_NM_PER_RAD ? fk_clamp(grown, -ROLL_LIMIT, ROLL_LIMIT) : 0.0;
    control->torque_body_nm[2] = c->inertia_axial_kgm2 * (control->roll_integral - ROLL_GAIN * rate);
}

void fk_control_update(fk_control_t *control, const fk_if_config_t *c, const fk_nav_t *nav,
                       const fk_stage_t *stage, const fk_demand_t *demand, int32_t mode)
{
    double wanted_body[3];
    double moment[2];
    fk_rotate_back(nav->q_pad_from_body, demand->axis_pad, wanted_body);
    aerodynamic_moment(c, nav, stage, moment);
    find_pushed(control, c, nav, stage);
    /* the turn that brings body z to the wanted axis: z x wanted */
    const double error[2] = {-wanted_body[1], wanted_body[0]};
    const int32_t powered = mode == FK_IF_BRAKING || mode == FK_IF_TERMINAL;
    const int32_t anew = control->anew_s > 0.0 && nav->age_s < SEEN_S;
    for (int32_t i = 0; i < 2; i++) {
        const double limit = turn_limit(stage, demand, control->integral[i]);
        const double since = turned_since(control, c, nav->age_s, i);
        const double rate = nav->omega_body_radps[i] + since;
        const double turn = fk_clamp(ANGLE_GAIN * (error[i] - 0.5 * nav->age_s * since), -limit, limit);
        /* what the gimbals cannot do now is no moment that nobody modelled */
        const int32_t waits = control->unmet[i] * (turn - rate) > 0.0 || !(stage->thrust_total_n > 0.0);
        const double grows = waits ? 0.0 : RATE_GAIN / INTEGRAL_S * (turn - rate) * c->frame_s;
        const double grown = control->integral[i] + (anew ? learnt_anew(control, c, i) : grows);
        control->integral[i] =
            powered && stage->thrust_total_n > 0.0 ? fk_clamp(grown, -INTEGRAL_LIMIT, INTEGRAL_LIMIT) : 0.0;
        const double accel = RATE_GAIN * (turn - rate) + control->integral[i];
        control->turning[i] += fk_min(c->frame_s / ACTUATION_S, ACTUATION_MOST)
                               * (accel - control->unmet[i] - control->turning[i]);
        control->torque_body_nm[i] = stage->inertia_kgm2 * accel - moment[i];
    }
    remember_turning(control, c);
    stop_roll(control, c, nav, stage, powered);
}
