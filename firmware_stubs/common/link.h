/* link.h - end-to-end protection of bus frames and of the serial link; counts rejects by reason. */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

#include "port.h"
#include "records.h"

enum { /* what is counted */
       LINK_ACCEPTED = 0,
       LINK_UNKNOWN_ID, /* ignored: a frame for somebody else */
       LINK_LENGTH,     /* rejected: not as long as the table says */
       LINK_CHECKSUM,   /* rejected: CRC does not fit id and data */
       LINK_REPEATED,   /* rejected: counter as in the last frame */
       LINK_JUMPED,     /* accepted: counter skipped, frames were lost before */
       LINK_RANGE,      /* rejected: a signal out of its range */
       LINK_FRAMING,    /* rejected: serial bytes that are no COBS frame */
       LINK_COUNTERS
};

typedef struct {
    uint32_t count[LINK_COUNTERS];
} link_counters_t;

/* What is remembered of one received message. */
typedef struct {
    uint8_t counter;
    uint8_t seen;
} link_memory_t;

/* Frames rejected so far, all reasons together. */
uint32_t link_rejected(const link_counters_t *counters);

/* Puts counter and checksum into a packed frame. */
void link_protect(port_can_frame_t *frame, uint32_t id, uint8_t counter);

/* 1 when length, checksum and counter are good; else the reason has been counted. */
int32_t link_check(link_counters_t *counters, link_memory_t *memory, const port_can_frame_t *frame);

#define LINK_SERIAL_ROOM 72 /* one COBS frame of the navigation solution, and a few bytes */

/* Cuts the serial stream at its zeros. */
typedef struct {
    uint8_t bytes[LINK_SERIAL_ROOM];
    uint32_t used;
    int32_t overlong; /* 1: too long for a frame, skipping to the next zero */
    link_memory_t memory;
} link_stream_t;

/* Takes one byte; 1 when it completed a navigation solution that was accepted. */
int32_t link_nav_byte(link_counters_t *counters, link_stream_t *stream, uint8_t byte, record_nav_t *nav);

/* Writes a navigation solution as it goes over the serial link, closing zero included; returns its
 * length, at most LINK_SERIAL_ROOM. */
uint32_t link_nav_frame(uint8_t out[LINK_SERIAL_ROOM], uint8_t counter, const record_nav_t *nav);

#endif
