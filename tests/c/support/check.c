#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *file, int line, const char *format, ...)
{
    char message[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    print_error("%s\n", message);
    _fail(file, line);
    abort(); /* _fail jumps; it does not say so to the compiler */
}

/* Makes control characters and bytes beyond ASCII visible. */
static const char *printable(struct str s, char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < s.len && at + 5 < size; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c < 0x7f)
            out[at++] = (char)c;
        else
            at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
    }
    out[at] = '\0';
    return out;
}

void check_bytes(struct str actual, struct str expected, const char *file, int line)
{
    char left[900];
    char right[900];

    if (str_eq(actual, expected))
        return;
    check_failed(file, line, "\"%s\" (%zu bytes)\n  is not \"%s\" (%zu bytes)", printable(actual, left, sizeof left),
                 actual.len, printable(expected, right, sizeof right), expected.len);
}

void check_error(const struct error *e, const char *code, const char *field, const char *file, int line)
{
    if (strcmp(e->code, code) != 0 || strcmp(e->field, field) != 0)
        check_failed(file, line, "the error is %s, field '%s', \"%s\"; expected %s, field '%s'", e->code, e->field,
                     e->message, code, field);
    if (e->message[0] == '\0')
        check_failed(file, line, "the error %s comes without a message", code);
}
