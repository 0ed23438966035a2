/*
 * emit_api.h - POST /api/emit: events from back ends in other languages, one or a list, all of them or none. It runs no
 * script, and the key was checked before.
 */
#ifndef PILLAR_SCRIPT_EMIT_API_H
#define PILLAR_SCRIPT_EMIT_API_H

#include "script/app.h"
#include "script/job.h"

/* Adds the request's events to the transaction, and answers; what an answer above 399 leaves behind is for the caller to undo. */
void emit_api_run(struct job *job, const struct app *app);

#endif
