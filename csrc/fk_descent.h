/* fk_descent.h - a descent solved for: least propellant, or the least miss where the final position is out of
 * reach; at a given final time, or at the best one of a bounded search.
 *
 * One call of fk_descent_iterate does so many interior-point iterations, then returns to be called again: the same
 * answer comes out, to the bit, however the iterations are spread over calls.
 *
 * Worst case: FK_DESCENT_FIXED iterations for a given final time, FK_DESCENT_FREE for a search. One iteration is
 * bounded by FK_NODES; at 60 nodes it takes about 100,000 floating-point operations.
 */
#ifndef FK_DESCENT_H
#define FK_DESCENT_H

#include "fk_socp.h"

#include <stdint.h>

#define FK_DESCENT_SCAN 16   /* final times tried first */
#define FK_DESCENT_PROBES 24 /* then, between the neighbours of the best one */

#define FK_DESCENT_FIXED (2 * FK_SOCP_ITERATIONS) /* least propellant, then least miss */
#define FK_DESCENT_FREE ((FK_DESCENT_SCAN * 3 + FK_DESCENT_PROBES * 2 + 2) * FK_SOCP_ITERATIONS)
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
