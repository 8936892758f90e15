/* can_bits.h - how many bits a CAN frame has on the wire, stuff bits included, and who wins arbitration.
 *
 * The bench's virtual bus asks this of every frame; hil/wire/bitstream.py says the same bit by bit, and with
 * its sources.  Frames are laid out as Linux's struct can_frame and struct canfd_frame.
 */
#ifndef CAN_BITS_H
#define CAN_BITS_H

#include <stddef.h>
#include <stdint.h>

#define CAN_BITS_CLASSICAL 16 /* bytes of a struct can_frame */
#define CAN_BITS_FD 72        /* bytes of a struct canfd_frame */

/* Measures `count` frames of `size` bytes each.  For frame i:
 *   out[i]              its place in arbitration: the lower wins
 *   out[count + i]      bits at the nominal bit rate, from start of frame to the end of end of frame
 *   out[2 * count + i]  bits at the data bit rate (FD frames that switch it, else 0)
 */
void can_bits_measure(const uint8_t *frames, size_t count, size_t size, uint64_t *out);

#endif
