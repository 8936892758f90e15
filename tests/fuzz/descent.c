/* descent.c - the optimiser by itself: descents in and out of range, at a given and at a free final time.
 *
 * Counted are interior-point iterations.  What comes out as optimal is checked against the problem itself.
 */
#include "fuzz.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fk_descent.h"

#define ROOM 1e-5 /* of a limit that is met, relative: solutions are accepted at 1e-6 and better */

static struct {
    fk_problem_t problem;
    fk_descent_t work;
    fk_answer_t answer, again;
} s;

static double norm(const double x[3])
{
    return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
}

/* ---- the problem ---- */

/* A booster's: three engines or one, some kilometres up. */
static void booster(fuzz_t *f, fk_problem_t *p)
{
    const uint8_t limits = fuzz_byte(f);
    p->nodes = 4 + fuzz_byte(f) % 57;
    p->foh = limits & 1;
    p->has_pointing = limits >> 1 & 1;
    p->has_glide_slope = limits >> 2 & 1;
    p->has_speed_limit = limits >> 3 & 1;
    p->final_time_s = fuzz_between(f, 3.0, 40.0);
    p->mass_kg = fuzz_between(f, 25e3, 45e3);
    p->dry_mass_kg = fuzz_between(f, 18e3, 25e3);
    p->mass_flow_s_per_m = 1.0 / (fuzz_between(f, 250.0, 350.0) * 9.80665);
    const uint32_t switches = fuzz_byte(f) % (uint32_t)p->nodes;
    const double before = fuzz_between(f, 4e5, 2e6);
    for (uint32_t k = 0; k < (uint32_t)p->nodes; k++) {
        p->thrust_max_n[k] = k < switches ? before : before / 3.0;
        p->thrust_min_n[k] = 0.4 * p->thrust_max_n[k];
    }
    p->gravity_mps2[2] = -9.80665;
    p->pos_m[0] = fuzz_between(f, -300.0, 300.0);
    p->pos_m[1] = fuzz_between(f, -300.0, 300.0);
    p->pos_m[2] = fuzz_between(f, 10.0, 4000.0);
    p->vel_mps[0] = fuzz_between(f, -30.0, 30.0);
    p->vel_mps[2] = -fuzz_between(f, 0.0, 350.0);
    p->final_vel_mps[2] = -1.0;
    p->pointing_rad = fuzz_between(f, 0.1, 1.5);
    p->glide_slope_rad = fuzz_between(f, 0.2, 1.5);
    p->speed_limit_mps = fuzz_between(f, 50.0, 500.0);
}

/* One number is anything, or one is some times itself. */
static void mutate(fuzz_t *f, fk_problem_t *p)
{
    const size_t first = offsetof(fk_problem_t, final_time_s) / sizeof(double);
    const size_t slots = sizeof *p / sizeof(double) - first;
    const uint8_t how = fuzz_byte(f);
    double *at = &p->final_time_s + fuzz_word(f) % slots;
    if (how < 8) {
        p->nodes = (int32_t)fuzz_word(f) - 32768;
    } else if (how < 100) {
        *at = fuzz_hostile(f);
    } else {
        *at *= fuzz_between(f, -1.0, 4.0);
    }
}

/* ---- what has to hold ---- */

static void check_finite(const fk_answer_t *a, int32_t nodes)
{
    FUZZ_HOLDS(fuzz_finite(&a->propellant_kg, 2));
    FUZZ_HOLDS(fuzz_finite(a->t_s, (size_t)nodes) && fuzz_finite(a->mass_kg, (size_t)nodes));
    FUZZ_HOLDS(fuzz_finite(a->pos_m[0], 3 * (size_t)nodes) && fuzz_finite(a->vel_mps[0], 3 * (size_t)nodes));
    FUZZ_HOLDS(fuzz_finite(a->thrust_n[0], 3 * (size_t)nodes));
}

/* Sizes of this problem's lengths and speeds, for what counts as equal. */
static void sizes(const fk_problem_t *p, const fk_answer_t *a, double *length, double *speed)
{
    *speed = 1.0;
    *length = 1.0;
    for (int32_t k = 0; k < p->nodes; k++) {
        *speed = fmax(*speed, norm(a->vel_mps[k]));
        *length = fmax(*length, norm(a->pos_m[k]));
    }
    *length = fmax(*length, *speed * a->t_s[p->nodes - 1]);
}

/* All accelerations at the beginning and the end of an interval, on one axis: constant or linear between. */
static void accelerations(const fk_problem_t *p, const fk_answer_t *a, int32_t k, int32_t i, double accel[2])
{
    for (int32_t end = 0; end < 2; end++) {
        const int32_t node = p->foh ? k + end : k;
        accel[end] = a->thrust_n[node][i] / a->mass_kg[node] + p->gravity_mps2[i] + p->accel_mps2[node][i];
    }
}

/* Every interval follows from its accelerations; not checked where the axes turn. */
static void check_motion(const fk_problem_t *p, const fk_answer_t *a)
{
    double length;
    double speed;
    double accel[2];
    sizes(p, a, &length, &speed);
    const double dt = a->t_s[1] - a->t_s[0];
    for (int32_t k = 0; k + 1 < p->nodes && !(norm(p->frame_rate_radps) > 0.0); k++) {
        for (int32_t i = 0; i < 3; i++) {
            accelerations(p, a, k, i, accel);
            const double gained = dt * (fabs(accel[0]) + fabs(accel[1]));
            const double v = a->vel_mps[k][i] + 0.5 * dt * (accel[0] + accel[1]);
            const double r =
                a->pos_m[k][i] + dt * a->vel_mps[k][i] + dt * dt * (accel[0] / 3.0 + accel[1] / 6.0);
            FUZZ_HOLDS(fabs(a->vel_mps[k + 1][i] - v) <= ROOM * (speed + gained));
            FUZZ_HOLDS(fabs(a->pos_m[k + 1][i] - r) <= ROOM * (length + dt * gained));
        }
    }
    for (int32_t i = 0; i < 3; i++) {
        FUZZ_HOLDS(fabs(a->pos_m[0][i] - p->pos_m[i]) <= ROOM * length);
        FUZZ_HOLDS(fabs(a->vel_mps[0][i] - p->vel_mps[i]) <= ROOM * speed);
    }
}

static void check_limits(const fk_problem_t *p, const fk_answer_t *a)
{
    double length;
    double speed;
    sizes(p, a, &length, &speed);
    for (int32_t k = 0; k < p->nodes; k++) {
        const int32_t held = p->foh || k + 1 < p->nodes ? k : k - 1;
        const double thrust = norm(a->thrust_n[k]);
        FUZZ_HOLDS(thrust <= p->thrust_max_n[held] * (1.0 + ROOM));
        FUZZ_HOLDS(!p->has_pointing
                   || a->thrust_n[k][2] >= cos(p->pointing_rad) * thrust - ROOM * p->thrust_max_n[held]);
        FUZZ_HOLDS(!p->has_speed_limit || norm(a->vel_mps[k]) <= p->speed_limit_mps + ROOM * speed);
        FUZZ_HOLDS(fuzz_in(a->mass_kg[k], 0.49 * p->dry_mass_kg, p->mass_kg * (1.0 + ROOM)));
    }
    const int32_t last = p->nodes - 1;
    FUZZ_HOLDS(a->mass_kg[last] >= p->dry_mass_kg * (1.0 - ROOM));
    for (int32_t i = 0; i < 3; i++) {
        FUZZ_HOLDS(fabs(a->pos_m[last][i] - p->final_pos_m[i]) <= ROOM * length);
        FUZZ_HOLDS(fabs(a->vel_mps[last][i] - p->final_vel_mps[i]) <= ROOM * speed);
    }
}

/* ---- one input ---- */

static int32_t solve(fuzz_t *f, int32_t free_time, fk_answer_t *answer)
{
    const int32_t most = free_time ? FK_DESCENT_FREE : FK_DESCENT_FIXED;
    fk_descent_init(&s.work, &s.problem, free_time);
    int32_t status = s.work.status;
    while (status == FK_DESCENT_RUNNING) {
        const int32_t before = s.work.iterations;
        const int32_t asked = f ? 1 + fuzz_byte(f) % 8 : FK_SOCP_ITERATIONS;
        status = fk_descent_iterate(&s.work, asked);
        FUZZ_HOLDS(s.work.iterations - before <= asked && s.work.iterations <= most);
        for (int32_t i = before; i < s.work.iterations; i++) {
            fuzz_count();
        }
    }
    FUZZ_HOLDS(status >= FK_DESCENT_OPTIMAL && status <= FK_DESCENT_FAILED);
    fk_descent_result(&s.work, answer);
    FUZZ_HOLDS(answer->status == status);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_t f = {data, size};
    memset(&s.problem, 0, sizeof s.problem);
    const int32_t free_time = fuzz_byte(&f) >= 252;
    const uint8_t changes = fuzz_byte(&f);
    booster(&f, &s.problem);
    for (int32_t i = 96; i < changes; i += 40) {
        mutate(&f, &s.problem);
    }
    const int32_t usable = fk_problem_usable(&s.problem);
    const int32_t status = solve(&f, free_time, &s.answer);
    if (!free_time) { /* the same to the bit, however the iterations are spread */
        FUZZ_HOLDS(solve(NULL, 0, &s.again) == status && memcmp(&s.answer, &s.again, sizeof s.again) == 0);
        FUZZ_HOLDS(usable || status == FK_DESCENT_FAILED);
    }
    fuzz_note(!usable                           ? "refused"
              : status == FK_DESCENT_OPTIMAL    ? "optimal"
              : status == FK_DESCENT_INFEASIBLE ? "infeasible"
              : changes <= 96                   ? "failed_as_drawn"
                                                : "failed_changed");
    if (status == FK_DESCENT_OPTIMAL || status == FK_DESCENT_INFEASIBLE) {
        check_finite(&s.answer, s.problem.nodes);
        FUZZ_HOLDS(s.answer.miss_m >= 0.0);
    }
    if (status == FK_DESCENT_OPTIMAL) {
        check_motion(&s.problem, &s.answer);
        check_limits(&s.problem, &s.answer);
    }
    return 0;
}
