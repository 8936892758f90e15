/* board.c - the firmware on a port in memory that is filled and emptied by semihosting. */
#include "board.h"

#include <string.h>

#include "machine.h"
#include "port_memory.h"
#include "semihosting.h"

#define CONFIG_ROOM 65536
#define LOG_ROOM 160
#define DESCRIPTOR "/proc/self/fd/" /* all that the bench lets an image open begins so */

extern unsigned char state_begin[], state_end[]; /* link.ld */

typedef struct {
    board_tock_t head;
    port_can_frame_t can[PORT_MEMORY_CAN];
} answer_t;

typedef struct {
    const firmware_t *firmware;
    const uint32_t *step_instructions;
    void *state;
    port_memory_t memory;
    port_t port;
    host_tick_t tick;
    answer_t answer;
    int64_t t_us;
    int64_t frame_us;
    int32_t in, out, log;
    const char *said;  /* state that was logged last */
    size_t configured; /* bytes of the configuration */
    unsigned char config[CONFIG_ROOM];
} board_t;

static board_t board;

int32_t board_pipe(int32_t mode)
{
    return semihosting_open((mode == SEMIHOSTING_READ) ? DESCRIPTOR "0" : DESCRIPTOR "1", mode);
}

void *board_state(size_t *room)
{
    *room = (size_t)((uintptr_t)state_end - (uintptr_t)state_begin);
    return state_begin;
}

/* ---- the log */

static char *put_text(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end) {
        *at++ = *text++;
    }
    return at;
}

static char *put_number(char *at, const char *end, int64_t number, int32_t digits)
{
    char text[24];
    char *first = text + sizeof text - 1;
    *first = '\0';
    for (int32_t i = 0; (i < digits || number > 0) && first > text; ++i) {
        *--first = (char)('0' + number % 10);
        number /= 10;
    }
    return put_text(at, end, first);
}

static void say(const char *what, const char *text)
{
    char line[LOG_ROOM];
    const char *end = line + sizeof line - 1;
    if (board.log < 0) {
        return;
    }
    char *at = put_number(line, end, board.t_us / 1000000, 1);
    at = put_text(at, end, ".");
    at = put_number(at, end, board.t_us % 1000000, 6);
    at = put_text(at, end, " ");
    at = put_text(at, end, what);
    at = put_text(at, end, " ");
    at = put_text(at, end, text);
    *at++ = '\n';
    if (!semihosting_write(board.log, line, (size_t)(at - line))) {
        board.log = -1; /* a board goes on without its log */
    }
}

/* ---- one frame */

/* Takes one tick and what belongs to it.  1: taken, -1: the bench is gone, -2: it spoke nonsense. */
static int32_t take_tick(void)
{
    port_memory_t *memory = &board.memory;
    if (!semihosting_read(board.in, &board.tick, sizeof board.tick)) {
        return -1;
    }
    if (board.tick.magic != HOST_TICK_MAGIC || board.tick.can_frames > PORT_MEMORY_CAN
        || board.tick.serial_bytes > PORT_MEMORY_SERIAL) {
        return -2;
    }
    for (uint32_t i = 0; i < PORT_LINES; ++i) {
        if (board.tick.line_bytes[i] > PORT_MEMORY_LINE) {
            return -2;
        }
    }
    memory->can_in = board.tick.can_frames;
    memory->serial_in = board.tick.serial_bytes;
    memory->sensor_valid = board.tick.sensor_valid;
    memcpy(memory->sensor, board.tick.sensor, sizeof memory->sensor);
    board.t_us = board.tick.t_ns / 1000;
    int32_t whole = semihosting_read(board.in, memory->inbox, memory->can_in * sizeof memory->inbox[0])
                    && semihosting_read(board.in, memory->serial, memory->serial_in);
    for (uint32_t i = 0; i < PORT_LINES; ++i) {
        memory->line_in[i] = board.tick.line_bytes[i];
        memory->line_read[i] = 0;
        whole = whole && semihosting_read(board.in, memory->line[i], memory->line_in[i]);
    }
    return whole ? 1 : -1;
}

/* What init took once it takes again. */
static void start_anew(void)
{
    (void)board.firmware->init(board.state, board.config, board.configured);
    memset(board.memory.actuator, 0, sizeof board.memory.actuator);
    board.tick.flags &= ~HOST_FLAG_RESTART;
    say("bench", "restarts the board");
}

static void run_frame(void)
{
    if ((board.tick.flags & HOST_FLAG_RESTART) != 0) {
        start_anew();
    }
    machine_serve_watchdog();
    board.memory.now_us = board.t_us;
    board.memory.can_read = 0;
    board.memory.can_out = 0;
    board.memory.serial_read = 0;
    board.firmware->step(board.state, &board.port);
    const char *now = board.firmware->describe(board.state);
    if (board.said == NULL || strcmp(board.said, now) != 0) {
        say("state", now);
        board.said = now;
    }
}

static void answer(void)
{
    const port_memory_t *memory = &board.memory;
    host_tock_t *tock = &board.answer.head.tock;
    tock->magic = HOST_TOCK_MAGIC;
    tock->can_frames = memory->can_out;
    tock->t_ns = board.tick.t_ns;
    tock->safe = board.firmware->safe(board.state);
    tock->can_lost = memory->can_lost;
    memcpy(tock->actuator, memory->actuator, sizeof tock->actuator);
    memcpy(tock->counters, board.firmware->counters(board.state)->count, sizeof tock->counters);
    for (uint32_t i = 0; i < PORT_LINES && board.firmware->line_counters != NULL; ++i) {
        memcpy(tock->line_counters[i], board.firmware->line_counters(board.state, i)->count,
               sizeof tock->line_counters[i]);
    }
    board.answer.head.step_instructions = (board.step_instructions != NULL) ? *board.step_instructions : 0;
    memcpy(board.answer.can, memory->outbox, memory->can_out * sizeof memory->outbox[0]);
    (void)semihosting_write(board.out, &board.answer,
                            sizeof board.answer.head + memory->can_out * sizeof board.answer.can[0]);
}

static int32_t fly(void)
{
    int32_t taken = take_tick();
    while (taken == 1) {
        run_frame();
        answer();
        taken = take_tick();
    }
    return taken;
}

/* Nobody is there any more: shut down by the clock alone. */
static int32_t fly_orphaned(void)
{
    const int64_t end_us = board.t_us + HOST_ORPHAN_MS * 1000;
    say("bench", "gone");
    board.memory.sensor_valid = 0;
    board.memory.can_in = 0;
    board.memory.serial_in = 0;
    while (!board.firmware->safe(board.state) && board.t_us < end_us) {
        board.t_us += board.frame_us;
        run_frame();
    }
    if (!board.firmware->safe(board.state)) {
        say("gave up, not safe:", board.firmware->describe(board.state));
        return 1;
    }
    return 0;
}

/* ---- start */

static int32_t start(void)
{
    board_start_t head;
    size_t room;
    if (!semihosting_read(board.in, &head, sizeof head) || head.magic != BOARD_START_MAGIC
        || head.config_size > CONFIG_ROOM || !semihosting_read(board.in, board.config, head.config_size)) {
        semihosting_exit(20);
    }
    board.frame_us = head.frame_us;
    board.configured = head.config_size;
    board.state = board_state(&room);
    const size_t size = board.firmware->state_size();
    if (size == 0 || size > room) {
        return FIRMWARE_BAD_KERNEL;
    }
    return board.firmware->init(board.state, board.config, head.config_size);
}

_Noreturn void board_run(const firmware_t *firmware, const uint32_t *step_instructions)
{
    char log[LOG_ROOM];
    board.firmware = firmware;
    board.step_instructions = step_instructions;
    board.in = board_pipe(SEMIHOSTING_READ);
    board.out = board_pipe(SEMIHOSTING_WRITE);
    semihosting_argument(log, sizeof log);
    board.log = (strncmp(log, DESCRIPTOR, sizeof DESCRIPTOR - 1) == 0)
                    ? semihosting_open(log, SEMIHOSTING_APPEND)
                    : -1;
    port_memory_init(&board.memory, &board.port);
    const int32_t refused = start();
    if (refused != FIRMWARE_READY) {
        semihosting_exit(10 + refused);
    }
    const int32_t ended = fly();
    const int32_t unsafe = fly_orphaned();
    semihosting_exit((ended == -2) ? 20 : unsafe);
}
