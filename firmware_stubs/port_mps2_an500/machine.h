/* machine.h - what the board has besides its processor: a count of instructions, and a watchdog.
 *
 * The emulator is run with -icount shift=10: each instruction takes 1024 ns of the board's time, so its
 * timer of 25 MHz (CMSDK APB timer 0) counts 25.6 for each.  The watchdog (CMSDK APB watchdog) ends an image
 * that has run 168 million instructions without being served, with BOARD_HUNG.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

/* Starts timer and watchdog. */
void machine_start(void);

void machine_serve_watchdog(void);

/* What the timer says; it counts down. */
uint32_t machine_timer(void);

/* Instructions from the reading `before` to the reading `after`, less those that the readings take. */
uint32_t machine_instructions(uint32_t before, uint32_t after);

#endif
