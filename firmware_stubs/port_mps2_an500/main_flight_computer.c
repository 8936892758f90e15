/* main_flight_computer.c - the flight computer, with the kernel that is linked in, as a Cortex-M7 image that
 * counts the instructions of every step of the kernel. */
#include "board.h"
#include "fc_node.h"
#include "machine.h"

static uint32_t step_instructions;

static void counted_step(void *state, const fk_if_input_t *in, fk_if_output_t *out)
{
    const uint32_t before = machine_timer();
    fk_if_step(state, in, out);
    step_instructions = machine_instructions(before, machine_timer());
}

static const fc_kernel_t LINKED = {fk_if_describe, fk_if_init, counted_step};

static size_t state_size(void)
{
    return fc_node_state_size(&LINKED);
}

static int32_t init(void *state, const void *config, size_t config_size)
{
    return fc_node_init(state, &LINKED, config, config_size);
}

static const firmware_t FIRMWARE = {"flight_computer", state_size,           init,
                                    fc_node_step,      fc_node_safe,         fc_node_describe,
                                    fc_node_counters,  fc_node_line_counters};

void board_main(void)
{
    board_run(&FIRMWARE, &step_instructions);
}
