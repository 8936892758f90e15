/* Cone algebra: each function is one step of the interior-point method, over all cones. */
#include "fk_cone.h"

#include <math.h>
#include <string.h>

#define NEAR_BOUNDARY 1e-3 /* a first point nearer to it than this is moved inside */

/* J-product of two vectors of one cone: x_0 y_0 - x_1'y_1. */
static double hyper(const double x[4], const double y[4])
{
    return x[0] * y[0] - x[1] * y[1] - x[2] * y[2] - x[3] * y[3];
}

static double dot(const double x[4], const double y[4])
{
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3];
}

static void load(const double *from, int32_t i, double x[4])
{
    for (int32_t j = 0; j < 4; j++) {
        x[j] = from[j * FK_CONES + i];
    }
}

static void store(double to[4][FK_CONES], int32_t i, const double x[4])
{
    for (int32_t j = 0; j < 4; j++) {
        to[j][i] = x[j];
    }
}

/* out = W^-1 x; ECOS 2013 eq. (9), with the scaling point reflected. */
static void unscale(const double w[4], double inv_eta, const double x[4], double out[4])
{
    const double across = w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
    const double along = across / (1.0 + w[0]) - x[0];
    out[0] = inv_eta * (w[0] * x[0] - across);
    for (int32_t j = 1; j < 4; j++) {
        out[j] = inv_eta * (x[j] + along * w[j]);
    }
}

void fk_cone_unit(fk_cone_t *c)
{
    for (int32_t i = 0; i < c->cones; i++) {
        const double one[4] = {1.0, 0.0, 0.0, 0.0};
        store(c->w, i, one);
        c->inv_eta[i] = 1.0;
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_w[i] = 1.0;
    }
}

/* How far x is outside its cones; negative inside. */
static double outside(const fk_cone_t *c, const double *x0, const double line[FK_LINES])
{
    double worst = -1e300;
    for (int32_t i = 0; i < c->cones; i++) {
        double x[4];
        load(x0, i, x);
        const double out = sqrt(x[1] * x[1] + x[2] * x[2] + x[3] * x[3]) - x[0];
        worst = out > worst ? out : worst;
    }
    for (int32_t i = 0; i < c->lines; i++) {
        worst = -line[i] > worst ? -line[i] : worst;
    }
    return worst;
}

/* Moves x along the unit element if need be: Vandenberghe, The CVXOPT linear and quadratic cone program
 * solvers, 2010, section 5.3. Returns by how much. */
static double enter(const fk_cone_t *c, double *x0, double line[FK_LINES])
{
    const double worst = outside(c, x0, line);
    if (worst < -NEAR_BOUNDARY) {
        return 0.0;
    }
    const double by = 1.0 + worst;
    for (int32_t i = 0; i < c->cones; i++) {
        x0[i] += by;
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
    return enter(c, c->s[0], c->line_s);
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
    return enter(c, c->z[0], c->line_z);
}

static double det_of(const double x[4])
{
    const double norm = sqrt(x[1] * x[1] + x[2] * x[2] + x[3] * x[3]);
    return (x[0] - norm) * (x[0] + norm);
}

/* Nesterov-Todd scaling of one cone: ECOS 2013 eqs. (7)-(9). */
static int32_t scale_one(fk_cone_t *c, int32_t i)
{
    double s[4];
    double z[4];
    double w[4];
    load(c->s[0], i, s);
    load(c->z[0], i, z);
    const double s_det = det_of(s);
    const double z_det = det_of(z);
    const double s_root = sqrt(s_det);
    const double z_root = sqrt(z_det);
    const double both = s_root * z_root;
    const double gamma = sqrt(0.5 + 0.5 * dot(s, z) / both);
    const double s_part = 0.5 / (gamma * s_root);
    const double z_part = 0.5 / (gamma * z_root);
    w[0] = s_part * s[0] + z_part * z[0];
    for (int32_t j = 1; j < 4; j++) {
        w[j] = s_part * s[j] - z_part * z[j];
    }
    const double inv_eta = sqrt(z_root / s_root);
    double lambda[4];
    unscale(w, inv_eta, s, lambda);
    store(c->w, i, w);
    store(c->lambda, i, lambda);
    c->inv_eta[i] = inv_eta;
    c->det[i] = both;
    c->inv_det[i] = 1.0 / both;
    return s[0] > 0.0 && z[0] > 0.0 && s_det > 0.0 && z_det > 0.0;
}

int32_t fk_cone_scale(fk_cone_t *c)
{
    int32_t inside = 1;
    for (int32_t i = 0; i < c->cones; i++) {
        inside &= scale_one(c, i);
    }
    for (int32_t i = 0; i < c->lines; i++) {
        inside &= c->line_s[i] > 0.0 && c->line_z[i] > 0.0;
        c->line_w[i] = sqrt(c->line_z[i] / c->line_s[i]);
        c->line_lambda[i] = sqrt(c->line_s[i] * c->line_z[i]);
    }
    return !inside;
}

double fk_cone_gap(const fk_cone_t *c)
{
    double sum = 0.0;
    for (int32_t i = 0; i < c->cones; i++) {
        double s[4];
        double z[4];
        load(c->s[0], i, s);
        load(c->z[0], i, z);
        sum += dot(s, z);
    }
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
        const double scale = left * c->inv_eta[i] * c->inv_eta[i];
        const double twice = 2.0 * c->w[0][i] * scale;
        c->t[0][i] = scale - twice * c->w[0][i];
        for (int32_t j = 1; j < 4; j++) {
            c->t[j][i] = twice * c->w[j][i];
        }
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_t[i] = -left * c->line_w[i] * c->line_w[i];
    }
}

/* Inverse of the longest step from lambda along p within one cone: the smallest positive root of
 * det + 2 b a + (p'Jp) a^2, a being the step. Zero when there is none. */
static double inverse_step(double det, double inv_det, double b, double pp)
{
    const double disc = b * b - det * pp;
    const double root = (sqrt(disc > 0.0 ? disc : 0.0) - b) * inv_det;
    return disc > 0.0 && root > 0.0 ? root : 0.0;
}

typedef struct {
    double primal; /* inverse of the longest steps */
    double dual;
    double ll, lp, lz, pz; /* products summed over the cones */
} sums_t;

static void take(sums_t *m, double primal, double dual)
{
    m->primal = primal > m->primal ? primal : m->primal;
    m->dual = dual > m->dual ? dual : m->dual;
}

static void predict_one(fk_cone_t *c, int32_t i, double left, sums_t *m)
{
    double w[4];
    double l[4];
    double ds[4];
    double p[4];
    load(c->w[0], i, w);
    load(c->lambda[0], i, l);
    load(c->d[0], i, ds);
    ds[0] -= left;
    unscale(w, c->inv_eta[i], ds, p);
    store(c->p, i, p);
    const double b = hyper(l, p);
    const double pp = hyper(p, p);
    const double det = c->det[i];
    /* the dual direction is -lambda - p */
    take(m, inverse_step(det, c->inv_det[i], b, pp),
         inverse_step(det, c->inv_det[i], -(det + b), det + 2.0 * b + pp));
    const double lp = dot(l, p);
    const double ll = dot(l, l);
    m->ll += ll;
    m->lp += lp;
    m->lz -= ll + lp;
    m->pz -= lp + dot(p, p);
}

static fk_reach_t reach(const sums_t *m, double share)
{
    fk_reach_t out;
    out.primal = m->primal > share ? share / m->primal : 1.0;
    out.dual = m->dual > share ? share / m->dual : 1.0;
    out.gap = m->ll + out.primal * m->lp + out.dual * m->lz + out.primal * out.dual * m->pz;
    return out;
}

fk_reach_t fk_cone_predict(fk_cone_t *c, double left)
{
    sums_t m = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    for (int32_t i = 0; i < c->cones; i++) {
        predict_one(c, i, left, &m);
    }
    for (int32_t i = 0; i < c->lines; i++) {
        const double l = c->line_lambda[i];
        const double p = c->line_w[i] * (c->line_d[i] - left);
        c->line_p[i] = p;
        take(&m, -p / l, 1.0 + p / l);
        m.ll += l * l;
        m.lp += l * p;
        m.lz -= l * (l + p);
        m.pz -= p * (l + p);
    }
    return reach(&m, 1.0);
}

/* q = lambda \ (p_s o p_z - centre e): Mehrotra's correction, ECOS 2013 section III.D. */
static void correct_one(fk_cone_t *c, int32_t i, double centre)
{
    double l[4];
    double p[4];
    double v[4];
    double q[4];
    double w[4];
    load(c->lambda[0], i, l);
    load(c->p[0], i, p);
    v[0] = -dot(p, l) - dot(p, p) - centre;
    for (int32_t j = 1; j < 4; j++) {
        v[j] = -p[0] * (l[j] + p[j]) - p[j] * (l[0] + p[0]);
    }
    q[0] = hyper(l, v) * c->inv_det[i];
    const double inverse = 1.0 / l[0];
    for (int32_t j = 1; j < 4; j++) {
        q[j] = (v[j] - q[0] * l[j]) * inverse;
    }
    store(c->q, i, q);
    load(c->w[0], i, w);
    unscale(w, c->inv_eta[i], q, v);
    for (int32_t j = 0; j < 4; j++) {
        c->t[j][i] += v[j];
    }
}

void fk_cone_correct(fk_cone_t *c, double centre)
{
    for (int32_t i = 0; i < c->cones; i++) {
        correct_one(c, i, centre);
    }
    for (int32_t i = 0; i < c->lines; i++) {
        const double l = c->line_lambda[i];
        const double p = c->line_p[i];
        c->line_q[i] = (-p * (l + p) - centre) / l;
        c->line_t[i] += c->line_w[i] * c->line_q[i];
    }
}

static void direct_one(fk_cone_t *c, int32_t i, double left, sums_t *m)
{
    double w[4];
    double l[4];
    double ds[4];
    double p[4];
    double pz[4];
    load(c->w[0], i, w);
    load(c->lambda[0], i, l);
    load(c->d[0], i, ds);
    ds[0] -= left;
    unscale(w, c->inv_eta[i], ds, p);
    for (int32_t j = 0; j < 4; j++) {
        pz[j] = -l[j] - c->q[j][i] - p[j];
    }
    store(c->d, i, ds);
    store(c->p, i, pz);
    take(m, inverse_step(c->det[i], c->inv_det[i], hyper(l, p), hyper(p, p)),
         inverse_step(c->det[i], c->inv_det[i], hyper(l, pz), hyper(pz, pz)));
}

fk_reach_t fk_cone_direct(fk_cone_t *c, double left, double share)
{
    sums_t m = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    for (int32_t i = 0; i < c->cones; i++) {
        direct_one(c, i, left, &m);
    }
    for (int32_t i = 0; i < c->lines; i++) {
        const double l = c->line_lambda[i];
        const double ds = c->line_d[i] - left;
        const double p = c->line_w[i] * ds;
        const double pz = -l - c->line_q[i] - p;
        c->line_d[i] = ds;
        c->line_p[i] = pz;
        take(&m, -p / l, -pz / l);
    }
    return reach(&m, share);
}

void fk_cone_move(fk_cone_t *c, double primal, double dual)
{
    for (int32_t i = 0; i < c->cones; i++) {
        double w[4];
        double p[4];
        double dz[4];
        load(c->w[0], i, w);
        load(c->p[0], i, p);
        unscale(w, c->inv_eta[i], p, dz);
        for (int32_t j = 0; j < 4; j++) {
            c->s[j][i] += primal * c->d[j][i];
            c->z[j][i] += dual * dz[j];
        }
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_s[i] += primal * c->line_d[i];
        c->line_z[i] += dual * c->line_w[i] * c->line_p[i];
    }
}
