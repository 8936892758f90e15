/* fuzz.c - what the targets share. */
/* the name is POSIX's to choose: NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOTES 32

static struct {
    uint64_t calls, most;
    struct timespec since;
    struct {
        const char *name;
        uint64_t count;
    } note[NOTES];
} state;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - state.since.tv_sec) + 1e-9 * (double)(now.tv_nsec - state.since.tv_nsec);
}

/* One JSON object on standard output. */
static void tell(void)
{
    const double s = seconds();
    printf("{\"calls\": %" PRIu64 ", \"seconds\": %.3f, \"calls_per_s\": %.0f", state.calls, s,
           (double)state.calls / s);
    for (int i = 0; i < NOTES && state.note[i].name; i++) {
        printf(", \"%s\": %" PRIu64, state.note[i].name, state.note[i].count);
    }
    printf("}\n");
    (void)fflush(stdout);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *most = getenv("FUZZ_CALLS");
    state.most = most ? strtoull(most, NULL, 10) : UINT64_MAX;
    clock_gettime(CLOCK_MONOTONIC, &state.since);
    return atexit(tell);
}

void fuzz_count(void)
{
    if (++state.calls >= state.most) {
        tell();
        _Exit(0);
    }
}

void fuzz_note(const char *name)
{
    for (int i = 0; i < NOTES; i++) {
        if (!state.note[i].name) {
            state.note[i].name = name;
        }
        if (state.note[i].name == name) {
            state.note[i].count++;
            return;
        }
    }
}

void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

uint8_t fuzz_byte(fuzz_t *f)
{
    if (f->left == 0) {
        return 0;
    }
    f->left--;
    return *f->bytes++;
}

uint32_t fuzz_word(fuzz_t *f)
{
    const uint32_t high = fuzz_byte(f);
    return high << 8 | fuzz_byte(f);
}

double fuzz_between(fuzz_t *f, double low, double high)
{
    return low + (high - low) * (double)fuzz_word(f) / 65535.0;
}

void fuzz_fill(fuzz_t *f, void *into, size_t size)
{
    const size_t taken = size < f->left ? size : f->left;
    memset(into, 0, size);
    memcpy(into, f->bytes, taken);
    f->bytes += taken;
    f->left -= taken;
}

double fuzz_hostile(fuzz_t *f)
{
    static const double value[] = {
        NAN,    INFINITY, -INFINITY, 0.0,    -0.0,   4.9e-324, -4.9e-324, 2.2250738585072014e-308,
        1e-310, 1e308,    -1e308,    1e38,   -1e38,  1e18,     -1e18,     1e9,
        -1e9,   1e5,      -1e5,      3e3,    -3e3,   1e3,      1e2,       10.0,
        1.0,    -1.0,     1e-12,     -1e-12, 1e-300, 0.5,      1.5,       -1e3};
    const size_t count = sizeof value / sizeof value[0];
    const uint8_t which = fuzz_byte(f);
    if (which < 2 * count) {
        return value[which % count];
    }
    if (which < 160) {
        return fuzz_between(f, -2.0, 2.0);
    }
    double any;
    fuzz_fill(f, &any, sizeof any);
    return any;
}

int64_t fuzz_time(fuzz_t *f)
{
    static const int64_t value[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX,  INT64_MAX - 1, 0, -1,
                                    1,         1000000000,    -1000000000};
    const size_t count = sizeof value / sizeof value[0];
    const uint8_t which = fuzz_byte(f);
    if (which < count) {
        return value[which];
    }
    int64_t any;
    fuzz_fill(f, &any, sizeof any);
    return any;
}

int32_t fuzz_in(double x, double low, double high)
{
    return x >= low && x <= high;
}

int32_t fuzz_finite(const double *x, size_t count)
{
    int32_t finite = 1;
    for (size_t i = 0; i < count; i++) {
        finite &= isfinite(x[i]) != 0;
    }
    return finite;
}
