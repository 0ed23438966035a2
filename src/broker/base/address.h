/*
 * address.h - IP addresses as clients and proxies have them, and networks of them.
 */
#ifndef PILLAR_BASE_ADDRESS_H
#define PILLAR_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* An IPv4 address is kept as its IPv4-mapped IPv6 one (RFC 4291 section 2.5.5.2), so that both spellings are the same. */
struct address {
    uint8_t bytes[16];
};

enum { ADDRESS_TEXT_MAX = 46 };

/*
 * Reads an address in any of the ways that proxies write it: "192.0.2.1", "192.0.2.1:4711", "2001:db8::1",
 * "[2001:db8::1]" or "[2001:db8::1]:4711"; the port is dropped. False for anything else.
 */
bool address_read(struct str text, struct address *a);

/* Writes it in its usual form (RFC 5952), IPv4 addresses with dots. The result lies in `out`. */
struct str address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/*
 * A keyed hash of what a limit counts as one client: an IPv4 address, or the /64 of an IPv6 address, which is what one
 * subscriber has (RFC 6177). A text that is no address counts as it is.
 */
uint64_t address_key(struct str text);

struct network {
    struct address address;
    unsigned bits; /* of it that count, 0 to 128 */
};

/* A list of networks. Zeroed, it is empty. */
struct networks {
    struct network *at; /* owned */
    size_t count;
};

/*
 * Reads a list such as "10.0.0.0/8, ::1", separated by commas; an empty text is an empty list. Returns false, and sets
 * *problem to what is wrong, for anything else, or when memory is short. networks_free releases the list in both cases.
 */
bool networks_read(struct str text, struct networks *list, const char **problem);

bool networks_contain(const struct networks *list, const struct address *a);

void networks_free(struct networks *list);

#endif
