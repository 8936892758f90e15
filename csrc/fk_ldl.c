/* Riccati recursion over the stages. */
#include "fk_ldl.h"

#include <math.h>
#include <string.h>

#define LEAST_PIVOT 1e-14 /* a control block that rounding has made singular */

/* One stage's blocks: states r, v, z; controls u, sigma. */
typedef struct {
    double xx[7][7];
    double xu[7][4];
    double uu[4][4];
} block_t;

/* An interval with its log-mass row: x+ = a x + b u, true x = x + d u. */
typedef struct {
    double a[7][7];
    double b[7][4];
    double d[7][4];
} dense_t;

static const int8_t SYMMETRIC[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};

static void spread(const fk_interval_t *v, dense_t *out)
{
    memset(out, 0, sizeof *out);
    for (int32_t i = 0; i < 6; i++) {
        memcpy(out->a[i], v->a[i], 6 * sizeof(double));
        memcpy(out->b[i], v->b[i], 3 * sizeof(double));
        memcpy(out->d[i], v->d[i], 3 * sizeof(double));
    }
    out->a[6][6] = 1.0;
    out->b[6][3] = v->bz;
    out->d[6][3] = v->dz;
}

static void open_hessian(const fk_hessian_t *h, block_t *m)
{
    memset(m, 0, sizeof *m);
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 3; j++) {
            m->xx[i][j] = h->rr[SYMMETRIC[i][j]];
            m->xx[i + 3][j + 3] = h->vv[SYMMETRIC[i][j]];
            m->uu[i][j] = h->uu[SYMMETRIC[i][j]];
        }
        m->uu[i][3] = h->u_sigma[i];
        m->uu[3][i] = h->u_sigma[i];
    }
    m->xx[6][6] = h->zz;
    m->xu[6][3] = h->z_sigma;
    m->uu[3][3] = h->sigma_sigma;
}

/* From the true state to the shifted one. */
static void shift(block_t *m, double d[7][4])
{
    double moved[7][4];
    for (int32_t i = 0; i < 7; i++) {
        for (int32_t j = 0; j < 4; j++) {
            moved[i][j] = 0.0;
            for (int32_t k = 0; k < 7; k++) {
                moved[i][j] += m->xx[i][k] * d[k][j];
            }
        }
    }
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < 4; j++) {
            for (int32_t k = 0; k < 7; k++) {
                m->uu[i][j] += d[k][i] * (m->xu[k][j] + moved[k][j]) + m->xu[k][i] * d[k][j];
            }
        }
    }
    for (int32_t i = 0; i < 7; i++) {
        for (int32_t j = 0; j < 4; j++) {
            m->xu[i][j] += moved[i][j];
        }
    }
}

/* Adds the cost to go of the next state. */
static void pull_back(block_t *m, const dense_t *s, double p[7][7])
{
    double pa[7][7];
    double pb[7][4];
    memset(pa, 0, sizeof pa);
    memset(pb, 0, sizeof pb);
    for (int32_t i = 0; i < 7; i++) {
        for (int32_t k = 0; k < 7; k++) {
            for (int32_t j = 0; j < 7; j++) {
                pa[i][j] += p[i][k] * s->a[k][j];
            }
            for (int32_t j = 0; j < 4; j++) {
                pb[i][j] += p[i][k] * s->b[k][j];
            }
        }
    }
    for (int32_t k = 0; k < 7; k++) {
        for (int32_t i = 0; i < 7; i++) {
            for (int32_t j = 0; j < 7; j++) {
                m->xx[i][j] += s->a[k][i] * pa[k][j];
            }
            for (int32_t j = 0; j < 4; j++) {
                m->xu[i][j] += s->a[k][i] * pb[k][j];
            }
        }
        for (int32_t i = 0; i < 4; i++) {
            for (int32_t j = 0; j < 4; j++) {
                m->uu[i][j] += s->b[k][i] * pb[k][j];
            }
        }
    }
}

static double guarded(double x)
{
    return x > LEAST_PIVOT ? x : LEAST_PIVOT;
}

/* Inverse of a symmetric positive 4 x 4 matrix by L D L'. */
static void invert4(double m[4][4], double out[4][4])
{
    double l[4][4] = {{0.0}};
    double d[4];
    for (int32_t j = 0; j < 4; j++) {
        double pivot = m[j][j];
        for (int32_t k = 0; k < j; k++) {
            pivot -= l[j][k] * l[j][k] * d[k];
        }
        d[j] = guarded(pivot);
        for (int32_t i = j + 1; i < 4; i++) {
            double sum = m[i][j];
            for (int32_t k = 0; k < j; k++) {
                sum -= l[i][k] * l[j][k] * d[k];
            }
            l[i][j] = sum / d[j];
        }
    }
    for (int32_t c = 0; c < 4; c++) {
        double x[4];
        for (int32_t i = 0; i < 4; i++) {
            x[i] = i == c ? 1.0 : 0.0;
            for (int32_t k = 0; k < i; k++) {
                x[i] -= l[i][k] * x[k];
            }
        }
        for (int32_t i = 3; i >= 0; i--) {
            x[i] /= d[i];
            for (int32_t k = i + 1; k < 4; k++) {
                x[i] -= l[k][i] * x[k];
            }
            out[i][c] = x[i];
        }
    }
}

/* u = -gain x: leaves sigma as the stage's only control. */
static void determine(block_t *m, double gain[3][6])
{
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t k = 0; k < 3; k++) {
            for (int32_t j = 0; j < 7; j++) {
                m->xx[j][i] -= m->xu[j][k] * gain[k][i];
            }
        }
    }
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t k = 0; k < 3; k++) {
            for (int32_t j = 0; j < 7; j++) {
                double xu = m->xu[j][k];
                for (int32_t n = 0; n < 3 && j < 6; n++) {
                    xu -= gain[n][j] * m->uu[n][k];
                }
                m->xx[i][j] -= gain[k][i] * xu;
            }
            m->xu[i][3] -= gain[k][i] * m->uu[k][3];
        }
    }
}

/* Gain and pivot of stage k, and the cost to go p of its state. */
static void eliminate(fk_ldl_t *f, int32_t k, block_t *m, double (*fixed)[6], double p[7][7])
{
    double inverse[4][4] = {{0.0}};
    memset(f->gain[k], 0, sizeof f->gain[k]);
    if (fixed) {
        determine(m, fixed);
        inverse[3][3] = 1.0 / guarded(m->uu[3][3]);
    } else {
        invert4(m->uu, inverse);
    }
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < 7; j++) {
            for (int32_t n = 0; n < 4; n++) {
                f->gain[k][i][j] += inverse[i][n] * m->xu[j][n];
            }
        }
    }
    for (int32_t i = 0; i < 7; i++) {
        for (int32_t j = 0; j <= i; j++) {
            double sum = m->xx[i][j];
            for (int32_t n = 0; n < 4; n++) {
                sum -= m->xu[i][n] * f->gain[k][n][j];
            }
            p[i][j] = sum;
            p[j][i] = sum;
        }
    }
    for (int32_t i = 0; i < 3 && fixed; i++) {
        memcpy(f->gain[k][i], fixed[i], 6 * sizeof(double));
    }
    static const int8_t at[10][2] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 1}, {1, 2}, {1, 3}, {2, 2}, {2, 3}, {3, 3}};
    for (int32_t i = 0; i < 10; i++) {
        f->pivot[k][i] = inverse[at[i][0]][at[i][1]];
    }
}

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

void fk_ldl_factor(fk_ldl_t *f, const fk_program_t *program, const fk_hessian_t hessian[FK_NODES])
{
    dense_t first;
    dense_t later;
    block_t m;
    double p[7][7];
    double gain[2][3][6];
    spread(&program->first, &first);
    spread(&program->later, &later);
    memcpy(gain[0], program->gain_last, sizeof gain[0]);
    memcpy(gain[1], program->gain_before, sizeof gain[1]);
    const int32_t last = program->stages - 1;
    memset(p, 0, sizeof p);
    if (!program->foh) {
        open_hessian(&hessian[last + 1], &m);
        memcpy(p, m.xx, sizeof p);
    }
    for (int32_t k = last; k >= 0; k--) {
        dense_t *s = k == 0 ? &first : &later;
        open_hessian(&hessian[k], &m);
        shift(&m, s->d);
        if (k < last || !program->foh) {
            pull_back(&m, s, p);
        }
        const int32_t from_end = last - k;
        eliminate(f, k, &m, from_end == 0 || (from_end == 1 && !program->soft) ? gain[from_end] : 0, p);
    }
    const double rr[6] = {p[0][0], p[0][1], p[0][2], p[1][1], p[1][2], p[2][2]};
    invert3(rr, f->start_rr);
}

/* Gradient of stage k after the shift: gx, gu; and the cost to go's gradient p at its state. */
static void go_back(fk_ldl_t *f, const fk_interval_t *v, int32_t k, const double g[FK_PARTS], int32_t ends,
                    double p[7])
{
    double qx[7];
    double qu[4];
    for (int32_t i = 0; i < 7; i++) {
        qx[i] = g[i];
    }
    for (int32_t i = 0; i < 6 && !ends; i++) {
        for (int32_t j = 0; j < 6; j++) {
            qx[i] += v->a[j][i] * p[j];
        }
    }
    qx[6] += ends ? 0.0 : p[6];
    for (int32_t i = 0; i < 3; i++) {
        qu[i] = g[FK_U + i];
        for (int32_t j = 0; j < 6; j++) {
            qu[i] += v->d[j][i] * g[j] + (ends ? 0.0 : v->b[j][i] * p[j]);
        }
    }
    qu[3] = g[FK_SIGMA] + v->dz * g[6] + (ends ? 0.0 : v->bz * p[6]);
    const double *m = f->pivot[k];
    double *o = f->offset[k];
    o[0] = m[0] * qu[0] + m[1] * qu[1] + m[2] * qu[2] + m[3] * qu[3];
    o[1] = m[1] * qu[0] + m[4] * qu[1] + m[5] * qu[2] + m[6] * qu[3];
    o[2] = m[2] * qu[0] + m[5] * qu[1] + m[7] * qu[2] + m[8] * qu[3];
    o[3] = m[3] * qu[0] + m[6] * qu[1] + m[8] * qu[2] + m[9] * qu[3];
    for (int32_t i = 0; i < 7; i++) {
        p[i] = qx[i];
        for (int32_t j = 0; j < 4; j++) {
            p[i] -= f->gain[k][j][i] * qu[j];
        }
    }
}

/* Step of stage k from its shifted state x, which becomes that of the next. */
static void go_on(const fk_ldl_t *f, const fk_interval_t *v, int32_t k, double x[7], fk_vector_t step)
{
    double u[4];
    double next[7];
    for (int32_t i = 0; i < 4; i++) {
        u[i] = -f->offset[k][i];
        for (int32_t j = 0; j < 7; j++) {
            u[i] -= f->gain[k][i][j] * x[j];
        }
        step[FK_U + i][k] = u[i];
    }
    for (int32_t i = 0; i < 6; i++) {
        step[i][k] = x[i];
        next[i] = 0.0;
        for (int32_t j = 0; j < 6; j++) {
            next[i] += v->a[i][j] * x[j];
        }
        for (int32_t j = 0; j < 3; j++) {
            step[i][k] += v->d[i][j] * u[j];
            next[i] += v->b[i][j] * u[j];
        }
    }
    step[FK_Z][k] = x[6] + v->dz * u[3];
    next[6] = x[6] + v->bz * u[3];
    memcpy(x, next, sizeof next);
}

void fk_ldl_solve(fk_ldl_t *f, const fk_program_t *program, const fk_vector_t gradient, fk_vector_t step)
{
    const int32_t last = program->stages - 1;
    double p[7] = {0.0};
    double g[FK_PARTS];
    for (int32_t i = 0; i < 7 && !program->foh; i++) {
        p[i] = gradient[i][last + 1];
    }
    for (int32_t k = last; k >= 0; k--) {
        for (int32_t i = 0; i < FK_PARTS; i++) {
            g[i] = gradient[i][k];
        }
        go_back(f, k == 0 ? &program->first : &program->later, k, g, k == last && program->foh, p);
    }
    double x[7] = {0.0};
    const double *m = f->start_rr;
    if (program->soft) {
        x[0] = -(m[0] * p[0] + m[1] * p[1] + m[2] * p[2]);
        x[1] = -(m[1] * p[0] + m[3] * p[1] + m[4] * p[2]);
        x[2] = -(m[2] * p[0] + m[4] * p[1] + m[5] * p[2]);
    }
    for (int32_t k = 0; k <= last; k++) {
        go_on(f, k == 0 ? &program->first : &program->later, k, x, step);
    }
    for (int32_t i = 0; i < 7 && !program->foh; i++) {
        step[i][last + 1] = x[i];
    }
}
