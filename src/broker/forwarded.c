/*
 * Who sent a request: the connection's other end; or, if that is a proxy that is trusted, whom it names in
 * X-Forwarded-For. Anybody can write that field. Each proxy adds at its end the address that it was connected by, so
 * from there the list is believed as far as the proxies are trusted, and no further.
 */
#include "broker_private.h"

/* Takes the last part of a list of addresses; false when there is none left. */
static bool take_last(struct str *list, struct str *part)
{
    size_t at = list->len;

    if (list->len == 0)
        return false;
    while (at > 0 && list->ptr[at - 1] != ',')
        at--;
    *part = str_trim(str_from(*list, at));
    list->len = at > 0 ? at - 1 : 0;
    return true;
}

/* Goes from one trusted proxy to the next. True when *a is who it was that is not one, or when nobody can be read. */
static bool walk_back(const struct networks *proxies, struct str list, struct address *a)
{
    struct str part;
    struct address hop;

    while (take_last(&list, &part)) {
        if (!address_read(part, &hop))
            return true;
        *a = hop;
        if (!networks_contain(proxies, a))
            return true;
    }
    return false;
}

void forwarded_resolve(const struct networks *proxies, struct exchange *ex)
{
    struct request *r = &ex->request;
    char text[ADDRESS_TEXT_MAX];
    struct address a;

    if (proxies->count == 0 || !address_read(r->remote_address, &a) || !networks_contain(proxies, &a))
        return;
    bool found = false;
    for (size_t i = r->headers.count; i > 0 && !found; i--)
        if (str_eq(r->headers.at[i - 1].name, STR("x-forwarded-for")))
            found = walk_back(proxies, r->headers.at[i - 1].value, &a);
    struct str copy = arena_copy(&ex->arena, address_text(&a, text));
    if (copy.ptr != NULL)
        r->remote_address = copy;
}
