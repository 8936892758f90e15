/* host.h - a board as a process: what it says to the bench over its control socket, and its main.
 *
 * The bench starts the board with inherited descriptors:
 *   --control N   SOCK_SEQPACKET: host_tick_t in, host_tock_t out
 *   --can N       wall clock: SOCK_SEQPACKET, one struct can_frame a packet; or, in either mode,
 *   --can-interface NAME --accept ID,ID,...   the board opens this SocketCAN interface by itself
 *   --serial N    a pseudo-terminal's master (flight computer only)
 *   --imu N, --gnss N, --altimeter N   the same for sensors on lines of their own, where there are any
 *   --config N    the firmware's configuration, read to its end
 *   --log N       a file: one line for each change of the board's state
 *   --frame-us N  the minor frame
 *   --mode lockstep | wall
 *
 * A board that opens its own interface says so by a tock at HOST_READY_T_NS before anything else: what is sent
 * from then on reaches it.
 *
 * In lockstep every tick runs one frame, and without an interface of its own what the bus brings a board stands
 * behind the tick in the same packet, what it sends behind the tock: a system call costs more than what it
 * carries.  On the wall clock the board runs its own frames, half a
 * frame after the bench's, and takes the newest tick for its sensors.  While a tick says that it is dead, it
 * reads its bus and forgets what it read.  When the bench is gone, a
 * board that is not safe goes on with its own clock and without sensors until it is, or
 * HOST_ORPHAN_MS are over; it never waits without a clock or a descriptor to wake it.
 */
#ifndef HOST_H
#define HOST_H

#include "firmware.h"

#define HOST_TICK_MAGIC 0x4B434954u /* "TICK" */
#define HOST_TOCK_MAGIC 0x4B434F54u /* "TOCK" */
#define HOST_FLAG_DEAD 1u           /* the board is without power, or hangs, in this frame */
#define HOST_FLAG_RESTART 2u        /* before it runs again it forgets everything and starts anew */
#define HOST_CAN_FRAMES                                                                                      \
    1024 /* most that go with a tick or a tock: five times what 1 Mbit/s brings in 10 ms */
#define HOST_READY_T_NS (-1) /* time of the first tock of a board on a bus of its own */
#define HOST_ORPHAN_MS 1900
#define HOST_CAN_WAIT_MS 1000    /* for frames that the tick announced */
#define HOST_SERIAL_WAIT_MS 1000 /* for bytes that the tick announced */

typedef struct {
    uint32_t magic;
    uint32_t flags;
    int64_t t_ns;
    int64_t epoch_ns; /* wall clock: CLOCK_MONOTONIC at t = 0 */
    uint32_t sensor_valid;
    uint32_t can_frames;             /* lockstep: so many follow, or wait on the board's own interface */
    uint32_t serial_bytes;           /* lockstep: so many wait, or are on their way */
    uint32_t line_bytes[PORT_LINES]; /* the same for the lines of sensors */
    double sensor[PORT_CHANNELS];
} host_tick_t;

typedef struct {
    uint32_t magic;
    uint32_t can_frames; /* sent in this frame; in lockstep they follow, unless they went out directly */
    int64_t t_ns;
    int32_t safe;
    uint32_t can_lost; /* frames that the bus did not take, so far */
    double actuator[PORT_CHANNELS];
    uint32_t counters[LINK_COUNTERS];
    uint32_t line_counters[PORT_LINES][LINK_COUNTERS];
} host_tock_t;

typedef struct {
    host_tick_t tick;
    port_can_frame_t frame[HOST_CAN_FRAMES];
} host_tick_packet_t;

typedef struct {
    host_tock_t tock;
    port_can_frame_t frame[HOST_CAN_FRAMES];
} host_tock_packet_t;

_Static_assert(sizeof(host_tick_packet_t) == sizeof(host_tick_t) + HOST_CAN_FRAMES * sizeof(port_can_frame_t),
               "frames follow a tick without a gap");
_Static_assert(sizeof(host_tock_packet_t) == sizeof(host_tock_t) + HOST_CAN_FRAMES * sizeof(port_can_frame_t),
               "frames follow a tock without a gap");

/* Runs `firmware` until the bench is gone and the board is safe.  Exit status: 0 safe, 1 not safe in
 * time, 2 bad arguments, 10 + n the firmware's init returned n, 20 the bench spoke nonsense, 21 its CAN
 * interface does not open. */
int host_main(const firmware_t *firmware, int argc, char **argv);

#endif
