/* semihosting.c - the calls, as the specification numbers them. */
#include "semihosting.h"

#include <string.h>

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };
#define APPLICATION_EXIT 0x20026u

static int32_t call(uint32_t operation, const uintptr_t *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const uintptr_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

int32_t semihosting_open(const char *path, int32_t mode)
{
    const uintptr_t arguments[3] = {(uintptr_t)path, (uintptr_t)mode, strlen(path)};
    return call(SYS_OPEN, arguments);
}

/* Moves all bytes; both operations return the number of those that were not moved. */
static int32_t move(uint32_t operation, int32_t file, uintptr_t at, size_t count)
{
    while (count > 0) {
        const uintptr_t arguments[3] = {(uintptr_t)file, at, count};
        const int32_t left = call(operation, arguments);
        if (left < 0 || (size_t)left >= count) {
            return 0;
        }
        at += count - (size_t)left;
        count = (size_t)left;
    }
    return 1;
}

int32_t semihosting_read(int32_t file, void *bytes, size_t count)
{
    return move(SYS_READ, file, (uintptr_t)bytes, count);
}

int32_t semihosting_write(int32_t file, const void *bytes, size_t count)
{
    return move(SYS_WRITE, file, (uintptr_t)bytes, count);
}

void semihosting_argument(char *text, size_t room)
{
    const uintptr_t arguments[2] = {(uintptr_t)text, room};
    if (call(SYS_GET_CMDLINE, arguments) != 0) {
        text[0] = '\0';
    }
    text[room - 1] = '\0';
}

_Noreturn void semihosting_exit(int32_t status)
{
    const uintptr_t arguments[2] = {APPLICATION_EXIT, (uintptr_t)status};
    for (;;) {
        (void)call(SYS_EXIT_EXTENDED, arguments);
    }
}
