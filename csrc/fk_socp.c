/* Primal-dual interior-point method with Nesterov-Todd scaling and Mehrotra's predictor-corrector:
 * Domahidi, Chu & Boyd, ECC 2013, and Vandenberghe, The CVXOPT linear and quadratic cone program solvers, 2010.
 *
 * The motion is met exactly by every iterate (fk_ldl.c), so that neither states nor costates carry residuals:
 * what is left of the first residuals of cones and gradient is one factor each.
 */
#include "fk_socp.h"

#include "fk_math.h"

#include <math.h>
#include <string.h>

#define LOG_MASS_MOST 50.0 /* a solve that failed may have gone anywhere: its answer is finite still */
#define STEP_SHARE 0.99    /* of the way to the boundary */
#define GAP_TOLERANCE 1e-7 /* of the objective, scaled: log mass, or miss */
#define SOFT_TOLERANCE 1e-6
#define LOOSE 100.0 /* times as much is accepted where rounding ends a solve */
#define LEFT_TOLERANCE 1e-8
#define PENALTY 100.0 /* of what the least-miss problem gives up last; log mass is not scaled in it */
#define NEVER 1e300
#define THRIFT 1e-4      /* weight of propellant in the least-miss problem: makes its answer unique */
#define PROOF_LEFT 1e-6  /* dual residual that a proof of infeasibility may have */
#define PROOF_MARGIN 1.0 /* dual objective above every possible one: infeasible */

static void set_index(fk_socp_t *w)
{
    const fk_program_t *p = &w->program;
    fk_index_t *at = &w->at;
    const int32_t soft = p->soft;
    at->speeds = p->has_speed_limit ? p->nodes - (soft ? 1 : 2) : 0;
    at->glides = p->has_glide_slope ? p->nodes - (soft ? 1 : 2) : 0;
    at->thrust = 0;
    at->speed = p->stages;
    at->final_v = at->speed + at->speeds;
    at->floor = at->final_v + soft;
    at->glide = at->floor + p->stages;
    at->final_h = at->glide + at->glides;
    at->pointing = 0;
    at->top = p->has_pointing ? p->stages : 0;
    at->low = at->top + p->stages;
    at->high = at->low + p->nodes - 1;
    at->glide_slack = at->high + p->nodes - 1;
    at->speed_slack = at->glide_slack + (soft ? at->glides : 0);
    at->dry = at->speed_slack + (soft ? at->speeds : 0);
    w->cone.wide = at->floor;
    w->cone.cones = at->final_h + 2 * soft;
    w->cone.lines = at->dry + 2 * soft;
}

static int32_t first_glide(const fk_program_t *p)
{
    return p->soft ? 0 : 1;
}

/* A cone whose first row has a slack of its own, with cost: eliminated before the stage is assembled. */
typedef struct {
    double h[4]; /* first row of W^-2 */
    double line; /* W^-2 of the slack itself */
    double inverse;
} elastic_t;

static elastic_t elastic(const fk_cone_t *c, int32_t i, int32_t line)
{
    elastic_t e;
    const double scale = c->inv_eta2[i];
    e.h[0] = (2.0 * c->w[0][i] * c->w[0][i] - 1.0) * scale;
    for (int32_t j = 1; j < 4; j++) {
        e.h[j] = -2.0 * c->w[0][i] * c->w[j][i] * scale;
    }
    e.line = line >= 0 ? c->line_w[line] : 0.0;
    e.inverse = 1.0 / (e.h[0] + e.line);
    return e;
}

/* W^-2 of cone i without the slack of its first row; arranged so that nothing cancels. */
static void elastic_square(const fk_cone_t *c, int32_t i, int32_t line, double h[4][4])
{
    const elastic_t e = elastic(c, i, line);
    const double scale = c->inv_eta2[i];
    const double share = e.line * e.inverse;
    const double across = 2.0 * scale * (e.line - scale) * e.inverse;
    for (int32_t a = 1; a < 4; a++) {
        h[0][a] = e.h[a] * share;
        h[a][0] = h[0][a];
        for (int32_t b = 1; b < 4; b++) {
            h[a][b] = across * c->w[a][i] * c->w[b][i];
        }
        h[a][a] += scale;
    }
    h[0][0] = e.h[0] * share;
}

/* Thrust cone of each stage: W^-2 = (2 (J w)(J w)' - J) / eta^2. */
static void thrust_hessian(fk_socp_t *w)
{
    const fk_cone_t *c = &w->cone;
    double(*h)[FK_NODES] = w->hessian;
    for (int32_t k = 0; k < w->program.stages; k++) {
        const int32_t i = w->at.thrust + k;
        const double one = c->inv_eta2[i];
        const double two = 2.0 * one;
        const double w0 = two * c->w[0][i];
        const double w1 = two * c->w[1][i];
        const double w2 = two * c->w[2][i];
        h[FK_UU][k] = w1 * c->w[1][i] + one;
        h[FK_UU + 1][k] = w1 * c->w[2][i];
        h[FK_UU + 2][k] = w1 * c->w[3][i];
        h[FK_UU + 3][k] = w2 * c->w[2][i] + one;
        h[FK_UU + 4][k] = w2 * c->w[3][i];
        h[FK_UU + 5][k] = two * c->w[3][i] * c->w[3][i] + one;
        h[FK_US][k] = -w0 * c->w[1][i];
        h[FK_US + 1][k] = -w0 * c->w[2][i];
        h[FK_US + 2][k] = -w0 * c->w[3][i];
        h[FK_SS][k] = w0 * c->w[0][i] - one;
    }
    for (int32_t k = 0; k < w->program.stages && w->program.has_pointing; k++) {
        const double line = c->line_w[w->at.pointing + k];
        const double part = line * w->program.cos_pointing;
        h[FK_UU + 5][k] += line;
        h[FK_US + 2][k] -= part;
        h[FK_SS][k] += part * w->program.cos_pointing;
    }
}

/* Bounds of thrust and log mass: eqs. (34)-(36) of Acikmese & Ploen 2007. */
static void bound_hessian(fk_socp_t *w)
{
    const fk_limits_t *l = &w->program.limit;
    const fk_cone_t *c = &w->cone;
    double(*h)[FK_NODES] = w->hessian;
    for (int32_t k = 0; k < w->program.stages; k++) {
        const int32_t i = w->at.floor + k;
        const double two = 2.0 * c->inv_eta2[i];
        const double above = c->w[0][i] - c->w[1][i];
        const double along = l->floor_slope[k] * above - l->root[k] * c->w[2][i];
        const double top = c->line_w[w->at.top + k];
        h[FK_ZZ][k] = two * along * along + c->inv_eta2[i] * l->root[k] * l->root[k]
                      + top * l->top_slope[k] * l->top_slope[k];
        h[FK_ZS][k] = two * above * along + top * l->top_slope[k];
        h[FK_SS][k] += two * above * above + top;
    }
    if (w->program.stages < w->program.nodes) {
        h[FK_ZZ][w->program.stages] = 0.0;
    }
    const double *low = &c->line_w[w->at.low];
    const double *high = &c->line_w[w->at.high];
    for (int32_t k = 1; k < w->program.nodes; k++) {
        h[FK_ZZ][k] += low[k - 1] + high[k - 1];
    }
}

static void state_hessian(fk_socp_t *w)
{
    const fk_cone_t *c = &w->cone;
    const double bb = w->program.cos_glide * w->program.cos_glide;
    const double ab = w->program.sin_glide * w->program.cos_glide;
    const double aa = w->program.sin_glide * w->program.sin_glide;
    double(*h)[FK_NODES] = w->hessian;
    for (int32_t k = 1; k <= w->at.glides; k++) {
        const int32_t i = w->at.glide + k - 1;
        const double one = c->inv_eta2[i];
        const double w0 = 2.0 * one * c->w[0][i];
        const double w1 = 2.0 * bb * one * c->w[1][i];
        h[FK_RR][k] = w1 * c->w[1][i] + bb * one;
        h[FK_RR + 1][k] = w1 * c->w[2][i];
        h[FK_RR + 2][k] = -ab * w0 * c->w[1][i];
        h[FK_RR + 3][k] = bb * (2.0 * one * c->w[2][i] * c->w[2][i] + one);
        h[FK_RR + 4][k] = -ab * w0 * c->w[2][i];
        h[FK_RR + 5][k] = aa * (w0 * c->w[0][i] - one);
    }
    for (int32_t k = 1; k <= w->at.speeds; k++) {
        const int32_t i = w->at.speed + k - 1;
        const double one = c->inv_eta2[i];
        const double w1 = 2.0 * one * c->w[1][i];
        const double w2 = 2.0 * one * c->w[2][i];
        h[FK_VV][k] = w1 * c->w[1][i] + one;
        h[FK_VV + 1][k] = w1 * c->w[2][i];
        h[FK_VV + 2][k] = w1 * c->w[3][i];
        h[FK_VV + 3][k] = w2 * c->w[2][i] + one;
        h[FK_VV + 4][k] = w2 * c->w[3][i];
        h[FK_VV + 5][k] = 2.0 * one * c->w[3][i] * c->w[3][i] + one;
    }
}

static void add_block(fk_hessian_t to, int32_t first, int32_t k, double h[4][4])
{
    to[first][k] += h[1][1];
    to[first + 1][k] += h[1][2];
    to[first + 2][k] += h[1][3];
    to[first + 3][k] += h[2][2];
    to[first + 4][k] += h[2][3];
    to[first + 5][k] += h[3][3];
}

static void soft_state_hessian(fk_socp_t *w)
{
    const fk_program_t *p = &w->program;
    const fk_cone_t *c = &w->cone;
    double h[4][4];
    for (int32_t n = FK_RR; n < FK_UU; n++) {
        memset(w->hessian[n], 0, sizeof w->hessian[n]);
    }
    for (int32_t i = 0; i < w->at.glides; i++) {
        const double a = p->sin_glide;
        const double b = p->cos_glide;
        elastic_square(c, w->at.glide + i, w->at.glide_slack + i, h);
        double moved[4][4] = {{0.0}}; /* rows up, east, north become east, north, up */
        moved[1][1] = b * b * h[1][1];
        moved[1][2] = b * b * h[1][2];
        moved[1][3] = a * b * h[0][1];
        moved[2][2] = b * b * h[2][2];
        moved[2][3] = a * b * h[0][2];
        moved[3][3] = a * a * h[0][0];
        add_block(w->hessian, FK_RR, i, moved);
    }
    for (int32_t i = 0; i < w->at.speeds; i++) {
        elastic_square(c, w->at.speed + i, w->at.speed_slack + i, h);
        add_block(w->hessian, FK_VV, i + 1, h);
    }
}

static void end_hessian(fk_socp_t *w)
{
    const fk_cone_t *c = &w->cone;
    const int32_t last = w->program.nodes - 1;
    double h[4][4];
    elastic_square(c, w->at.final_v, -1, h);
    add_block(w->hessian, FK_VV, last, h);
    elastic_square(c, w->at.final_h, -1, h);
    w->hessian[FK_RR][0] += h[1][1];
    w->hessian[FK_RR + 1][0] += h[1][2];
    w->hessian[FK_RR + 3][0] += h[2][2];
    elastic_square(c, w->at.final_h + 1, -1, h);
    w->hessian[FK_RR + 5][0] += h[1][1];
    const double a = c->line_w[w->at.dry];
    const double b = c->line_w[w->at.dry + 1];
    w->hessian[FK_ZZ][last] += a * b / (a + b);
}

static void assemble(fk_socp_t *w)
{
    thrust_hessian(w);
    bound_hessian(w);
    if (w->program.soft) {
        soft_state_hessian(w);
        end_hessian(w);
    } else {
        state_hessian(w);
    }
    fk_ldl_factor(&w->ldl, &w->program, (const double(*)[FK_NODES])w->hessian);
}

/* y = t of cone i, the slack of its first row eliminated. */
static void eliminated(fk_socp_t *w, int32_t i, int32_t line, double cost, double y[4])
{
    const fk_cone_t *c = &w->cone;
    const elastic_t e = elastic(c, i, line);
    const double g = c->t[0][i] + cost + (line >= 0 ? c->line_t[line] : 0.0);
    w->slack_gradient[i] = g;
    for (int32_t j = 0; j < 4; j++) {
        y[j] = c->t[j][i] - e.h[j] * g * e.inverse;
    }
}

static void stage_gradient(fk_socp_t *w)
{
    const fk_limits_t *l = &w->program.limit;
    const fk_cone_t *c = &w->cone;
    double(*g)[FK_NODES] = w->gradient;
    for (int32_t k = 0; k < w->program.stages; k++) {
        const int32_t i = w->at.thrust + k;
        const int32_t j = w->at.floor + k;
        const double top = c->line_t[w->at.top + k];
        const double both = c->t[0][j] + c->t[1][j];
        g[FK_U][k] = c->t[1][i];
        g[FK_U + 1][k] = c->t[2][i];
        g[FK_U + 2][k] = c->t[3][i];
        g[FK_SIGMA][k] = c->t[0][i] + both - top;
        g[FK_Z][k] = l->floor_slope[k] * both + l->root[k] * c->t[2][j] - l->top_slope[k] * top;
    }
    for (int32_t k = 0; k < w->program.stages && w->program.has_pointing; k++) {
        const double t = c->line_t[w->at.pointing + k];
        g[FK_U + 2][k] += t;
        g[FK_SIGMA][k] -= w->program.cos_pointing * t;
    }
    if (w->program.stages < w->program.nodes) {
        g[FK_Z][w->program.stages] = 0.0;
    }
    const double *low = &c->line_t[w->at.low];
    const double *high = &c->line_t[w->at.high];
    for (int32_t k = 1; k < w->program.nodes; k++) {
        g[FK_Z][k] += low[k - 1] - high[k - 1];
    }
}

static void state_gradient(fk_socp_t *w)
{
    const fk_cone_t *c = &w->cone;
    const double a = w->program.sin_glide;
    const double b = w->program.cos_glide;
    double(*g)[FK_NODES] = w->gradient;
    for (int32_t k = 1; k <= w->at.glides; k++) {
        const int32_t i = w->at.glide + k - 1;
        g[FK_R][k] = b * c->t[1][i];
        g[FK_R + 1][k] = b * c->t[2][i];
        g[FK_R + 2][k] = a * c->t[0][i];
    }
    for (int32_t k = 1; k <= w->at.speeds; k++) {
        const int32_t i = w->at.speed + k - 1;
        g[FK_V][k] = c->t[1][i];
        g[FK_V + 1][k] = c->t[2][i];
        g[FK_V + 2][k] = c->t[3][i];
    }
}

static void soft_state_gradient(fk_socp_t *w, double cost)
{
    const fk_program_t *p = &w->program;
    double y[4];
    for (int32_t n = 0; n < 6; n++) {
        memset(w->gradient[n], 0, sizeof w->gradient[n]);
    }
    for (int32_t i = 0; i < w->at.glides; i++) {
        eliminated(w, w->at.glide + i, w->at.glide_slack + i, cost, y);
        w->gradient[FK_R][i] = p->cos_glide * y[1];
        w->gradient[FK_R + 1][i] = p->cos_glide * y[2];
        w->gradient[FK_R + 2][i] = p->sin_glide * y[0];
    }
    for (int32_t i = 0; i < w->at.speeds; i++) {
        eliminated(w, w->at.speed + i, w->at.speed_slack + i, cost, y);
        for (int32_t n = 0; n < 3; n++) {
            w->gradient[FK_V + n][i + 1] = y[n + 1];
        }
    }
}

static void end_gradient(fk_socp_t *w, double unit)
{
    const fk_cone_t *c = &w->cone;
    const int32_t last = w->program.nodes - 1;
    double y[4];
    eliminated(w, w->at.final_v, -1, PENALTY * unit, y);
    for (int32_t n = 0; n < 3; n++) {
        w->gradient[FK_V + n][last] += y[n + 1];
    }
    eliminated(w, w->at.final_h, -1, unit, y);
    w->gradient[FK_R][0] += y[1];
    w->gradient[FK_R + 1][0] += y[2];
    eliminated(w, w->at.final_h + 1, -1, PENALTY * unit, y);
    w->gradient[FK_R + 2][0] += y[1];
    const double a = c->line_w[w->at.dry];
    const double b = c->line_w[w->at.dry + 1];
    const double t = c->line_t[w->at.dry];
    w->dry_slack[2] = t + c->line_t[w->at.dry + 1] + PENALTY * unit * w->program.log_mass;
    w->gradient[FK_Z][last] += t - a * w->dry_slack[2] / (a + b);
}

/* gradient = unit * cost + (rows)' t. */
static void gather(fk_socp_t *w, double unit)
{
    const int32_t last = w->program.nodes - 1;
    stage_gradient(w);
    if (w->program.soft) {
        soft_state_gradient(w, PENALTY * unit);
        end_gradient(w, unit);
    } else {
        state_gradient(w);
    }
    w->gradient[FK_Z][last] -= w->program.soft ? THRIFT * w->program.log_mass * unit : unit;
}

/* d = rows times x, without the rows' constants. */
static void spread_stages(fk_socp_t *w, fk_vector_t x)
{
    const fk_limits_t *l = &w->program.limit;
    fk_cone_t *c = &w->cone;
    for (int32_t k = 0; k < w->program.stages; k++) {
        const int32_t i = w->at.thrust + k;
        const int32_t j = w->at.floor + k;
        const double sigma = x[FK_SIGMA][k];
        const double z = x[FK_Z][k];
        const double above = sigma + l->floor_slope[k] * z;
        c->d[0][i] = sigma;
        c->d[1][i] = x[FK_U][k];
        c->d[2][i] = x[FK_U + 1][k];
        c->d[3][i] = x[FK_U + 2][k];
        c->d[0][j] = above;
        c->d[1][j] = above;
        c->d[2][j] = l->root[k] * z;
        c->line_d[w->at.top + k] = -l->top_slope[k] * z - sigma;
    }
    for (int32_t k = 0; k < w->program.stages && w->program.has_pointing; k++) {
        c->line_d[w->at.pointing + k] = x[FK_U + 2][k] - w->program.cos_pointing * x[FK_SIGMA][k];
    }
}

static void spread_states(fk_socp_t *w, fk_vector_t x)
{
    fk_cone_t *c = &w->cone;
    const int32_t from = first_glide(&w->program);
    const double a = w->program.sin_glide;
    const double b = w->program.cos_glide;
    for (int32_t k = 1; k < w->program.nodes; k++) {
        c->line_d[w->at.low + k - 1] = x[FK_Z][k];
        c->line_d[w->at.high + k - 1] = -x[FK_Z][k];
    }
    for (int32_t i = 0; i < w->at.glides; i++) {
        c->d[0][w->at.glide + i] = a * x[FK_R + 2][i + from];
        c->d[1][w->at.glide + i] = b * x[FK_R][i + from];
        c->d[2][w->at.glide + i] = b * x[FK_R + 1][i + from];
    }
    for (int32_t i = 0; i < w->at.speeds; i++) {
        c->d[0][w->at.speed + i] = 0.0;
        c->d[1][w->at.speed + i] = x[FK_V][i + 1];
        c->d[2][w->at.speed + i] = x[FK_V + 1][i + 1];
        c->d[3][w->at.speed + i] = x[FK_V + 2][i + 1];
    }
}

static void spread_rows(fk_socp_t *w, fk_vector_t x)
{
    spread_stages(w, x);
    spread_states(w, x);
}

/* Rows of the elastic ends, without their slacks. */
static void spread_ends(fk_socp_t *w, fk_vector_t x)
{
    fk_cone_t *c = &w->cone;
    const int32_t last = w->program.nodes - 1;
    const int32_t h = w->at.final_h;
    for (int32_t j = 0; j < 4; j++) {
        c->d[j][w->at.final_v] = j > 0 ? x[FK_V + j - 1][last] : 0.0;
        c->d[j][h] = j == 1 || j == 2 ? x[FK_R + j - 1][0] : 0.0;
        c->d[j][h + 1] = j == 1 ? x[FK_R + 2][0] : 0.0;
    }
    c->line_d[w->at.dry] = x[FK_Z][last];
    c->line_d[w->at.dry + 1] = 0.0;
}

/* The slack that goes with the rows' change d: adds it to the rows. */
static void add_slack(fk_socp_t *w, int32_t i, int32_t line)
{
    fk_cone_t *c = &w->cone;
    const elastic_t e = elastic(c, i, line);
    double sum = w->slack_gradient[i];
    for (int32_t j = 0; j < 4; j++) {
        sum += e.h[j] * c->d[j][i];
    }
    w->slack_step[i] = -sum * e.inverse;
    c->d[0][i] += w->slack_step[i];
    if (line >= 0) {
        c->line_d[line] = w->slack_step[i];
    }
}

static void add_slacks(fk_socp_t *w)
{
    fk_cone_t *c = &w->cone;
    for (int32_t i = 0; i < w->at.glides; i++) {
        add_slack(w, w->at.glide + i, w->at.glide_slack + i);
    }
    for (int32_t i = 0; i < w->at.speeds; i++) {
        add_slack(w, w->at.speed + i, w->at.speed_slack + i);
    }
    add_slack(w, w->at.final_v, -1);
    add_slack(w, w->at.final_h, -1);
    add_slack(w, w->at.final_h + 1, -1);
    const double a = c->line_w[w->at.dry];
    const double b = c->line_w[w->at.dry + 1];
    w->dry_slack[1] = -(w->dry_slack[2] + a * c->line_d[w->at.dry]) / (a + b);
    c->line_d[w->at.dry] += w->dry_slack[1];
    c->line_d[w->at.dry + 1] = w->dry_slack[1];
}

/* Step for the gradient, and what it does to the rows. */
static void solve(fk_socp_t *w)
{
    fk_ldl_solve(&w->ldl, &w->program, (const double(*)[FK_NODES])w->gradient, w->step);
    spread_rows(w, w->step);
    if (w->program.soft) {
        spread_ends(w, w->step);
        add_slacks(w);
    }
}

static void take_step(fk_socp_t *w, double by)
{
    for (int32_t n = 0; n < FK_PARTS; n++) {
        for (int32_t k = 0; k < w->program.nodes; k++) {
            w->x[n][k] += by * w->step[n][k];
        }
    }
    if (w->program.soft) {
        for (int32_t i = 0; i < w->cone.cones; i++) {
            w->slack[i] += by * w->slack_step[i];
        }
        w->dry_slack[0] += by * w->dry_slack[1];
    }
}

/* By how much the final state is missed from the shifted state x of stage k without further control. */
static void missed(const fk_program_t *p, int32_t k, const double x[7], double end[6])
{
    memcpy(end, x, 6 * sizeof(double));
    for (int32_t n = k; n + 1 < p->nodes; n++) {
        double next[6];
        for (int32_t i = 0; i < 6; i++) {
            next[i] = p->drift[n][i];
            for (int32_t j = 0; j < 6; j++) {
                next[i] += p->later.a[i][j] * end[j];
            }
        }
        memcpy(end, next, sizeof next);
    }
    for (int32_t i = 0; i < 3; i++) {
        end[i + 3] -= p->final_vel[i];
    }
}

/* A motion from the initial to the final state without thrust but in the last stages. */
static void first_motion(fk_socp_t *w)
{
    const fk_program_t *p = &w->program;
    const int32_t from = p->stages - (p->soft ? 1 : 2);
    double x[7] = {0.0};
    memcpy(x, p->start, sizeof p->start);
    for (int32_t k = 0; k < p->nodes; k++) {
        const fk_interval_t *v = k == 0 ? &p->first : &p->later;
        double u[3] = {0.0, 0.0, 0.0};
        double off[6];
        if (k >= from && k < p->stages) {
            missed(p, k, x, off);
            for (int32_t i = 0; i < 3; i++) {
                for (int32_t j = 0; j < 6; j++) {
                    u[i] -= (k == p->stages - 1 ? p->meet_last : p->meet_before)[i][j] * off[j];
                }
                w->x[FK_U + i][k] = u[i];
            }
        }
        double next[7] = {0.0};
        for (int32_t i = 0; i < 6; i++) {
            w->x[i][k] = x[i];
            next[i] = p->drift[k][i];
            for (int32_t j = 0; j < 6; j++) {
                next[i] += v->a[i][j] * x[j];
            }
            for (int32_t j = 0; j < 3; j++) {
                w->x[i][k] += v->d[i][j] * u[j];
                next[i] += v->b[i][j] * u[j];
            }
        }
        memcpy(x, next, sizeof x);
    }
}

/* Adds the rows' constants: d becomes the slack of each limit at x. */
static void add_constants(fk_socp_t *w)
{
    const fk_program_t *p = &w->program;
    fk_cone_t *c = &w->cone;
    for (int32_t k = 0; k < p->stages; k++) {
        const fk_limits_t *l = &p->limit;
        const int32_t j = w->at.floor + k;
        const double above = -l->floor[k] - l->floor_slope[k] * l->z0[k];
        c->d[0][j] += above + 0.5;
        c->d[1][j] += above - 0.5;
        c->d[2][j] -= l->root[k] * l->z0[k];
        c->line_d[w->at.top + k] += l->top[k] + l->top_slope[k] * l->z0[k];
    }
    for (int32_t k = 1; k < p->nodes; k++) {
        c->line_d[w->at.low + k - 1] -= p->limit.z_low[k];
        c->line_d[w->at.high + k - 1] += p->limit.z_high[k];
    }
    for (int32_t i = 0; i < w->at.speeds; i++) {
        c->d[0][w->at.speed + i] += p->speed_limit;
    }
    if (p->soft) {
        for (int32_t n = 0; n < 3; n++) {
            c->d[n + 1][w->at.final_v] -= p->final_vel[n];
        }
        c->d[1][w->at.final_h] -= p->start[0];
        c->d[2][w->at.final_h] -= p->start[1];
        c->d[1][w->at.final_h + 1] -= p->start[2];
        c->line_d[w->at.dry] -= p->dry;
    }
}

/* A step that rounding has spoilt anywhere has spoilt the last node: the recursion ends there. */
static int32_t sound(const fk_socp_t *w)
{
    const int32_t last = w->program.nodes - 1;
    double sum = 0.0;
    for (int32_t n = 0; n < FK_U; n++) {
        sum += w->step[n][last];
    }
    return isfinite(sum);
}

/* First point: least-squares slack and dual, moved into the cones; Vandenberghe 2010, section 5.3. 0 when the
 * data are too far apart for it. */
static int32_t start(fk_socp_t *w)
{
    fk_cone_t *c = &w->cone;
    fk_cone_unit(c);
    assemble(w);
    spread_rows(w, w->x);
    if (w->program.soft) {
        spread_ends(w, w->x);
    }
    add_constants(w);
    memcpy(c->t, c->d, sizeof c->t);
    memcpy(c->line_t, c->line_d, sizeof c->line_t);
    gather(w, 0.0);
    solve(w);
    if (!sound(w)) {
        return 0;
    }
    take_step(w, 1.0);
    for (int32_t j = 0; j < 4; j++) { /* the rows at the new point */
        for (int32_t i = 0; i < c->cones; i++) {
            c->d[j][i] += c->t[j][i];
        }
    }
    for (int32_t i = 0; i < c->lines; i++) {
        c->line_d[i] += c->line_t[i];
    }
    w->primal_left = fk_cone_enter_primal(c);
    memset(c->t, 0, sizeof c->t);
    memset(c->line_t, 0, sizeof c->line_t);
    gather(w, 1.0);
    solve(w);
    w->dual_left = fk_cone_enter_dual(c);
    w->gap = fk_cone_gap(c);
    return sound(w);
}

double fk_socp_bound(const fk_socp_t *w)
{
    return fk_socp_cost(w) - w->gap + w->primal_left * fk_cone_weight(&w->cone);
}

double fk_socp_cost(const fk_socp_t *w)
{
    const int32_t h = w->at.final_h;
    const double log_mass = w->x[FK_Z][w->program.nodes - 1];
    if (!w->program.soft) {
        return -log_mass;
    }
    double given_up = w->dry_slack[0] * w->program.log_mass + w->slack[w->at.final_v] + w->slack[h + 1];
    for (int32_t i = 0; i < w->at.glides; i++) {
        given_up += w->slack[w->at.glide + i];
    }
    for (int32_t i = 0; i < w->at.speeds; i++) {
        given_up += w->slack[w->at.speed + i];
    }
    return w->slack[h] + PENALTY * given_up - THRIFT * w->program.log_mass * log_mass;
}

/* Weak duality: where the dual objective exceeds what any log mass within its bounds can give, no motion is
 * feasible. */
static int32_t proven_infeasible(const fk_socp_t *w)
{
    const double most = -w->program.limit.z_low[w->program.nodes - 1];
    return !w->program.soft && w->dual_left < PROOF_LEFT && fk_socp_bound(w) > most + PROOF_MARGIN;
}

static int32_t within(const fk_socp_t *w, double times)
{
    return w->gap < times * (w->program.soft ? SOFT_TOLERANCE : GAP_TOLERANCE)
           && w->primal_left < LEFT_TOLERANCE && w->dual_left < LEFT_TOLERANCE;
}

static int32_t stopped(const fk_socp_t *w)
{
    return within(w, LOOSE) ? FK_SOCP_OPTIMAL : FK_SOCP_STALLED;
}

static int32_t judge(const fk_socp_t *w)
{
    if (within(w, 1.0)) {
        return FK_SOCP_OPTIMAL;
    }
    if (proven_infeasible(w)) {
        return FK_SOCP_INFEASIBLE;
    }
    if (w->dual_left < PROOF_LEFT && fk_socp_bound(w) > w->give_up) {
        return FK_SOCP_WORSE;
    }
    return w->iterations < FK_SOCP_ITERATIONS ? FK_SOCP_RUNNING : stopped(w);
}

/* One iteration: Mehrotra's predictor, then the centred and corrected step (ECOS 2013, section III.D). */
static int32_t advance(fk_socp_t *w)
{
    fk_cone_t *c = &w->cone;
    if (fk_cone_scale(c)) {
        return stopped(w);
    }
    assemble(w);
    fk_cone_residual(c, w->primal_left);
    gather(w, 1.0);
    solve(w);
    const fk_reach_t affine = fk_cone_predict(c, w->primal_left, w->gap);
    const double ratio = fk_clamp(affine.gap / w->gap, 0.0, 1.0);
    fk_cone_correct(c, ratio * ratio * w->gap / (double)(c->cones + c->lines));
    gather(w, 1.0);
    solve(w);
    if (!sound(w)) {
        return stopped(w);
    }
    const fk_reach_t full = fk_cone_direct(c, w->primal_left, STEP_SHARE);
    fk_cone_move(c, full.primal, full.dual);
    take_step(w, full.primal);
    w->primal_left *= 1.0 - full.primal;
    w->dual_left *= 1.0 - full.dual;
    w->gap = fk_cone_gap(c);
    w->iterations++;
    return judge(w);
}

void fk_socp_init(fk_socp_t *w, const fk_program_t *program)
{
    w->program = *program;
    set_index(w);
    memset(w->x, 0, sizeof w->x);
    memset(w->hessian, 0, sizeof w->hessian);
    memset(w->gradient, 0, sizeof w->gradient);
    memset(w->slack, 0, sizeof w->slack);
    memset(w->slack_step, 0, sizeof w->slack_step);
    memset(w->dry_slack, 0, sizeof w->dry_slack);
    memset(w->cone.d, 0, sizeof w->cone.d);
    memset(w->cone.line_d, 0, sizeof w->cone.line_d);
    w->gap = 0.0;
    w->primal_left = 0.0;
    w->dual_left = 0.0;
    w->iterations = 0;
    first_motion(w);
    w->give_up = NEVER;
    w->status = program->broken && !program->soft ? FK_SOCP_INFEASIBLE : FK_SOCP_RUNNING;
}

int32_t fk_socp_iterate(fk_socp_t *w, int32_t iterations)
{
    for (int32_t i = 0; i < iterations && i < FK_SOCP_ITERATIONS && w->status == FK_SOCP_RUNNING; i++) {
        const int32_t ready = w->iterations > 0 || start(w);
        w->status = ready ? advance(w) : FK_SOCP_STALLED;
    }
    return w->status;
}

void fk_socp_result(const fk_socp_t *w, fk_answer_t *out)
{
    const fk_program_t *p = &w->program;
    const int32_t last = p->nodes - 1;
    memset(out, 0, sizeof *out);
    if (p->nodes < FK_NODES_LEAST) { /* the problem was refused */
        return;
    }
    out->status = w->status;
    out->iterations = w->iterations;
    for (int32_t k = 0; k <= last; k++) {
        const int32_t stage = k < p->stages ? k : p->stages - 1; /* its mass is there by then */
        out->t_s[k] = p->dt_s * (double)k;
        const double log_mass = fk_clamp(w->x[FK_Z][k] * p->log_mass, -LOG_MASS_MOST, LOG_MASS_MOST);
        out->mass_kg[k] = p->given.mass_kg * fk_exp(log_mass);
        for (int32_t i = 0; i < 3; i++) {
            const double away = p->start[i] - w->x[FK_R + i][0]; /* where a least-miss plan ends */
            out->pos_m[k][i] = p->given.final_pos_m[i] + (w->x[FK_R + i][k] + away) * p->length_m;
            out->vel_mps[k][i] = w->x[FK_V + i][k] * p->speed_mps;
            out->thrust_n[k][i] = w->x[FK_U + i][stage] * p->accel_mps2 * out->mass_kg[stage];
        }
    }
    const double east = w->x[FK_R][0] - p->start[0];
    const double north = w->x[FK_R + 1][0] - p->start[1];
    out->miss_m = sqrt(east * east + north * north) * p->length_m;
    out->propellant_kg = p->given.mass_kg - out->mass_kg[last];
}
