/* in_process.c - one call a frame. */
#include "in_process.h"

static void rewind_queues(port_memory_t *memory, int64_t t_ns)
{
    memory->now_us = t_ns / 1000;
    memory->can_read = 0;
    memory->can_out = 0;
    memory->serial_read = 0;
    for (uint32_t i = 0; i < PORT_LINES; ++i) {
        memory->line_read[i] = 0;
    }
}

void in_process_valve_board(void *state, port_memory_t *memory, const port_t *port, int64_t t_ns)
{
    rewind_queues(memory, t_ns);
    ev_firmware.step(state, port);
}

void in_process_flight_computer(void *state, port_memory_t *memory, const port_t *port, int64_t t_ns)
{
    rewind_queues(memory, t_ns);
    fc_node_step(state, port);
}

size_t in_process_valve_state_size(void)
{
    return ev_firmware.state_size();
}

int32_t in_process_valve_init(void *state, const void *config, size_t config_size)
{
    return ev_firmware.init(state, config, config_size);
}

int32_t in_process_valve_safe(const void *state)
{
    return ev_firmware.safe(state);
}

const link_counters_t *in_process_valve_counters(const void *state)
{
    return ev_firmware.counters(state);
}
