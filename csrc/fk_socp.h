/* fk_socp.h - the interior-point method on one scaled program, a bounded number of iterations at a time.
 *
 *     fk_problem_scale(&program, &problem, 0);
 *     fk_socp_init(&work, &program);
 *     while (fk_socp_iterate(&work, 2) == FK_SOCP_RUNNING) { ... }      // two iterations a frame
 *     fk_socp_result(&work, &answer);
 *
 * Everything is in fk_socp_t, owned by the caller. Nothing that a solve does outlives fk_socp_init.
 */
#ifndef FK_SOCP_H
#define FK_SOCP_H

#include "fk_cone.h"
#include "fk_ldl.h"
#include "fk_problem.h"

#include <stdint.h>

#define FK_SOCP_ITERATIONS 50 /* at most, then the solve has stalled */

enum { FK_SOCP_RUNNING, FK_SOCP_OPTIMAL, FK_SOCP_INFEASIBLE, FK_SOCP_WORSE, FK_SOCP_STALLED };

/* Where each kind of cone begins: node k's is at begin + k - first node. */
typedef struct {
    int32_t thrust;  /* |u| <= sigma, from node 0 */
    int32_t speed;   /* from node 1 */
    int32_t final_v; /* soft: error of the final velocity */
    int32_t floor;   /* least thrust, from node 0 */
    int32_t glide;   /* from node 1, soft: 0 */
    int32_t final_h; /* soft: horizontal miss, vertical miss */
    int32_t pointing;
    int32_t top;
    int32_t low; /* from node 1 */
    int32_t high;
    int32_t glide_slack;
    int32_t speed_slack;
    int32_t dry;
    int32_t speeds; /* how many */
    int32_t glides;
} fk_index_t;

typedef struct {
    fk_program_t program;
    fk_index_t at;
    fk_cone_t cone;
    fk_ldl_t ldl;
    fk_hessian_t hessian;
    fk_vector_t x; /* true state and control at each node */
    fk_vector_t step;
    fk_vector_t gradient;
    double slack[FK_CONES]; /* soft: of the cone's first row; [dry] has its own */
    double slack_step[FK_CONES];
    double slack_gradient[FK_CONES];
    double dry_slack[3]; /* value, step, gradient */
    double primal_left;  /* size of the primal residual */
    double dual_left;    /* of the dual one */
    double gap;          /* s'z */
    double give_up; /* FK_SOCP_WORSE once the cost is proven to be above: for a search over final times */
    int32_t iterations;
    int32_t status;
} fk_socp_t;

void fk_socp_init(fk_socp_t *w, const fk_program_t *program);
int32_t fk_socp_iterate(fk_socp_t *w, int32_t iterations);
double fk_socp_cost(const fk_socp_t *w);  /* scaled: minus log mass, or miss with penalties */
double fk_socp_bound(const fk_socp_t *w); /* no motion costs less, once dual_left is zero */
void fk_socp_result(const fk_socp_t *w, fk_answer_t *out);

#endif
