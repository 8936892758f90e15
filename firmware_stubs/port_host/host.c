/* host.c - the port over sockets, the two paces, and the end without a bench. */
#define _GNU_SOURCE /* the name is the C library's to choose: NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#include "host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "socketcan.h"

#define NS_PER_S 1000000000LL
#define CONFIG_ROOM 65536
#define MOST_DISCARDED 65536 /* frames thrown away at once while the board is dead */

typedef struct {
    const firmware_t *firmware;
    void *state;
    port_t port;
    int control, can, serial, config, log;
    const char *interface; /* SocketCAN interface that the board opens by itself, or NULL */
    const char *accepts;   /* ids that it lets in there */
    int line[PORT_LINES];
    int wall;
    int64_t frame_ns;
    int64_t t_ns;           /* of the frame that runs */
    int64_t clock_off;      /* CLOCK_MONOTONIC at t = 0 */
    host_tick_packet_t *in; /* newest */
    host_tock_packet_t *out;
    int carried;       /* lockstep: frames go with ticks and tocks */
    uint32_t can_left; /* lockstep: announced and not yet read */
    uint32_t serial_left;
    uint32_t line_left[PORT_LINES];
    const char *said; /* state that was logged last */
    unsigned char *configuration;
    size_t configured; /* its bytes */
    int restart;       /* 1: a tick that has been taken asks for it */
} host_t;

static int64_t monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    const struct timespec at = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

/* ---- the port */

static int64_t port_now_us(void *context)
{
    const host_t *host = context;
    return host->t_ns / 1000;
}

static int32_t port_can_send(void *context, const port_can_frame_t *frame)
{
    host_t *host = context;
    host_tock_t *tock = &host->out->tock;
    if (host->carried) {
        if (tock->can_frames >= HOST_CAN_FRAMES) {
            ++tock->can_lost;
            return 0;
        }
        host->out->frame[tock->can_frames++] = *frame;
        return 1;
    }
    if (send(host->can, frame, sizeof *frame, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof *frame) {
        ++tock->can_lost;
        return 0;
    }
    ++tock->can_frames;
    return 1;
}

/* In lockstep on a bus of its own: waits for a frame that the tick announced. */
static int can_is_there(const host_t *host)
{
    struct pollfd ready = {.fd = host->can, .events = POLLIN, .revents = 0};
    return host->interface == NULL || poll(&ready, 1, HOST_CAN_WAIT_MS) > 0;
}

static int32_t port_can_receive(void *context, port_can_frame_t *frame)
{
    host_t *host = context;
    if (host->carried) {
        if (host->can_left == 0) {
            return 0;
        }
        *frame = host->in->frame[host->in->tick.can_frames - host->can_left--];
        return 1;
    }
    if (!host->wall) {
        if (host->can_left == 0 || !can_is_there(host)) {
            return 0;
        }
        --host->can_left;
    }
    return recv(host->can, frame, sizeof *frame, MSG_DONTWAIT) == (ssize_t)sizeof *frame;
}

static size_t port_serial_send(void *context, const uint8_t *bytes, size_t count)
{
    const host_t *host = context;
    const ssize_t sent = write(host->serial, bytes, count);
    return (sent > 0) ? (size_t)sent : 0;
}

/* Reads a line; in lockstep the bytes that the tick announced and no others, `*left` of which are to come. */
static size_t receive(const host_t *host, int descriptor, uint32_t *left, uint8_t *bytes, size_t room)
{
    size_t want = room;
    if (descriptor < 0) {
        return 0;
    }
    if (!host->wall) {
        want = (*left < room) ? *left : room;
        if (want == 0) {
            return 0;
        }
    }
    struct pollfd ready = {.fd = descriptor, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, host->wall ? 0 : HOST_SERIAL_WAIT_MS) <= 0 || (ready.revents & POLLIN) == 0) {
        return 0;
    }
    const ssize_t got = read(descriptor, bytes, want);
    if (got <= 0) {
        return 0;
    }
    *left -= host->wall ? 0 : (uint32_t)got;
    return (size_t)got;
}

static size_t port_serial_receive(void *context, uint8_t *bytes, size_t room)
{
    host_t *host = context;
    return receive(host, host->serial, &host->serial_left, bytes, room);
}

static size_t port_line_receive(void *context, uint32_t line, uint8_t *bytes, size_t room)
{
    host_t *host = context;
    return (line < PORT_LINES) ? receive(host, host->line[line], &host->line_left[line], bytes, room) : 0;
}

static void port_actuator_out(void *context, uint32_t channel, double value)
{
    host_t *host = context;
    if (channel < PORT_CHANNELS) {
        host->out->tock.actuator[channel] = value;
    }
}

static int32_t port_sensor_in(void *context, uint32_t channel, double *value)
{
    const host_t *host = context;
    if (channel >= PORT_CHANNELS || ((host->in->tick.sensor_valid >> channel) & 1u) == 0) {
        return 0;
    }
    *value = host->in->tick.sensor[channel];
    return 1;
}

static void open_port(host_t *host)
{
    host->port.context = host;
    host->port.now_us = port_now_us;
    host->port.can_send = port_can_send;
    host->port.can_receive = port_can_receive;
    host->port.serial_send = port_serial_send;
    host->port.serial_receive = port_serial_receive;
    host->port.actuator_out = port_actuator_out;
    host->port.sensor_in = port_sensor_in;
    host->port.line_receive = port_line_receive;
}

/* ---- one frame */

static void say(host_t *host, const char *what, const char *text)
{
    char line[160];
    const int64_t us = host->t_ns / 1000;
    const int count = snprintf(line, sizeof line, "%lld.%06lld %s %s\n", (long long)(us / 1000000),
                               (long long)(us % 1000000), what, text);
    if (host->log >= 0 && count > 0 && write(host->log, line, (size_t)count) < 0) {
        host->log = -1; /* a board goes on without its log */
    }
}

/* What init took once it takes again. */
static void start_anew(host_t *host)
{
    (void)host->firmware->init(host->state, host->configuration, host->configured);
    memset(host->out->tock.actuator, 0, sizeof host->out->tock.actuator);
    host->restart = 0;
    say(host, "bench", "restarts the board");
}

static void run_frame(host_t *host)
{
    if (host->restart) {
        start_anew(host);
    }
    host->out->tock.can_frames = 0;
    host->firmware->step(host->state, &host->port);
    const char *now = host->firmware->describe(host->state);
    if (host->said == NULL || strcmp(host->said, now) != 0) {
        say(host, "state", now);
        host->said = now;
    }
}

/* A board without power: what the bus brings it is lost. */
static void stay_dead(host_t *host)
{
    port_can_frame_t frame;
    host->out->tock.can_frames = 0;
    for (int i = 0; i < MOST_DISCARDED && port_can_receive(host, &frame); ++i) {
    }
}

static void answer(host_t *host)
{
    host_tock_t *tock = &host->out->tock;
    tock->magic = HOST_TOCK_MAGIC;
    tock->t_ns = host->t_ns;
    tock->safe = host->firmware->safe(host->state);
    memcpy(tock->counters, host->firmware->counters(host->state)->count, sizeof tock->counters);
    for (uint32_t i = 0; i < PORT_LINES && host->firmware->line_counters != NULL; ++i) {
        const link_counters_t *counted = host->firmware->line_counters(host->state, i);
        memcpy(tock->line_counters[i], counted->count, sizeof tock->line_counters[i]);
    }
    const size_t frames = host->carried ? tock->can_frames * sizeof host->out->frame[0] : 0;
    (void)send(host->control, host->out, sizeof *tock + frames,
               MSG_NOSIGNAL | (host->wall ? MSG_DONTWAIT : 0));
}

/* Takes one tick, with the frames behind it.  1: taken, 0: none waits, -1: the bench is gone, -2: it spoke nonsense. */
static int take_tick(host_t *host, int flags)
{
    const host_tick_t *tick = &host->in->tick;
    ssize_t got = recv(host->control, host->in, sizeof *host->in, flags);
    while (got < 0 && errno == EINTR) {
        got = recv(host->control, host->in, sizeof *host->in, flags);
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return 0;
    }
    if (got <= 0) {
        return -1;
    }
    const size_t frames = host->carried ? tick->can_frames : 0;
    const size_t whole = sizeof *tick + frames * sizeof host->in->frame[0];
    if (frames > HOST_CAN_FRAMES || (size_t)got != whole || tick->magic != HOST_TICK_MAGIC) {
        return -2;
    }
    host->restart |= (tick->flags & HOST_FLAG_RESTART) != 0; /* also of ticks that a newer one replaces */
    return 1;
}

/* ---- paces: each returns when the bench is gone (-1) or speaks nonsense (-2) */

static int fly_lockstep(host_t *host)
{
    int taken = take_tick(host, 0);
    while (taken == 1) {
        host->t_ns = host->in->tick.t_ns;
        host->can_left = host->in->tick.can_frames;
        host->serial_left = host->in->tick.serial_bytes;
        memcpy(host->line_left, host->in->tick.line_bytes, sizeof host->line_left);
        if ((host->in->tick.flags & HOST_FLAG_DEAD) != 0) {
            stay_dead(host);
        } else {
            run_frame(host);
        }
        answer(host);
        taken = take_tick(host, 0);
    }
    host->clock_off = monotonic_ns() - host->t_ns;
    return taken;
}

/* Takes all ticks that wait and keeps the newest. */
static int take_newest(host_t *host)
{
    int taken = take_tick(host, MSG_DONTWAIT);
    while (taken == 1) {
        taken = take_tick(host, MSG_DONTWAIT);
    }
    return taken;
}

static int fly_wall(host_t *host)
{
    int taken = take_tick(host, 0);
    if (taken != 1) {
        host->clock_off = monotonic_ns();
        return taken;
    }
    host->t_ns = host->in->tick.t_ns;
    host->clock_off = host->in->tick.epoch_ns + host->frame_ns / 2;
    while (taken >= 0) {
        sleep_until(host->clock_off + host->t_ns);
        taken = take_newest(host);
        if (taken >= 0 && (host->in->tick.flags & HOST_FLAG_DEAD) != 0) {
            stay_dead(host);
        } else if (taken >= 0) {
            run_frame(host);
            answer(host);
        }
        if (taken >= 0) {
            const int64_t late = monotonic_ns() - host->clock_off - host->t_ns;
            host->t_ns += host->frame_ns * (1 + late / host->frame_ns); /* missed frames are left out */
        }
    }
    return taken;
}

/* Nobody is there any more: shut down by the clock alone. */
static int fly_orphaned(host_t *host)
{
    const int64_t end = monotonic_ns() + HOST_ORPHAN_MS * 1000000LL;
    say(host, "bench", "gone");
    host->in->tick.sensor_valid = 0;
    host->can_left = 0;
    host->serial_left = 0;
    memset(host->line_left, 0, sizeof host->line_left);
    while (!host->firmware->safe(host->state) && monotonic_ns() < end) {
        host->t_ns += host->frame_ns;
        sleep_until(host->clock_off + host->t_ns);
        run_frame(host);
    }
    if (!host->firmware->safe(host->state)) {
        say(host, "gave up, not safe:", host->firmware->describe(host->state));
        return 1;
    }
    return 0;
}

/* ---- start */

static int option(host_t *host, const char *name, const char *value)
{
    const struct {
        const char *name;
        int *target;
    } descriptors[] = {{"--control", &host->control},      {"--can", &host->can},
                       {"--serial", &host->serial},        {"--imu", &host->line[PORT_IMU]},
                       {"--gnss", &host->line[PORT_GNSS]}, {"--altimeter", &host->line[PORT_ALTIMETER]},
                       {"--config", &host->config},        {"--log", &host->log}};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; ++i) {
        if (strcmp(name, descriptors[i].name) == 0) {
            *descriptors[i].target = (int)strtol(value, NULL, 10);
            return 1;
        }
    }
    if (strcmp(name, "--frame-us") == 0) {
        host->frame_ns = strtoll(value, NULL, 10) * 1000;
        return host->frame_ns > 0;
    }
    if (strcmp(name, "--can-interface") == 0) {
        host->interface = value;
        return 1;
    }
    if (strcmp(name, "--accept") == 0) {
        host->accepts = value;
        return 1;
    }
    if (strcmp(name, "--mode") == 0) {
        host->wall = (strcmp(value, "wall") == 0);
        return 1;
    }
    return 0;
}

static int open_bus(host_t *host)
{
    if (host->interface != NULL) {
        host->can = socketcan_open(host->interface, host->accepts);
    }
    if (host->can < 0 && !host->carried) {
        char reason[64];
        say(host, "CAN interface does not open:", strerror_r(-host->can, reason, sizeof reason));
    }
    return host->carried || host->can >= 0;
}

static int start(host_t *host)
{
    size_t *used = &host->configured;
    ssize_t got = 1;
    host->configuration = calloc(1, CONFIG_ROOM);
    while (host->configuration != NULL && got > 0 && *used < CONFIG_ROOM) {
        got = read(host->config, host->configuration + *used, CONFIG_ROOM - *used);
        *used += (got > 0) ? (size_t)got : 0;
    }
    const size_t size = host->firmware->state_size();
    host->state = (size > 0) ? aligned_alloc(16, (size + 15u) & ~(size_t)15u) : NULL;
    int result = FIRMWARE_BAD_KERNEL;
    if (host->configuration != NULL && host->state != NULL) {
        result = host->firmware->init(host->state, host->configuration, *used);
    }
    return result;
}

/* Takes the arguments, and tells whether there is what a board needs. */
static int understand(host_t *host, int argc, char **argv)
{
    host->accepts = "";
    host->control = host->can = host->serial = host->config = host->log = -1;
    for (uint32_t i = 0; i < PORT_LINES; ++i) {
        host->line[i] = -1;
    }
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!option(host, argv[i], argv[i + 1])) {
            return 0;
        }
    }
    host->carried = !host->wall && host->can < 0 && host->interface == NULL;
    const int ways = (host->can >= 0) + (host->interface != NULL) + host->carried;
    return host->control >= 0 && ways == 1 && host->config >= 0 && host->frame_ns > 0;
}

/* Lives from the configuration to the end; returns the exit status. */
static int live(host_t *host)
{
    const int refused = start(host);
    if (refused != FIRMWARE_READY) {
        return 10 + refused;
    }
    if (host->interface != NULL) {
        host->t_ns = HOST_READY_T_NS;
        answer(host);
    }
    const int ended = host->wall ? fly_wall(host) : fly_lockstep(host);
    const int unsafe = fly_orphaned(host);
    return (ended == -2) ? 20 : unsafe;
}

int host_main(const firmware_t *firmware, int argc, char **argv)
{
    host_t host;
    memset(&host, 0, sizeof host);
    host.firmware = firmware;
    if (!understand(&host, argc, argv)) {
        return 2;
    }
    (void)signal(SIGINT, SIG_IGN); /* the bench decides when a board ends, not the terminal */
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    open_port(&host);
    host.in = calloc(1, sizeof *host.in);
    host.out = calloc(1, sizeof *host.out);
    const int open = host.in != NULL && host.out != NULL && open_bus(&host);
    const int status = open ? live(&host) : 21;
    free(host.state);
    free(host.configuration);
    free(host.in);
    free(host.out);
    return status;
}
