/* board.h - a board as a Cortex-M7 image: what it says to the bench over its two pipes, and its main.
 *
 * The bench starts one emulator a board.  The image opens the emulator's own standard input and output by
 * semihosting.  In comes first a board_start_t with the firmware's configuration, then for every frame a
 * host_tick_t, its CAN frames and its serial bytes; out goes a board_tock_t and the CAN frames that were
 * sent.  The board's time is the bench's: between a tock and the next tick the emulator stands still.
 *
 * When the bench is gone, a board that is not safe runs frames without sensors until it is, or
 * HOST_ORPHAN_MS of them are over.  The argument of the image names its log as a descriptor of the emulator's
 * ("/proc/self/fd/N"; anything else: no log): one line for each change of the board's state.
 */
#ifndef BOARD_H
#define BOARD_H

#include "firmware.h"
#include "host.h"

#define BOARD_START_MAGIC 0x54524154u /* "TART" */

enum { /* exit statuses besides those of host.h */
       BOARD_FAULT = 30,
       BOARD_HUNG = 31
};

typedef struct {
    uint32_t magic;
    uint32_t frame_us;
    uint32_t config_size; /* bytes that follow */
    uint32_t reserved;
} board_start_t;

typedef struct {
    host_tock_t tock;
    uint32_t step_instructions; /* of the kernel's step in this frame, 0 for a board without one */
    uint32_t reserved;
} board_tock_t;

/* The image's main, called once memory and processor are set up. */
void board_main(void);

/* Runs `firmware` until the bench is gone and the board is safe; `step_instructions`, if any, is what
 * goes into the tock of each frame.  Ends the emulation. */
_Noreturn void board_run(const firmware_t *firmware, const uint32_t *step_instructions);

/* Opens the emulator's standard input (SEMIHOSTING_READ) or output (SEMIHOSTING_WRITE). */
int32_t board_pipe(int32_t mode);

/* Where the firmware's state goes: 16 MB, aligned to 16. */
void *board_state(size_t *room);

#endif
