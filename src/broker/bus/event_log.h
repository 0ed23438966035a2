/*
 * event_log.h - a loop's memory of recent events, and per user where the events meant for that user are.
 *
 * A subscriber is a cursor, not a queue: it holds two numbers, and live delivery, replay and catching up are
 * the same walk from the cursor to the log's end. What a user missed costs what is meant for that user,
 * however much happened.
 *
 * An event is noted once for each user that it names; one for everyone is noted once. So a walk meets nothing that does
 * not concern the walker, and the price of an event's targets is paid when it comes and when it goes.
 *
 * One thread owns a log; nothing here is locked. Time is an argument, so a virtual clock serves as well.
 */
#ifndef PILLAR_BUS_EVENT_LOG_H
#define PILLAR_BUS_EVENT_LOG_H

#include <stdint.h>

#include "base/counters.h"
#include "base/list.h"
#include "base/str.h"
#include "bus/event.h"

struct event_log;

struct event_log_limits {
    size_t max_events;   /* 1 to 2^30 */
    size_t max_bytes;    /* by event_weight */
    uint64_t max_age_ms; /* by the event's timestamp */
};

/*
 * What a sealed event weighs in a log, in bytes: no less than the memory that it takes, with its frame, its notes, and for
 * each target a log_user that exists for this event alone. So the events of a log never take more memory than max_bytes.
 */
size_t event_weight(const struct event *ev);

/* What the log knows of one user: it exists while the user is subscribed, or named by an event in the log. */
struct log_user;

struct log_cursor {
    uint32_t own;      /* the next event that names the user, counted since the log_user came to be */
    uint32_t everyone; /* the next event for everyone, counted since the log came to be */
};

/* Embedded in a stream. All fields are the log's. */
struct subscriber {
    struct list of_user;
    struct log_user *user;
    struct log_cursor cursor;
    bool behind; /* told by on_event; until it has caught up, further events do not call on_event again */
    bool gap;    /* the log could not keep what was meant for it: resync */
};

/* Called for each subscriber that was level with the log and now has something to walk to. */
typedef void event_log_on_event(void *context, struct subscriber *s);

/*
 * Makes a log whose history begins behind `position` (the journal's, at that moment). NULL when memory is
 * short. `counters` outlives the log.
 */
struct event_log *event_log_create(const struct event_log_limits *limits, uint64_t position, struct counters *counters,
                                   event_log_on_event *on_event, void *context);

/* Needs all subscribers gone. Accepts NULL. */
void event_log_free(struct event_log *log);

/*
 * Appends a sealed event with a position above all before it; takes a reference of its own. When memory is
 * short the log empties itself and every subscriber gets a gap: nobody is left in silence.
 */
void event_log_append(struct event_log *log, struct event *ev);

/* Drops what is over the limits. Appending does that too; this is for age while nothing happens. */
void event_log_trim(struct event_log *log, uint64_t wall_ms);

/* Forgets everything up to `position`, and gives each subscriber a gap: for a loop that missed events. */
void event_log_gap(struct event_log *log, uint64_t position);

/* The position of the newest event, and the one behind which the log is complete. */
uint64_t event_log_head(const struct event_log *log);
uint64_t event_log_floor(const struct event_log *log);

/* The event at just this position, borrowed from the log; NULL: it has been trimmed, or there is none. */
struct event *event_log_find(const struct event_log *log, uint64_t position);

/* Subscribes at the head. Returns false when memory is short. */
bool event_log_subscribe(struct event_log *log, struct subscriber *s, struct str user_id);

/* Ends a subscription; harmless for one that is zeroed or has ended. */
void event_log_unsubscribe(struct event_log *log, struct subscriber *s);

/*
 * Moves a subscriber to just behind `position`. Returns false, and moves it to the head, when the log has
 * lost something since or has not got that far. What it then has to walk makes it `behind`, without on_event.
 */
bool event_log_seek(struct event_log *log, struct subscriber *s, uint64_t position);

/* Moves a subscriber to the head and clears its gap: after a resync. */
void event_log_skip(struct event_log *log, struct subscriber *s);

enum log_walk { LOG_EVENT, LOG_END, LOG_LOST };

/*
 * Takes one step: to the next event that concerns the subscriber's user, from *cursor (a copy of s->cursor or one that
 * a former look moved). LOG_EVENT: *ev is borrowed from the log, and *cursor stands behind it. LOG_END: there
 * is no more. LOG_LOST: the log dropped something that the subscriber had yet to see. The walker stores the
 * cursor back when what it saw was taken.
 */
enum log_walk event_log_next(struct event_log *log, const struct subscriber *s, struct log_cursor *cursor,
                             struct event **ev);

enum log_progress { LOG_PASSED, LOG_AHEAD, LOG_MISSED };

/*
 * How far a subscriber has come. LOG_PASSED: what concerns it up to `position` was taken, or came before it began.
 * LOG_AHEAD: its walk is still to come there. LOG_MISSED: the log has dropped something that it had yet to see, so its
 * walk will go on from the head.
 */
enum log_progress event_log_progress(const struct event_log *log, const struct subscriber *s, uint64_t position);

/* To be called when a walk reached LOG_END and all of it was taken: on_event speaks again at the next event. */
void event_log_level(struct subscriber *s);

/* The subscribers of this user, by their `of_user`; NULL: there are none. Valid until one comes or goes. */
const struct list *event_log_subscribers(const struct event_log *log, struct str user_id);

/* The subscriber's user id, borrowed, and its hash_str. */
struct str event_log_user_id(const struct subscriber *s);
uint64_t event_log_user_hash(const struct subscriber *s);

#endif
