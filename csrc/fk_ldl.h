/* fk_ldl.h - the linear system of one interior-point step, factorised stage by stage.
 *
 * A Riccati recursion: Rao, Wright & Rawlings, J. Optim. Theory Appl. 99(3), 1998, here with the final state
 * met exactly by feedback of the last stages. Vectors hold component first, then node.
 */
#ifndef FK_LDL_H
#define FK_LDL_H

#include "fk_problem.h"

#include <stdint.h>

enum { FK_R, FK_V = 3, FK_Z = 6, FK_U = 7, FK_SIGMA = 10, FK_PARTS = 11 };

typedef double fk_vector_t[FK_PARTS][FK_NODES];

/* Hessian of the cones at each node, first index: elements xx, xy, xz, yy, yz, zz of the symmetric blocks of r, v
 * and u; u with sigma; z; z with sigma; sigma. */
enum { FK_RR, FK_VV = 6, FK_UU = 12, FK_US = 18, FK_ZZ = 21, FK_ZS, FK_SS, FK_ENTRIES };

typedef double fk_hessian_t[FK_ENTRIES][FK_NODES];

/* One stage: states r, v, z (column 7 is padding) and controls u, sigma. Of xx and uu the lower triangle
 * counts. */
typedef struct {
    double xx[7][8];
    double ux[4][8];
    double uu[4][4];
} fk_block_t;

/* The factors of each stage: control block L D L', and what couples it to the state; row 7 is padding. */
typedef struct {
    double lower[FK_NODES][6];       /* L: 10, 20, 21, 30, 31, 32 */
    double inverse[FK_NODES][4];     /* D^-1 */
    double coupling[FK_NODES][4][8]; /* D^-1 L^-1 of the control-state block */
    double offset[FK_NODES][4];      /* L^-1 of the control's gradient */
    fk_block_t block;                /* of the stage at work */
    double start_rr[6];              /* of the initial position, inverted: where that is free */
} fk_ldl_t;

void fk_ldl_factor(fk_ldl_t *f, const fk_program_t *program, const fk_hessian_t hessian);

/* step = argmin 1/2 step'H step + gradient'step over motions that keep initial and final state. */
void fk_ldl_solve(fk_ldl_t *f, const fk_program_t *program, const fk_vector_t gradient, fk_vector_t step);

#endif
