/* fc_sensors.c - three formats, one receiver. */
#include "fc_sensors.h"

#include <string.h>

#define MOST_BYTES 4096 /* of one line, read in one board frame */

#define STIM300_ID 0x91u
#define STIM300_UNUSABLE 0xD8u /* integrity, start-up, overload, channel */
#define UBX_HEAD 6u
#define UBX_PAYLOAD 92u
#define UBX_MOST_PAYLOAD 1024u
#define UBX_WEEK_MS 604800000u
#define US_D1_HEAD 0xFEu
#define US_D1_VERSION 0x02u

/* Degrees to radians over 2^14, and standard gravity over 2^19: both divisions are exact. */
static const double RATE_LSB_RADPS = 0.017453292519943295 / 16384.0;
static const double FORCE_LSB_MPS2 = 9.80665 / 524288.0;

static uint32_t big_endian(const uint8_t *bytes, uint32_t count)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; ++i) {
        value = (value << 8) | bytes[i];
    }
    return value;
}

static uint32_t little_endian(const uint8_t *bytes, uint32_t count)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; ++i) {
        value |= (uint32_t)bytes[i] << (8 * i);
    }
    return value;
}

/* The number that `bits` bits of two's complement stand for. */
static int32_t signed_of(uint32_t value, uint32_t bits)
{
    const int64_t sign = (int64_t)1 << (bits - 1);
    return (int32_t)(((int64_t)value ^ sign) - sign);
}

static fc_look_t look(int32_t kind, uint32_t count, uint32_t reason)
{
    const fc_look_t result = {kind, count, reason};
    return result;
}

/* ---- STIM300 */

/* CRC-32, polynomial 0x04C11DB7, initial 0xFFFFFFFF, not reflected; `count` is a multiple of four here, so the
 * datasheet's padding with zeros adds none. */
static uint32_t stim300_crc(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < count; ++i) {
        crc ^= (uint32_t)bytes[i] << 24;
        for (uint32_t bit = 0; bit < 8; ++bit) {
            crc = (crc << 1) ^ (((crc & 0x80000000u) != 0) ? 0x04C11DB7u : 0u);
        }
    }
    return crc;
}

_Static_assert((FC_STIM300_BYTES - 4) % 4 == 0, "the checksum needs no padding");

fc_look_t fc_sensors_look_stim300(const uint8_t *bytes, uint32_t used)
{
    if (bytes[0] != STIM300_ID) {
        return look(FC_LOOK_BAD, 0, LINK_FRAMING);
    }
    if (used < FC_STIM300_BYTES) {
        return look(FC_LOOK_MORE, 0, 0);
    }
    if (stim300_crc(bytes, FC_STIM300_BYTES - 4) != big_endian(&bytes[FC_STIM300_BYTES - 4], 4)) {
        return look(FC_LOOK_BAD, FC_STIM300_BYTES, LINK_CHECKSUM);
    }
    return look(FC_LOOK_FRAME, FC_STIM300_BYTES, 0);
}

static void read_stim300(fc_imu_t *out, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < 3; ++i) {
        out->rate_body_radps[i] = signed_of(big_endian(&bytes[1 + 3 * i], 3), 24) * RATE_LSB_RADPS;
        out->force_body_mps2[i] = signed_of(big_endian(&bytes[11 + 3 * i], 3), 24) * FORCE_LSB_MPS2;
    }
    out->rate_status = bytes[10];
    out->force_status = bytes[20];
    out->counter = bytes[21];
    out->latency_us = big_endian(&bytes[22], 2);
    out->usable = ((bytes[10] | bytes[20]) & STIM300_UNUSABLE) == 0;
}

/* ---- UBX-NAV-PVT */

static int32_t ubx_sum_holds(const uint8_t *bytes)
{
    uint8_t a = 0;
    uint8_t b = 0;
    for (uint32_t i = 2; i < FC_NAV_PVT_BYTES - 2; ++i) {
        a = (uint8_t)(a + bytes[i]);
        b = (uint8_t)(b + a);
    }
    return a == bytes[FC_NAV_PVT_BYTES - 2] && b == bytes[FC_NAV_PVT_BYTES - 1];
}

fc_look_t fc_sensors_look_nav_pvt(const uint8_t *bytes, uint32_t used)
{
    if (bytes[0] != 0xB5u || (used > 1 && bytes[1] != 0x62u)) {
        return look(FC_LOOK_BAD, 0, LINK_FRAMING);
    }
    if (used < UBX_HEAD) {
        return look(FC_LOOK_MORE, 0, 0);
    }
    const uint32_t length = little_endian(&bytes[4], 2);
    if ((bytes[2] != 0x01u || bytes[3] != 0x07u) && length <= UBX_MOST_PAYLOAD) {
        return look(FC_LOOK_SKIP, UBX_HEAD + length + 2, LINK_UNKNOWN_ID);
    }
    if (length != UBX_PAYLOAD) {
        return look(FC_LOOK_BAD, 0, LINK_LENGTH);
    }
    if (used < FC_NAV_PVT_BYTES) {
        return look(FC_LOOK_MORE, 0, 0);
    }
    if (!ubx_sum_holds(bytes)) {
        return look(FC_LOOK_BAD, FC_NAV_PVT_BYTES, LINK_CHECKSUM);
    }
    return look(FC_LOOK_FRAME, FC_NAV_PVT_BYTES, 0);
}

/* 0 when the place is none on Earth; then *out is untouched. */
static int32_t read_nav_pvt(fc_gnss_t *out, const uint8_t *bytes)
{
    const uint8_t *payload = &bytes[UBX_HEAD];
    const uint32_t itow_ms = little_endian(payload, 4);
    const int32_t lon = signed_of(little_endian(&payload[24], 4), 32);
    const int32_t lat = signed_of(little_endian(&payload[28], 4), 32);
    if (lon > 1800000000 || lon < -1800000000 || lat > 900000000 || lat < -900000000
        || itow_ms >= UBX_WEEK_MS) {
        return 0;
    }
    out->itow_ms = itow_ms;
    out->fix_type = payload[20];
    out->usable = (payload[21] & 1u) != 0 && payload[20] == 3;
    out->satellites = payload[23];
    out->longitude_deg = lon * 1e-7;
    out->latitude_deg = lat * 1e-7;
    out->height_m = signed_of(little_endian(&payload[32], 4), 32) * 1e-3;
    out->horizontal_m = little_endian(&payload[40], 4) * 1e-3;
    out->vertical_m = little_endian(&payload[44], 4) * 1e-3;
    for (uint32_t i = 0; i < 3; ++i) {
        out->vel_ned_mps[i] = signed_of(little_endian(&payload[48 + 4 * i], 4), 32) * 1e-3;
    }
    out->speed_mps = little_endian(&payload[68], 4) * 1e-3;
    return 1;
}

/* ---- US-D1 */

fc_look_t fc_sensors_look_us_d1(const uint8_t *bytes, uint32_t used)
{
    if (bytes[0] != US_D1_HEAD) {
        return look(FC_LOOK_BAD, 0, LINK_FRAMING);
    }
    if (used < FC_US_D1_BYTES) {
        return look(FC_LOOK_MORE, 0, 0);
    }
    if ((uint8_t)(bytes[1] + bytes[2] + bytes[3] + bytes[4]) != bytes[5]) {
        return look(FC_LOOK_BAD, FC_US_D1_BYTES, LINK_CHECKSUM);
    }
    if (bytes[1] != US_D1_VERSION) {
        return look(FC_LOOK_SKIP, FC_US_D1_BYTES, LINK_UNKNOWN_ID);
    }
    return look(FC_LOOK_FRAME, FC_US_D1_BYTES, 0);
}

static void read_us_d1(fc_altimeter_t *out, const uint8_t *bytes)
{
    out->height_m = little_endian(&bytes[2], 2) * 0.01;
    out->snr = bytes[4];
    out->usable = bytes[4] > 0;
}

/* ---- the receiver */

/* Compares a tick that starts again at `wrap` with the last one; 0 when it stands still. */
static int32_t goes_on(fc_line_t *line, uint32_t tick, uint32_t wrap)
{
    const uint32_t step = (tick >= line->tick) ? tick - line->tick : tick + wrap - line->tick;
    if (line->seen != 0) {
        if (step == 0) {
            ++line->counters.count[LINK_REPEATED];
            return 0;
        }
        if (line->step != 0 && step > line->step) {
            ++line->counters.count[LINK_JUMPED];
        } else {
            line->step = step;
        }
    }
    line->tick = tick;
    line->seen = 1;
    return 1;
}

static fc_look_t look_at(uint32_t number, const fc_line_t *line)
{
    if (number == PORT_IMU) {
        return fc_sensors_look_stim300(line->bytes, line->used);
    }
    if (number == PORT_GNSS) {
        return fc_sensors_look_nav_pvt(line->bytes, line->used);
    }
    return fc_sensors_look_us_d1(line->bytes, line->used);
}

/* Takes the frame at the beginning of a line's buffer; 1 when it is accepted. */
static int32_t take_frame(fc_sensors_t *sensors, uint32_t number)
{
    fc_line_t *line = &sensors->line[number];
    if (number == PORT_IMU) {
        fc_imu_t imu;
        read_stim300(&imu, line->bytes);
        if (!goes_on(line, imu.counter, 256u)) {
            return 0;
        }
        sensors->imu = imu;
    } else if (number == PORT_GNSS) {
        fc_gnss_t gnss = sensors->gnss;
        if (!read_nav_pvt(&gnss, line->bytes)) {
            ++line->counters.count[LINK_RANGE];
            return 0;
        }
        if (!goes_on(line, gnss.itow_ms, UBX_WEEK_MS)) {
            return 0;
        }
        sensors->gnss = gnss;
    } else {
        read_us_d1(&sensors->altimeter, line->bytes);
    }
    ++line->counters.count[LINK_ACCEPTED];
    return 1;
}

/* Takes `count` bytes from a line, those still to come included. */
static void drop(fc_line_t *line, uint32_t count)
{
    if (count >= line->used) {
        line->skip = count - line->used;
        line->used = 0;
        return;
    }
    line->used -= count;
    memmove(line->bytes, &line->bytes[count], line->used);
}

/* Counts what broke the step; one byte is passed. */
static void fall_out_of_step(fc_line_t *line, const fc_look_t *seen)
{
    if (line->out_of_step == 0) {
        ++line->counters.count[seen->reason];
        line->out_of_step = 1;
        line->until_step = (seen->kind == FC_LOOK_BAD) ? seen->count : 0;
    }
    if (line->until_step > 0) {
        --line->until_step;
        line->out_of_step = line->until_step != 0;
    }
}

/* Looks at the beginning of a line's buffer once; 0 when there is no more to be done. */
static int32_t settle(fc_sensors_t *sensors, uint32_t number, int32_t *accepted)
{
    fc_line_t *line = &sensors->line[number];
    if (line->used == 0) {
        return 0;
    }
    const fc_look_t seen = look_at(number, line);
    if (seen.kind == FC_LOOK_MORE) {
        return 0;
    }
    if (seen.kind == FC_LOOK_FRAME) {
        line->out_of_step = 0;
        *accepted |= take_frame(sensors, number);
        drop(line, seen.count);
    } else if (seen.kind == FC_LOOK_SKIP && line->out_of_step == 0) {
        ++line->counters.count[LINK_UNKNOWN_ID];
        drop(line, seen.count);
    } else {
        fall_out_of_step(line, &seen);
        drop(line, 1);
    }
    return 1;
}

int32_t fc_sensors_byte(fc_sensors_t *sensors, uint32_t line, uint8_t byte)
{
    if (line >= PORT_LINES) {
        return 0;
    }
    fc_line_t *into = &sensors->line[line];
    if (into->skip > 0) {
        --into->skip;
        return 0;
    }
    int32_t accepted = 0;
    int32_t on = 1;
    into->bytes[into->used++] = byte; /* there is room: a full buffer is never left unsettled */
    for (uint32_t i = 0; i <= FC_LINE_ROOM && on; ++i) {
        on = settle(sensors, line, &accepted);
    }
    return accepted;
}

void fc_sensors_receive(fc_sensors_t *sensors, const port_t *port)
{
    uint8_t bytes[128];
    if (port->line_receive == NULL) {
        return;
    }
    for (uint32_t line = 0; line < PORT_LINES; ++line) {
        size_t total = 0;
        size_t count = port->line_receive(port->context, line, bytes, sizeof bytes);
        while (count > 0 && total < MOST_BYTES) {
            for (size_t i = 0; i < count; ++i) {
                (void)fc_sensors_byte(sensors, line, bytes[i]);
            }
            total += count;
            count = port->line_receive(port->context, line, bytes, sizeof bytes);
        }
    }
}
