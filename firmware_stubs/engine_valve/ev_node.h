/* ev_node.h - the valve board on its wires. */
#ifndef EV_NODE_H
#define EV_NODE_H

#include "ev_logic.h"
#include "firmware.h"
#include "identity.h"

typedef struct {
    ev_t ev;
    link_counters_t counters;
    link_memory_t command_memory;
    link_memory_t enable_memory;
    identity_t identity;
    uint8_t send_counter;
} ev_node_t;

extern const firmware_t ev_firmware;

#endif
