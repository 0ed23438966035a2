/*
 * template.h - texts with places to fill in, so that one program speaks to any server.
 *
 *   {user} {index}   of a stream; of an event, {user} is the first one that it is meant for
 *   {seq} {at}       the number of an event and when it was sent, as the receiving side looks for them
 *   {targets}        the users that an event is meant for, as JSON strings, separated by commas
 *   {channels}       the same users without quotes
 *   {first} {count} {users}  the same users as a range, modulo the number of all users
 *   {pad}            fills the text up to the size that was asked for
 */
#ifndef PILLAR_BENCH_TEMPLATE_H
#define PILLAR_BENCH_TEMPLATE_H

#include "base/buf.h"

struct template_values {
    uint64_t user;
    uint64_t index;
    uint64_t seq;
    uint64_t at; /* ns */
    uint64_t first;
    uint64_t count;
    uint64_t users;
    uint64_t pad; /* bytes */
};

void template_append(struct buf *out, const char *text, const struct template_values *values);

#endif
