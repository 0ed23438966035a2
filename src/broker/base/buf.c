#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (b->cap - b->len >= more)
        return true;
    if (more > SIZE_MAX / 2 - b->len) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < b->len + more)
        cap *= 2;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

void buf_append_str(struct buf *b, struct str s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_append_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_append_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_append(b, digits + at, sizeof digits - at);
}

/* Mostly there is room for it, and it is formatted once. */
void buf_printf(struct buf *b, const char *format, ...)
{
    size_t room = b->failed ? 0 : b->cap - b->len;
    va_list args;

    va_start(args, format);
    int needed = vsnprintf(room == 0 ? NULL : b->data + b->len, room, format, args);
    va_end(args);
    if (needed < 0 || !buf_reserve(b, (size_t)needed + 1)) {
        b->failed = true;
        return;
    }
    if ((size_t)needed >= room) {
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t)needed + 1, format, args);
        va_end(args);
    }
    b->len += (size_t)needed;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_EMPTY;
}

char *buf_take(struct buf *b, size_t *len)
{
    char *data = b->data;

    *len = b->len;
    *b = BUF_EMPTY;
    return data;
}
