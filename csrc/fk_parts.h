/* fk_parts.h - the parts of one step, called by fk.c alone, in this order. Each part has a file of its
 * own; parts exchange the structs of fk.h and do not call each other. */
#ifndef FK_PARTS_H
#define FK_PARTS_H

#include "fk.h"

#define FK_ATTITUDE_LEAD_S 0.9        /* commanded to flown attitude */
#define FK_FINS_USEFUL_NM_PER_RAD 1e4 /* fins that turn less are left alone */
#define FK_EXTRA_LAG_S 0.05           /* computer, bus and valve loop, on top of the engine's own lag */

/* Tilt by which a stage that was given up is steered, in units of its limit: under thrust, which lift works
 * against, and without. */
#define FK_ASIDE_TILT 0.8
#define FK_ASIDE_TILT_BARE 3.0

/* fk_config.c: 1 when every number of the configuration is finite and in its range. */
int32_t fk_config_usable(const fk_if_config_t *c);

/* fk_config.c: thrust of an engine at its throttle floor, at sea level. */
double fk_least_thrust_sl_n(const fk_if_engine_config_t *e);

/* fk_nav.c: accepts or rejects the navigation solution, smooths it, brings it to now. */
void fk_nav_init(fk_nav_t *nav);
void fk_nav_update(fk_nav_t *nav, double cm_z_m, const fk_if_input_t *in);

/* fk_health.c: which engines run, which have failed. */
void fk_health_init(fk_engine_t engine[FK_ENGINES]);
void fk_health_update(fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c, const fk_if_input_t *in,
                      const int32_t asked_start[FK_ENGINES]);

/* fk_stage.c: mass, thrust from chamber pressure, aerodynamic forces, what the model misses. */
void fk_stage_init(fk_stage_t *stage, const fk_if_config_t *c);
void fk_stage_update(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav, const fk_if_input_t *in,
                     int32_t resumed);

/* fk_guidance.c: the closed-form plan, the ignition margin; the commanded force from the optimised plan where
 * it is followed (followed != 0), else from the closed forms. */
void fk_guidance_init(fk_plan_t *plan, const fk_if_config_t *c);
void fk_guidance_update(fk_plan_t *plan, fk_demand_t *demand, const fk_if_config_t *c, const fk_nav_t *nav,
                        const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES],
                        const fk_modes_t *modes, const fk_divert_t *divert, int32_t followed,
                        const double force_mps2[3]);

/* fk_plan.c: optimised descents, computed over many frames. */
void fk_plan_update(fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                    const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, const fk_plan_t *plan,
                    double now_s);
/* 1: a fresh plan is to be followed, and force is the specific force (all but gravity) to ask for. */
int32_t fk_plan_follow(const fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                       const fk_modes_t *modes, const fk_plan_t *plan, double now_s, double force_mps2[3]);

/* fk_ignition.c: the latest ignition that still bears the loss of an engine; fills in the plan's margin_s. */
void fk_ignition_init(fk_ignition_t *g, const fk_if_config_t *c);
void fk_ignition_update(fk_ignition_t *g, fk_optimiser_t *o, const fk_if_config_t *c, const fk_nav_t *nav,
                        const fk_stage_t *stage, const fk_engine_t engine[FK_ENGINES],
                        const fk_modes_t *modes, fk_plan_t *plan, double now_s);

/* fk_divert.c: whether the stage can still land, and where it is steered to where it cannot. */
void fk_divert_update(fk_divert_t *d, const fk_if_config_t *c, const fk_nav_t *nav, const fk_stage_t *stage,
                      fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes);

/* fk_modes.c: what phase the flight is in and which engines take part. */
void fk_modes_init(fk_modes_t *modes);
void fk_modes_update(fk_modes_t *modes, fk_engine_t engine[FK_ENGINES], const fk_if_config_t *c,
                     const fk_nav_t *nav, const fk_plan_t *plan, const fk_control_t *control,
                     const fk_if_input_t *in);

/* fk_control.c: attitude error to torque. */
void fk_control_init(fk_control_t *control);
void fk_control_update(fk_control_t *control, const fk_if_config_t *c, const fk_nav_t *nav,
                       const fk_stage_t *stage, const fk_demand_t *demand, int32_t mode);

/* fk_alloc.c: thrust and torque over the engines that are alive, and the fins. */
void fk_alloc_update(fk_if_output_t *out, const fk_if_config_t *c, const fk_stage_t *stage,
                     const fk_engine_t engine[FK_ENGINES], const fk_demand_t *demand, fk_control_t *control,
                     const fk_modes_t *modes);

#endif
