#include "base/json.h"

#include <stdlib.h>

#include "base/utf8.h"

struct scan {
    struct str text;
    size_t at;
    const char *problem; /* NULL while all is well */
    struct str marker;
    struct buf *rewritten; /* NULL: only check */
    size_t copied;         /* so much of text is in `rewritten` */
    unsigned depth;
    unsigned char in_object[JSON_DEPTH_MAX];
};

static bool refuse(struct scan *s, const char *problem)
{
    s->problem = problem;
    return false;
}

/* The next byte, or 0 at the end: a NUL is no JSON outside of strings, so the two need no telling apart. */
static char peek(const struct scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : '\0';
}

static void skip_space(struct scan *s)
{
    while (s->at < s->text.len) {
        char c = s->text.ptr[s->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        s->at++;
    }
}

/* Puts `insert` between the marker and a closing quote in place of text[from, at). */
static void rewrite(struct scan *s, size_t from, struct str insert)
{
    if (s->rewritten == NULL)
        return;
    buf_append(s->rewritten, s->text.ptr + s->copied, from - s->copied);
    buf_append_char(s->rewritten, '"');
    buf_append_str(s->rewritten, s->marker);
    buf_append_str(s->rewritten, insert);
    buf_append_char(s->rewritten, '"');
    s->copied = s->at;
}

static bool hex4(struct scan *s, unsigned *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        char c = ascii_lower(peek(s));
        if (c >= '0' && c <= '9')
            *value = *value * 16 + (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *value = *value * 16 + (unsigned)(c - 'a') + 10;
        else
            return refuse(s, "a \\u escape without four hex digits");
    }
    return true;
}

static bool scan_escape(struct scan *s)
{
    char c = peek(s);

    if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
        return refuse(s, "an unknown escape");
    s->at++;
    if (c != 'u')
        return true;
    unsigned first;
    unsigned second;
    if (!hex4(s, &first))
        return false;
    if (first < 0xd800 || first > 0xdfff)
        return true;
    if (first > 0xdbff || peek(s) != '\\')
        return refuse(s, "a lone surrogate");
    s->at++;
    if (peek(s) != 'u')
        return refuse(s, "a lone surrogate");
    s->at++;
    if (!hex4(s, &second))
        return false;
    return second >= 0xdc00 && second <= 0xdfff ? true : refuse(s, "a lone surrogate");
}

static bool scan_string(struct scan *s)
{
    s->at++;
    while (s->at < s->text.len) {
        unsigned char c = (unsigned char)s->text.ptr[s->at];
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c < 0x20)
            return refuse(s, "a control character in a string");
        if (c == '\\') {
            s->at++;
            if (!scan_escape(s))
                return false;
        } else if (c < 0x80) {
            s->at++;
        } else {
            size_t n = utf8_sequence(str_from(s->text, s->at));
            if (n == 0)
                return refuse(s, "invalid UTF-8");
            s->at += n;
        }
    }
    return refuse(s, "a string without its end");
}

static size_t digits(struct scan *s)
{
    size_t from = s->at;

    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at - from;
}

static bool fits_int64(struct str digits_only, bool negative)
{
    unsigned long long value;
    return str_to_u64(digits_only, &value) && value <= (unsigned long long)INT64_MAX + (negative ? 1u : 0u);
}

static bool scan_number(struct scan *s)
{
    size_t from = s->at;
    bool negative = peek(s) == '-';
    bool leading_zero;

    if (negative)
        s->at++;
    leading_zero = peek(s) == '0';
    size_t whole = digits(s);
    if (whole == 0)
        return refuse(s, "a value that is not JSON");
    if (leading_zero && whole > 1)
        return refuse(s, "a number with a leading zero");
    size_t whole_end = s->at;
    if (peek(s) == '.') {
        s->at++;
        if (digits(s) == 0)
            return refuse(s, "a number without digits behind its point");
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        if (digits(s) == 0)
            return refuse(s, "a number without digits in its exponent");
    }
    if (s->at == whole_end && whole > 15) {
        struct str text = {s->text.ptr + from, s->at - from};
        if (fits_int64(str_from(text, negative ? 1 : 0), negative))
            rewrite(s, from, text);
    }
    return true;
}

static bool scan_word(struct scan *s, struct str word)
{
    if (!str_starts_with(str_from(s->text, s->at), word))
        return refuse(s, "a value that is not JSON");
    s->at += word.len;
    return true;
}

static bool open_container(struct scan *s, bool object)
{
    if (s->depth == JSON_DEPTH_MAX)
        return refuse(s, "lists and objects nested too deeply");
    s->in_object[s->depth++] = object;
    s->at++;
    return true;
}

static bool scan_key(struct scan *s)
{
    if (peek(s) != '"')
        return refuse(s, "an object key that is not a string");
    if (!scan_string(s))
        return false;
    skip_space(s);
    if (peek(s) != ':')
        return refuse(s, "an object key without its colon");
    s->at++;
    skip_space(s);
    return true;
}

/* What begins a value: a scalar is read whole; a container is entered. *entered tells that a value is due next. */
static bool scan_value_start(struct scan *s, bool *entered)
{
    size_t from = s->at;

    *entered = false;
    switch (peek(s)) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, STR("true"));
    case 'f':
        return scan_word(s, STR("false"));
    case 'n':
        return scan_word(s, STR("null"));
    case '[':
        if (!open_container(s, false))
            return false;
        skip_space(s);
        if (peek(s) == ']') {
            s->at++;
            s->depth--;
            rewrite(s, from, STR("[]"));
            return true;
        }
        *entered = true;
        return true;
    case '{':
        if (!open_container(s, true))
            return false;
        skip_space(s);
        if (peek(s) == '}') {
            s->at++;
            s->depth--;
            return true;
        }
        *entered = true;
        return scan_key(s);
    default:
        return scan_number(s);
    }
}

/* Behind a value: closes containers until a comma asks for another value. *more tells that it did. */
static bool scan_value_end(struct scan *s, bool *more)
{
    *more = false;
    while (s->depth > 0) {
        bool object = s->in_object[s->depth - 1];
        skip_space(s);
        char c = peek(s);
        if (c == ',') {
            s->at++;
            skip_space(s);
            *more = true;
            return object ? scan_key(s) : true;
        }
        if (c != (object ? '}' : ']'))
            return refuse(s, object ? "an object without its end" : "a list without its end");
        s->at++;
        s->depth--;
    }
    return true;
}

static bool scan_all(struct scan *s)
{
    bool due = true;

    skip_space(s);
    while (due) {
        if (!scan_value_start(s, &due))
            return false;
        if (!due && !scan_value_end(s, &due))
            return false;
    }
    skip_space(s);
    return s->at == s->text.len ? true : refuse(s, "something behind the value");
}

bool json_scan(struct str text, struct str marker, struct buf *rewritten, struct error *e)
{
    struct scan s = {.text = text, .marker = marker, .rewritten = rewritten};

    if (text.len == 0)
        return error_set(e, "invalid_json", "the JSON text is empty");
    if (!scan_all(&s))
        return error_set(e, "invalid_json", "not JSON: %s at byte %zu", s.problem, s.at);
    if (s.copied > 0)
        buf_append(rewritten, text.ptr + s.copied, text.len - s.copied);
    if (rewritten != NULL && rewritten->failed)
        return error_no_memory(e);
    return true;
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* What follows the backslash, where that is one letter; NULL where it is not. */
static const char *short_escape(unsigned char c)
{
    return c == '\0' ? NULL : strchr("\bb\ff\nn\rr\tt", c);
}

size_t json_string_length(struct str text)
{
    size_t length = text.len + 2;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (needs_escape(c))
            length += c == '"' || c == '\\' || short_escape(c) != NULL ? 1 : 5;
    }
    return length;
}

static void append_escaped(struct buf *out, struct str text)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0; /* text[plain, i) needs no escape and is not written yet */

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (!needs_escape(c))
            continue;
        buf_append(out, text.ptr + plain, i - plain);
        plain = i + 1;
        const char *letter = short_escape(c);
        if (c == '"' || c == '\\')
            buf_append(out, (char[]){'\\', (char)c}, 2);
        else if (letter != NULL)
            buf_append(out, (char[]){'\\', letter[1]}, 2);
        else
            buf_append(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
    buf_append(out, text.ptr + plain, text.len - plain);
}

void json_append_string(struct buf *out, struct str text)
{
    buf_append_char(out, '"');
    append_escaped(out, text);
    buf_append_char(out, '"');
}

void json_append_any_string(struct buf *out, struct str text)
{
    buf_append_char(out, '"');
    while (text.len > 0) {
        size_t valid = 0;
        size_t n;
        while (valid < text.len && (n = utf8_sequence(str_from(text, valid))) > 0)
            valid += n;
        append_escaped(out, (struct str){text.ptr, valid});
        text = str_from(text, valid);
        if (text.len > 0) {
            buf_append_str(out, STR("\xef\xbf\xbd"));
            text = str_from(text, 1);
        }
    }
    buf_append_char(out, '"');
}
