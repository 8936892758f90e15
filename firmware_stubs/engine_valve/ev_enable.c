/* ev_enable.c - leave is easily lost and never found again. */
#include "ev_enable.h"

static int32_t is_spent(const ev_enable_t *enable, uint32_t nonce)
{
    for (uint32_t i = 0; i < EV_SPENT_NONCES; ++i) {
        if (i < enable->spent_count && enable->spent[i] == nonce) {
            return 1;
        }
    }
    return 0;
}

static void spend(ev_enable_t *enable, uint32_t nonce)
{
    if (!is_spent(enable, nonce)) {
        enable->spent[enable->spent_count % EV_SPENT_NONCES] = nonce;
        ++enable->spent_count;
    }
}

void ev_enable_lose(ev_enable_t *enable, int32_t safe)
{
    if (!safe) {
        spend(enable, enable->nonce);
    }
    enable->mode = ENABLE_STOP;
    enable->igniter = 0;
}

int32_t ev_enable_hear(ev_enable_t *enable, int64_t t_ns, int64_t window_ns, const record_enable_t *frame,
                       int32_t safe)
{
    if (enable->seen && frame->nonce != enable->nonce) {
        if (t_ns - enable->heard_t_ns < window_ns) {
            enable->blocked_t_ns = t_ns + window_ns;
            enable->two_benches = 1;
        }
        ev_enable_lose(enable, safe);
    }
    enable->seen = 1;
    enable->nonce = frame->nonce;
    enable->heard_t_ns = t_ns;
    if (frame->mode == ENABLE_STOP) {
        ev_enable_lose(enable, 0);
        return 0;
    }
    if (enable->mode != ENABLE_STOP) {
        if (frame->mode != enable->mode) {
            ev_enable_lose(enable, 0);
        }
        enable->igniter = (enable->igniter != 0 && frame->igniter != 0) ? 1 : 0;
        return 0;
    }
    if (!safe || t_ns < enable->blocked_t_ns || is_spent(enable, frame->nonce)) {
        return 0;
    }
    enable->mode = frame->mode;
    enable->igniter = frame->igniter;
    return 1;
}
