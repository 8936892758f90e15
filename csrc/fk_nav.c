/* Navigation: a fixed-gain smoother at the time of each solution, then dead reckoning to now. */
#include "fk_math.h"
#include "fk_parts.h"

#define POSITION_GAIN 0.2 /* its error wanders slowly: follow it */
#define HEIGHT_GAIN 0.1   /* white noise at 100 Hz */
#define VELOCITY_GAIN 0.05
#define ATTITUDE_GAIN 0.05
#define RATE_ERROR_GAIN 4.0 /* 1/s^2 */
#define RATE_ERROR_MOST_RADPS 0.1
#define RATE_ROOM_RADPS 0.12 /* a turn rate that steps by more is not believed, ... */
#define RATE_ROOM_RADPS2 0.1
#define RATE_GAP_RADPS2 1.0
#define DOUBT_RATE_GAIN 100.0 /* 1/s^2: ... and attitude tells it meanwhile */
#define DOUBT_ATTITUDE_GAIN 0.2
#define TURNED_MOST_RAD 0.01 /* more is a step, and no rate */
#define LONG_S 0.02          /* between solutions */
#define LEAN_GAIN 0.013      /* rad s/m^2: of an attitude's error, in 2 s under 14 m/s^2 */
#define LEAN_MOST_RAD 0.1
#define LEAN_SHOWS_MPS2 5.0
#define LEAN_ROOM_MPS 0.5 /* a turn rate that steps moves the arm to the centre of mass by more */
#define AXIAL_GAIN 0.1    /* takes a chugging engine's 10 Hz and more out of it */
#define RADAR_HEIGHT_M 100.0
#define HEIGHT_APART_M                                                                                       \
    0.7 /* above the position: the lower one is believed, as a stage that stops high still lands */
/* A component that is further than this from what the others lead to is not believed; the room grows with the
 * time for which it was not. */
#define POSITION_ROOM_M 3.0
#define POSITION_ROOM_MPS 0.1
#define VELOCITY_ROOM_MPS 1.5
#define VELOCITY_ROOM_MPS2 0.05
/* What is believed draws no faster than this: dead reckoning errs by less, and one that stands still is left
 * behind, out of its room, instead of being followed. */
#define POSITION_DRAW_MPS 2.5
#define VELOCITY_FROM_POSITION 10.0 /* 1/s^2: what a doubted velocity is wrong by shows in the position */
#define VELOCITY_DRAW_MPS2 1.5
#define ATTITUDE_ROOM 0.9996 /* cosine of half an angle: 3.2 deg */
/* After a gap dead reckoning knows little of what engines did meanwhile: the first solution is taken as it is, out to
 * what they can have done. */
#define GAP_S 0.1
#define GAP_ROOM_MPS2 30.0
#define ATTITUDE_GAP_ROOM 0.99 /* cosine of half an angle: 16 deg */
#define INERTIAL_MOST_S 30.0   /* without a solution that the unit vouches for */
#define LOST_AFTER_S 2.0
#define PREDICT_MAX_S 2.5
#define STALE_NS 1000000000u
/* A solution from the future says that the own clock is slow. It is believed by so much a solution: a clock that
 * loses a tenth is kept up with, one wrong time says little. */
#define CATCH_UP_NS 1000000
#define BEHIND_MOST_NS 60000000000
#define NS 1e-9

void fk_nav_init(fk_nav_t *nav)
{
    nav->held_q[0] = 1.0;
    nav->q_pad_from_body[0] = 1.0;
    nav->axis_pad[2] = 1.0;
}

/* Nanoseconds since `from`, 0 when it has not come yet; no difference of times overflows. */
static uint64_t elapsed_ns(int64_t from, int64_t to)
{
    return to > from ? (uint64_t)to - (uint64_t)from : 0;
}

static int32_t within(const double *x, int32_t n, double bound)
{
    for (int32_t i = 0; i < n; i++) {
        if (!(x[i] >= -bound && x[i] <= bound)) {
            return 0;
        }
    }
    return 1;
}

/* Now, by a clock that has caught up with the unit's. */
static int64_t now_ns(const fk_nav_t *nav, int64_t t_ns)
{
    return t_ns < INT64_MAX - nav->behind_ns ? t_ns + nav->behind_ns : INT64_MAX;
}

static int32_t acceptable(const fk_nav_t *nav, const fk_if_nav_t *s, int64_t t_ns)
{
    const double *q = s->q_pad_from_body;
    if (!s->fresh || (!s->valid && !nav->known) || elapsed_ns(t_ns, s->valid_t_ns) > STALE_NS
        || elapsed_ns(s->valid_t_ns, t_ns) > STALE_NS) {
        return 0;
    }
    if (nav->known && s->valid_t_ns <= nav->valid_t_ns) {
        return 0; /* repeated or out of order */
    }
    if (!within(s->pos_pad_m, 3, 1e5) || !within(s->vel_pad_mps, 3, 3e3) || !within(q, 4, 1.1)
        || !within(s->omega_body_radps, 3, 20.0) || !within(s->force_body_mps2, 3, 1e3)
        || !within(&s->height_m, 1, 1e5)) {
        return 0;
    }
    const double n2 = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];
    return n2 > 0.9 && n2 < 1.1;
}

/* Moves position, velocity and attitude by dt under the held specific force and turn rate. */
static void advance(const fk_nav_t *nav, double pos[3], double vel[3], double q[4], double dt)
{
    double accel[3];
    fk_rotate(q, nav->held_force_body, accel);
    accel[2] -= FK_G0;
    fk_add_scaled(dt, vel, pos);
    fk_add_scaled(0.5 * dt * dt, accel, pos);
    fk_add_scaled(dt, accel, vel);
    fk_turn(q, nav->held_omega, dt);
}

/* From the body origin to the centre of mass, minus its height when upright: what is felt moves that. */
static void find_lever(const double q[4], const double omega[3], double cm_z_m, double arm_pad[3],
                       double arm_rate_pad[3])
{
    const double arm_body[3] = {0.0, 0.0, cm_z_m};
    double arm_rate_body[3];
    fk_cross(omega, arm_body, arm_rate_body);
    fk_rotate(q, arm_rate_body, arm_rate_pad);
    fk_rotate(q, arm_body, arm_pad);
    arm_pad[2] -= cm_z_m;
}

static void take(fk_nav_t *nav, const fk_if_nav_t *s, double cm_z_m)
{
    for (int32_t i = 0; i < 4; i++) {
        nav->held_q[i] = s->q_pad_from_body[i];
    }
    find_lever(nav->held_q, s->omega_body_radps, cm_z_m, nav->held_pos_pad_m, nav->held_vel_pad_mps);
    for (int32_t i = 0; i < 3; i++) {
        nav->held_pos_pad_m[i] += s->pos_pad_m[i];
        nav->held_vel_pad_mps[i] += s->vel_pad_mps[i];
    }
    nav->dead_vel_mps[0] = nav->held_vel_pad_mps[0];
    nav->dead_vel_mps[1] = nav->held_vel_pad_mps[1];
    fk_copy(s->omega_body_radps, nav->held_omega);
    nav->known = 1;
}

/* Draws a component towards its measurement, where that is believable; returns by how much it was wrong. */
static double follow(double *held, double measured, double gain, double draw_per_s, double room,
                     double room_per_s, double dt, double *doubt_s)
{
    const double wrong = measured - *held;
    const double most = room + room_per_s * *doubt_s;
    if (wrong * wrong > most * most) {
        *doubt_s += dt;
        return 0.0;
    }
    *doubt_s = 0.0;
    *held += fk_clamp(gain * wrong, -draw_per_s * dt, draw_per_s * dt);
    return wrong;
}

/* The first solution after a gap of `dt`. */
static void catch_up(double *held, double measured, double room, double *doubt_s)
{
    const double wrong = measured - *held;
    if (wrong * wrong < room * room) {
        *doubt_s = 0.0;
        *held = measured;
    }
}

static void take_after_gap(fk_nav_t *nav, const double pos[3], const double vel[3], double dt)
{
    const double room_mps = VELOCITY_ROOM_MPS + GAP_ROOM_MPS2 * dt;
    for (int32_t i = 0; i < 3; i++) {
        catch_up(&nav->held_pos_pad_m[i], pos[i], POSITION_ROOM_M + room_mps * dt, &nav->doubt_pos_s[i]);
        catch_up(&nav->held_vel_pad_mps[i], vel[i], room_mps, &nav->doubt_vel_s[i]);
    }
}

/* What a turn rate is wrong by shows in the attitude, which draws away from it (the integral part of Mahony, Hamel and
 * Pflimlin 2008, eq. 32). */
static void learn_rate_error(fk_nav_t *nav, const double m[4], double dt)
{
    const double *q = nav->held_q;
    const double same = q[0] * m[0] + q[1] * m[1] + q[2] * m[2] + q[3] * m[3];
    const double sign = same < 0.0 ? -2.0 : 2.0;
    const int32_t doubted = nav->doubt_rate_s > 0.0;
    const double gain = (doubted ? DOUBT_RATE_GAIN : RATE_ERROR_GAIN) * fk_min(dt, LONG_S);
    double turned[3];
    fk_cross(&m[1], &q[1], turned);
    for (int32_t i = 0; i < 3; i++) {
        turned[i] += q[0] * m[i + 1] - m[0] * q[i + 1];
        const double off = fk_clamp(sign * turned[i], -TURNED_MOST_RAD, TURNED_MOST_RAD);
        if (doubted) {
            nav->held_omega[i] += gain * off;
        } else {
            nav->rate_error_radps[i] = fk_clamp(nav->rate_error_radps[i] + gain * off, -RATE_ERROR_MOST_RADPS,
                                                RATE_ERROR_MOST_RADPS);
        }
    }
}

/* Turns an attitude about the pad's horizontal axes by small angles. */
static void lean_by(double q[4], double x_rad, double y_rad)
{
    const double pad[3] = {x_rad, y_rad, 0.0};
    double body[3];
    fk_rotate_back(q, pad, body);
    fk_turn(q, body, 1.0);
}

/* What an attitude is wrong by shows in the velocity of the centre of mass: what is felt, turned by it, pushes elsewhere.
 * It is taken off every solution's (alignment in motion; Groves 2013, section 15.2). */
static void learn_lean(fk_nav_t *nav, const double vel[3], double dt)
{
    double felt[3];
    double wrong[2];
    fk_rotate(nav->held_q, nav->held_force_body, felt);
    const double gain = felt[2] > LEAN_SHOWS_MPS2 ? LEAN_GAIN * felt[2] * fk_min(dt, LONG_S) : 0.0;
    for (int32_t i = 0; i < 2; i++) {
        nav->dead_vel_mps[i] += dt * felt[i];
        const double off = vel[i] - nav->dead_vel_mps[i];
        const int32_t believed = off * off < LEAN_ROOM_MPS * LEAN_ROOM_MPS && !(nav->doubt_vel_s[i] > 0.0);
        nav->dead_vel_mps[i] += believed ? VELOCITY_GAIN * off : off;
        wrong[i] = believed ? gain * off : 0.0;
    }
    const double x = fk_clamp(nav->lean_rad[0] - wrong[1], -LEAN_MOST_RAD, LEAN_MOST_RAD);
    const double y = fk_clamp(nav->lean_rad[1] + wrong[0], -LEAN_MOST_RAD, LEAN_MOST_RAD);
    lean_by(nav->held_q, x - nav->lean_rad[0], y - nav->lean_rad[1]);
    nav->lean_rad[0] = x;
    nav->lean_rad[1] = y;
}

/* A turn rate that steps by more than a stage can be turned is not believed; attitude tells it meanwhile. */
static void believe_rate(fk_nav_t *nav, const fk_if_nav_t *s, double dt)
{
    const double room =
        RATE_ROOM_RADPS + RATE_ROOM_RADPS2 * nav->doubt_rate_s + (dt > GAP_S ? RATE_GAP_RADPS2 * dt : 0.0);
    double omega[3];
    fk_copy(s->omega_body_radps, omega);
    fk_add_scaled(1.0, nav->rate_error_radps, omega);
    int32_t believed = 1;
    for (int32_t i = 0; i < 3; i++) {
        const double step = omega[i] - nav->held_omega[i];
        believed &= step * step < room * room;
    }
    nav->doubt_rate_s = believed ? 0.0 : nav->doubt_rate_s + dt;
    if (believed) {
        fk_copy(omega, nav->held_omega);
    }
}

static void believe_attitude(fk_nav_t *nav, const fk_if_nav_t *s, double dt)
{
    const double *q = nav->held_q;
    double m[4];
    int32_t moves = 0;
    for (int32_t i = 0; i < 4; i++) {
        m[i] = s->q_pad_from_body[i];
        moves |= m[i] < nav->last_q[i] || m[i] > nav->last_q[i];
        nav->last_q[i] = m[i];
    }
    if (!moves) { /* to the last bit: it is stuck */
        return;
    }
    lean_by(m, nav->lean_rad[0], nav->lean_rad[1]);
    const double same = q[0] * m[0] + q[1] * m[1] + q[2] * m[2] + q[3] * m[3];
    if (dt > GAP_S && same * same > ATTITUDE_GAP_ROOM * ATTITUDE_GAP_ROOM) {
        fk_nudge(nav->held_q, m, 1.0);
    } else if (same * same > ATTITUDE_ROOM * ATTITUDE_ROOM) {
        learn_rate_error(nav, m, dt);
        fk_nudge(nav->held_q, m, nav->doubt_rate_s > 0.0 ? DOUBT_ATTITUDE_GAIN : ATTITUDE_GAIN);
    }
}

static void blend(fk_nav_t *nav, const fk_if_nav_t *s, double cm_z_m)
{
    const int32_t apart = s->height_m > s->pos_pad_m[2] + HEIGHT_APART_M;
    const int32_t radar = s->height_m < RADAR_HEIGHT_M && !apart;
    const double dt = (double)elapsed_ns(nav->valid_t_ns, s->valid_t_ns) * NS;
    double pos[3];
    double vel[3];
    advance(nav, nav->held_pos_pad_m, nav->held_vel_pad_mps, nav->held_q, dt);
    nav->unvouched_s = s->valid ? 0.0 : nav->unvouched_s + dt;
    believe_rate(nav, s, dt);
    believe_attitude(nav, s, dt);
    find_lever(nav->held_q, nav->held_omega, cm_z_m, pos, vel);
    const double draw = VELOCITY_DRAW_MPS2 * dt;
    for (int32_t i = 0; i < 3; i++) {
        nav->arm_rate_mps[i] += fk_clamp(VELOCITY_GAIN * (vel[i] - nav->arm_rate_mps[i]), -draw, draw);
    }
    fk_add_scaled(1.0, s->pos_pad_m, pos);
    fk_add_scaled(1.0, s->vel_pad_mps, vel);
    pos[2] += radar ? s->height_m - s->pos_pad_m[2] : 0.0;
    if (dt > GAP_S) {
        take_after_gap(nav, pos, vel, dt);
    }
    learn_lean(nav, vel, dt);
    for (int32_t i = 0; i < 3; i++) {
        const double off =
            follow(&nav->held_pos_pad_m[i], pos[i], i == 2 && radar ? HEIGHT_GAIN : POSITION_GAIN,
                   POSITION_DRAW_MPS, POSITION_ROOM_M, POSITION_ROOM_MPS, dt, &nav->doubt_pos_s[i]);
        nav->held_vel_pad_mps[i] += nav->doubt_vel_s[i] > 0.0 ? VELOCITY_FROM_POSITION * off * dt : 0.0;
        follow(&nav->held_vel_pad_mps[i], vel[i], VELOCITY_GAIN, VELOCITY_DRAW_MPS2, VELOCITY_ROOM_MPS,
               VELOCITY_ROOM_MPS2, dt, &nav->doubt_vel_s[i]);
    }
}

static void accept(fk_nav_t *nav, const fk_if_nav_t *s, double cm_z_m)
{
    if (nav->known) {
        blend(nav, s, cm_z_m);
    } else {
        take(nav, s, cm_z_m);
    }
    nav->valid_t_ns = s->valid_t_ns;
    fk_copy(s->force_body_mps2, nav->held_force_body);
    nav->axial_mps2 += AXIAL_GAIN * (s->force_body_mps2[2] - nav->axial_mps2);
}

void fk_nav_update(fk_nav_t *nav, double cm_z_m, const fk_if_input_t *in)
{
    static const double body_z[3] = {0.0, 0.0, 1.0};
    const int64_t t_ns = now_ns(nav, in->t_ns);
    double arm[3];
    double arm_rate[3];
    if (acceptable(nav, &in->nav, t_ns)) {
        if (in->nav.valid_t_ns > t_ns && nav->behind_ns < BEHIND_MOST_NS) {
            const uint64_t ahead_ns = elapsed_ns(t_ns, in->nav.valid_t_ns);
            nav->behind_ns += ahead_ns < CATCH_UP_NS ? (int64_t)ahead_ns : CATCH_UP_NS;
        }
        accept(nav, &in->nav, cm_z_m);
    }
    nav->age_s = nav->known ? (double)elapsed_ns(nav->valid_t_ns, t_ns) * NS : 0.0;
    nav->age_s = fk_clamp(nav->age_s, 0.0, 1e3);
    nav->lost = nav->known && (nav->age_s > LOST_AFTER_S || nav->unvouched_s > INERTIAL_MOST_S);
    fk_copy(nav->held_pos_pad_m, nav->pos_cm_pad_m);
    fk_copy(nav->held_vel_pad_mps, nav->vel_cm_pad_mps);
    for (int32_t i = 0; i < 4; i++) {
        nav->q_pad_from_body[i] = nav->held_q[i];
    }
    advance(nav, nav->pos_cm_pad_m, nav->vel_cm_pad_mps, nav->q_pad_from_body,
            fk_min(nav->age_s, PREDICT_MAX_S));
    fk_copy(nav->held_omega, nav->omega_body_radps);
    fk_rotate(nav->q_pad_from_body, body_z, nav->axis_pad);
    const double swing_body[3] = {nav->omega_body_radps[1], -nav->omega_body_radps[0], 0.0};
    fk_rotate(nav->q_pad_from_body, swing_body, nav->swing_pad);
    find_lever(nav->q_pad_from_body, nav->omega_body_radps, cm_z_m, arm, arm_rate);
    for (int32_t i = 0; i < 3; i++) {
        nav->pos_pad_m[i] = nav->pos_cm_pad_m[i] - arm[i];
        nav->vel_pad_mps[i] = nav->vel_cm_pad_mps[i] - arm_rate[i];
        /* swings count more than they move: without this lead the lateral loop is too little damped */
        nav->vel_cm_pad_mps[i] += arm_rate[i] - nav->arm_rate_mps[i];
    }
    nav->height_m = nav->pos_pad_m[2];
}
