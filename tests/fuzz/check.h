/*
 * check.h - invariants of a fuzz target: one that does not hold ends the process, which is what a fuzzer sees.
 */
#ifndef PILLAR_FUZZ_CHECK_H
#define PILLAR_FUZZ_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition, what)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, (what), #condition);                         \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* What libFuzzer and replay_main.c call with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
