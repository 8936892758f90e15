/* The reference kernel behind the interface that every kernel implements. */
#include "fk.h"

void fk_if_describe(fk_if_info_t *info)
{
    info->version = FK_IF_VERSION;
    info->state_size = sizeof(fk_t);
    info->input_size = sizeof(fk_if_input_t);
    info->output_size = sizeof(fk_if_output_t);
    info->config_size = sizeof(fk_if_config_t);
    info->work_bound = FK_WORK_BOUND;
    info->name = "lastbrake reference kernel 0.1";
}

int32_t fk_if_init(void *state, const fk_if_config_t *config)
{
    return fk_init(state, config);
}

void fk_if_step(void *state, const fk_if_input_t *in, fk_if_output_t *out)
{
    fk_step(state, in, out);
}
