/*
 * silence.h - the guard against silence: a mutation that changed something, and told nobody.
 *
 * To forget an emit, or to emit to nobody, is the commonest mistake in scripts, and nothing else shows it. It is said
 * in the log, counted, and left in the exchange for who tests the script. Routes that say silent = true are not looked
 * at.
 */
#ifndef PILLAR_SCRIPT_SILENCE_H
#define PILLAR_SCRIPT_SILENCE_H

#include "base/counters.h"
#include "db/db.h"
#include "script/app.h"
#include "script/job.h"

struct silence;

/* Remembers for a worker what it has said already. `app` and `counters` outlive it. NULL when memory is short. */
struct silence *silence_create(const struct app *app, struct counters *counters);
/* Accepts NULL. */
void silence_free(struct silence *s);

/* Looks at the events that a job is about to commit, those of `events` from its first one on: is one meant for nobody? */
void silence_look_at_events(struct silence *s, const struct job *job, const struct event_list *events);

/* Looks at a job that is done, and emitted so many events in all. `db` may be NULL. */
void silence_look_at_changes(struct silence *s, const struct job *job, size_t emitted, const struct db *db);

#endif
