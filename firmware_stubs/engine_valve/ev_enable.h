/* ev_enable.h - the bench's leave to move, and how it is lost.
 *
 * A board takes the leave of a run (its nonce) only while it is safe, with the mode and the igniter bit
 * of that frame.  Leave that is lost outside SAFE, withdrawn or changed is spent: the same nonce never
 * enables again, so a bench that stalls and comes back moves nothing.  Two benches on one bus enable
 * nothing.
 */
#ifndef EV_ENABLE_H
#define EV_ENABLE_H

#include <stdint.h>

#include "records.h"

#define EV_SPENT_NONCES 8

typedef struct {
    int64_t heard_t_ns;   /* when the newest frame came */
    int64_t blocked_t_ns; /* no leave before */
    uint32_t nonce;       /* of the newest frame */
    uint32_t spent[EV_SPENT_NONCES];
    uint32_t spent_count;
    int32_t seen; /* 0 until a frame has come */
    int32_t mode; /* the leave: ENABLE_STOP is none */
    int32_t igniter;
    int32_t two_benches; /* 1: heard at once */
} ev_enable_t;

/* Takes a valid frame; `safe` is 1 while leave may be given.  Returns 1 when a new run's leave begins. */
int32_t ev_enable_hear(ev_enable_t *enable, int64_t t_ns, int64_t window_ns, const record_enable_t *frame,
                       int32_t safe);

/* Takes the leave away; it is spent unless the board is safe. */
void ev_enable_lose(ev_enable_t *enable, int32_t safe);

#endif
