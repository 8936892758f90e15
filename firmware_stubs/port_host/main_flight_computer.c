/* main_flight_computer.c - the flight computer, with the kernel that is linked in, as a process. */
#include "fc_firmware.h"
#include "host.h"

int main(int argc, char **argv)
{
    return host_main(&fc_firmware, argc, argv);
}
