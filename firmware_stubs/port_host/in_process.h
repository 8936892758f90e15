/* in_process.h - firmware that the bench steps in its own process. */
#ifndef IN_PROCESS_H
#define IN_PROCESS_H

#include "ev_node.h"
#include "fc_node.h"
#include "port_memory.h"

/* One board's frame: rewinds the port's queues, steps the node.  in_process_valve_board and
 * in_process_flight_computer differ in the firmware only. */
void in_process_valve_board(void *state, port_memory_t *memory, const port_t *port, int64_t t_ns);
void in_process_flight_computer(void *state, port_memory_t *memory, const port_t *port, int64_t t_ns);

/* The valve board's firmware table, for those who cannot read C tables. */
size_t in_process_valve_state_size(void);
int32_t in_process_valve_init(void *state, const void *config, size_t config_size);
int32_t in_process_valve_safe(const void *state);
const link_counters_t *in_process_valve_counters(const void *state);

#endif
