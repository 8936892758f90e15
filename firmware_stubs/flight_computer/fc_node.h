/* fc_node.h - the flight computer on its wires. */
#ifndef FC_NODE_H
#define FC_NODE_H

#include "fc_logic.h"
#include "fc_sensors.h"
#include "firmware.h"

typedef struct {
    link_counters_t counters;
    link_stream_t stream;
    link_memory_t status_memory[FK_IF_MAX_ENGINES];
    link_memory_t gimbal_memory[FK_IF_MAX_ENGINES];
    int32_t slot[RECORDS_MAX_ENGINES + 1]; /* of an engine's number, -1: not in the burn */
    uint8_t send_counter;
    fc_sensors_t sensors;
    fc_input_t in;
    fc_output_t out;
} fc_node_t; /* followed by an fc_t and its kernel's state */

/* As firmware_t's, with a kernel named at run time. */
size_t fc_node_state_size(const fc_kernel_t *kernel);
int32_t fc_node_init(void *state, const fc_kernel_t *kernel, const void *config, size_t config_size);
void fc_node_step(void *state, const port_t *port);
int32_t fc_node_safe(const void *state);
const char *fc_node_describe(const void *state);
const link_counters_t *fc_node_counters(const void *state);

/* What has come on the lines of single sensors, and what was counted there. */
const fc_sensors_t *fc_node_sensors(const void *state);
const link_counters_t *fc_node_line_counters(const void *state, uint32_t line);

/* What the checks of the kernel's output have counted. */
const fc_counters_t *fc_node_kernel_counters(const void *state);

#endif
