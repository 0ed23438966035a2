/*
 * idempotency.h - what became of requests with an Idempotency-Key, kept beside what they changed.
 *
 * A record is written in the transaction of the change that it tells of, so that either both are there or none. Whoever
 * asks again finds it, and gets the first answer instead of a second change
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
 *
 * A record without an answer says that something was changed, and no more: the handler has not come to its end, or its
 * answer is not one to keep. Records made before a time that the caller names have expired: they are as if they were not
 * there, and make room when somebody asks for it.
 */
#ifndef PILLAR_DB_IDEMPOTENCY_H
#define PILLAR_DB_IDEMPOTENCY_H

#include "base/crypto.h"
#include "base/exchange.h"
#include "db/db.h"

struct idempotency_id {
    unsigned char scope[SHA256_SIZE];       /* of the user, the method, the path and the key */
    unsigned char fingerprint[SHA256_SIZE]; /* of what a repetition has in common: query, content type, body */
};

/* The user may be nobody, "". Returns false when memory is short. */
bool idempotency_identify(struct idempotency_id *id, struct str user_id, const struct request *r, struct str key);

/* Makes the table, unless it is there. */
bool idempotency_prepare(struct db *db, struct error *e);

enum idempotency_finding {
    IDEMPOTENCY_NEW,      /* there is no record, or it has expired */
    IDEMPOTENCY_ANSWERED, /* and the response is what was answered */
    IDEMPOTENCY_UNANSWERED,
    IDEMPOTENCY_OTHER, /* the key came with another request before */
    IDEMPOTENCY_FAILED /* with the database's code, or "out_of_memory" */
};

/* Looks for the record, of those made at `since_ms` or later, and fills the exchange's empty response with its answer. */
enum idempotency_finding idempotency_find(struct db *db, const struct idempotency_id *id, uint64_t since_ms,
                                          struct exchange *ex, struct error *e);

/*
 * Adds a record, in the caller's transaction; `answer` NULL: without one. Takes the place of one that has expired.
 * "busy", and nothing changed, when one is there that has not: somebody else was first.
 */
bool idempotency_add(struct db *db, const struct idempotency_id *id, const struct response *answer, uint64_t now_ms,
                     uint64_t since_ms, struct error *e);

/* Gives the record without an answer its answer. "unavailable" when there is none. */
bool idempotency_answer(struct db *db, const struct idempotency_id *id, const struct response *answer, struct error *e);

/* How many bytes an answer takes in its record. */
size_t idempotency_answer_size(const struct response *answer);

/* Removes at most `most` of the records that have expired, oldest first; *removed (may be NULL): how many. What is left is
 * for the next time, so that nobody waits for long. */
bool idempotency_trim(struct db *db, uint64_t since_ms, size_t most, size_t *removed, struct error *e);

/* Removes oldest records, expired or not, until the whole database has at most `bytes`: for one in memory, that holds
 * nothing else. */
bool idempotency_shrink(struct db *db, size_t bytes, struct error *e);

#endif
