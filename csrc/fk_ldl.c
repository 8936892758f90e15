/* Riccati recursion over the stages: Rao, Wright & Rawlings 1998, section 3. */
#include "fk_ldl.h"

#include <math.h>
#include <string.h>

#define LEAST_PIVOT 1e-14 /* of a control block that rounding has made singular */

/* An interval whose axes do not couple: x+ = (r + a v + br u, v + bv u, z + bz sigma), true x = x + d u. */
typedef struct {
    double a;
    double br;
    double bv;
    double bz;
    double dr;
    double dv;
    double dz;
} axis_t;

static axis_t axis(const fk_interval_t *v)
{
    const axis_t out = {v->a[0][3], v->b[0][0], v->b[3][0], v->bz, v->d[0][0], v->d[3][0], v->dz};
    return out;
}

/* Element of a symmetric 3 x 3 block held as xx, xy, xz, yy, yz, zz. */
static inline int32_t entry(int32_t i, int32_t j)
{
    return i < j ? i * (5 - i) / 2 + j : j * (5 - j) / 2 + i;
}

/* Elements i, j of the blocks: the stage's own cones, moved from the true state to the shifted one, and the cost
 * to go p of the next state. A is the unit matrix plus dt, B three diagonal blocks. */
static inline void plain_across(fk_block_t *restrict m, const fk_hessian_t h, int32_t k, const axis_t *x,
                                double p[restrict 7][8], int32_t i, int32_t j)
{
    const int32_t low = i < j ? i : j;
    const int32_t high = i < j ? j : i;
    const double rr = p[high][low];
    const double ur = x->br * rr + x->bv * p[i + 3][j];
    const double uv = x->br * p[j + 3][i] + x->bv * p[high + 3][low + 3];
    m->xx[i + 3][j] = p[i + 3][j] + x->a * rr;
    m->ux[i][j] = ur + x->dr * h[FK_RR + entry(i, j)][k];
    m->ux[i][j + 3] = uv + x->a * ur + x->dv * h[FK_VV + entry(i, j)][k];
}

/* Of the symmetric blocks, i >= j. */
static inline void plain_lower(fk_block_t *restrict m, const fk_hessian_t h, int32_t k, const axis_t *x,
                               double p[restrict 7][8], int32_t i, int32_t j)
{
    const double rr = p[i][j];
    const double vv = p[i + 3][j + 3];
    const double ur = x->br * rr + x->bv * p[i + 3][j];
    const double uv = x->br * p[j + 3][i] + x->bv * vv;
    const double own_rr = h[FK_RR + entry(i, j)][k];
    const double own_vv = h[FK_VV + entry(i, j)][k];
    m->xx[i][j] = rr + own_rr;
    m->xx[i + 3][j + 3] = vv + x->a * (p[i + 3][j] + x->a * rr + p[j + 3][i]) + own_vv;
    m->uu[i][j] =
        x->br * ur + x->bv * uv + h[FK_UU + entry(i, j)][k] + x->dr * x->dr * own_rr + x->dv * x->dv * own_vv;
}

/* Row i of the other blocks. */
static inline void plain_row(fk_block_t *restrict m, const fk_hessian_t h, int32_t k, const axis_t *x,
                             double p[restrict 7][8], int32_t i)
{
    plain_across(m, h, k, x, p, i, 0);
    plain_across(m, h, k, x, p, i, 1);
    plain_across(m, h, k, x, p, i, 2);
    const double zr = p[6][i];
    const double zv = p[6][i + 3] + x->a * zr;
    const double zu = x->br * zr + x->bv * p[6][i + 3];
    m->xx[6][i] = zr;
    m->xx[6][i + 3] = zv;
    m->ux[i][6] = zu;
    m->ux[3][i] = x->bz * zr;
    m->ux[3][i + 3] = x->bz * zv;
    m->uu[3][i] = x->bz * zu + h[FK_US + i][k];
}

static void plain_block(fk_block_t *restrict m, const fk_hessian_t h, int32_t k, const axis_t *x,
                        double p[restrict 7][8])
{
    plain_row(m, h, k, x, p, 0);
    plain_row(m, h, k, x, p, 1);
    plain_row(m, h, k, x, p, 2);
    plain_lower(m, h, k, x, p, 0, 0);
    plain_lower(m, h, k, x, p, 1, 0);
    plain_lower(m, h, k, x, p, 1, 1);
    plain_lower(m, h, k, x, p, 2, 0);
    plain_lower(m, h, k, x, p, 2, 1);
    plain_lower(m, h, k, x, p, 2, 2);
    const double zz = h[FK_ZZ][k];
    const double zs = h[FK_ZS][k];
    m->xx[6][6] = p[6][6] + zz;
    m->ux[3][6] = x->bz * p[6][6] + zs + x->dz * zz;
    m->uu[3][3] = x->bz * x->bz * p[6][6] + h[FK_SS][k] + x->dz * (2.0 * zs + x->dz * zz);
}

/* The same where the axes turn: b and d are full. Row n of the result of p times column c of [a b]. */
static double times(double p[7][8], int32_t n, const fk_interval_t *v, int32_t c)
{
    double sum = 0.0;
    for (int32_t k = 0; k < 6; k++) {
        sum += (n >= k ? p[n][k] : p[k][n]) * (c < 6 ? v->a[k][c] : v->b[k][c - 6]);
    }
    return sum;
}

static void pull_turning(fk_block_t *m, const fk_interval_t *v, double p[7][8])
{
    for (int32_t c = 0; c < 9; c++) {
        double column[6];
        for (int32_t n = 0; n < 6; n++) {
            column[n] = times(p, n, v, c);
        }
        const double z = times(p, 6, v, c);
        for (int32_t n = 0; n < 6; n++) {
            for (int32_t i = 0; i < 6 && c < 6; i++) {
                m->xx[i][c] += v->a[n][i] * column[n];
            }
            for (int32_t i = 0; i < 3; i++) {
                *(c < 6 ? &m->ux[i][c] : &m->uu[i][c - 6]) += v->b[n][i] * column[n];
            }
        }
        *(c < 6 ? &m->xx[6][c] : &m->ux[c - 6][6]) += z;
        *(c < 6 ? &m->ux[3][c] : &m->uu[3][c - 6]) += v->bz * z;
    }
}

static void turning_block(fk_block_t *m, const fk_hessian_t h, int32_t k, const fk_interval_t *v,
                          double p[7][8])
{
    const axis_t still = {.bz = v->bz, .dz = v->dz}; /* what log mass and the true state add */
    double none[7][8] = {{0.0}};
    none[6][6] = p[6][6];
    plain_block(m, h, k, &still, none);
    for (int32_t i = 0; i < 3; i++) {
        double moved[6]; /* row i of d' times the state's block */
        for (int32_t j = 0; j < 6; j++) {
            moved[j] = 0.0;
            for (int32_t n = 0; n < 3; n++) {
                moved[j] += j < 3 ? v->d[n][i] * h[FK_RR + entry(n, j)][k]
                                  : v->d[n + 3][i] * h[FK_VV + entry(n, j - 3)][k];
            }
            m->ux[i][j] += moved[j];
        }
        for (int32_t j = 0; j < 3; j++) {
            for (int32_t n = 0; n < 6; n++) {
                m->uu[i][j] += moved[n] * v->d[n][j];
            }
        }
    }
    pull_turning(m, v, p);
}

/* u = -gain x leaves sigma as the stage's only control; its rows of ux become the gain. */
static void determine(fk_block_t *m, const double gain[3][6])
{
    for (int32_t i = 0; i < 6; i++) {
        double mixed[3]; /* column i of the control block times the gain, less the coupling */
        for (int32_t k = 0; k < 3; k++) {
            mixed[k] = -m->ux[k][i];
            for (int32_t n = 0; n < 3; n++) {
                mixed[k] += (k >= n ? m->uu[k][n] : m->uu[n][k]) * gain[n][i];
            }
        }
        for (int32_t k = 0; k < 3; k++) {
            for (int32_t j = 0; j < 6; j++) {
                m->xx[j][i] += gain[k][j] * mixed[k] - m->ux[k][j] * gain[k][i];
            }
            m->xx[6][i] -= m->ux[k][6] * gain[k][i];
            m->ux[3][i] -= m->uu[3][k] * gain[k][i];
        }
    }
}

/* Elimination of control n from the stage's remaining rows. */
static inline void sweep(fk_block_t *restrict m, int32_t n, double inverse, double lower[restrict 6])
{
    for (int32_t i = n + 1; i < 4; i++) {
        const double l = m->uu[i][n] * inverse;
        lower[i * (i - 1) / 2 + n] = l;
        for (int32_t j = n + 1; j <= i; j++) {
            m->uu[i][j] -= l * m->uu[j][n];
        }
        for (int32_t j = 0; j < 8; j++) {
            m->ux[i][j] -= l * m->ux[n][j];
        }
    }
}

static double inverted(double pivot)
{
    return 1.0 / (pivot > LEAST_PIVOT ? pivot : LEAST_PIVOT);
}

/* Row i of the cost to go p = xx - ux' uu^-1 ux; some of the upper triangle is touched, none of it counts. */
static inline void reduce_row(const fk_block_t *restrict m, double coupling[restrict 4][8],
                              double p[restrict 7][8], int32_t i, int32_t width)
{
    const double a = m->ux[0][i];
    const double b = m->ux[1][i];
    const double c = m->ux[2][i];
    const double d = m->ux[3][i];
    for (int32_t j = 0; j < width; j++) {
        p[i][j] =
            m->xx[i][j] - (a * coupling[0][j] + b * coupling[1][j] + c * coupling[2][j] + d * coupling[3][j]);
    }
}

static void reduce(const fk_block_t *restrict m, double coupling[restrict 4][8], const double inverse[4],
                   double p[restrict 7][8])
{
    for (int32_t n = 0; n < 4; n++) {
        for (int32_t j = 0; j < 8; j++) {
            coupling[n][j] = inverse[n] * m->ux[n][j];
        }
    }
    reduce_row(m, coupling, p, 0, 2);
    reduce_row(m, coupling, p, 1, 2);
    reduce_row(m, coupling, p, 2, 4);
    reduce_row(m, coupling, p, 3, 4);
    reduce_row(m, coupling, p, 4, 6);
    reduce_row(m, coupling, p, 5, 6);
    reduce_row(m, coupling, p, 6, 8);
}

static void eliminate(fk_ldl_t *f, int32_t k, fk_block_t *m, double p[7][8])
{
    double *inverse = f->inverse[k];
    inverse[0] = inverted(m->uu[0][0]);
    sweep(m, 0, inverse[0], f->lower[k]);
    inverse[1] = inverted(m->uu[1][1]);
    sweep(m, 1, inverse[1], f->lower[k]);
    inverse[2] = inverted(m->uu[2][2]);
    sweep(m, 2, inverse[2], f->lower[k]);
    inverse[3] = inverted(m->uu[3][3]);
    reduce(m, f->coupling[k], inverse, p);
}

/* The same for a stage whose acceleration the final state determines. */
static void eliminate_determined(fk_ldl_t *f, int32_t k, fk_block_t *m, const double gain[3][6],
                                 double p[7][8])
{
    const double inverse[4] = {0.0, 0.0, 0.0, inverted(m->uu[3][3])};
    determine(m, gain);
    reduce(m, f->coupling[k], inverse, p);
    for (int32_t i = 0; i < 3; i++) {
        memcpy(f->coupling[k][i], gain[i], sizeof gain[i]);
    }
    memcpy(f->inverse[k], inverse, sizeof inverse);
    memset(f->lower[k], 0, sizeof f->lower[k]);
}

/* By cofactors; the matrix is well scaled where it is used. A singular one gives a step that is not finite, which
 * ends the solve. */
static void invert3(const double m[6], double out[6])
{
    const double c0 = m[3] * m[5] - m[4] * m[4];
    const double c1 = m[2] * m[4] - m[1] * m[5];
    const double c2 = m[1] * m[4] - m[2] * m[3];
    const double det = m[0] * c0 + m[1] * c1 + m[2] * c2;
    const double inverse = fabs(det) > 0.0 ? 1.0 / det : (double)INFINITY;
    out[0] = c0 * inverse;
    out[1] = c1 * inverse;
    out[2] = c2 * inverse;
    out[3] = (m[0] * m[5] - m[2] * m[2]) * inverse;
    out[4] = (m[1] * m[2] - m[0] * m[4]) * inverse;
    out[5] = (m[0] * m[3] - m[1] * m[1]) * inverse;
}

void fk_ldl_factor(fk_ldl_t *f, const fk_program_t *program, const fk_hessian_t hessian)
{
    fk_block_t *m = &f->block;
    double p[7][8] = {{0.0}};
    const int32_t last = program->stages - 1;
    const axis_t later = axis(&program->later);
    const axis_t first = axis(&program->first);
    memset(m, 0, sizeof *m);
    if (!program->foh) { /* the last node has no control: its cones are the cost to go */
        const axis_t none = {.bz = 0.0};
        plain_block(m, hessian, last + 1, &none, p);
        memcpy(p, m->xx, sizeof p);
    }
    for (int32_t k = last; k >= 0; k--) {
        if (program->turning) {
            turning_block(m, hessian, k, k == 0 ? &program->first : &program->later, p);
        } else {
            plain_block(m, hessian, k, k == 0 ? &first : &later, p);
        }
        if (k == last) {
            eliminate_determined(f, k, m, program->gain_last, p);
        } else if (k == last - 1 && !program->soft) {
            eliminate_determined(f, k, m, program->gain_before, p);
        } else {
            eliminate(f, k, m, p);
        }
    }
    const double rr[6] = {p[0][0], p[1][0], p[2][0], p[1][1], p[2][1], p[2][2]};
    invert3(rr, f->start_rr);
}

/* Of one stage: states (element 7 is padding), controls. */
typedef struct {
    double x[8];
    double u[4];
} gradient_t;

/* Gradient q at the shifted state: the stage's own, and what the next state's, p, is to it. */
static void carry_plain(const axis_t *v, const double p[8], gradient_t *q)
{
    for (int32_t i = 0; i < 3; i++) {
        q->u[i] += v->dr * q->x[i] + v->dv * q->x[i + 3] + v->br * p[i] + v->bv * p[i + 3];
        q->x[i] += p[i];
        q->x[i + 3] += p[i + 3] + v->a * p[i];
    }
}

static void carry_turning(const fk_interval_t *v, const double p[8], gradient_t *q)
{
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 6; j++) {
            q->u[i] += v->d[j][i] * q->x[j] + v->b[j][i] * p[j];
        }
    }
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 6; j++) {
            q->x[i] += v->a[j][i] * p[j];
        }
    }
}

/* Gradient p of the cost to go, one stage back. */
static void go_back(fk_ldl_t *f, int32_t k, const gradient_t *q, double p[8])
{
    const double *l = f->lower[k];
    const double(*c)[8] = (const double(*)[8])f->coupling[k];
    const double a = q->u[0];
    const double b = q->u[1] - l[0] * a;
    const double d = q->u[2] - l[1] * a - l[2] * b;
    const double e = q->u[3] - l[3] * a - l[4] * b - l[5] * d;
    for (int32_t i = 0; i < 8; i++) {
        p[i] = q->x[i] - (c[0][i] * a + c[1][i] * b + c[2][i] * d + c[3][i] * e);
    }
    f->offset[k][0] = f->inverse[k][0] * a;
    f->offset[k][1] = f->inverse[k][1] * b;
    f->offset[k][2] = f->inverse[k][2] * d;
    f->offset[k][3] = f->inverse[k][3] * e;
}

/* Control step u at the shifted state x. */
static void control(const fk_ldl_t *f, int32_t k, const double x[8], double u[4])
{
    const double *l = f->lower[k];
    for (int32_t n = 0; n < 4; n++) {
        const double *c = f->coupling[k][n];
        u[n] = -f->offset[k][n]
               - (c[0] * x[0] + c[1] * x[1] + c[2] * x[2] + c[3] * x[3] + c[4] * x[4] + c[5] * x[5]
                  + c[6] * x[6]);
    }
    u[2] -= l[5] * u[3];
    u[1] -= l[4] * u[3] + l[2] * u[2];
    u[0] -= l[3] * u[3] + l[1] * u[2] + l[0] * u[1];
}

/* True state step of stage k; x moves on to the next shifted state. */
static void move_plain(const axis_t *v, int32_t k, const double u[4], double x[8], fk_vector_t step)
{
    for (int32_t i = 0; i < 3; i++) {
        step[FK_R + i][k] = x[i] + v->dr * u[i];
        step[FK_V + i][k] = x[i + 3] + v->dv * u[i];
        x[i] += v->a * x[i + 3] + v->br * u[i];
        x[i + 3] += v->bv * u[i];
    }
}

static void move_turning(const fk_interval_t *v, int32_t k, const double u[4], double x[8], fk_vector_t step)
{
    double next[6] = {0.0};
    for (int32_t i = 0; i < 6; i++) {
        step[i][k] = x[i];
        for (int32_t j = 0; j < 6; j++) {
            next[i] += v->a[i][j] * x[j];
        }
        for (int32_t j = 0; j < 3; j++) {
            step[i][k] += v->d[i][j] * u[j];
            next[i] += v->b[i][j] * u[j];
        }
    }
    memcpy(x, next, sizeof next);
}

static void backward(fk_ldl_t *f, const fk_program_t *program, const fk_vector_t gradient, double p[8])
{
    const int32_t last = program->stages - 1;
    const axis_t later = axis(&program->later);
    const axis_t first = axis(&program->first);
    gradient_t q = {{0.0}, {0.0}};
    for (int32_t i = 0; i < 7; i++) {
        p[i] = program->foh ? 0.0 : gradient[i][last + 1];
    }
    p[7] = 0.0;
    for (int32_t k = last; k >= 0; k--) {
        const fk_interval_t *v = k == 0 ? &program->first : &program->later;
        for (int32_t i = 0; i < 7; i++) {
            q.x[i] = gradient[i][k];
        }
        for (int32_t i = 0; i < 4; i++) {
            q.u[i] = gradient[FK_U + i][k];
        }
        q.u[3] += v->dz * q.x[FK_Z] + v->bz * p[FK_Z];
        q.x[FK_Z] += p[FK_Z];
        if (program->turning) {
            carry_turning(v, p, &q);
        } else {
            carry_plain(k == 0 ? &first : &later, p, &q);
        }
        go_back(f, k, &q, p);
    }
}

void fk_ldl_solve(fk_ldl_t *f, const fk_program_t *program, const fk_vector_t gradient, fk_vector_t step)
{
    const int32_t last = program->stages - 1;
    const axis_t later = axis(&program->later);
    const axis_t first = axis(&program->first);
    double p[8];
    double x[8] = {0.0};
    double u[4];
    backward(f, program, gradient, p);
    if (program->soft) { /* the initial position is free: where the least-miss plan ends is */
        const double *m = f->start_rr;
        x[0] = -(m[0] * p[0] + m[1] * p[1] + m[2] * p[2]);
        x[1] = -(m[1] * p[0] + m[3] * p[1] + m[4] * p[2]);
        x[2] = -(m[2] * p[0] + m[4] * p[1] + m[5] * p[2]);
    }
    for (int32_t k = 0; k <= last; k++) {
        const fk_interval_t *v = k == 0 ? &program->first : &program->later;
        control(f, k, x, u);
        for (int32_t i = 0; i < 4; i++) {
            step[FK_U + i][k] = u[i];
        }
        step[FK_Z][k] = x[FK_Z] + v->dz * u[3];
        x[FK_Z] += v->bz * u[3];
        if (program->turning) {
            move_turning(v, k, u, x, step);
        } else {
            move_plain(k == 0 ? &first : &later, k, u, x, step);
        }
    }
    for (int32_t i = 0; i < 7 && !program->foh; i++) {
        step[i][last + 1] = x[i];
    }
}
