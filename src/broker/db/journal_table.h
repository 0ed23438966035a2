/*
 * journal_table.h - the history in the application's database: one row an event, and one row about the whole.
 *
 * A generation is one history: positions are contiguous from `floor` + 1 to `head`. All of this runs inside a
 * transaction of the caller's, on its connection. Errors are those of db.h.
 */
#ifndef PILLAR_DB_JOURNAL_TABLE_H
#define PILLAR_DB_JOURNAL_TABLE_H

#include "bus/event.h"
#include "db/db.h"

/* What the table holds. */
struct journal_extent {
    uint64_t floor;     /* the position of the last event that was trimmed; 0: none was */
    uint64_t head;      /* the position of the newest event; the floor if there is none */
    uint64_t bytes;     /* what the events weigh (event_weight) */
    uint64_t oldest_ms; /* when the first of them was committed; 0: it is not known */
};

struct journal_limits {
    uint64_t max_events;
    uint64_t max_bytes;
    uint64_t max_age_ms;
};

/*
 * Makes the tables where there are none and tells the generation; where there is none yet, or `anew`, the history begins
 * with a new one and without events. "history" for tables of a version that this broker does not know.
 */
bool journal_table_open(struct db *db, bool anew, struct generation *g, struct error *e);

bool journal_table_measure(struct db *db, struct journal_extent *extent, struct error *e);

/* The head in the transaction's snapshot. */
bool journal_table_head(struct db *db, uint64_t *head, struct error *e);

/* Adds a sealed event whose data was not dropped yet. */
bool journal_table_add(struct db *db, const struct event *ev, struct error *e);

/*
 * Reads the events above `after`, in order. Each is sealed, and lent to `take` for the call. Where one is missing, or cannot
 * be an event, `lost` is told its position: the history is complete behind it only.
 */
struct journal_reader {
    void (*take)(void *context, struct event *ev);
    void (*lost)(void *context, uint64_t position);
    void *context;
};
bool journal_table_read(struct db *db, const struct generation *g, uint64_t after, const struct journal_reader *reader,
                        struct error *e);

/* True when some of it is over the limits. */
bool journal_extent_is_over(const struct journal_extent *extent, const struct journal_limits *limits, uint64_t now_ms);

/*
 * Drops what is over the limits, oldest first, and notes it in *extent: a slice, and twice as much as the transaction has
 * added, `events` and `bytes`, so that what comes is outrun.
 */
bool journal_table_trim(struct db *db, const struct journal_limits *limits, uint64_t now_ms, size_t events,
                        uint64_t bytes, struct journal_extent *extent, struct error *e);

#endif
