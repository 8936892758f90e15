/* main_engine_valve.c - the valve board as a process. */
#include "ev_node.h"
#include "host.h"

int main(int argc, char **argv)
{
    return host_main(&ev_firmware, argc, argv);
}
