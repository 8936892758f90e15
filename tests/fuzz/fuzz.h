/* fuzz.h - what the fuzz targets share: reading values from the input, telling what broke, counting calls.
 *
 * A target is a file with LLVMFuzzerTestOneInput; it is linked with libFuzzer, or with driver.c, which
 * replays files and makes inputs of its own.  An input that is used up goes on as zeros.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "fk_interface.h"

#define FUZZ_VEHICLES 2

typedef struct {
    const uint8_t *bytes;
    size_t left;
} fuzz_t;

/* The guidance data of the shipped vehicles, in a source that tools/fuzz.py writes. */
extern const unsigned char fuzz_vehicle[FUZZ_VEHICLES][sizeof(fk_if_config_t)];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

uint8_t fuzz_byte(fuzz_t *f);
uint32_t fuzz_word(fuzz_t *f);                           /* 16 bits */
double fuzz_between(fuzz_t *f, double low, double high); /* one of 65536 values */
double fuzz_hostile(fuzz_t *f);                          /* NaN, infinities, denormals, huge, any bits */
int64_t fuzz_time(fuzz_t *f);                            /* any, the ends of the range among them */
void fuzz_fill(fuzz_t *f, void *into, size_t size);      /* raw */
int32_t fuzz_in(double x, double low, double high);      /* false for NaN */
int32_t fuzz_finite(const double *x, size_t count);

/* One more call of what the target is about; ends the process, with 0, once FUZZ_CALLS (environment) are done. */
void fuzz_count(void);
/* Counts what was reached, by a literal; all are printed at the end. */
void fuzz_note(const char *name);

void fuzz_broken(const char *what, const char *file, int line);
#define FUZZ_HOLDS(x) ((x) ? (void)0 : fuzz_broken(#x, __FILE__, __LINE__))

#endif
