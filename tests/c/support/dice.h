/*
 * dice.h - repeatable chance for randomized tests.
 */
#ifndef PILLAR_TESTS_DICE_H
#define PILLAR_TESTS_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

struct dice dice_of(uint64_t seed);

/* A number below `sides`, which is not 0. */
size_t dice_roll(struct dice *d, size_t sides);

bool dice_percent(struct dice *d, unsigned percent);

/*
 * Runs a test once for each seed of a fixed list, and for the number in the environment variable
 * PILLAR_TEST_SEED if it is set. The seed is printed first, so that a failure tells how to repeat it.
 */
void dice_for_each_seed(void (*run)(struct dice *d));

#endif
