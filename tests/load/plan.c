#include "plan.h"

/* One event in so many is for everyone. */
enum { EVERYONE_EVERY = 512 };

/* splitmix64, by Sebastiano Vigna. */
static uint64_t scatter(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool has(const struct plan_event *e, size_t user)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->targets[i] == user)
            return true;
    return false;
}

struct plan_event plan_event(const struct plan *p, uint64_t n)
{
    uint64_t dice = scatter(n);
    struct plan_event e = {.everyone = n % EVERYONE_EVERY == 0, .origin = dice % p->streams};
    size_t wanted = e.everyone ? 0 : 1 + (dice >> 32) % PLAN_TARGETS_MAX;

    for (size_t i = 0; i < wanted; i++) {
        dice = scatter(dice);
        if (!has(&e, dice % p->users))
            e.targets[e.count++] = dice % p->users;
    }
    return e;
}

bool plan_concerns(const struct plan *p, uint64_t n, size_t stream)
{
    struct plan_event e = plan_event(p, n);

    return e.origin != stream && (e.everyone || has(&e, stream % p->users));
}
