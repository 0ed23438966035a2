#include "base/rate.h"

#include <stdlib.h>

static const uint64_t SECOND_NS = 1000000000;

/* Buckets are numbered from 1; number 0 of the array is the end of the list of all, and of each chain. */
struct bucket {
    uint64_t key;
    uint64_t full_ns; /* when it is full again */
    uint32_t newer;   /* in the list of all by their last use, which number 0 closes to a ring */
    uint32_t older;
    uint32_t next; /* in the chain of those whose key has the same end */
};

struct rate {
    uint64_t token_ns; /* what a token takes to be refilled */
    uint64_t burst_ns; /* what all of a bucket's take */
    uint32_t most;
    uint32_t count;
    uint32_t mask;          /* of the heads */
    uint32_t *heads;        /* owned: the chains' first buckets */
    struct bucket *buckets; /* owned; pages that were never touched cost nothing */
};

struct rate *rate_create(uint64_t per_second, size_t most)
{
    struct rate *r = calloc(1, sizeof *r);
    uint32_t heads = 1;

    if (r == NULL)
        return NULL;
    while (heads < most)
        heads *= 2;
    r->token_ns = SECOND_NS / per_second;
    r->burst_ns = r->token_ns * per_second;
    r->most = (uint32_t)most;
    r->mask = heads - 1;
    r->heads = calloc(heads, sizeof *r->heads);
    r->buckets = calloc(most + 1, sizeof *r->buckets);
    if (r->heads != NULL && r->buckets != NULL)
        return r;
    rate_free(r);
    return NULL;
}

void rate_free(struct rate *r)
{
    if (r == NULL)
        return;
    free(r->heads);
    free(r->buckets);
    free(r);
}

/* --- the list of all: behind number 0 comes the newest, before it the oldest --- */

static void unlist(struct rate *r, uint32_t i)
{
    r->buckets[r->buckets[i].newer].older = r->buckets[i].older;
    r->buckets[r->buckets[i].older].newer = r->buckets[i].newer;
}

static void list_as_newest(struct rate *r, uint32_t i)
{
    uint32_t second = r->buckets[0].older;

    r->buckets[i].newer = 0;
    r->buckets[i].older = second;
    r->buckets[second].newer = i;
    r->buckets[0].older = i;
}

/* --- the chains --- */

static uint32_t find(const struct rate *r, uint64_t key)
{
    uint32_t i = r->heads[key & r->mask];

    while (i != 0 && r->buckets[i].key != key)
        i = r->buckets[i].next;
    return i;
}

static void unchain(struct rate *r, uint32_t i)
{
    uint32_t *at = &r->heads[r->buckets[i].key & r->mask];

    while (*at != i)
        at = &r->buckets[*at].next;
    *at = r->buckets[i].next;
}

/* A bucket for a key that has none: a new one, or that of whoever was longest away. */
static uint32_t take_bucket(struct rate *r, uint64_t key)
{
    uint32_t i = r->buckets[0].newer;

    if (r->count < r->most) {
        i = ++r->count;
    } else {
        unlist(r, i);
        unchain(r, i);
    }
    r->buckets[i] = (struct bucket){.key = key, .next = r->heads[key & r->mask]};
    r->heads[key & r->mask] = i;
    list_as_newest(r, i);
    return i;
}

uint64_t rate_take(struct rate *r, uint64_t key, uint64_t now_ns)
{
    uint32_t i = find(r, key);

    if (i == 0) {
        i = take_bucket(r, key);
    } else {
        unlist(r, i);
        list_as_newest(r, i);
    }
    struct bucket *b = &r->buckets[i];
    uint64_t full_ns = (b->full_ns > now_ns ? b->full_ns : now_ns) + r->token_ns;
    if (full_ns - now_ns > r->burst_ns)
        return full_ns - now_ns - r->burst_ns;
    b->full_ns = full_ns;
    return 0;
}

uint64_t rate_retry_after(uint64_t wait_ns)
{
    uint64_t seconds = wait_ns / SECOND_NS + (wait_ns % SECOND_NS == 0 ? 0 : 1);

    return seconds == 0 ? 1 : seconds;
}
