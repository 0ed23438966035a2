#include "base/json_walk.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 64 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str skip_space(struct str s)
{
    while (s.len > 0 && is_space(s.ptr[0]))
        s = str_from(s, 1);
    return s;
}

/* The length of the string that s begins with, its quotes included. */
static size_t string_length(struct str s)
{
    size_t at = 1;

    while (at < s.len && s.ptr[at] != '"')
        at += s.ptr[at] == '\\' ? 2 : 1;
    return at < s.len ? at + 1 : s.len;
}

static bool ends_scalar(char c)
{
    return is_space(c) || c == ',' || c == ']' || c == '}';
}

/* The length of the value that s begins with. */
static size_t value_length(struct str s)
{
    size_t depth = 0;
    size_t at = 0;

    while (at < s.len) {
        char c = s.ptr[at];
        if (c == '"') {
            at += string_length(str_from(s, at));
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (depth > 0) {
            depth -= c == '}' || c == ']' ? 1 : 0;
            at++;
        } else {
            while (at < s.len && !ends_scalar(s.ptr[at]))
                at++;
        }
        if (depth == 0)
            break;
    }
    return at;
}

struct str json_root(struct str text)
{
    struct str value = skip_space(text);

    value.len = value_length(value);
    return value;
}

enum json_kind json_kind_of(struct str value)
{
    switch (value.len == 0 ? 'n' : value.ptr[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_LIST;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

struct json_walk json_walk_into(struct str value)
{
    return (struct json_walk){str_from(value, 1), json_kind_of(value) == JSON_OBJECT};
}

/* Takes a value, and what stands before the next one. */
static struct str take(struct json_walk *w)
{
    struct str value = {w->rest.ptr, value_length(w->rest)};

    w->rest = skip_space(str_from(w->rest, value.len));
    if (w->rest.len > 0 && (w->rest.ptr[0] == ',' || w->rest.ptr[0] == ':'))
        w->rest = str_from(w->rest, 1);
    return value;
}

bool json_walk_next(struct json_walk *w, struct str *key, struct str *value)
{
    w->rest = skip_space(w->rest);
    *key = STR_NONE;
    if (w->rest.len == 0 || w->rest.ptr[0] == '}' || w->rest.ptr[0] == ']')
        return false;
    if (w->object) {
        *key = take(w);
        w->rest = skip_space(w->rest);
    }
    *value = take(w);
    return value->len > 0;
}

static unsigned hex4(const char *p)
{
    char digits[5] = {p[0], p[1], p[2], p[3], '\0'};

    return (unsigned)strtoul(digits, NULL, 16);
}

static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Writes what the escape at the start of s says, and returns its length; what is written is never longer. */
static size_t unescape(struct str s, char *out, size_t *written)
{
    static const char letters[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    const char *letter;

    if (s.len < 2)
        return s.len;
    if (s.ptr[1] != 'u' || s.len < 6) {
        letter = memchr(letters, s.ptr[1], sizeof letters - 1);
        *out = letter == NULL ? s.ptr[1] : meant[letter - letters];
        *written += 1;
        return 2;
    }
    unsigned code = hex4(s.ptr + 2);
    bool pair = code >= 0xd800 && code <= 0xdbff && s.len >= 12;
    if (pair)
        code = 0x10000 + ((code - 0xd800) << 10) + ((hex4(s.ptr + 8) - 0xdc00) & 0x3ff);
    *written += put_utf8(out, code);
    return pair ? 12 : 6;
}

bool json_string_text(struct str value, struct arena *arena, struct str *text)
{
    struct str inside = {value.ptr + 1, value.len < 2 ? 0 : value.len - 2};

    *text = inside;
    if (inside.len == 0 || memchr(inside.ptr, '\\', inside.len) == NULL)
        return true;
    char *out = arena_alloc(arena, inside.len);
    if (out == NULL)
        return false;
    size_t written = 0;
    while (inside.len > 0) {
        if (inside.ptr[0] == '\\') {
            inside = str_from(inside, unescape(inside, out + written, &written));
            continue;
        }
        out[written++] = inside.ptr[0];
        inside = str_from(inside, 1);
    }
    *text = (struct str){out, written};
    return true;
}

bool json_integer(struct str value, int64_t *number)
{
    char text[NUMBER_MAX];
    char *end;

    if (value.len == 0 || value.len >= sizeof text)
        return false;
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (*end == '\0')
        return errno == 0;
    double d = strtod(text, &end); /* 7.0 and 7e2 are integers too */
    if (d != floor(d) || fabs(d) > 9007199254740992.0)
        return false;
    *number = (int64_t)d;
    return true;
}

void json_append_compact(struct buf *out, struct str value)
{
    size_t plain = 0; /* value[plain, at) is not written yet */
    size_t at = 0;

    while (at < value.len) {
        if (value.ptr[at] == '"') {
            at += string_length(str_from(value, at));
        } else if (is_space(value.ptr[at])) {
            buf_append(out, value.ptr + plain, at - plain);
            plain = ++at;
        } else {
            at++;
        }
    }
    buf_append(out, value.ptr + plain, value.len - plain);
}
