#include "support/dice.h"

#include <stdlib.h>

#include "support/check.h"

struct dice dice_of(uint64_t seed)
{
    /* splitmix64's step: neighbouring seeds give unrelated throws. */
    return (struct dice){seed * 0x9e3779b97f4a7c15u + 0xbf58476d1ce4e5b9u};
}

/* splitmix64: of its own, so that the tests do not lean on the generator they test. */
size_t dice_roll(struct dice *d, size_t sides)
{
    uint64_t x = d->state += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((x ^ (x >> 31)) % sides);
}

bool dice_percent(struct dice *d, unsigned percent)
{
    return dice_roll(d, 100) < percent;
}

static void run_with(void (*run)(struct dice *d), uint64_t seed)
{
    struct dice d = dice_of(seed);

    print_message("seed %llu\n", (unsigned long long)seed);
    run(&d);
}

void dice_for_each_seed(void (*run)(struct dice *d))
{
    static const uint64_t seeds[] = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597};
    const char *given = getenv("PILLAR_TEST_SEED");

    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        run_with(run, seeds[i]);
    if (given != NULL)
        run_with(run, strtoull(given, NULL, 10));
}
