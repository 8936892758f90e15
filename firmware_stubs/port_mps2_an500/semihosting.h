/* semihosting.h - files of the machine that emulates the board (Arm, Semihosting for AArch32 and AArch64).
 *
 * A call stops the processor until the host has done its part: while a board waits for the bench, its time
 * stands still.
 */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

enum { SEMIHOSTING_READ = 1, SEMIHOSTING_WRITE = 5, SEMIHOSTING_APPEND = 9 };

/* Opens a file in one of these modes; -1 when there is none. */
int32_t semihosting_open(const char *path, int32_t mode);

/* 1: `count` bytes were read, 0: the file ended before. */
int32_t semihosting_read(int32_t file, void *bytes, size_t count);

/* 1: all bytes were written. */
int32_t semihosting_write(int32_t file, const void *bytes, size_t count);

/* Puts the first argument of the command line into `text`; leaves it empty when there is none. */
void semihosting_argument(char *text, size_t room);

/* Ends the emulation with an exit status. */
_Noreturn void semihosting_exit(int32_t status);

#endif
