/* machine.c - registers of the Arm MPS2 with the AN500 image (Arm DAI 0500, and CMSDK TRM DDI 0479). */
#include "machine.h"

typedef struct {
    volatile uint32_t control; /* bit 0: runs */
    volatile uint32_t value;
    volatile uint32_t reload;
} apb_timer_t;

typedef struct {
    volatile uint32_t load;
    volatile uint32_t value;
    volatile uint32_t control; /* bit 0: counts, and interrupts by NMI */
    volatile uint32_t served;
} apb_watchdog_t;

#define TIMER ((apb_timer_t *)0x40000000u)
#define WATCHDOG ((apb_watchdog_t *)0x40008000u)
#define LONGEST 0xFFFFFFFFu

void machine_start(void)
{
    TIMER->reload = LONGEST;
    TIMER->value = LONGEST;
    TIMER->control = 1;
    WATCHDOG->load = LONGEST;
    WATCHDOG->control = 1;
}

void machine_serve_watchdog(void)
{
    WATCHDOG->served = 1;
}

uint32_t machine_timer(void)
{
    return TIMER->value;
}

/* 25.6 counts an instruction, rounded to the nearest. */
static uint32_t instructions(uint32_t counts)
{
    return (uint32_t)(((uint64_t)counts * 5u + 64u) / 128u);
}

uint32_t machine_instructions(uint32_t before, uint32_t after)
{
    const uint32_t first = machine_timer();
    const uint32_t readings = instructions(first - machine_timer());
    return instructions(before - after) - readings;
}
