/*
 * text.h - long texts in one line, and bytes as text.
 */
#ifndef PILLAR_TESTS_TEXT_H
#define PILLAR_TESTS_TEXT_H

#include "base/buf.h"

/* `before`, `part` so many times, and `after`, in place of what *out holds. */
struct str text_repeat(struct buf *out, const char *before, size_t times, const char *part, const char *after);

/* A copy in memory of its exact size, so that AddressSanitizer sees a look behind it; freed with free(). */
char *text_exact(struct str text);

/* The bytes of hex digits, two a byte, written to `out`, which has room for them. */
struct str text_from_hex(unsigned char *out, const char *digits);

#endif
