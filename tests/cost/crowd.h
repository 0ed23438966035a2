/*
 * crowd.h - a hub with many streams whose sinks take everything and look at nothing, so that what is counted is the core's.
 *
 * A user is named by a number, and has one stream, but for those that crowd_connect opens besides. What fails ends the
 * process.
 */
#ifndef PILLAR_TESTS_CROWD_H
#define PILLAR_TESTS_CROWD_H

#include "http/stream.h"

struct crowd {
    struct counters counters;
    struct stream_hub *hub;  /* owned */
    struct stream **streams; /* owned: of user 0, 1, 2 ... */
    size_t count;
    uint64_t position; /* of the newest event */
};

enum { CROWD_EVERYONE = 0 }; /* in place of a number of targets */

/* A hub without streams, whose log keeps `log_events` and is full, of events for everyone. */
void crowd_begin(struct crowd *c, size_t log_events);

/* Opens streams of further users, until there are `count`. */
void crowd_grow(struct crowd *c, size_t count);

/* One more stream of a user, which the caller closes. An empty id: from now on. */
struct stream *crowd_connect(struct crowd *c, size_t user, struct str last_event_id);

/* Where the crowd's log ends, for a stream to go on from. */
struct str crowd_position(const struct crowd *c, char out[POSITION_TEXT_MAX]);

/* Makes the next event, with about 200 bytes of data, for `targets` users from `first` on, or for CROWD_EVERYONE. */
struct event *crowd_event(struct crowd *c, size_t first, size_t targets);

/* Delivers events as a loop does, gives up the references to them, and lets all streams send. */
void crowd_deliver(struct crowd *c, struct event *const *events, size_t count);

void crowd_end(struct crowd *c);

/* Ends the process with a sentence, unless it holds. */
void must(bool holds, const char *sentence);

/* Prints what the figures depend on: "glibc 2.36, x86_64", with the compiler and the kind of build before it or not. */
void print_environment(bool with_compiler);

#endif
