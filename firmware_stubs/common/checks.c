/* checks.c - checksums by nibble tables: 16 entries each, small enough for any board. */
#include "checks.h"

static const uint8_t CRC8[16] = {0x00, 0x2F, 0x5E, 0x71, 0xBC, 0x93, 0xE2, 0xCD,
                                 0x57, 0x78, 0x09, 0x26, 0xEB, 0xC4, 0xB5, 0x9A};
static const uint16_t CRC16[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
                                   0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF};

static uint8_t crc8_byte(uint8_t crc, uint8_t byte)
{
    crc = (uint8_t)(crc ^ byte);
    crc = (uint8_t)((uint8_t)(crc << 4) ^ CRC8[crc >> 4]);
    return (uint8_t)((uint8_t)(crc << 4) ^ CRC8[crc >> 4]);
}

uint8_t checks_crc8(uint32_t id, const uint8_t *bytes, size_t count)
{
    uint8_t crc = 0xFF;
    crc = crc8_byte(crc, (uint8_t)(id & 0xFFu));
    crc = crc8_byte(crc, (uint8_t)((id >> 8) & 0xFFu));
    for (size_t i = 0; i < count; ++i) {
        crc = crc8_byte(crc, bytes[i]);
    }
    return (uint8_t)(crc ^ 0xFFu);
}

uint16_t checks_crc16(const uint8_t *bytes, size_t count)
{
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < count; ++i) {
        crc = (uint16_t)((uint16_t)(crc << 4) ^ CRC16[(crc >> 12) ^ (bytes[i] >> 4)]);
        crc = (uint16_t)((uint16_t)(crc << 4) ^ CRC16[(crc >> 12) ^ (bytes[i] & 0x0Fu)]);
    }
    return crc;
}

size_t checks_cobs_encode(uint8_t *out, const uint8_t *bytes, size_t count)
{
    size_t code_at = 0;
    size_t at = 1;
    uint8_t code = 1;
    for (size_t i = 0; i < count; ++i) {
        if (code == 0xFF) { /* a full block stands for no zero */
            out[code_at] = code;
            code_at = at++;
            code = 1;
        }
        if (bytes[i] != 0) {
            out[at++] = bytes[i];
            ++code;
        } else {
            out[code_at] = code;
            code_at = at++;
            code = 1;
        }
    }
    out[code_at] = code;
    return at;
}

int32_t checks_cobs_decode(uint8_t *out, size_t room, const uint8_t *bytes, size_t count)
{
    size_t at = 0;
    size_t i = 0;
    while (i < count) {
        const uint8_t code = bytes[i++];
        if (code == 0 || (size_t)(code - 1) > count - i) {
            return -1;
        }
        for (uint8_t k = 1; k < code; ++k) {
            if (bytes[i] == 0 || at >= room) {
                return -1;
            }
            out[at++] = bytes[i++];
        }
        if (code != 0xFF && i < count) {
            if (at >= room) {
                return -1;
            }
            out[at++] = 0;
        }
    }
    return (int32_t)at;
}
