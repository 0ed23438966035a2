#include "base/outage.h"

#include <stdbool.h>

#include "base/hash.h"
#include "base/logger.h"

static unsigned long long seconds(const struct outage *o, uint64_t now_ns)
{
    return (unsigned long long)((now_ns - o->began_ns) / 1000000000u);
}

void outage_note(struct outage *o, uint64_t now_ns, const char *area, const char *text)
{
    uint64_t reason = hash_str(str_of(text));
    bool first = o->failures++ == 0;

    if (first)
        o->began_ns = now_ns;
    else if (reason == o->reason && now_ns - o->said_ns < OUTAGE_PAUSE_S * 1000000000ull)
        return;
    o->said_ns = now_ns;
    o->reason = reason;
    if (first)
        log_error(area, "%s", text);
    else
        log_error(area, "%s (%llu times in %llu s)", text, (unsigned long long)o->failures, seconds(o, now_ns));
}

void outage_end(struct outage *o, uint64_t now_ns, const char *area, const char *text)
{
    if (o->failures == 0)
        return;
    log_info(area, "%s, after %llu failure%s in %llu s", text, (unsigned long long)o->failures,
             o->failures == 1 ? "" : "s", seconds(o, now_ns));
    o->failures = 0;
}
