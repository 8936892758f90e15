/* fk_descent.h - a descent solved for: least propellant, or the least miss where the final position is out of
 * reach; at a given final time, or at the best one of a bounded search; with thrust bounds that change at a node
 * that is found, and with drag.
 *
 * One call of fk_descent_iterate does so many interior-point iterations, then returns to be called again: the same
 * answer comes out, to the bit, however the iterations are spread over calls.
 *
 * Switch (problem.has_switch): the later bounds hold from a node on that is neither the first nor after the last
 * with thrust. Every such node is tried, as more than one may be better than its neighbours: at a given final time
 * solves that cannot beat the best end early, with the final time free each node has a search for its own best
 * time. Where no node reaches the pad, that of least miss is found in the same way.
 *
 * Drag (problem.drag_area_m2): drag along the motion of one pass, in the air of fk_air_at with pos_m[2] as height
 * above sea level, is known acceleration in the next, until the final mass changes by less than
 * FK_DESCENT_SETTLED of itself. So it is for every final time and switch that is tried, each from no drag on; a
 * descent that has not settled after FK_DESCENT_PASSES has failed.
 *
 * Worst case: FK_DESCENT_FIXED iterations for a given final time, FK_DESCENT_FREE for a search over it,
 * FK_DESCENT_SWITCH for one over the switch, FK_DESCENT_BOTH for both; FK_DESCENT_PASSES times as many with drag,
 * FK_DESCENT_MOST at the very most. One iteration is bounded by FK_NODES; at 60 nodes it takes about 100,000
 * floating-point operations.
 */
#ifndef FK_DESCENT_H
#define FK_DESCENT_H

#include "fk_socp.h"

#include <stdint.h>

#define FK_DESCENT_SCAN 16   /* final times tried first */
#define FK_DESCENT_PROBES 24 /* then, between the neighbours of the best one */

#define FK_DESCENT_FIXED (2 * FK_SOCP_ITERATIONS) /* least propellant, then least miss */
#define FK_DESCENT_FREE ((FK_DESCENT_SCAN * 3 + FK_DESCENT_PROBES * 2 + 2) * FK_SOCP_ITERATIONS)
#define FK_DESCENT_SWITCHES (FK_NODES - 1) /* nodes at which bounds may change */
#define FK_DESCENT_PASSES 16
#define FK_DESCENT_SETTLED 1e-6
#define FK_DESCENT_SWITCH ((FK_DESCENT_SWITCHES * 3 + 2) * FK_SOCP_ITERATIONS)
#define FK_DESCENT_BOTH                                                                                      \
    ((FK_DESCENT_SWITCHES * (FK_DESCENT_SCAN * 3 + FK_DESCENT_PROBES * 2) + 2) * FK_SOCP_ITERATIONS)
#define FK_DESCENT_MOST (FK_DESCENT_PASSES * FK_DESCENT_BOTH)

#define FK_DESCENT_BYTES_MAX 196608 /* bound of sizeof(fk_descent_t), asserted in fk_descent.c */

enum { FK_DESCENT_RUNNING, FK_DESCENT_OPTIMAL, FK_DESCENT_INFEASIBLE, FK_DESCENT_FAILED };

typedef struct {
    fk_socp_t socp;
    fk_program_t program;
    fk_problem_t problem;
    double time_s[FK_DESCENT_SCAN];
    double merit[FK_DESCENT_SCAN];
    double left_s; /* bracket, and the best time inside it */
    double best_s;
    double right_s;
    double best;
    double probe_s;
    fk_problem_t given; /* as asked, where bounds or known accelerations are to change */
    fk_answer_t last;   /* drag: motion of the last pass */
    double found;       /* merit and time of the best node for the switch */
    double found_s;
    int32_t found_node;
    int32_t node; /* being tried */
    int32_t pass; /* drag: of the problem being solved */
    int32_t settled;
    int32_t free_time;
    int32_t phase;
    int32_t count;     /* of final times in this phase */
    int32_t elastic;   /* 1: final times out of reach are compared by their least miss */
    int32_t reachable; /* of the problem being solved */
    int32_t proven;    /* 1: that it cannot be solved has been shown, not only tried */
    int32_t iterations;
    int32_t status;
} fk_descent_t;

/* free_time: problem->final_time_s is found instead of given. */
void fk_descent_init(fk_descent_t *d, const fk_problem_t *problem, int32_t free_time);
int32_t fk_descent_iterate(fk_descent_t *d, int32_t iterations);

/* Once no longer running: the least-propellant motion (FK_DESCENT_OPTIMAL) or that of least miss
 * (FK_DESCENT_INFEASIBLE). */
void fk_descent_result(const fk_descent_t *d, fk_answer_t *out);

#endif
