/*
 * buf.h - a growable byte buffer with a sticky failure flag.
 *
 * Appending to a buffer whose allocation failed once does nothing, so a writer may append many parts and look
 * at `failed` once, at the end. The flag is the only sign of a failure; it lapses at buf_free.
 */
#ifndef PILLAR_BASE_BUF_H
#define PILLAR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
    char *data; /* owned; NULL until the first append */
    size_t len;
    size_t cap;
    bool failed; /* an allocation failed: the contents are incomplete */
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0, false})

/* Makes room for `more` bytes behind len. Returns false, and sets failed, when memory is short. */
bool buf_reserve(struct buf *b, size_t more);
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_str(struct buf *b, struct str s);
void buf_append_char(struct buf *b, char c);
void buf_append_u64(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Releases the bytes and returns the buffer to BUF_EMPTY. */
void buf_free(struct buf *b);

/* Hands the bytes to the caller, who frees them with free(); the buffer is BUF_EMPTY afterwards. */
char *buf_take(struct buf *b, size_t *len);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

#endif
