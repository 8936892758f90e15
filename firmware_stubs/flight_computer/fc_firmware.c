/* fc_firmware.c - binds the flight computer to fk_if_describe, fk_if_init and fk_if_step. */
#include "fc_firmware.h"

#include "fc_node.h"

static const fc_kernel_t LINKED = {fk_if_describe, fk_if_init, fk_if_step};

static size_t state_size(void)
{
    return fc_node_state_size(&LINKED);
}

static int32_t init(void *state, const void *config, size_t config_size)
{
    return fc_node_init(state, &LINKED, config, config_size);
}

const firmware_t fc_firmware = {"flight_computer", state_size,           init,
                                fc_node_step,      fc_node_safe,         fc_node_describe,
                                fc_node_counters,  fc_node_line_counters};
