#include "base/str.h"

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool str_eq_secret(struct str a, struct str b)
{
    volatile unsigned char difference = a.len == b.len ? 0 : 1;

    for (size_t i = 0; i < b.len; i++) {
        unsigned char theirs = a.len == 0 ? 0 : (unsigned char)a.ptr[i % a.len];
        difference = (unsigned char)(difference | (theirs ^ (unsigned char)b.ptr[i]));
    }
    return difference == 0;
}

bool str_is_token(struct str s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.len; i++) {
        char c = ascii_lower(s.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return s.len > 0;
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = str_from(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool str_split(struct str *rest, char separator, struct str *part)
{
    if (rest->ptr == NULL)
        return false;
    const char *at = rest->len == 0 ? NULL : memchr(rest->ptr, separator, rest->len);
    if (at == NULL) {
        *part = *rest;
        *rest = STR_NONE;
    } else {
        part->ptr = rest->ptr;
        part->len = (size_t)(at - rest->ptr);
        *rest = str_from(*rest, part->len + 1);
    }
    return true;
}

bool str_to_u64(struct str s, unsigned long long *value)
{
    unsigned long long sum = 0;

    if (s.len == 0 || s.len > 20)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9 || sum > (~0ULL - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}
