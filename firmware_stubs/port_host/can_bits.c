#include "can_bits.h"

#include <stdbool.h>
#include <string.h>

#define EXTENDED 0x80000000u
#define REMOTE 0x40000000u
#define FD_BIT_RATE_SWITCH 1u
#define FD_ERROR_STATE 2u
#define CRC15_POLYNOMIAL 0x4599u
#define TAIL_BITS 10u /* CRC delimiter, ACK slot, ACK delimiter, end of frame */

/* What has been sent so far: stuff bits so far, the last level and how often it has come in a row. */
typedef struct {
    uint32_t stuffed;
    uint32_t level;
    uint32_t run;
    uint32_t crc;
} line_t;

/* Without branches: no processor foresees the bits of a CRC. */
static void put_bit(line_t *line, uint32_t bit)
{
    const uint32_t due = line->run == 5u ? 1u : 0u;
    const uint32_t same = 1u ^ bit ^ line->level ^ due;
    line->stuffed += due;
    line->run = (line->run - 4u * due) * same + 1u;
    line->level = bit;
}

/* Sends a number of `bits` bits, most significant first. */
static void put(line_t *line, uint32_t number, uint32_t bits)
{
    for (uint32_t at = bits; at > 0u; --at) {
        const uint32_t bit = (number >> (at - 1u)) & 1u;
        const uint32_t feedback = (bit ^ (line->crc >> 14)) & 1u;
        line->crc = ((line->crc << 1) & 0x7FFFu) ^ ((0u - feedback) & CRC15_POLYNOMIAL);
        put_bit(line, bit);
    }
}

/* Sends start of frame and arbitration field; returns their bits. */
static uint32_t put_arbitration(line_t *line, uint32_t id, uint32_t remote)
{
    put(line, 0u, 1u);
    if ((id & EXTENDED) == 0u) {
        put(line, (id & 0x7FFu) << 1 | remote, 12u);
        return 13u;
    }
    put(line, (id >> 18) & 0x7FFu, 11u);
    put(line, 3u, 2u); /* SRR, IDE */
    put(line, (id & 0x3FFFFu) << 1 | remote, 19u);
    return 33u;
}

/* Base id, RTR or SRR, IDE, the rest of an extended frame's id and RTR, FDF. */
static uint64_t arbitration_key(uint32_t id, uint32_t remote, uint32_t fd)
{
    uint64_t key = (uint64_t)(id & 0x7FFu) << 21 | (uint64_t)remote << 20;
    if ((id & EXTENDED) != 0u) {
        key = (uint64_t)((id >> 18) & 0x7FFu) << 21 | 3u << 19 | (id & 0x3FFFFu) << 1 | remote;
    }
    return key << 1 | fd;
}

static uint32_t at_most(uint32_t value, uint32_t most)
{
    return value < most ? value : most;
}

static uint32_t measure_classical(const uint8_t *frame, uint32_t id)
{
    line_t line = {0u, 1u, 0u, 0u};
    const uint32_t remote = (id & REMOTE) != 0u ? 1u : 0u;
    const uint32_t length = at_most(frame[4], 8u);
    uint32_t bits = put_arbitration(&line, id, remote) + 6u + 15u + TAIL_BITS;
    put(&line, length, 6u); /* two dominant bits, the length */
    for (uint32_t i = 0u; i < length && remote == 0u; ++i) {
        put(&line, frame[8u + i], 8u);
        bits += 8u;
    }
    put(&line, line.crc, 15u);
    return bits + line.stuffed + (line.run == 5u ? 1u : 0u);
}

static uint32_t length_code(uint32_t length)
{
    static const uint8_t most[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48};
    uint32_t code = 0u;
    while (code < sizeof most && length > most[code]) {
        ++code;
    }
    return code;
}

/* The CRC field has stuff bits at fixed places, so the CRC's value does not matter; there is one before its
 * first bit, in place of a stuff bit that may be due there (ISO 11898-1:2015, 10.5). */
static void measure_fd(const uint8_t *frame, uint32_t id, uint64_t *slow, uint64_t *fast)
{
    line_t line = {0u, 1u, 0u, 0u};
    const uint32_t flags = frame[5];
    const uint32_t length = at_most(frame[4], 64u);
    const bool switches = (flags & FD_BIT_RATE_SWITCH) != 0u;
    uint32_t head = put_arbitration(&line, id, 0u);
    if ((id & EXTENDED) == 0u) {
        put(&line, 0u, 1u); /* IDE */
        ++head;
    }
    put(&line, 4u | (switches ? 1u : 0u), 3u); /* FDF, res, BRS */
    const uint32_t stuffed_head = line.stuffed;
    head += 3u + stuffed_head;
    put(&line, ((flags & FD_ERROR_STATE) != 0u ? 16u : 0u) | length_code(length), 5u);
    for (uint32_t i = 0u; i < length; ++i) {
        put(&line, frame[8u + i], 8u);
    }
    const uint32_t crc = length > 16u ? 4u + 21u + 7u : 4u + 17u + 6u;
    const uint32_t rest = line.stuffed - stuffed_head + 5u + 8u * length + crc + 1u;
    *slow = head + TAIL_BITS - 1u + (switches ? 0u : rest);
    *fast = switches ? rest : 0u;
}

void can_bits_measure(const uint8_t *frames, size_t count, size_t size, uint64_t *out)
{
    for (size_t i = 0; i < count; ++i) {
        const uint8_t *frame = frames + i * size;
        const bool fd = size == CAN_BITS_FD;
        uint32_t id;
        memcpy(&id, frame, sizeof id);
        out[i] = arbitration_key(id, !fd && (id & REMOTE) != 0u ? 1u : 0u, fd ? 1u : 0u);
        if (fd) {
            measure_fd(frame, id, &out[count + i], &out[2u * count + i]);
        } else {
            out[count + i] = measure_classical(frame, id);
            out[2u * count + i] = 0u;
        }
    }
}
