/*
 * outage.h - something that fails again and again, for the log: said at once, once a minute while it lasts, and when it is
 * over. A failure for another reason is said at once too.
 *
 * An outage is one thread's.
 */
#ifndef PILLAR_BASE_OUTAGE_H
#define PILLAR_BASE_OUTAGE_H

#include <stdint.h>

enum { OUTAGE_PAUSE_S = 60 };

/* Zeroed: there is none. */
struct outage {
    uint64_t began_ns;
    uint64_t said_ns;
    uint64_t reason;   /* the hash of the text that was said last */
    uint64_t failures; /* since it began; 0: there is none */
};

/* It has failed: `text` says what and why. `now_ns` is of the monotonic clock. */
void outage_note(struct outage *o, uint64_t now_ns, const char *area, const char *text);

/* It has worked: `text` says so in the log if it had failed before. */
void outage_end(struct outage *o, uint64_t now_ns, const char *area, const char *text);

#endif
