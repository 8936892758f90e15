/* From physical data to the scaled program. */
#include "fk_problem.h"

#include "fk_math.h"

#include <math.h>
#include <string.h>

#define SERIES_TERMS                                                                                         \
    18 /* of the matrix exponential: error below 1e-16 where rate times interval is below 1 */
#define LEAST_PIVOT 1e-12
#define FARTHEST 1e9  /* of any component */
#define ON_LIMIT 1e-9 /* a given state may lie on a limit, scaled */

typedef struct {
    double phi0[6][6]; /* exp(A t) */
    double phi1[6][6]; /* integral of exp(A (t - s)) */
    double phi2[6][6]; /* integral of exp(A (t - s)) s / t */
} series_t;

static void multiply6(const double a[6][6], const double b[6][6], double out[6][6])
{
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 6; j++) {
            double sum = 0.0;
            for (int32_t k = 0; k < 6; k++) {
                sum += a[i][k] * b[k][j];
            }
            out[i][j] = sum;
        }
    }
}

/* x' = A x in turning axes: Coriolis and centrifugal, Acikmese & Ploen 2007 eq. (6) with rotation as in
 * Blackmore, Acikmese & Scharf, J. Guid. Control Dyn. 33(4), 2010, eq. (2). */
static void motion(const double w[3], double a[6][6])
{
    const double cross[3][3] = {{0.0, -w[2], w[1]}, {w[2], 0.0, -w[0]}, {-w[1], w[0], 0.0}};
    memset(a, 0, 36 * sizeof(double));
    for (int32_t i = 0; i < 3; i++) {
        a[i][i + 3] = 1.0;
        for (int32_t j = 0; j < 3; j++) {
            a[i + 3][j + 3] = -2.0 * cross[i][j];
            for (int32_t k = 0; k < 3; k++) {
                a[i + 3][j] -= cross[i][k] * cross[k][j];
            }
        }
    }
}

static void expand(series_t *s, const double a[6][6], double t)
{
    double power[6][6] = {{0.0}};
    double next[6][6];
    double factor = 1.0; /* t^i / i! */
    memset(s, 0, sizeof *s);
    for (int32_t i = 0; i < 6; i++) {
        power[i][i] = 1.0;
    }
    for (int32_t i = 0; i < SERIES_TERMS; i++) {
        const double one = t / (double)(i + 1);
        const double two = one / (double)(i + 2);
        for (int32_t m = 0; m < 6; m++) {
            for (int32_t n = 0; n < 6; n++) {
                s->phi0[m][n] += factor * power[m][n];
                s->phi1[m][n] += factor * one * power[m][n];
                s->phi2[m][n] += factor * two * power[m][n];
            }
        }
        multiply6((const double(*)[6])power, a, next);
        memcpy(power, next, sizeof power);
        factor *= one;
    }
}

/* Gauss-Jordan with pivoting: m becomes its inverse. 0, or 1 when it has none. */
static int32_t invert(double m[6][6], int32_t n)
{
    double inverse[6][6] = {{0.0}};
    for (int32_t i = 0; i < 6; i++) {
        inverse[i][i] = 1.0;
    }
    for (int32_t c = 0; c < n; c++) {
        int32_t best = c;
        for (int32_t i = c + 1; i < n; i++) {
            best = fabs(m[i][c]) > fabs(m[best][c]) ? i : best;
        }
        if (!(fabs(m[best][c]) > LEAST_PIVOT)) {
            return 1;
        }
        const double scale = 1.0 / m[best][c];
        for (int32_t j = 0; j < n; j++) {
            const double a = m[best][j];
            const double b = inverse[best][j];
            m[best][j] = m[c][j];
            inverse[best][j] = inverse[c][j];
            m[c][j] = a * scale;
            inverse[c][j] = b * scale;
        }
        for (int32_t i = 0; i < n; i++) {
            const double f = i == c ? 0.0 : m[i][c];
            for (int32_t j = 0; j < n; j++) {
                m[i][j] -= f * m[c][j];
                inverse[i][j] -= f * inverse[c][j];
            }
        }
    }
    memcpy(m, inverse, sizeof inverse);
    return 0;
}

static int32_t in_range(double x, double low, double high)
{
    return x >= low && x <= high;
}

static int32_t vector_in_range(const double *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (!in_range(x[i], -FARTHEST, FARTHEST)) {
            return 0;
        }
    }
    return 1;
}

static int32_t vectors_usable(const fk_problem_t *p)
{
    return vector_in_range(p->gravity_mps2, 3) && vector_in_range(p->accel_mps2[0], 3 * p->nodes)
           && vector_in_range(p->pos_m, 3) && vector_in_range(p->vel_mps, 3)
           && vector_in_range(p->final_pos_m, 3) && vector_in_range(p->final_vel_mps, 3)
           && vector_in_range(p->frame_rate_radps, 3);
}

static int32_t thrust_usable(const fk_problem_t *p)
{
    for (int32_t k = 0; k < p->nodes; k++) {
        if (!in_range(p->thrust_min_n[k], 0.0, 1e12)
            || !in_range(p->thrust_max_n[k], p->thrust_min_n[k], 1e12) || !(p->thrust_max_n[k] > 0.0)) {
            return 0;
        }
    }
    return 1;
}

static int32_t limits_usable(const fk_problem_t *p)
{
    return (!p->has_pointing || in_range(p->pointing_rad, 0.0, FK_PI))
           && (!p->has_glide_slope || in_range(p->glide_slope_rad, 1e-6, 0.5 * FK_PI))
           && (!p->has_speed_limit || in_range(p->speed_limit_mps, 1e-6, 1e6));
}

int32_t fk_problem_usable(const fk_problem_t *p)
{
    return p->nodes >= FK_NODES_LEAST && p->nodes <= FK_NODES && in_range(p->final_time_s, 1e-3, 1e5)
           && in_range(p->dry_mass_kg, 1e-3, 1e9) && in_range(p->mass_kg, p->dry_mass_kg, 1e9)
           && in_range(p->mass_flow_s_per_m, 1e-9, 1.0) && limits_usable(p) && thrust_usable(p)
           && vectors_usable(p) && fk_norm(p->frame_rate_radps) * p->final_time_s < (double)(p->nodes - 1);
}

/* Mass at each node when thrust stays at `thrust`, held as the controls are; eq. (36) of Acikmese & Ploen 2007
 * where thrust is constant. */
static void masses(const fk_problem_t *p, const double thrust[FK_NODES], double mass[FK_NODES])
{
    const double burn = p->mass_flow_s_per_m * p->final_time_s / (double)(p->nodes - 1);
    double m = p->mass_kg;
    for (int32_t k = 0; k < p->nodes; k++) {
        mass[k] = fk_max(m, 0.5 * p->dry_mass_kg); /* dry mass is reached before: the logarithm exists */
        if (k + 1 < p->nodes) {
            m -= burn * (p->foh ? 0.5 * (thrust[k] + thrust[k + 1]) : thrust[k]);
        }
    }
}

/* Thrust bounds, second-order and linear expansions about z0: Acikmese & Ploen 2007 eqs. (34)-(36). */
static void set_limits(fk_program_t *out, const fk_problem_t *p)
{
    double least[FK_NODES];
    double most[FK_NODES];
    const int32_t last = p->nodes - 1;
    const double log_start = fk_log(p->mass_kg);
    masses(p, p->thrust_max_n, least);
    masses(p, p->thrust_min_n, most);
    out->log_mass = fk_max(log_start - fk_log(least[last]), 1e-6);
    fk_limits_t *l = &out->limit;
    for (int32_t k = 0; k <= last; k++) {
        /* fewer than FK_NODES_LEAST nodes have been refused. NOLINTNEXTLINE(clang-analyzer-core.*) */
        const double unit = least[k] * out->accel_mps2;
        l->z0[k] = (fk_log(least[k]) - log_start) / out->log_mass;
        l->z_low[k] = l->z0[k];
        l->z_high[k] = (fk_log(most[k]) - log_start) / out->log_mass;
        l->top[k] = p->thrust_max_n[k] / unit;
        l->top_slope[k] = l->top[k] * out->log_mass;
        l->floor[k] = p->thrust_min_n[k] / unit;
        l->floor_slope[k] = l->floor[k] * out->log_mass;
        l->root[k] = sqrt(l->floor[k]) * out->log_mass;
    }
    out->dry = (fk_log(p->dry_mass_kg) - log_start) / out->log_mass;
    if (!out->soft) {
        l->z_low[last] = fk_max(l->z_low[last], out->dry);
    }
}

static void set_units(fk_program_t *out, const fk_problem_t *p)
{
    double way[3];
    for (int32_t i = 0; i < 3; i++) {
        way[i] = p->pos_m[i] - p->final_pos_m[i];
    }
    double strongest = 0.0;
    for (int32_t k = 0; k < p->nodes; k++) {
        strongest = fk_max(strongest, p->thrust_max_n[k]);
    }
    out->dt_s = p->final_time_s / (double)(p->nodes - 1);
    out->accel_mps2 = strongest / p->mass_kg;
    out->length_m = fk_max(fk_norm(way), 1.0);
    out->speed_mps = fk_max(fk_norm(p->vel_mps), out->length_m / p->final_time_s);
    for (int32_t i = 0; i < 3; i++) {
        out->start[i] = way[i] / out->length_m;
        out->start[i + 3] = p->vel_mps[i] / out->speed_mps;
        out->final_vel[i] = p->final_vel_mps[i] / out->speed_mps;
    }
    out->speed_limit = p->speed_limit_mps / out->speed_mps;
    out->cos_pointing =
        p->pointing_rad <= 0.5 * FK_PI ? fk_cos(p->pointing_rad) : -fk_cos(FK_PI - p->pointing_rad);
    out->sin_glide = fk_sin(p->glide_slope_rad);
    out->cos_glide = fk_cos(p->glide_slope_rad);
}

static void fill_interval(const fk_program_t *out, const series_t *s, fk_interval_t *v, int32_t first)
{
    const double unit[2] = {out->length_m, out->speed_mps};
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 6; j++) {
            v->a[i][j] = s->phi0[i][j] * unit[j / 3] / unit[i / 3];
        }
    }
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 3; j++) {
            const double to_scaled = out->accel_mps2 / unit[i / 3];
            double moved = 0.0; /* A times the shift */
            for (int32_t k = 0; k < 6; k++) {
                moved += s->phi0[i][k] * s->phi2[k][j + 3];
            }
            const double held = s->phi1[i][j + 3];
            const double ramp = s->phi2[i][j + 3];
            v->d[i][j] = out->foh && !first ? ramp * to_scaled : 0.0;
            v->b[i][j] = (!out->foh ? held : (first ? held - ramp : held - ramp + moved)) * to_scaled;
        }
    }
    const double burn = -out->given.mass_flow_s_per_m * out->dt_s * out->accel_mps2 / out->log_mass;
    v->dz = out->foh && !first ? 0.5 * burn : 0.0;
    v->bz = out->foh && first ? 0.5 * burn : burn;
}

static void set_drift(fk_program_t *out, const series_t *s, const double a[6][6])
{
    const fk_problem_t *p = &out->given;
    for (int32_t k = 0; k + 1 < out->nodes; k++) {
        for (int32_t i = 0; i < 6; i++) {
            double sum = 0.0;
            for (int32_t j = 0; j < 3; j++) {
                double steady = p->gravity_mps2[j];
                for (int32_t m = 0; m < 3; m++) { /* centrifugal at the final position */
                    steady += a[j + 3][m] * p->final_pos_m[m];
                }
                const double now = p->accel_mps2[k][j];
                const double change = out->foh ? p->accel_mps2[k + 1][j] - now : 0.0;
                sum += s->phi1[i][j + 3] * (steady + now) + s->phi2[i][j + 3] * change;
            }
            out->drift[k][i] = sum / (i < 3 ? out->length_m : out->speed_mps);
        }
    }
}

/* Feedback of the last stages: the final state determines their acceleration. Laine & Tomlin 2019 do so for
 * any constraint; here two stages of three controls meet six constraints (soft: one stage meets three). */
static int32_t set_gains(fk_program_t *out)
{
    const fk_interval_t *v = &out->later;
    double end_a[6][6] = {{0.0}};
    double m[6][6] = {{0.0}};
    double both[6][6];
    const double(*end_b)[3] = out->foh ? v->d : v->b;
    for (int32_t i = 0; i < 6; i++) {
        end_a[i][i] = 1.0;
    }
    if (!out->foh) {
        memcpy(end_a, v->a, sizeof end_a);
    }
    const int32_t row = out->soft ? 0 : 3; /* position alone, or velocity: position then follows */
    for (int32_t i = 0; i < 3; i++) {
        memcpy(m[i], end_b[i + row], 3 * sizeof(double));
    }
    if (invert(m, 3)) {
        return 1;
    }
    multiply6((const double(*)[6])end_a, v->a, both);
    for (int32_t i = 0; i < 3; i++) {
        memcpy(&out->meet_last[i][row], m[i], 3 * sizeof(double));
        for (int32_t j = 0; j < 6; j++) {
            out->gain_last[i][j] =
                m[i][0] * end_a[row][j] + m[i][1] * end_a[row + 1][j] + m[i][2] * end_a[row + 2][j];
        }
    }
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 3; j++) {
            m[i][j] = 0.0;
            for (int32_t k = 0; k < 6; k++) {
                m[i][j] += end_a[i][k] * v->b[k][j];
            }
            m[i][j + 3] = end_b[i][j];
        }
    }
    if (invert(m, 6)) {
        return 1;
    }
    double gain[6][6];
    multiply6((const double(*)[6])m, (const double(*)[6])both, gain);
    memcpy(out->gain_before, gain, sizeof out->gain_before);
    memcpy(out->meet_before, m, sizeof out->meet_before);
    return 0;
}

static void set_dynamics(fk_program_t *out)
{
    double a[6][6];
    series_t s;
    motion(out->given.frame_rate_radps, a);
    expand(&s, (const double(*)[6])a, out->dt_s);
    fill_interval(out, &s, &out->first, 1);
    fill_interval(out, &s, &out->later, 0);
    set_drift(out, &s, (const double(*)[6])a);
}

static int32_t breaks_a_limit(const fk_program_t *out)
{
    const double *r = out->start;
    const int32_t last = out->nodes - 1;
    const double low = out->has_glide_slope ? out->sin_glide * r[2] : 1.0;
    const double across = out->has_glide_slope ? out->cos_glide * sqrt(r[0] * r[0] + r[1] * r[1]) : 0.0;
    const double fastest = fk_max(fk_norm(&out->start[3]), fk_norm(out->final_vel));
    return across > low + ON_LIMIT || (out->has_speed_limit && fastest > out->speed_limit * (1.0 + ON_LIMIT))
           || out->limit.z_low[last] > out->limit.z_high[last];
}

int32_t fk_problem_scale(fk_program_t *out, const fk_problem_t *in, int32_t soft)
{
    memset(out, 0, sizeof *out);
    if (!fk_problem_usable(in)) {
        return 1;
    }
    out->given = *in;
    out->nodes = in->nodes;
    out->foh = in->foh;
    out->soft = soft;
    out->stages = in->foh ? in->nodes : in->nodes - 1;
    out->has_pointing = in->has_pointing;
    out->has_glide_slope = in->has_glide_slope;
    out->has_speed_limit = in->has_speed_limit;
    out->turning = fk_norm(in->frame_rate_radps) > 0.0;
    set_units(out, in);
    set_limits(out, in);
    set_dynamics(out);
    out->broken = breaks_a_limit(out);
    return set_gains(out);
}
