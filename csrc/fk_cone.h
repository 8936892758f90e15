/* fk_cone.h - the cones of one program: second-order cones of dimension 4 and 3, and half-lines.
 *
 * Nesterov-Todd scaling and the vectors of a Mehrotra predictor-corrector step in scaled space, as in Domahidi,
 * Chu & Boyd, ECOS: An SOCP Solver for Embedded Systems, ECC 2013. Component first, then cone: the loops run over
 * cones, all of which are treated alike, so that a compiler can take several at a time.
 */
#ifndef FK_CONE_H
#define FK_CONE_H

#include <stdint.h>

#define FK_CONES 246 /* four at each of 60 nodes, three of the elastic ends */
#define FK_LINES 364 /* four at each node, two of slack, and the dry mass */

typedef struct {
    int32_t wide;  /* cones 0 to wide - 1 have dimension 4 */
    int32_t cones; /* cones wide to cones - 1 have dimension 3; component 3 stays zero */
    int32_t lines;
    double s[4][FK_CONES];    /* primal slack */
    double z[4][FK_CONES];    /* dual */
    double w[4][FK_CONES];    /* scaling point, of hyperbolic norm 1 */
    double inv_w[FK_CONES];   /* 1 / (1 + w_0) */
    double inv_eta[FK_CONES]; /* of the scaling's size eta */
    double inv_eta2[FK_CONES];
    double lambda[4][FK_CONES]; /* W^-1 s = W z */
    double det[FK_CONES];       /* lambda_0^2 - |lambda_1|^2 */
    double inv_det[FK_CONES];
    double t[4][FK_CONES];    /* what enters the gradient */
    double d[4][FK_CONES];    /* change of the rows, then of s */
    double p[4][FK_CONES];    /* scaled change of s, then of z */
    double q[4][FK_CONES];    /* second-order correction */
    double need[2][FK_CONES]; /* inverse of the longest primal and dual step */
    double sum[2][FK_CONES];  /* products of each cone */
    double line_s[FK_LINES];
    double line_z[FK_LINES];
    double line_inv[FK_LINES]; /* 1 / s */
    double line_w[FK_LINES];   /* W^-2 = z / s */
    double line_t[FK_LINES];
    double line_d[FK_LINES];
    double line_p[FK_LINES]; /* change of z */
    double line_q[FK_LINES];
} fk_cone_t;

/* What a direction in scaled space allows. */
typedef struct {
    double primal; /* longest step, at most 1 */
    double dual;
    double gap; /* s'z after these steps */
} fk_reach_t;

/* The primal residual is `left` times the unit element of the cones in all of these. */
void fk_cone_unit(fk_cone_t *c);                  /* W = 1 */
double fk_cone_enter_primal(fk_cone_t *c);        /* s = d moved into the cones; by how much */
double fk_cone_enter_dual(fk_cone_t *c);          /* z = -d likewise */
int32_t fk_cone_scale(fk_cone_t *c);              /* W and lambda; 1 when s or z left its cone */
double fk_cone_gap(const fk_cone_t *c);           /* s'z */
double fk_cone_weight(const fk_cone_t *c);        /* z's product with the unit element */
void fk_cone_residual(fk_cone_t *c, double left); /* t = -W^-2 residual */
fk_reach_t fk_cone_predict(fk_cone_t *c, double left,
                           double gap);            /* affine direction from the rows' change d */
void fk_cone_correct(fk_cone_t *c, double centre); /* t += W^-1 q */
fk_reach_t fk_cone_direct(fk_cone_t *c, double left, double share); /* combined direction from d */
void fk_cone_move(fk_cone_t *c, double primal, double dual);

#endif
