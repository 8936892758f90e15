/* fc_logic.h - the flight computer: a guidance kernel between records in and records out.
 *
 * The kernel is reached through the three functions of fk_interface.h.  What it puts out is checked:
 * finite, within limits, within rate limits.  An output with a value that is not finite is not used:
 * the last good one is held for FC_HOLD_FRAMES, then every engine is shut down until the kernel gives
 * a good output again.  Telemetry tells in how many frames the kernel's own output was bad: what the
 * checks make good is still the kernel's fault.
 */
#ifndef FC_LOGIC_H
#define FC_LOGIC_H

#include <stdint.h>

#include "fk_interface.h"
#include "records.h"

#define FC_CONFIG_VERSION 1
#define FC_HOLD_FRAMES 5

typedef struct { /* the three functions of a kernel */
    void (*describe)(fk_if_info_t *info);
    int32_t (*init)(void *state, const fk_if_config_t *config);
    void (*step)(void *state, const fk_if_input_t *in, fk_if_output_t *out);
} fc_kernel_t;

typedef struct {
    uint32_t version;                /* FC_CONFIG_VERSION */
    uint32_t size;                   /* sizeof(fc_config_t) */
    int32_t node[FK_IF_MAX_ENGINES]; /* number, from 1, of each engine of the burn */
    fk_if_config_t kernel;
} fc_config_t;

typedef struct {
    record_nav_t nav; /* fresh = 1 when it arrived since the last frame */
    record_status_t status[FK_IF_MAX_ENGINES];
    int32_t abort;
    int32_t reserved;
} fc_input_t;

typedef struct {
    record_command_t command[FK_IF_MAX_ENGINES];
    double fin_cmd_rad[FK_IF_FINS];
    record_telemetry_t telemetry; /* .rejected is the caller's */
} fc_output_t;

typedef struct {
    uint32_t not_finite;         /* kernel outputs that were not used */
    uint32_t not_in_range;       /* values that were moved into their range */
    uint32_t too_fast;           /* values that were held to their rate */
    int32_t frames_not_finite;   /* frames in which anything the kernel put out was not finite, */
    int32_t frames_out_of_range; /* or out of range: judged as it came, before any check; at most 255 */
} fc_counters_t;

typedef struct {
    fc_kernel_t kernel;
    fc_config_t config;
    fc_counters_t counters;
    fk_if_input_t in;
    fk_if_output_t out;
    fk_if_output_t good; /* the last one that went out */
    int32_t bad_frames;  /* in a row */
    int32_t reserved;
} fc_t; /* followed by the kernel's state */

/* Bytes for an fc_t and its kernel's state; 0 when the kernel does not fit the interface. */
size_t fc_state_size(const fc_kernel_t *kernel);

/* FIRMWARE_READY, _BAD_VERSION, _BAD_SIZE, _BAD_VALUE, _BAD_KERNEL or _REFUSED. */
int32_t fc_init(fc_t *fc, const fc_kernel_t *kernel, const fc_config_t *config);

/* One frame. */
void fc_step(fc_t *fc, int64_t t_ns, const fc_input_t *in, fc_output_t *out);

#endif
