/* The fixed order of one step; no maths here. */
#include "fk.h"

#include "fk_math.h"
#include "fk_parts.h"

#include <assert.h>
#include <string.h>

static_assert(FK_WORK_BOUND <= FK_IF_MOST_WORK, "more work than telemetry carries");
static_assert(sizeof(fk_t) <= FK_STATE_BYTES_MAX, "fk_t has outgrown its stated bound");

int32_t fk_init(fk_t *fk, const fk_if_config_t *config)
{
    if (config->version != FK_IF_VERSION) {
        return 1;
    }
    if (config->size != sizeof *config) {
        return 2;
    }
    if (!fk_config_usable(config)) {
        return 3;
    }
    memset(fk, 0, sizeof *fk);
    fk->config = *config;
    fk_nav_init(&fk->nav);
    fk_stage_init(&fk->stage, config);
    fk_health_init(fk->engine);
    fk_guidance_init(&fk->plan, config);
    fk_ignition_init(&fk->ignition, config);
    fk_control_init(&fk->control);
    fk_modes_init(&fk->modes);
    return 0;
}

static void report(const fk_t *fk, fk_if_telemetry_t *t, int32_t followed, double now_s)
{
    const int32_t mode = fk->modes.mode;
    fk_copy(fk->demand.accel_pad_mps2, t->accel_cmd_pad_mps2);
    t->time_to_go_s = fk_clamp(fk->plan.time_to_go_s, 0.0, 1e3);
    t->thrust_cmd_n = fk->demand.thrust_n;
    t->mass_est_kg = fk->stage.mass_kg;
    t->ignition_margin_m = fk->nav.known ? fk_clamp(fk->plan.margin_m, -1e5, 1e5) : 0.0;
    t->plan_age_s = followed ? now_s - fk->optimiser.known_s : 0.0;
    t->nav_age_s = fk->nav.age_s;
    t->ignition_margin_s = fk_clamp(fk->plan.margin_s, -30.0, 30.0);
    t->ignition_margin_known = fk->plan.margin_known;
    t->work = fk->plan.profile_steps + fk->ignition.steps + fk->divert.steps
              + fk->optimiser.iterations * fk->optimiser.problem.nodes;
    t->mode = mode;
    t->plan_source = fk->divert.given_up                               ? FK_IF_ASIDE_OF_KEEP_OUT
                     : followed                                        ? FK_IF_BY_OPTIMISER
                     : mode == FK_IF_BRAKING || mode == FK_IF_TERMINAL ? FK_IF_BY_CLOSED_FORM
                                                                       : FK_IF_BY_NOTHING;
}

static void remember_asked(fk_t *fk, const fk_if_output_t *out)
{
    for (int32_t i = 0; i < fk->config.engine_count; i++) {
        const fk_if_engine_command_t *command = &out->engine[i];
        const double asked[FK_PARTS] = {command->ox_valve_cmd, command->fuel_valve_cmd,
                                        command->gimbal_x_cmd_rad, command->gimbal_y_cmd_rad};
        memcpy(fk->engine[i].asked, asked, sizeof asked);
    }
}

void fk_step(fk_t *fk, const fk_if_input_t *in, fk_if_output_t *out)
{
    const fk_if_config_t *c = &fk->config;
    const int32_t lit = fk->modes.mode == FK_IF_IGNITION || fk->modes.mode == FK_IF_BRAKING
                        || fk->modes.mode == FK_IF_TERMINAL;
    const double now_s = (double)in->t_ns * 1e-9;
    double force[3] = {0.0, 0.0, 0.0};
    int32_t asked_start[FK_ENGINES];
    for (int32_t i = 0; i < FK_ENGINES; i++) {
        asked_start[i] = lit && fk->modes.share[i];
    }
    memset(out, 0, sizeof *out);
    fk_nav_update(&fk->nav, fk->stage.cm_z_m, in);
    fk_stage_update(&fk->stage, c, &fk->nav, in, fk->modes.resumed);
    fk_health_update(fk->engine, c, in, asked_start);
    fk_modes_update(&fk->modes, fk->engine, c, &fk->nav, &fk->plan, &fk->control, in);
    fk_plan_update(&fk->optimiser, c, &fk->nav, &fk->stage, fk->engine, &fk->modes, &fk->plan, now_s);
    fk_ignition_update(&fk->ignition, &fk->optimiser, c, &fk->nav, &fk->stage, fk->engine, &fk->modes,
                       &fk->plan, now_s);
    fk_divert_update(&fk->divert, c, &fk->nav, &fk->stage, fk->engine, &fk->modes);
    const int32_t followed =
        !fk->divert.given_up
        && fk_plan_follow(&fk->optimiser, c, &fk->nav, &fk->modes, &fk->plan, now_s, force);
    fk_guidance_update(&fk->plan, &fk->demand, c, &fk->nav, &fk->stage, fk->engine, &fk->modes, &fk->divert,
                       followed, force);
    fk_control_update(&fk->control, c, &fk->nav, &fk->stage, &fk->demand, fk->modes.mode);
    fk_alloc_update(out, c, &fk->stage, fk->engine, &fk->demand, &fk->control, &fk->modes);
    remember_asked(fk, out);
    report(fk, &out->telemetry, followed, now_s);
}
