/* firmware.h - what every board's firmware offers to whatever runs it. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "port.h"

enum { /* what an init returns */
       FIRMWARE_READY = 0,
       FIRMWARE_BAD_SIZE = 1, /* the configuration is not as long as this firmware knows it */
       FIRMWARE_BAD_VERSION = 2,
       FIRMWARE_BAD_VALUE = 3,  /* a value out of its range */
       FIRMWARE_BAD_KERNEL = 4, /* the kernel does not fit the interface */
       FIRMWARE_REFUSED = 5     /* the kernel refused the configuration */
};

/* One node: logic with its wires.  All state lives in `state`, aligned to 16. */
typedef struct {
    const char *name;
    /* Bytes of state; 0 when the kernel that is linked in does not fit. */
    size_t (*state_size)(void);
    int32_t (*init)(void *state, const void *config, size_t config_size);
    /* Runs one frame. */
    void (*step)(void *state, const port_t *port);
    /* 1: drives nothing, and its valves are on their closed stops. */
    int32_t (*safe)(const void *state);
    /* A short text that changes when the board's state does. */
    const char *(*describe)(const void *state);
    const link_counters_t *(*counters)(const void *state);
    /* Of a sensor's line (PORT_IMU, ...); NULL where the board has none. */
    const link_counters_t *(*line_counters)(const void *state, uint32_t line);
} firmware_t;

#endif
