/* socketcan.c - opening a raw CAN socket as a board has it: classical frames, its own ids only. */
#define _GNU_SOURCE /* the name is the C library's to choose: NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#include "socketcan.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"

_Static_assert(sizeof(port_can_frame_t) == sizeof(struct can_frame), "a port's frame is the kernel's");
_Static_assert(offsetof(port_can_frame_t, length) == offsetof(struct can_frame, can_dlc), "length");
_Static_assert(offsetof(port_can_frame_t, data) == offsetof(struct can_frame, data), "data");

#define MOST_IDS 128                  /* the flight computer listens to two of each of 40 engines */
#define QUEUE_BYTES (4 * 1024 * 1024) /* asked for; the system's limit stands for those without privilege */

/* Reads the list of ids; returns how many there are, or -EINVAL. */
static int read_filters(const char *text, struct can_filter filters[MOST_IDS])
{
    int count = 0;
    while (*text != '\0') {
        char *end = NULL;
        const unsigned long id = strtoul(text, &end, 16);
        if (end == text || id > CAN_SFF_MASK || count == MOST_IDS || (*end != ',' && *end != '\0')) {
            return -EINVAL;
        }
        filters[count].can_id = (canid_t)id;
        filters[count].can_mask = CAN_EFF_FLAG | CAN_RTR_FLAG | CAN_SFF_MASK;
        ++count;
        text = (*end == ',') ? end + 1 : end;
    }
    return count;
}

static int set_up(int socket_fd, unsigned int index, const struct can_filter *filters, int count)
{
    const int room = QUEUE_BYTES;
    struct sockaddr_can address;
    memset(&address, 0, sizeof address);
    address.can_family = AF_CAN;
    address.can_ifindex = (int)index;
    if (setsockopt(socket_fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters, (socklen_t)count * sizeof *filters) < 0) {
        return -errno;
    }
    if (setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) {
        (void)setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    return (bind(socket_fd, (const struct sockaddr *)&address, sizeof address) < 0) ? -errno : 0;
}

int socketcan_open(const char *interface, const char *accepts)
{
    struct can_filter filters[MOST_IDS];
    const int count = read_filters(accepts, filters);
    const unsigned int index = if_nametoindex(interface);
    if (count < 0) {
        return count;
    }
    if (index == 0) {
        return -errno;
    }
    const int opened = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);
    if (opened < 0) {
        return -errno;
    }
    const int failed = set_up(opened, index, filters, count);
    if (failed < 0) {
        (void)close(opened);
        return failed;
    }
    return opened;
}
