/* link.c - length, checksum, counter; then the serial stream. */
#include "link.h"

#include <string.h>

#include "checks.h"

enum { NAV_FRAME = RECORDS_NAV_BYTES + 2 };

uint32_t link_rejected(const link_counters_t *counters)
{
    return counters->count[LINK_LENGTH] + counters->count[LINK_CHECKSUM] + counters->count[LINK_REPEATED]
           + counters->count[LINK_RANGE] + counters->count[LINK_FRAMING];
}

void link_protect(port_can_frame_t *frame, uint32_t id, uint8_t counter)
{
    frame->id = id;
    frame->length = 8;
    memset(frame->reserved, 0, sizeof frame->reserved);
    frame->data[6] = (uint8_t)((frame->data[6] & 0x0Fu) | (uint8_t)((counter & 0x0Fu) << 4));
    frame->data[7] = checks_crc8(id, frame->data, 7);
}

/* Compares a counter that wraps at `mask` + 1 with the last one; 0 when it is repeated. */
static int32_t check_counter(link_counters_t *counters, link_memory_t *memory, uint8_t counter, uint8_t mask)
{
    const uint8_t step = (uint8_t)((counter - memory->counter) & mask);
    if (memory->seen != 0 && step == 0) {
        ++counters->count[LINK_REPEATED];
        return 0;
    }
    if (memory->seen != 0 && step != 1) {
        ++counters->count[LINK_JUMPED];
    }
    memory->counter = counter;
    memory->seen = 1;
    return 1;
}

int32_t link_check(link_counters_t *counters, link_memory_t *memory, const port_can_frame_t *frame)
{
    if (frame->length != 8) {
        ++counters->count[LINK_LENGTH];
        return 0;
    }
    if (frame->data[7] != checks_crc8(frame->id, frame->data, 7)) {
        ++counters->count[LINK_CHECKSUM];
        return 0;
    }
    return check_counter(counters, memory, (uint8_t)(frame->data[6] >> 4), 0x0F);
}

/* Looks at one complete COBS frame. */
static int32_t nav_complete(link_counters_t *counters, link_stream_t *stream, record_nav_t *nav)
{
    uint8_t payload[NAV_FRAME];
    uint8_t counter = 0;
    record_nav_t candidate;
    const int32_t count = checks_cobs_decode(payload, NAV_FRAME, stream->bytes, stream->used);
    if (count < 0) {
        ++counters->count[LINK_FRAMING];
        return 0;
    }
    if (count != NAV_FRAME) {
        ++counters->count[LINK_LENGTH];
        return 0;
    }
    const uint16_t crc = checks_crc16(payload, RECORDS_NAV_BYTES);
    if (payload[RECORDS_NAV_BYTES] != (uint8_t)(crc & 0xFFu)
        || payload[RECORDS_NAV_BYTES + 1] != (uint8_t)(crc >> 8)) {
        ++counters->count[LINK_CHECKSUM];
        return 0;
    }
    const int32_t in_range = records_unpack_nav(&candidate, &counter, payload);
    if (!check_counter(counters, &stream->memory, counter, 0xFF)) {
        return 0;
    }
    if (!in_range) {
        ++counters->count[LINK_RANGE];
        return 0;
    }
    candidate.fresh = 1;
    *nav = candidate;
    ++counters->count[LINK_ACCEPTED];
    return 1;
}

int32_t link_nav_byte(link_counters_t *counters, link_stream_t *stream, uint8_t byte, record_nav_t *nav)
{
    if (byte != 0) {
        if (stream->used < LINK_SERIAL_ROOM) {
            stream->bytes[stream->used++] = byte;
        } else {
            stream->overlong = 1;
        }
        return 0;
    }
    int32_t accepted = 0;
    if (stream->overlong) {
        ++counters->count[LINK_FRAMING];
    } else if (stream->used > 0) {
        accepted = nav_complete(counters, stream, nav);
    }
    stream->used = 0;
    stream->overlong = 0;
    return accepted;
}

uint32_t link_nav_frame(uint8_t out[LINK_SERIAL_ROOM], uint8_t counter, const record_nav_t *nav)
{
    uint8_t payload[NAV_FRAME];
    records_pack_nav(payload, counter, nav);
    const uint16_t crc = checks_crc16(payload, RECORDS_NAV_BYTES);
    payload[RECORDS_NAV_BYTES] = (uint8_t)(crc & 0xFFu);
    payload[RECORDS_NAV_BYTES + 1] = (uint8_t)(crc >> 8);
    const size_t used = checks_cobs_encode(out, payload, NAV_FRAME);
    out[used] = 0;
    return (uint32_t)(used + 1);
}
