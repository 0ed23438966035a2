/*
 * str.h - a borrowed run of bytes.
 *
 * A str never owns what it points at; the owner is named where a str is kept.
 * It may hold NUL bytes and is not NUL-terminated.
 */
#ifndef PILLAR_BASE_STR_H
#define PILLAR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf's %.*s. */
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str str_of(const char *text)
{
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline struct str str_from(struct str s, size_t offset)
{
    return (struct str){s.ptr + offset, s.len - offset};
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Equality that ignores ASCII case, for header names and tokens (RFC 9110 section 5.1). */
bool str_eq_nocase(struct str a, struct str b);

/* Equality whose time depends on b's length only: for secrets. */
bool str_eq_secret(struct str a, struct str b);

/* True for a token (RFC 9110 section 5.6.2): what methods, header names and cookie names are made of. */
bool str_is_token(struct str s);

/* s without leading and trailing spaces and tabs (OWS, RFC 9110 section 5.6.3). */
struct str str_trim(struct str s);

/*
 * Takes the part of *rest before the next separator and moves *rest behind it.
 * Returns false when *rest is used up (rest->ptr is then NULL).
 */
bool str_split(struct str *rest, char separator, struct str *part);

/*
 * Reads a whole decimal number without sign.
 * Returns false for anything but 1 to 20 digits and for a value over UINT64_MAX; *value is then untouched.
 */
bool str_to_u64(struct str s, unsigned long long *value);

#endif
