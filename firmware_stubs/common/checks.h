/* checks.h - checksums and framing: CRC-8/AUTOSAR, CRC-16/CCITT-FALSE, COBS. */
#ifndef CHECKS_H
#define CHECKS_H

#include <stddef.h>
#include <stdint.h>

/* CRC-8/AUTOSAR (polynomial 0x2F, initial and final 0xFF) over the id, low byte first, and `count` bytes. */
uint8_t checks_crc8(uint32_t id, const uint8_t *bytes, size_t count);

/* CRC-16/CCITT-FALSE (polynomial 0x1021, initial 0xFFFF). */
uint16_t checks_crc16(const uint8_t *bytes, size_t count);

/* Encodes `count` bytes without the closing zero; `out` has room for count + count / 254 + 1.
 * Returns the number of bytes written. */
size_t checks_cobs_encode(uint8_t *out, const uint8_t *bytes, size_t count);

/* Decodes `count` bytes, closing zero not included, in at most `room`.  Returns the number of
 * bytes, or -1 when the input is no COBS or does not fit. */
int32_t checks_cobs_decode(uint8_t *out, size_t room, const uint8_t *bytes, size_t count);

#endif
