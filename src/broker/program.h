/*
 * program.h - one loaded version of the script: what it defines, the files it serves, and the workers that run it.
 *
 * The broker has one at a time, but a request keeps the one that it began with until it is answered. So a program
 * counts its references: whoever has one may hand requests to its pool.
 */
#ifndef PILLAR_PROGRAM_H
#define PILLAR_PROGRAM_H

#include "http/http.h"
#include "script/app.h"
#include "script/pool.h"

struct pillar_broker;

struct program {
    struct pillar_broker *broker;
    unsigned references; /* guarded by the broker's program_lock */
    struct sources *sources;
    struct app *app;
    struct static_mount *mounts; /* one for each of the app's, in its order; root -1: its directory is not there */
    struct pool *pool;           /* NULL until it is prepared */
};

/* One with nothing loaded, and one reference, the caller's. NULL when memory is short. */
struct program *program_new(struct pillar_broker *b, struct error *e);

/* Loads the broker's script, and opens the directories it serves. What was read is in `sources` also when it fails. */
bool program_load(struct program *p, struct error *e);

/* Looks whether the script leaves the broker its own paths. */
bool program_check(const struct pillar_broker *b, const struct program *p, struct error *e);

/* Logs which directories are not there that need not be. */
void program_tell_missing(const struct program *p);

/* Makes the workers, which pool_start sets to work. */
bool program_make_pool(struct program *p, struct error *e);

/* Migrates the database, under the write lock, and makes the broker's own tables; "busy" when the lock cannot be had within
 * the load deadline. *applied: how many steps were due. The last step before the program is used, so that one that cannot be used changes nothing. */
bool program_migrate(const struct program *p, size_t *applied, struct error *e);

/* Gives a reference back; the last one frees the program, whose pool must have been stopped. Accepts NULL. */
void program_unref(struct program *p);

#endif
