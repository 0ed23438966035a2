#include "base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/hash.h"

enum { V4_AT = 12, V4_BITS = 96, BITS_MAX = 128 };

static const uint8_t v4_mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct address *a)
{
    return memcmp(a->bytes, v4_mapped, V4_AT) == 0;
}

static bool read_plain(struct str text, struct address *a)
{
    char copy[ADDRESS_TEXT_MAX];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, a->bytes) == 1)
        return true;
    memcpy(a->bytes, v4_mapped, V4_AT);
    return inet_pton(AF_INET, copy, a->bytes + V4_AT) == 1;
}

static bool is_port(struct str text)
{
    unsigned long long port;

    return str_to_u64(text, &port) && port <= UINT16_MAX;
}

bool address_read(struct str text, struct address *a)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (end == NULL)
            return false;
        struct str inner = {text.ptr + 1, (size_t)(end - text.ptr) - 1};
        struct str rest = str_from(text, inner.len + 2);
        bool alone = rest.len == 0 || (rest.ptr[0] == ':' && is_port(str_from(rest, 1)));
        return alone && memchr(inner.ptr, ':', inner.len) != NULL && read_plain(inner, a);
    }
    const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    if (colon == NULL || memchr(text.ptr, '.', (size_t)(colon - text.ptr)) == NULL)
        return read_plain(text, a);
    struct str host = {text.ptr, (size_t)(colon - text.ptr)};
    return is_port(str_from(text, host.len + 1)) && read_plain(host, a);
}

struct str address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    const char *text = is_v4(a) ? inet_ntop(AF_INET, a->bytes + V4_AT, out, ADDRESS_TEXT_MAX)
                                : inet_ntop(AF_INET6, a->bytes, out, ADDRESS_TEXT_MAX);

    return str_of(text);
}

uint64_t address_key(struct str text)
{
    struct address a;

    if (!address_read(text, &a))
        return hash_str(text);
    return hash_str((struct str){(const char *)a.bytes, is_v4(&a) ? sizeof a.bytes : sizeof a.bytes / 2});
}

/* --- networks --- */

static bool read_network(struct str text, struct network *n)
{
    unsigned long long bits;
    struct str address;

    (void)str_split(&text, '/', &address);
    if (!read_plain(address, &n->address))
        return false;
    unsigned all = is_v4(&n->address) && memchr(address.ptr, ':', address.len) == NULL ? BITS_MAX - V4_BITS : BITS_MAX;
    n->bits = BITS_MAX;
    if (text.ptr == NULL)
        return true;
    if (!str_to_u64(text, &bits) || bits > all)
        return false;
    n->bits = BITS_MAX - all + (unsigned)bits;
    return true;
}

bool networks_read(struct str text, struct networks *list, const char **problem)
{
    size_t most = 1;
    struct str part;

    *list = (struct networks){NULL, 0};
    if (str_trim(text).len == 0)
        return true;
    for (size_t i = 0; i < text.len; i++)
        most += text.ptr[i] == ',' ? 1 : 0;
    *problem = "the server is short of memory";
    list->at = calloc(most, sizeof *list->at);
    if (list->at == NULL)
        return false;
    *problem = "it must be a list of addresses or networks, such as 10.0.0.0/8, ::1";
    while (str_split(&text, ',', &part))
        if (!read_network(str_trim(part), &list->at[list->count++]))
            return false;
    return true;
}

static bool contains(const struct network *n, const struct address *a)
{
    unsigned whole = n->bits / 8;
    unsigned rest = n->bits % 8;

    if (memcmp(n->address.bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || (n->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

bool networks_contain(const struct networks *list, const struct address *a)
{
    for (size_t i = 0; i < list->count; i++)
        if (contains(&list->at[i], a))
            return true;
    return false;
}

void networks_free(struct networks *list)
{
    free(list->at);
    *list = (struct networks){NULL, 0};
}
