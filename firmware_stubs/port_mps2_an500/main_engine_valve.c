/* main_engine_valve.c - the valve board as a Cortex-M7 image. */
#include "board.h"
#include "ev_node.h"

void board_main(void)
{
    board_run(&ev_firmware, NULL);
}
