#include "bus/position.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/random.h"

struct generation generation_new(void)
{
    struct generation g;

    random_hex(g.text, GENERATION_LEN / 2);
    return g;
}

struct str position_text(char out[POSITION_TEXT_MAX], const struct generation *g, uint64_t number)
{
    int len = snprintf(out, POSITION_TEXT_MAX, "%s-%" PRIu64, g->text, number);

    return (struct str){out, (size_t)len};
}

static bool is_generation(struct str s)
{
    if (s.len != GENERATION_LEN)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    return true;
}

bool generation_valid(const struct generation *g)
{
    return is_generation(str_of(g->text));
}

enum position_read position_read(struct str text, const struct generation *g, uint64_t *number)
{
    struct str generation;
    unsigned long long value;

    if (!str_split(&text, '-', &generation) || !is_generation(generation) || !str_to_u64(text, &value))
        return POSITION_MALFORMED;
    if (!str_eq(generation, (struct str){g->text, GENERATION_LEN}))
        return POSITION_OTHER_GENERATION;
    *number = value;
    return POSITION_OK;
}
