/*
 * migrate.h - the schema's steps, each applied once, in order.
 */
#ifndef PILLAR_DB_MIGRATE_H
#define PILLAR_DB_MIGRATE_H

#include <stddef.h>

#include "db/db.h"

struct migration {
    const char *name; /* for messages; "" for none */
    const char *sql;
};

/*
 * Applies the steps that the database has not seen, all in one transaction, and notes them in
 * pillar_migrations. *applied (may be NULL) tells how many. Fails with "migration" and a message that names
 * the step: when a step that was applied is gone or reads differently now (white space apart), when one
 * fails, or when the result breaks a foreign key; the database is then as it was.
 */
bool migrate(struct db *db, const struct migration *steps, size_t count, size_t *applied, struct error *e);

#endif
