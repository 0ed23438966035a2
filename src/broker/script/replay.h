/*
 * replay.h - a mutation with an Idempotency-Key is carried out once; who asks again gets the first answer.
 *
 * On the writer the answer is recorded (db/idempotency.h) in the handler's savepoint, so that changes, events and record
 * are committed together, and a repetition waits for the write lock, which the first one holds. A route with transaction =
 * false holds no lock while it runs: that its key is in flight is known to the process (in_flight.h), that it has changed
 * something is recorded with its first change, and its answer follows when it has come to its end.
 *
 * What fails leaves no record, and may be tried again. An answer with Set-Cookie is not kept, since a session must not be
 * given twice, nor one that is too large: if something was changed, there is a record without an answer, and a repetition is
 * told so; if nothing was, a repetition does no harm.
 */
#ifndef PILLAR_SCRIPT_REPLAY_H
#define PILLAR_SCRIPT_REPLAY_H

#include "base/counters.h"
#include "db/journal.h"
#include "script/job.h"

struct replay_config {
    struct in_flight *in_flight; /* borrowed */
    struct db *memory;           /* borrowed; holds the records where there is no database. Only under the write lock */
    uint64_t age_ms;             /* for which a record counts */
    size_t answer_bytes;         /* of an answer that is kept */
    size_t memory_bytes;         /* of all records in `memory` */
};

/* What a worker needs for it; all of it borrowed. */
struct replays {
    const struct replay_config *config;
    struct journal *journal;
    struct db *db; /* NULL: none */
    struct counters *counters;
};

/* False for a key that is none: not from 1 to 255 visible ASCII characters, or not the only one. */
bool replay_key_valid(const struct request *r);

/* Looks at the key, once it is known who asks. True: the handler is to run. False: the exchange has its answer. */
bool replay_admit(const struct replays *rs, struct job *job);

/* In the savepoint of a handler that stands; `changed`: it wrote or emitted something. When it fails, the handler must
 * leave no trace. */
bool replay_record(const struct replays *rs, struct job *job, bool changed, struct error *e);

/* In a transaction of its own: removes records that have expired, a slice of them. *more: there may be others. */
bool replay_trim(const struct replays *rs, bool *more, struct error *e);

/* --- of routes with transaction = false --- */

/* In a transaction that is about to be committed; `changed` as above. When it fails, the transaction must be rolled back. */
bool replay_note(const struct replays *rs, struct job *job, bool changed, struct error *e);
/* What became of that transaction. */
void replay_settle(struct job *job, bool committed);

/* Whether the answer of a handler that has ended is to be kept: by replay_answer, in a transaction of its own. */
bool replay_wants_answer(const struct replays *rs, const struct job *job);
bool replay_answer(const struct replays *rs, struct job *job, struct error *e);

/* The job is over. Harmless for any job. */
void replay_leave(const struct replays *rs, struct job *job);

#endif
