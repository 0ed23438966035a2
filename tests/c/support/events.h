/*
 * events.h - sealed events in one line.
 */
#ifndef PILLAR_TESTS_EVENTS_H
#define PILLAR_TESTS_EVENTS_H

#include "bus/event.h"

/* The generation of all histories in these tests, and one of another history. */
extern const struct generation test_generation;
extern const struct generation other_generation;

/* Creates and seals an event; what fails fails the test. The caller owns the one reference. */
struct event *make_event(const struct event_fields *fields, uint64_t position, uint64_t timestamp_ms);

/*
 * The event "task updated" for the users named in `users`, separated by spaces, or for everyone where that is
 * "*". Its timestamp is its position in milliseconds.
 */
struct event *make_event_for(const char *users, uint64_t position);

/* The word to disconnect a user, or one session of it (NULL: all), sealed behind `position`. */
struct event *make_disconnect(const char *user, const char *session, uint64_t position);

#endif
