/* identity.h - a board says who it is, and from what it was built, when the bench asks. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdint.h>

#include "link.h"
#include "port.h"

#define FIRMWARE_VERSION 1 /* counts up with every change of what the firmware does on the wires */

/* 24 bits of the digest of the sources of each role; 0: whoever built it gave none. */
#ifndef FIRMWARE_BUILD_ENGINE_VALVE
#define FIRMWARE_BUILD_ENGINE_VALVE (0)
#endif
#ifndef FIRMWARE_BUILD_FLIGHT_COMPUTER
#define FIRMWARE_BUILD_FLIGHT_COMPUTER (0)
#endif

typedef struct {
    link_memory_t memory;
    uint32_t echo;
    uint8_t counter;
    uint8_t asked; /* 1: an answer is due */
} identity_t;

/* Takes a frame with the id RECORDS_QUERY_ID. */
void identity_hear(identity_t *identity, link_counters_t *counters, const port_can_frame_t *frame);

/* Sends the answer that is due, as `id`; nothing when nobody has asked. */
void identity_answer(identity_t *identity, const port_t *port, uint32_t id, int32_t role, uint32_t build);

#endif
