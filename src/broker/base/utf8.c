#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_sequence(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return s.len >= 2 && continues(p[1]) ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if (s.len < 3 || !continues(p[1]) || !continues(p[2]))
            return 0;
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (s.len < 4 || !continues(p[1]) || !continues(p[2]) || !continues(p[3]))
            return 0;
        if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

/* How many of the first bytes are ASCII, looked at eight at a time. */
static size_t ascii_length(struct str s)
{
    size_t at = 0;
    uint64_t word;

    for (; at + sizeof word <= s.len; at += sizeof word) {
        memcpy(&word, s.ptr + at, sizeof word);
        if ((word & 0x8080808080808080u) != 0)
            break;
    }
    while (at < s.len && (unsigned char)s.ptr[at] < 0x80)
        at++;
    return at;
}

bool utf8_valid(struct str s)
{
    for (s = str_from(s, ascii_length(s)); s.len > 0; s = str_from(s, ascii_length(s))) {
        size_t n = utf8_sequence(s);
        if (n == 0)
            return false;
        s = str_from(s, n);
    }
    return true;
}
