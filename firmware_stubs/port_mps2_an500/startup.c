/* startup.c - from reset to board_main: stack, floating point, memory; and what ends a broken image. */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "machine.h"
#include "semihosting.h"

extern unsigned char data_begin[], data_end[], data_image[], bss_begin[], bss_end[],
    stack_top[]; /* link.ld */

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* coprocessor access (Armv7-M ARM, B3.2.20) */
#define FLOATING_POINT (0xFu << 20u)

void reset(void);

static void faulted(void)
{
    semihosting_exit(BOARD_FAULT);
}

static void hung(void)
{
    semihosting_exit(BOARD_HUNG);
}

static size_t between(const unsigned char *begin, const unsigned char *end)
{
    return (size_t)((uintptr_t)end - (uintptr_t)begin);
}

void reset(void)
{
    CPACR |= FLOATING_POINT;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    memcpy(data_begin, data_image, between(data_begin, data_end));
    memset(bss_begin, 0, between(bss_begin, bss_end));
    machine_start();
    board_main();
}

typedef union {
    unsigned char *stack;
    void (*handler)(void);
} vector_t;

/* Initial stack, reset, NMI (the watchdog), and the faults (Armv7-M ARM, B1.5.2). */
__attribute__((section(".vectors"), used)) static const vector_t VECTORS[16] = {
    {.stack = stack_top}, {.handler = reset},   {.handler = hung},    {.handler = faulted},
    {.handler = faulted}, {.handler = faulted}, {.handler = faulted}, {.handler = faulted},
    {.handler = faulted}, {.handler = faulted}, {.handler = faulted}, {.handler = faulted},
    {.handler = faulted}, {.handler = faulted}, {.handler = faulted}, {.handler = faulted},
};
