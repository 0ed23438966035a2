/*
 * program.h - one loaded version of the script: what it defines, the files it serves, and the workers that run it.
 *
 * The broker has one at a time, but a request keeps the one that it began with until it is answered. So a program counts
 * its references.
 */
#ifndef PILLAR_PROGRAM_H
#define PILLAR_PROGRAM_H

#include <stdatomic.h>

#include "http/http.h"
#include "script/app.h"
#include "script/pool.h"

struct pillar_broker;

struct program {
    _Atomic unsigned references;
    struct app *app;
    struct static_mount *mounts; /* one for each of the app's, in its order */
    struct pool *pool;           /* NULL until it is prepared */
};

/* Loads the broker's script, and opens the directories it serves. One reference, the caller's; or NULL. */
struct program *program_load(struct pillar_broker *b, struct error *e);

/* Looks whether the script leaves the broker its own paths. */
bool program_check(const struct pillar_broker *b, const struct program *p, struct error *e);

/* Migrates the database, and makes the workers, which pool_start sets to work. */
bool program_prepare(struct pillar_broker *b, struct program *p, struct error *e);

struct program *program_ref(struct program *p);
/* The last one frees it; the pool must have been stopped. Accepts NULL. */
void program_unref(struct program *p);

#endif
