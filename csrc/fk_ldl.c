/* Riccati recursion over the stages: Rao, Wright & Rawlings 1998, section 3. */
#include "fk_ldl.h"

#include <math.h>
#include <string.h>

#define LEAST_PIVOT 1e-14 /* of a control block that rounding has made singular */

/* One stage: states r, v, z and controls u, sigma. Of xx and uu the lower triangle counts. */
typedef struct {
    double xx[7][7];
    double ux[4][7];
    double uu[4][4];
} block_t;

/* An interval whose axes do not couple: x+ = (r + a v + br u, v + bv u), true x = x + d u. */
typedef struct {
    double a;
    double br;
    double bv;
    double dr;
    double dv;
} axis_t;

static axis_t axis(const fk_interval_t *v)
{
    const axis_t out = {v->a[0][3], v->b[0][0], v->b[3][0], v->d[0][0], v->d[3][0]};
    return out;
}

/* Element of a symmetric 3 x 3 block held as xx, xy, xz, yy, yz, zz. */
static double part(const double m[6], int32_t i, int32_t j)
{
    const int32_t low = i < j ? i : j;
    const int32_t high = i < j ? j : i;
    return m[low * (5 - low) / 2 + high];
}

/* Blocks of the stage's own cones, moved from the true state to the shifted one. */
static void open_plain(block_t *m, const fk_hessian_t *h, const fk_interval_t *v)
{
    const axis_t x = axis(v);
    memset(m, 0, sizeof *m);
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 3; j++) {
            const double rr = part(h->rr, i, j);
            const double vv = part(h->vv, i, j);
            m->xx[i][j] = rr;
            m->xx[i + 3][j + 3] = vv;
            m->ux[i][j] = x.dr * rr;
            m->ux[i][j + 3] = x.dv * vv;
            m->uu[i][j] = part(h->uu, i, j) + x.dr * x.dr * rr + x.dv * x.dv * vv;
        }
        m->uu[3][i] = h->u_sigma[i];
    }
    m->xx[6][6] = h->zz;
    m->ux[3][6] = h->z_sigma + v->dz * h->zz;
    m->uu[3][3] = h->sigma_sigma + v->dz * (2.0 * h->z_sigma + v->dz * h->zz);
}

/* Adds the cost to go p of the next state: A is the unit matrix plus dt, B three diagonal blocks. */
static void pull_plain(block_t *m, const fk_interval_t *v, double p[7][7])
{
    const axis_t x = axis(v);
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 3; j++) {
            const double rr = i >= j ? p[i][j] : p[j][i];
            const double vv = i >= j ? p[i + 3][j + 3] : p[j + 3][i + 3];
            const double vr = p[i + 3][j];
            const double rv = p[j + 3][i];
            const double across = vr + x.a * rr;    /* of v_i, r_j */
            const double ur = x.br * rr + x.bv * vr; /* of u_i, r_j */
            const double uv = x.br * rv + x.bv * vv;
            m->xx[i][j] += rr;
            m->xx[i + 3][j] += across;
            m->xx[i + 3][j + 3] += vv + x.a * (across + rv);
            m->ux[i][j] += ur;
            m->ux[i][j + 3] += uv + x.a * ur;
            m->uu[i][j] += x.br * ur + x.bv * uv;
        }
        const double zr = p[6][i];
        const double zv = p[6][i + 3] + x.a * zr;
        const double zu = x.br * zr + x.bv * p[6][i + 3];
        m->xx[6][i] += zr;
        m->xx[6][i + 3] += zv;
        m->ux[i][6] += zu;
        m->ux[3][i] += v->bz * zr;
        m->ux[3][i + 3] += v->bz * zv;
        m->uu[3][i] += v->bz * zu;
    }
    m->xx[6][6] += p[6][6];
    m->ux[3][6] += v->bz * p[6][6];
    m->uu[3][3] += v->bz * v->bz * p[6][6];
}

/* The same where the axes turn: b and d are full. Row n of the result of p times column c of [a b]. */
static double times(double p[7][7], int32_t n, const fk_interval_t *v, int32_t c)
{
    double sum = 0.0;
    for (int32_t k = 0; k < 6; k++) {
        sum += (n >= k ? p[n][k] : p[k][n]) * (c < 6 ? v->a[k][c] : v->b[k][c - 6]);
    }
    return sum;
}

static void pull_turning(block_t *m, const fk_interval_t *v, double p[7][7])
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
    m->xx[6][6] += p[6][6];
    m->ux[3][6] += v->bz * p[6][6];
    m->uu[3][3] += v->bz * v->bz * p[6][6];
}

static void open_turning(block_t *m, const fk_hessian_t *h, const fk_interval_t *v)
{
    const fk_interval_t none = {.dz = v->dz};
    open_plain(m, h, &none);
    for (int32_t i = 0; i < 3; i++) {
        double moved[6]; /* row i of d' times the state's block */
        for (int32_t j = 0; j < 6; j++) {
            moved[j] = 0.0;
            for (int32_t k = 0; k < 3; k++) {
                moved[j] += j < 3 ? v->d[k][i] * part(h->rr, k, j) : v->d[k + 3][i] * part(h->vv, k, j - 3);
            }
            m->ux[i][j] += moved[j];
        }
        for (int32_t j = 0; j < 3; j++) {
            for (int32_t k = 0; k < 6; k++) {
                m->uu[i][j] += moved[k] * v->d[k][j];
            }
        }
    }
}

/* u = -gain x leaves sigma as the stage's only control; its rows of ux become the gain. */
static void determine(block_t *m, const double gain[3][6])
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
static void sweep(block_t *m, int32_t n, double inverse, double lower[6])
{
    for (int32_t i = n + 1; i < 4; i++) {
        const double l = m->uu[i][n] * inverse;
        lower[i * (i - 1) / 2 + n] = l;
        for (int32_t j = n + 1; j <= i; j++) {
            m->uu[i][j] -= l * m->uu[j][n];
        }
        for (int32_t j = 0; j < 7; j++) {
            m->ux[i][j] -= l * m->ux[n][j];
        }
    }
}

static double inverted(double pivot)
{
    return 1.0 / (pivot > LEAST_PIVOT ? pivot : LEAST_PIVOT);
}

/* Cost to go p = xx - ux' uu^-1 ux of the stage's state. */
static void reduce(const block_t *m, double coupling[4][7], const double inverse[4], double p[7][7])
{
    for (int32_t n = 0; n < 4; n++) {
        for (int32_t j = 0; j < 7; j++) {
            coupling[n][j] = inverse[n] * m->ux[n][j];
        }
    }
    for (int32_t i = 0; i < 7; i++) {
        for (int32_t j = 0; j <= i; j++) {
            p[i][j] = m->xx[i][j] - m->ux[0][i] * coupling[0][j] - m->ux[1][i] * coupling[1][j]
                      - m->ux[2][i] * coupling[2][j] - m->ux[3][i] * coupling[3][j];
        }
    }
}

static void eliminate(fk_ldl_t *f, int32_t k, block_t *m, double p[7][7])
{
    double *inverse = f->inverse[k];
    for (int32_t n = 0; n < 4; n++) {
        inverse[n] = inverted(m->uu[n][n]);
        sweep(m, n, inverse[n], f->lower[k]);
    }
    reduce(m, f->coupling[k], inverse, p);
}

/* The same for a stage whose acceleration the final state determines. */
static void eliminate_determined(fk_ldl_t *f, int32_t k, block_t *m, const double gain[3][6], double p[7][7])
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

/* By cofactors; the matrix is well scaled where it is used. */
static void invert3(const double m[6], double out[6])
{
    const double c0 = m[3] * m[5] - m[4] * m[4];
    const double c1 = m[2] * m[4] - m[1] * m[5];
    const double c2 = m[1] * m[4] - m[2] * m[3];
    const double inverse = 1.0 / (m[0] * c0 + m[1] * c1 + m[2] * c2);
    out[0] = c0 * inverse;
    out[1] = c1 * inverse;
    out[2] = c2 * inverse;
    out[3] = (m[0] * m[5] - m[2] * m[2]) * inverse;
    out[4] = (m[1] * m[2] - m[0] * m[4]) * inverse;
    out[5] = (m[0] * m[3] - m[1] * m[1]) * inverse;
}

/* Stage k's blocks; `next` when a state follows. */
static void assemble(block_t *m, const fk_program_t *program, const fk_hessian_t *h, int32_t k, int32_t next,
                     double p[7][7])
{
    const fk_interval_t *v = k == 0 ? &program->first : &program->later;
    if (program->turning) {
        open_turning(m, h, v);
    } else {
        open_plain(m, h, v);
    }
    if (next && program->turning) {
        pull_turning(m, v, p);
    } else if (next) {
        pull_plain(m, v, p);
    }
}

void fk_ldl_factor(fk_ldl_t *f, const fk_program_t *program, const fk_hessian_t hessian[FK_NODES])
{
    block_t m;
    double p[7][7];
    const int32_t last = program->stages - 1;
    if (!program->foh) {
        open_plain(&m, &hessian[last + 1], &program->later);
        memcpy(p, m.xx, sizeof p);
    }
    for (int32_t k = last; k >= 0; k--) {
        assemble(&m, program, &hessian[k], k, k < last || !program->foh, p);
        if (k == last) {
            eliminate_determined(f, k, &m, program->gain_last, p);
        } else if (k == last - 1 && !program->soft) {
            eliminate_determined(f, k, &m, program->gain_before, p);
        } else {
            eliminate(f, k, &m, p);
        }
    }
    const double rr[6] = {p[0][0], p[1][0], p[2][0], p[1][1], p[2][1], p[2][2]};
    invert3(rr, f->start_rr);
}

/* Gradient q of states and controls at the shifted state: the stage's own, and what the next state's, p, is to
 * them. */
static void carry_plain(const fk_interval_t *v, const double p[7], double q[FK_PARTS])
{
    const axis_t x = axis(v);
    for (int32_t i = 0; i < 3; i++) {
        q[FK_U + i] += x.dr * q[i] + x.dv * q[i + 3] + x.br * p[i] + x.bv * p[i + 3];
        q[i] += p[i];
        q[i + 3] += p[i + 3] + x.a * p[i];
    }
}

static void carry_turning(const fk_interval_t *v, const double p[7], double q[FK_PARTS])
{
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 6; j++) {
            q[FK_U + i] += v->d[j][i] * q[j] + v->b[j][i] * p[j];
        }
    }
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 6; j++) {
            q[i] += v->a[j][i] * p[j];
        }
    }
}

/* Gradient p of the cost to go, one stage back. */
static void go_back(fk_ldl_t *f, int32_t k, const double q[FK_PARTS], double p[7])
{
    const double *l = f->lower[k];
    double *y = f->offset[k];
    y[0] = q[FK_U];
    y[1] = q[FK_U + 1] - l[0] * y[0];
    y[2] = q[FK_U + 2] - l[1] * y[0] - l[2] * y[1];
    y[3] = q[FK_SIGMA] - l[3] * y[0] - l[4] * y[1] - l[5] * y[2];
    for (int32_t i = 0; i < 7; i++) {
        p[i] = q[i] - f->coupling[k][0][i] * y[0] - f->coupling[k][1][i] * y[1] - f->coupling[k][2][i] * y[2]
               - f->coupling[k][3][i] * y[3];
    }
}

/* Control step u at the shifted state x. */
static void control(const fk_ldl_t *f, int32_t k, const double x[7], double u[4])
{
    const double *l = f->lower[k];
    for (int32_t n = 0; n < 4; n++) {
        const double *c = f->coupling[k][n];
        u[n] = -f->inverse[k][n] * f->offset[k][n]
               - (c[0] * x[0] + c[1] * x[1] + c[2] * x[2] + c[3] * x[3] + c[4] * x[4] + c[5] * x[5] + c[6] * x[6]);
    }
    u[2] -= l[5] * u[3];
    u[1] -= l[4] * u[3] + l[2] * u[2];
    u[0] -= l[3] * u[3] + l[1] * u[2] + l[0] * u[1];
}

/* True state step of stage k; x moves on to the next shifted state. */
static void move_plain(const fk_interval_t *v, int32_t k, const double u[4], double x[7], fk_vector_t step)
{
    const axis_t s = axis(v);
    for (int32_t i = 0; i < 3; i++) {
        step[FK_R + i][k] = x[i] + s.dr * u[i];
        step[FK_V + i][k] = x[i + 3] + s.dv * u[i];
        x[i] += s.a * x[i + 3] + s.br * u[i];
        x[i + 3] += s.bv * u[i];
    }
}

static void move_turning(const fk_interval_t *v, int32_t k, const double u[4], double x[7], fk_vector_t step)
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

static void backward(fk_ldl_t *f, const fk_program_t *program, const fk_vector_t gradient, double p[7])
{
    const int32_t last = program->stages - 1;
    double q[FK_PARTS];
    for (int32_t i = 0; i < 7; i++) {
        p[i] = program->foh ? 0.0 : gradient[i][last + 1];
    }
    for (int32_t k = last; k >= 0; k--) {
        const fk_interval_t *v = k == 0 ? &program->first : &program->later;
        for (int32_t i = 0; i < FK_PARTS; i++) {
            q[i] = gradient[i][k];
        }
        q[FK_SIGMA] += v->dz * q[FK_Z] + v->bz * p[FK_Z];
        q[FK_Z] += p[FK_Z];
        if (program->turning) {
            carry_turning(v, p, q);
        } else {
            carry_plain(v, p, q);
        }
        go_back(f, k, q, p);
    }
}

void fk_ldl_solve(fk_ldl_t *f, const fk_program_t *program, const fk_vector_t gradient, fk_vector_t step)
{
    const int32_t last = program->stages - 1;
    double p[7];
    double x[7] = {0.0};
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
            move_plain(v, k, u, x, step);
        }
    }
    for (int32_t i = 0; i < 7 && !program->foh; i++) {
        step[i][last + 1] = x[i];
    }
}
