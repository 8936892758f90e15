/* Cone algebra: each function is one step of the interior-point method, over all cones. */
#include "fk_cone.h"

#include <math.h>
#include <string.h>

#define LEAST 1e-150       /* of what is divided by */
#define NEAR_BOUNDARY 1e-3 /* a first point nearer to it than this is moved inside */

/* One cone's vector. */
typedef struct {
    double a, b, c, d;
} quad_t;

#define LOAD(m, i, wide) ((quad_t){(m)[0][i], (m)[1][i], (m)[2][i], (wide) ? (m)[3][i] : 0.0})
#define STORE(m, i, wide, v)                                                                                 \
    do {                                                                                                     \
        (m)[0][i] = (v).a;                                                                                   \
        (m)[1][i] = (v).b;                                                                                   \
        (m)[2][i] = (v).c;                                                                                   \
        if (wide) {                                                                                          \
            (m)[3][i] = (v).d;                                                                               \
        }                                                                                                    \
    } while (0)

static inline double rest(quad_t x, quad_t y)
{
    return x.b * y.b + x.c * y.c + x.d * y.d;
}

/* out = W^-1 x; ECOS 2013 eq. (9), with the scaling point reflected. */
static inline quad_t unscale(const fk_cone_t *c, int32_t i, int32_t wide, quad_t x)
{
    const quad_t w = LOAD(c->w, i, wide);
    const double across = rest(w, x);
    const double along = across * c->inv_w[i] - x.a;
    const double e = c->inv_eta[i];
    return (quad_t){e * (w.a * x.a - across), e * (x.b + along * w.b), e * (x.c + along * w.c),
                    e * (x.d + along * w.d)};
}

void fk_cone_unit(fk_cone_t *c)
{
    memset(c->w, 0, sizeof c->w);
    for (int32_t i = 0; i < c->cones; i++) {
        c->w[0][i] = 1.0;
        c->inv_w[i] = 0.5;
        c->inv_eta[i] = 1.0;
        c->inv_eta2[i] = 1.0;
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_w[i] = 1.0;
    }
}

/* How far x is outside its cones; negative inside. */
static double outside(const fk_cone_t *c, double x[4][FK_CONES], const double line[FK_LINES])
{
    double worst = -1e300;
    for (int32_t i = 0; i < c->cones; i++) {
        const double norm = sqrt(x[1][i] * x[1][i] + x[2][i] * x[2][i] + x[3][i] * x[3][i]);
        worst = norm - x[0][i] > worst ? norm - x[0][i] : worst;
    }
    for (int32_t i = 0; i < c->lines; i++) {
        worst = -line[i] > worst ? -line[i] : worst;
    }
    return worst;
}

/* Moves x along the unit element if need be: Vandenberghe, The CVXOPT linear and quadratic cone program
 * solvers, 2010, section 5.3. Returns by how much. */
static double enter(const fk_cone_t *c, double x[4][FK_CONES], double line[FK_LINES])
{
    const double worst = outside(c, x, line);
    if (worst < -NEAR_BOUNDARY) {
        return 0.0;
    }
    const double by = 1.0 + worst;
    for (int32_t i = 0; i < c->cones; i++) {
        x[0][i] += by;
    }
    for (int32_t i = 0; i < c->lines; i++) {
        line[i] += by;
    }
    return by;
}

double fk_cone_enter_primal(fk_cone_t *c)
{
    memcpy(c->s, c->d, sizeof c->s);
    memcpy(c->line_s, c->line_d, sizeof c->line_s);
    return enter(c, c->s, c->line_s);
}

double fk_cone_enter_dual(fk_cone_t *c)
{
    for (int32_t j = 0; j < 4; j++) {
        for (int32_t i = 0; i < c->cones; i++) {
            c->z[j][i] = -c->d[j][i];
        }
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_z[i] = -c->line_d[i];
    }
    return enter(c, c->z, c->line_z);
}

/* Products with themselves, s'Js and z'Jz, and the root of their product. */
static inline void measure_cones(fk_cone_t *c, int32_t from, int32_t to, int32_t wide)
{
    for (int32_t i = from; i < to; i++) {
        const quad_t s = LOAD(c->s, i, wide);
        const quad_t z = LOAD(c->z, i, wide);
        c->sum[0][i] = s.a * s.a - rest(s, s);
        c->sum[1][i] = z.a * z.a - rest(z, z);
        c->det[i] = sqrt(c->sum[0][i] * c->sum[1][i]);
    }
}

/* 1 when all s and z are inside their cones, far enough for every quotient of the scaling to exist. */
static int32_t all_inside(const fk_cone_t *c)
{
    int32_t inside = 1;
    for (int32_t i = 0; i < c->cones; i++) {
        inside &= c->s[0][i] > 0.0 && c->z[0][i] > 0.0 && c->sum[0][i] > 0.0 && c->sum[1][i] > 0.0
                  && c->det[i] > LEAST;
    }
    for (int32_t i = 0; i < c->lines; i++) {
        inside &= c->line_s[i] > LEAST && c->line_z[i] > LEAST;
    }
    return inside;
}

/* Nesterov-Todd scaling: ECOS 2013 eqs. (7)-(9), the roots gathered. */
static inline void scale_cones(fk_cone_t *c, int32_t from, int32_t to, int32_t wide)
{
    for (int32_t i = from; i < to; i++) {
        const quad_t s = LOAD(c->s, i, wide);
        const quad_t z = LOAD(c->z, i, wide);
        const double det = c->det[i];
        const double ratio = det / c->sum[0][i]; /* 1 / eta^2 */
        const double size = 1.0 / sqrt(2.0 * ratio * (det + s.a * z.a + rest(s, z)));
        const quad_t w = {size * (ratio * s.a + z.a), size * (ratio * s.b - z.b), size * (ratio * s.c - z.c),
                          size * (ratio * s.d - z.d)};
        STORE(c->w, i, wide, w);
        c->inv_w[i] = 1.0 / (1.0 + w.a);
        c->inv_eta2[i] = ratio;
        c->inv_eta[i] = sqrt(ratio);
        c->inv_det[i] = 1.0 / det;
    }
    for (int32_t i = from; i < to; i++) {
        const quad_t lambda = unscale(c, i, wide, LOAD(c->s, i, wide));
        STORE(c->lambda, i, wide, lambda);
    }
}

int32_t fk_cone_scale(fk_cone_t *c)
{
    measure_cones(c, 0, c->wide, 1);
    measure_cones(c, c->wide, c->cones, 0);
    if (!all_inside(c)) {
        return 1;
    }
    scale_cones(c, 0, c->wide, 1);
    scale_cones(c, c->wide, c->cones, 0);
    for (int32_t i = 0; i < c->lines; i++) {
        const double inverse = 1.0 / c->line_s[i];
        c->line_inv[i] = inverse;
        c->line_w[i] = c->line_z[i] * inverse;
    }
    return 0;
}

static inline double gap_of(const fk_cone_t *c, int32_t from, int32_t to, int32_t wide)
{
    double sum = 0.0;
    for (int32_t i = from; i < to; i++) {
        const quad_t s = LOAD(c->s, i, wide);
        const quad_t z = LOAD(c->z, i, wide);
        sum += s.a * z.a + rest(s, z);
    }
    return sum;
}

double fk_cone_gap(const fk_cone_t *c)
{
    double sum = gap_of(c, 0, c->wide, 1) + gap_of(c, c->wide, c->cones, 0);
    for (int32_t i = 0; i < c->lines; i++) {
        sum += c->line_s[i] * c->line_z[i];
    }
    return sum;
}

double fk_cone_weight(const fk_cone_t *c)
{
    double sum = 0.0;
    for (int32_t i = 0; i < c->cones; i++) {
        sum += c->z[0][i];
    }
    for (int32_t i = 0; i < c->lines; i++) {
        sum += c->line_z[i];
    }
    return sum;
}

void fk_cone_residual(fk_cone_t *c, double left)
{
    for (int32_t i = 0; i < c->cones; i++) {
        const double scale = left * c->inv_eta2[i];
        const double twice = 2.0 * c->w[0][i] * scale;
        c->t[0][i] = scale - twice * c->w[0][i];
        c->t[1][i] = twice * c->w[1][i];
        c->t[2][i] = twice * c->w[2][i];
        c->t[3][i] = twice * c->w[3][i];
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_t[i] = -left * c->line_w[i];
    }
}

/* Inverse of the longest step from lambda along p within one cone: the smallest positive root of
 * det + 2 b a + (p'Jp) a^2, a being the step. Zero when there is none. */
static inline double inverse_step(double det, double inv_det, double b, double pp)
{
    const double disc = b * b - det * pp;
    const double root = sqrt(disc > 0.0 ? disc : 0.0) - b;
    return disc > 0.0 ? root * inv_det : 0.0;
}

static double largest(const double *x, int32_t n)
{
    double most = 0.0;
    for (int32_t i = 0; i < n; i++) {
        most = x[i] > most ? x[i] : most;
    }
    return most;
}

static double total(const double *x, int32_t n)
{
    double even = 0.0;
    double odd = 0.0;
    int32_t i = 0;
    for (; i + 1 < n; i += 2) {
        even += x[i];
        odd += x[i + 1];
    }
    return even + odd + (i < n ? x[i] : 0.0);
}

/* The affine dual direction is -lambda - p: its products follow from those of p. */
static inline void predict_cones(fk_cone_t *c, int32_t from, int32_t to, int32_t wide, double left)
{
    for (int32_t i = from; i < to; i++) {
        quad_t ds = LOAD(c->d, i, wide);
        ds.a -= left;
        const quad_t p = unscale(c, i, wide, ds);
        const quad_t l = LOAD(c->lambda, i, wide);
        STORE(c->p, i, wide, p);
        const double lp = rest(l, p);
        const double pp = rest(p, p);
        const double b = l.a * p.a - lp;
        const double square = p.a * p.a - pp;
        const double det = c->det[i];
        c->need[0][i] = inverse_step(det, c->inv_det[i], b, square);
        c->need[1][i] = inverse_step(det, c->inv_det[i], -(det + b), det + 2.0 * b + square);
        c->sum[0][i] = l.a * p.a + lp;
        c->sum[1][i] = p.a * p.a + pp;
    }
}

fk_reach_t fk_cone_predict(fk_cone_t *c, double left, double gap)
{
    predict_cones(c, 0, c->wide, 1, left);
    predict_cones(c, c->wide, c->cones, 0, left);
    double primal = largest(c->need[0], c->cones);
    double dual = largest(c->need[1], c->cones);
    double lp = total(c->sum[0], c->cones);
    double pp = total(c->sum[1], c->cones);
    for (int32_t i = 0; i < c->lines; i++) {
        const double ds = c->line_d[i] - left;
        const double relative = ds * c->line_inv[i];
        primal = -relative > primal ? -relative : primal;
        dual = 1.0 + relative > dual ? 1.0 + relative : dual;
        c->line_p[i] = ds;
        lp += c->line_z[i] * ds;
        pp += c->line_w[i] * ds * ds;
    }
    fk_reach_t out;
    out.primal = primal > 1.0 ? 1.0 / primal : 1.0;
    out.dual = dual > 1.0 ? 1.0 / dual : 1.0;
    out.gap = gap + out.primal * lp - out.dual * (gap + lp) - out.primal * out.dual * (lp + pp);
    return out;
}

/* q = lambda \ (p_s o p_z - centre e): Mehrotra's correction, ECOS 2013 section III.D. */
static inline void correct_cones(fk_cone_t *c, int32_t from, int32_t to, int32_t wide, double centre)
{
    for (int32_t i = from; i < to; i++) {
        const quad_t l = LOAD(c->lambda, i, wide);
        const quad_t p = LOAD(c->p, i, wide);
        const double head = l.a + p.a;
        const quad_t v = {-(p.a * head + rest(p, l) + rest(p, p)) - centre, -(p.a * (l.b + p.b) + p.b * head),
                          -(p.a * (l.c + p.c) + p.c * head), -(p.a * (l.d + p.d) + p.d * head)};
        const double first = (l.a * v.a - rest(l, v)) * c->inv_det[i];
        const double inverse = 1.0 / l.a;
        const quad_t q = {first, (v.b - first * l.b) * inverse, (v.c - first * l.c) * inverse,
                          (v.d - first * l.d) * inverse};
        STORE(c->q, i, wide, q);
        const quad_t t = unscale(c, i, wide, q);
        c->t[0][i] += t.a;
        c->t[1][i] += t.b;
        c->t[2][i] += t.c;
        if (wide) {
            c->t[3][i] += t.d;
        }
    }
}

void fk_cone_correct(fk_cone_t *c, double centre)
{
    correct_cones(c, 0, c->wide, 1, centre);
    correct_cones(c, c->wide, c->cones, 0, centre);
    for (int32_t i = 0; i < c->lines; i++) {
        const double ds = c->line_p[i];
        const double dz = -(c->line_z[i] + c->line_w[i] * ds);
        c->line_q[i] = (ds * dz - centre) * c->line_inv[i];
        c->line_t[i] += c->line_q[i];
    }
}

static inline void direct_cones(fk_cone_t *c, int32_t from, int32_t to, int32_t wide, double left)
{
    for (int32_t i = from; i < to; i++) {
        quad_t ds = LOAD(c->d, i, wide);
        ds.a -= left;
        c->d[0][i] = ds.a;
        const quad_t p = unscale(c, i, wide, ds);
        const quad_t l = LOAD(c->lambda, i, wide);
        const quad_t q = LOAD(c->q, i, wide);
        const quad_t pz = {-(l.a + q.a + p.a), -(l.b + q.b + p.b), -(l.c + q.c + p.c), -(l.d + q.d + p.d)};
        STORE(c->p, i, wide, pz);
        c->need[0][i] =
            inverse_step(c->det[i], c->inv_det[i], l.a * p.a - rest(l, p), p.a * p.a - rest(p, p));
        c->need[1][i] =
            inverse_step(c->det[i], c->inv_det[i], l.a * pz.a - rest(l, pz), pz.a * pz.a - rest(pz, pz));
    }
}

fk_reach_t fk_cone_direct(fk_cone_t *c, double left, double share)
{
    direct_cones(c, 0, c->wide, 1, left);
    direct_cones(c, c->wide, c->cones, 0, left);
    double primal = largest(c->need[0], c->cones);
    double dual = largest(c->need[1], c->cones);
    for (int32_t i = 0; i < c->lines; i++) {
        const double ds = c->line_d[i] - left;
        const double dz = -(c->line_z[i] + c->line_q[i] + c->line_w[i] * ds);
        const double need_s = -ds * c->line_inv[i];
        const double need_z = -dz / c->line_z[i];
        c->line_d[i] = ds;
        c->line_p[i] = dz;
        primal = need_s > primal ? need_s : primal;
        dual = need_z > dual ? need_z : dual;
    }
    fk_reach_t out;
    out.primal = primal > share ? share / primal : 1.0;
    out.dual = dual > share ? share / dual : 1.0;
    out.gap = 0.0;
    return out;
}

static inline void move_cones(fk_cone_t *c, int32_t from, int32_t to, int32_t wide, double primal,
                              double dual)
{
    for (int32_t i = from; i < to; i++) {
        const quad_t dz = unscale(c, i, wide, LOAD(c->p, i, wide));
        c->s[0][i] += primal * c->d[0][i];
        c->s[1][i] += primal * c->d[1][i];
        c->s[2][i] += primal * c->d[2][i];
        c->z[0][i] += dual * dz.a;
        c->z[1][i] += dual * dz.b;
        c->z[2][i] += dual * dz.c;
        if (wide) {
            c->s[3][i] += primal * c->d[3][i];
            c->z[3][i] += dual * dz.d;
        }
    }
}

void fk_cone_move(fk_cone_t *c, double primal, double dual)
{
    move_cones(c, 0, c->wide, 1, primal, dual);
    move_cones(c, c->wide, c->cones, 0, primal, dual);
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_s[i] += primal * c->line_d[i];
        c->line_z[i] += dual * c->line_p[i];
    }
}
