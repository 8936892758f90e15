/* driver.c - runs a fuzz target without libFuzzer: the files named on the command line, then, with
 * --random SEED, inputs of its own until FUZZ_CALLS calls are done. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES 65536

static uint8_t input[MOST_BYTES];

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 2;
    }
    const size_t size = fread(input, 1, sizeof input, file);
    (void)fclose(file);
    fprintf(stderr, "%s\n", path);
    return LLVMFuzzerTestOneInput(input, size);
}

/* Steele & Vigna, xorshift64*: the same inputs for the same seed on every machine. */
static uint64_t next(uint64_t *x)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return *x * 0x2545F4914F6CDD1DULL;
}

static void make_inputs(uint64_t seed)
{
    uint64_t x = seed * 2 + 1;
    while (getenv("FUZZ_CALLS")) { /* the target ends the process */
        const size_t size = (size_t)(next(&x) >> 32) % 512;
        for (size_t i = 0; i < size; i++) {
            input[i] = (uint8_t)(next(&x) >> 40);
        }
        (void)LLVMFuzzerTestOneInput(input, size);
    }
}

int main(int argc, char **argv)
{
    int status = LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc && status == 0; i++) {
        if (strcmp(argv[i], "--random") == 0 && i + 1 < argc) {
            make_inputs(strtoull(argv[++i], NULL, 10));
        } else {
            status = replay(argv[i]);
        }
    }
    return status;
}
