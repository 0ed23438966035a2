#include "support/text.h"

#include <stdlib.h>

#include "support/check.h"

struct str text_repeat(struct buf *out, const char *before, size_t times, const char *part, const char *after)
{
    out->len = 0;
    buf_append_str(out, str_of(before));
    for (size_t i = 0; i < times; i++)
        buf_append_str(out, str_of(part));
    buf_append_str(out, str_of(after));
    assert_false(out->failed);
    return buf_str(out);
}

char *text_exact(struct str text)
{
    char *copy = malloc(text.len == 0 ? 1 : text.len);

    assert_non_null(copy);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

static unsigned digit_of(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

struct str text_from_hex(unsigned char *out, const char *digits)
{
    size_t len = strlen(digits) / 2;

    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)(digit_of(digits[2 * i]) << 4 | digit_of(digits[2 * i + 1]));
    return (struct str){(const char *)out, len};
}
