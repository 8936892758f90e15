/* wire.c - bytes from the wires: the serial link and the sensors' lines, the CAN frames of both boards, COBS, records.
 *
 * Half of the frames carry a good checksum, so that what lies behind it is reached; the kernel behind the flight
 * computer is one that puts out anything.  Counted are frames, byte strings and records handed to a decoder.
 */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "checks.h"
#include "ev_node.h"
#include "fc_node.h"
#include "fc_sensors.h"
#include "link.h"
#include "records.h"

#define FRAME_US 10000
#define MOST_QUEUED 8
#define MOST_SERIAL 160
#define STATE_BYTES 65536
#define NODE 2
#define LINE_BYTES FC_LINE_ROOM

static struct {
    fuzz_t *f;
    int64_t now_us;
    port_can_frame_t queue[MOST_QUEUED];
    uint8_t serial[MOST_SERIAL];
    size_t queued, read, serial_used;
    uint8_t counter[0x280];
    double actuator[PORT_CHANNELS];
    uint32_t sent;
    _Alignas(16) unsigned char state[STATE_BYTES];
} s;

/* ---- a port ---- */

static int64_t now_us(void *context)
{
    (void)context;
    return s.now_us;
}

/* What a board sends is what another board accepts. */
static int32_t can_send(void *context, const port_can_frame_t *frame)
{
    (void)context;
    FUZZ_HOLDS(frame->length == 8 && frame->data[7] == checks_crc8(frame->id, frame->data, 7));
    record_command_t command;
    record_status_t status;
    record_telemetry_t telemetry;
    const uint32_t base = frame->id & 0x3C0u;
    FUZZ_HOLDS(base == RECORDS_TELEMETRY_ID || base == RECORDS_COMMAND_ID || base == RECORDS_STATUS_ID
               || base == RECORDS_GIMBAL_ID || base == RECORDS_DRIVE_ID || base == RECORDS_IDENTITY_ID
               || base == RECORDS_COMPUTER_IDENTITY_ID);
    FUZZ_HOLDS(base != RECORDS_COMMAND_ID || records_unpack_command(&command, frame->data));
    FUZZ_HOLDS(base != RECORDS_STATUS_ID || records_unpack_status(&status, frame->data));
    FUZZ_HOLDS(base != RECORDS_GIMBAL_ID || records_unpack_gimbal(&status, frame->data));
    FUZZ_HOLDS(base != RECORDS_TELEMETRY_ID
               || records_unpack_telemetry(&telemetry, frame->id - RECORDS_TELEMETRY_ID, frame->data));
    s.sent++;
    return 1;
}

static int32_t can_receive(void *context, port_can_frame_t *frame)
{
    (void)context;
    if (s.read == s.queued) {
        return 0;
    }
    *frame = s.queue[s.read++];
    fuzz_count();
    return 1;
}

static size_t serial_send(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    return count;
}

static size_t serial_receive(void *context, uint8_t *bytes, size_t room)
{
    (void)context;
    const size_t count = s.serial_used < room ? s.serial_used : room;
    memcpy(bytes, s.serial, count);
    memmove(s.serial, s.serial + count, s.serial_used - count);
    s.serial_used -= count;
    return count;
}

static void actuator_out(void *context, uint32_t channel, double value)
{
    (void)context;
    FUZZ_HOLDS(channel < PORT_CHANNELS && isfinite(value));
    s.actuator[channel] = value;
}

static int32_t sensor_in(void *context, uint32_t channel, double *value)
{
    (void)context;
    FUZZ_HOLDS(channel < PORT_CHANNELS);
    const uint8_t how = fuzz_byte(s.f);
    if (how < 16) {
        return 0;
    }
    *value =
        how < 64 ? fuzz_hostile(s.f) : (double)(how - 64) / 191.0 * (channel == PORT_CHAMBER ? 1e7 : 1.0);
    return 1;
}

static size_t line_bytes(uint32_t line, uint8_t out[LINE_BYTES]);

static size_t line_receive(void *context, uint32_t line, uint8_t *bytes, size_t room)
{
    (void)context;
    FUZZ_HOLDS(line < PORT_LINES && room >= LINE_BYTES);
    return s.f->left > 0 && fuzz_byte(s.f) < 64 ? line_bytes(line, bytes) : 0;
}

static const port_t port = {.now_us = now_us,
                            .can_send = can_send,
                            .can_receive = can_receive,
                            .serial_send = serial_send,
                            .serial_receive = serial_receive,
                            .actuator_out = actuator_out,
                            .sensor_in = sensor_in,
                            .line_receive = line_receive};

/* ---- what comes in ---- */

static void queue_frame(void)
{
    static const uint32_t base[] = {RECORDS_COMMAND_ID, RECORDS_STATUS_ID, RECORDS_GIMBAL_ID,
                                    RECORDS_TELEMETRY_ID};
    port_can_frame_t *frame = &s.queue[s.queued++];
    const uint8_t how = fuzz_byte(s.f);
    fuzz_fill(s.f, frame, sizeof *frame);
    if (how < 160) {
        frame->id = base[how % 4] + (how < 140 ? NODE - how / 100u : frame->id % 48u);
        frame->length = 8;
    }
    if (how < 128) {
        const uint8_t next = ++s.counter[frame->id % 0x280u];
        link_protect(frame, frame->id, how % 16 == 15 ? (uint8_t)(next + how / 16) : next);
    }
}

static void queue_frames(void)
{
    const uint32_t count = fuzz_byte(s.f) % (MOST_QUEUED + 1u);
    s.queued = s.read = 0;
    for (uint32_t i = 0; i < count; i++) {
        queue_frame();
    }
}

static void draw(double *into, size_t count, int32_t hostile)
{
    for (size_t i = 0; i < count; i++) {
        into[i] = hostile ? fuzz_hostile(s.f) : fuzz_between(s.f, -100.0, 100.0);
    }
}

static void draw_nav(record_nav_t *nav)
{
    memset(nav, 0, sizeof *nav);
    const uint8_t how = fuzz_byte(s.f);
    const int32_t hostile = how >= 128;
    draw(nav->pos_pad_m, 3, hostile);
    draw(nav->vel_pad_mps, 3, hostile);
    draw(nav->q_pad_from_body, 4, hostile);
    draw(nav->omega_body_radps, 3, hostile);
    draw(nav->force_body_mps2, 3, hostile);
    draw(&nav->height_m, 1, hostile);
    nav->valid_t_ns = how % 8 == 7 ? fuzz_time(s.f) : s.now_us * 1000;
    nav->valid = how % 2;
}

/* A navigation frame, whole, damaged, or bytes that were never one. */
static size_t serial_bytes(uint8_t out[MOST_SERIAL])
{
    const uint8_t how = fuzz_byte(s.f);
    record_nav_t nav;
    if (how < 64) {
        const size_t count = fuzz_byte(s.f) % MOST_SERIAL;
        fuzz_fill(s.f, out, count);
        return count;
    }
    draw_nav(&nav);
    const size_t count = link_nav_frame(out, how % 8 == 0 ? fuzz_byte(s.f) : ++s.counter[0], &nav);
    FUZZ_HOLDS(count <= LINK_SERIAL_ROOM);
    if (how < 128) {
        out[fuzz_byte(s.f) % count] ^= fuzz_byte(s.f);
    }
    return count;
}

/* ---- the serial link ---- */

/* What comes from the wire is what the wire can carry. */
static void check_nav(const record_nav_t *nav)
{
    record_nav_t rounded = *nav;
    records_round_nav(&rounded);
    FUZZ_HOLDS(nav->fresh == 1 && (nav->valid == 0 || nav->valid == 1));
    FUZZ_HOLDS(fuzz_finite(nav->pos_pad_m, 3) && fuzz_finite(nav->vel_pad_mps, 3));
    FUZZ_HOLDS(memcmp(&rounded, nav, sizeof rounded) == 0);
}

static void serial_link(void)
{
    uint8_t bytes[MOST_SERIAL];
    link_counters_t counters = {{0}};
    link_stream_t stream;
    record_nav_t nav;
    memset(&stream, 0, sizeof stream);
    while (s.f->left > 0) {
        const size_t count = serial_bytes(bytes);
        for (size_t i = 0; i < count; i++) {
            if (link_nav_byte(&counters, &stream, bytes[i], &nav)) {
                check_nav(&nav);
                fuzz_note("navigation_accepted");
            }
        }
        fuzz_count();
    }
}

/* ---- the lines of single sensors ---- */

static uint32_t crc32(const uint8_t *bytes, size_t count)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < 8 * count; i++) {
        const uint32_t bit = (crc >> 31) ^ ((uint32_t)bytes[i / 8] >> (7 - i % 8) & 1u);
        crc = crc << 1 ^ (bit ? 0x04C11DB7u : 0u);
    }
    return crc;
}

/* Gives bytes the head and the checksum of a line's message. */
static size_t seal(uint32_t line, uint8_t out[LINE_BYTES])
{
    if (line == PORT_IMU) {
        out[0] = 0x91;
        const uint32_t crc = crc32(out, FC_STIM300_BYTES - 4);
        for (uint32_t i = 0; i < 4; i++) {
            out[FC_STIM300_BYTES - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
        }
        return FC_STIM300_BYTES;
    }
    if (line == PORT_GNSS) {
        static const uint8_t head[] = {0xB5, 0x62, 0x01, 0x07, 92, 0};
        memcpy(out, head, sizeof head);
        out[FC_NAV_PVT_BYTES - 2] = out[FC_NAV_PVT_BYTES - 1] = 0;
        for (uint32_t i = 2; i < FC_NAV_PVT_BYTES - 2; i++) {
            out[FC_NAV_PVT_BYTES - 2] = (uint8_t)(out[FC_NAV_PVT_BYTES - 2] + out[i]);
            out[FC_NAV_PVT_BYTES - 1] = (uint8_t)(out[FC_NAV_PVT_BYTES - 1] + out[FC_NAV_PVT_BYTES - 2]);
        }
        return FC_NAV_PVT_BYTES;
    }
    out[0] = 0xFE;
    out[1] = 0x02;
    out[5] = (uint8_t)(out[1] + out[2] + out[3] + out[4]);
    return FC_US_D1_BYTES;
}

/* A message, whole or damaged, or bytes that were never one. */
static size_t line_bytes(uint32_t line, uint8_t out[LINE_BYTES])
{
    const uint8_t how = fuzz_byte(s.f);
    fuzz_fill(s.f, out, LINE_BYTES / (1u + how % 4u));
    memset(out + LINE_BYTES / (1u + how % 4u), how, LINE_BYTES - LINE_BYTES / (1u + how % 4u));
    if (how < 64) {
        return 1u + how;
    }
    const size_t count = seal(line, out);
    if (how < 128) {
        out[how % count] ^= fuzz_byte(s.f);
    }
    return how < 96 ? how % count + 1u : count;
}

static void check_sensors(const fc_sensors_t *sensors)
{
    const fc_gnss_t *g = &sensors->gnss;
    for (uint32_t i = 0; i < PORT_LINES; i++) {
        FUZZ_HOLDS(sensors->line[i].used < FC_LINE_ROOM);
    }
    FUZZ_HOLDS(fuzz_finite(sensors->imu.rate_body_radps, 3) && fuzz_finite(sensors->imu.force_body_mps2, 3));
    FUZZ_HOLDS(fuzz_in(g->latitude_deg, -90.0, 90.0) && fuzz_in(g->longitude_deg, -180.0, 180.0));
    FUZZ_HOLDS(fuzz_finite(&g->height_m, 1) && fuzz_finite(g->vel_ned_mps, 3)
               && fuzz_finite(&g->speed_mps, 1));
    FUZZ_HOLDS(fuzz_in(sensors->altimeter.height_m, 0.0, 656.0));
}

static void sensor_lines(void)
{
    static fc_sensors_t sensors;
    uint8_t bytes[LINE_BYTES];
    memset(&sensors, 0, sizeof sensors);
    while (s.f->left > 0) {
        const uint32_t line = fuzz_byte(s.f) % PORT_LINES;
        const size_t count = line_bytes(line, bytes);
        for (size_t i = 0; i < count; i++) {
            if (fc_sensors_byte(&sensors, line, bytes[i])) {
                fuzz_note(line == PORT_IMU    ? "imu_accepted"
                          : line == PORT_GNSS ? "gnss_accepted"
                                              : "radar_accepted");
            }
        }
        check_sensors(&sensors);
        fuzz_count();
    }
}

/* ---- the valve board ---- */

static ev_config_t valve_config(void)
{
    static const ev_config_t config = {
        EV_CONFIG_VERSION,
        sizeof(ev_config_t),
        0.01,
        0.05,
        2.0,
        8.0,
        0.3,
        6.0,
        0.12,
        1e7,
        0.1,
        0.05,
        0.05,
        0.4,
        1.0,
        0.1,
        0.6,
        0.02,
        {{0.0, 0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0, 0.0}},
        NODE,
        EV_OX,
        0,
        0};
    ev_config_t c = config;
    const uint8_t how = fuzz_byte(s.f);
    if (how < 64) { /* one number of it is anything */
        const size_t slots = (sizeof c - offsetof(ev_config_t, frame_s)) / sizeof(double);
        const double value = fuzz_hostile(s.f);
        memcpy((char *)&c + offsetof(ev_config_t, frame_s) + fuzz_byte(s.f) % slots * sizeof value, &value,
               sizeof value);
    }
    return c;
}

static void valve_board(void)
{
    const ev_config_t config = valve_config();
    if (ev_firmware.init(s.state, &config, sizeof config) != FIRMWARE_READY) {
        fuzz_note("valve_boards_refused");
        return;
    }
    const ev_t *ev = &((const ev_node_t *)(const void *)s.state)->ev;
    while (s.f->left > 0) {
        queue_frames();
        s.sent = 0;
        ev_firmware.step(s.state, &port);
        for (uint32_t i = 0; i < PORT_IGNITER; i++) {
            FUZZ_HOLDS(fuzz_in(s.actuator[i], -1.0, 1.0));
        }
        const int32_t open = ev->state == ENGINE_START || ev->state == ENGINE_MAINSTAGE;
        FUZZ_HOLDS((s.actuator[PORT_IGNITER] > 0.0) == (ev->state == ENGINE_START));
        FUZZ_HOLDS(open || (s.actuator[PORT_OX] <= 0.0 && s.actuator[PORT_FUEL] <= 0.0));
        FUZZ_HOLDS(ev->state >= ENGINE_SAFE && ev->state <= ENGINE_FAULT && s.sent == 2);
        FUZZ_HOLDS(ev_firmware.describe(s.state) != NULL);
        fuzz_note(open ? "valve_board_frames_burning" : "valve_board_frames");
        s.now_us += fuzz_byte(s.f) < 250 ? FRAME_US : (int64_t)fuzz_word(s.f) * 1000;
    }
}

/* ---- the flight computer, with a kernel that puts out anything ---- */

static void describe(fk_if_info_t *info)
{
    const fk_if_info_t mine = {.version = FK_IF_VERSION,
                               .state_size = 16,
                               .input_size = sizeof(fk_if_input_t),
                               .output_size = sizeof(fk_if_output_t),
                               .config_size = sizeof(fk_if_config_t),
                               .name = "fuzz"};
    *info = mine;
}

static int32_t init(void *state, const fk_if_config_t *config)
{
    (void)state;
    (void)config;
    return 0;
}

static void step(void *state, const fk_if_input_t *in, fk_if_output_t *out)
{
    (void)state;
    (void)in;
    const uint8_t how = fuzz_byte(s.f);
    if (how < 32) { /* as it was, and one number is anything */
        const size_t used = 3 * sizeof out->engine[0] / sizeof(double);
        ((double *)(void *)out)[fuzz_byte(s.f) % used] = fuzz_hostile(s.f);
        out->fin_cmd_rad[how % FK_IF_FINS] = fuzz_hostile(s.f);
        return;
    }
    for (uint32_t i = 0; i < 3; i++) {
        fk_if_engine_command_t *e = &out->engine[i];
        e->ox_valve_cmd = fuzz_between(s.f, -0.2, 1.2);
        e->fuel_valve_cmd = e->ox_valve_cmd;
        e->gimbal_x_cmd_rad = fuzz_between(s.f, -0.3, 0.3);
        e->gimbal_y_cmd_rad = -e->gimbal_x_cmd_rad;
        e->request = (int32_t)(fuzz_byte(s.f) % 7u) - 1;
    }
    fuzz_fill(s.f, how < 64 ? (void *)&out->telemetry : out->fin_cmd_rad, sizeof out->fin_cmd_rad);
}

static void check_commands(const fk_if_config_t *c, const fc_output_t *now, const fc_output_t *last)
{
    const double room = 1.0 + 1e-6;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const record_command_t *e = &now->command[i];
        const record_command_t *before = &last->command[i];
        const double angle = c->engine[i].gimbal_limit_rad;
        const double stroke = c->engine[i].valve_slew_per_s * c->frame_s * room;
        const double turn = c->engine[i].gimbal_rate_radps * c->frame_s * room;
        FUZZ_HOLDS(e->request >= REQUEST_SAFE && e->request <= REQUEST_SHUTDOWN);
        FUZZ_HOLDS(fuzz_in(e->ox_valve_cmd, 0.0, 1.0) && fuzz_in(e->fuel_valve_cmd, 0.0, 1.0));
        FUZZ_HOLDS(fuzz_in(e->gimbal_x_cmd_rad, -angle, angle)
                   && fuzz_in(e->gimbal_y_cmd_rad, -angle, angle));
        FUZZ_HOLDS(fuzz_in(e->ox_valve_cmd - before->ox_valve_cmd, -stroke, stroke));
        FUZZ_HOLDS(fuzz_in(e->fuel_valve_cmd - before->fuel_valve_cmd, -stroke, stroke));
        FUZZ_HOLDS(fuzz_in(e->gimbal_x_cmd_rad - before->gimbal_x_cmd_rad, -turn, turn));
        FUZZ_HOLDS(fuzz_in(e->gimbal_y_cmd_rad - before->gimbal_y_cmd_rad, -turn, turn));
    }
    const double turn = c->fin_rate_radps * c->frame_s * room;
    for (uint32_t i = 0; i < FK_IF_FINS; i++) {
        FUZZ_HOLDS(fuzz_in(s.actuator[i], -c->fin_limit_rad, c->fin_limit_rad));
        FUZZ_HOLDS(fuzz_in(now->fin_cmd_rad[i] - last->fin_cmd_rad[i], -turn, turn));
    }
}

static void flight_computer(void)
{
    static const fc_kernel_t kernel = {describe, init, step};
    static fc_config_t config;
    static fc_output_t last;
    config.version = FC_CONFIG_VERSION;
    config.size = sizeof config;
    memcpy(&config.kernel, fuzz_vehicle[fuzz_byte(s.f) % FUZZ_VEHICLES], sizeof config.kernel);
    for (int32_t i = 0; i < config.kernel.engine_count; i++) {
        config.node[i] = i + 1;
    }
    FUZZ_HOLDS(fc_node_state_size(&kernel) <= sizeof s.state);
    FUZZ_HOLDS(fc_node_init(s.state, &kernel, &config, sizeof config) == FIRMWARE_READY);
    const fc_node_t *node = (const fc_node_t *)(const void *)s.state;
    memset(&last, 0, sizeof last);
    while (s.f->left > 0) {
        queue_frames();
        s.serial_used = fuzz_byte(s.f) < 128 ? serial_bytes(s.serial) : 0;
        s.sent = 0;
        fc_node_step(s.state, &port);
        FUZZ_HOLDS(s.sent == (uint32_t)config.kernel.engine_count + RECORDS_TELEMETRY_FRAMES);
        check_commands(&config.kernel, &node->out, &last);
        check_sensors(fc_node_sensors(s.state));
        last = node->out;
        fuzz_note("flight_computer_frames");
        s.now_us += FRAME_US;
    }
}

/* ---- COBS and records ---- */

static void cobs(void)
{
    uint8_t plain[300];
    uint8_t coded[304];
    uint8_t back[300];
    while (s.f->left > 0) {
        const size_t count = fuzz_word(s.f) % sizeof plain;
        const size_t room = fuzz_word(s.f) % sizeof back;
        fuzz_fill(s.f, plain, count);
        FUZZ_HOLDS(checks_cobs_decode(back, room, plain, count) <= (int32_t)room);
        const size_t used = checks_cobs_encode(coded, plain, count);
        FUZZ_HOLDS(used <= count + count / 254 + 1 && memchr(coded, 0, used) == NULL);
        FUZZ_HOLDS(checks_cobs_decode(back, sizeof back, coded, used) == (int32_t)count);
        FUZZ_HOLDS(memcmp(back, plain, count) == 0);
        fuzz_count();
    }
}

/* What is accepted comes out the same when it is packed and unpacked again. */
static void records(void)
{
    uint8_t data[8];
    uint8_t again[8];
    record_command_t command[2];
    record_status_t status[2];
    memset(command, 0, sizeof command);
    memset(status, 0, sizeof status);
    while (s.f->left > 0) {
        fuzz_fill(s.f, data, sizeof data);
        if (records_unpack_command(&command[0], data)) {
            records_pack_command(again, &command[0]);
            FUZZ_HOLDS(records_unpack_command(&command[1], again));
            FUZZ_HOLDS(memcmp(&command[0], &command[1], sizeof command[0]) == 0);
        }
        if (records_unpack_status(&status[0], data)) {
            records_pack_status(again, &status[0]);
            FUZZ_HOLDS(records_unpack_status(&status[1], again));
            FUZZ_HOLDS(memcmp(&status[0], &status[1], sizeof status[0]) == 0);
        }
        fuzz_count();
    }
}

/* A record of anything is rounded to what the wire can carry, and stays that. */
static void rounding(void)
{
    record_command_t c[2];
    record_telemetry_t t[2];
    memset(c, 0, sizeof c);
    memset(t, 0, sizeof t);
    while (s.f->left > 0) {
        draw(&c[0].ox_valve_cmd, 1, 1);
        draw(&c[0].fuel_valve_cmd, 1, 1);
        draw(&c[0].gimbal_x_cmd_rad, 1, 1);
        draw(&c[0].gimbal_y_cmd_rad, 1, 1);
        draw(t[0].accel_cmd_pad_mps2, 3, 1);
        draw(&t[0].time_to_go_s, 1, 1);
        draw(&t[0].thrust_cmd_n, 1, 1);
        draw(&t[0].mass_est_kg, 1, 1);
        draw(&t[0].ignition_margin_m, 1, 1);
        draw(&t[0].plan_age_s, 1, 1);
        draw(&t[0].nav_age_s, 1, 1);
        c[0].request = (int32_t)fuzz_word(s.f) - 32768;
        t[0].mode = (int32_t)fuzz_word(s.f) - 32768;
        t[0].plan_source = (int32_t)fuzz_word(s.f) - 32768;
        records_round_command(&c[0]);
        records_round_telemetry(&t[0]);
        c[1] = c[0];
        t[1] = t[0];
        records_round_command(&c[1]);
        records_round_telemetry(&t[1]);
        FUZZ_HOLDS(fuzz_in(c[0].ox_valve_cmd, 0.0, 1.1) && fuzz_finite(t[0].accel_cmd_pad_mps2, 3));
        FUZZ_HOLDS(memcmp(&c[0], &c[1], sizeof c[0]) == 0 && memcmp(&t[0], &t[1], sizeof t[0]) == 0);
        fuzz_count();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const way[])(void) = {serial_link, valve_board, flight_computer, cobs,
                                        records,     rounding,    sensor_lines};
    fuzz_t f = {data, size};
    memset(&s, 0, offsetof(__typeof__(s), state));
    s.f = &f;
    way[fuzz_byte(&f) % (sizeof way / sizeof way[0])]();
    return 0;
}
