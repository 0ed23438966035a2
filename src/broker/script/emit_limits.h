/*
 * emit_limits.h - how much one request may emit.
 */
#ifndef PILLAR_SCRIPT_EMIT_LIMITS_H
#define PILLAR_SCRIPT_EMIT_LIMITS_H

#include "script/job.h"

/* What an event takes of the limit of all of a request's. */
size_t emit_bytes(const struct event_fields *f);

/* Counts one more event. Failure: false with "invalid_field", when that is more than a request may emit. */
bool emit_count(struct job *job, size_t bytes, struct error *e);

#endif
