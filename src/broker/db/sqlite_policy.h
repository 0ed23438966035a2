/*
 * sqlite_policy.h - what of SQL is a script's, and what the broker keeps for itself.
 */
#ifndef PILLAR_DB_SQLITE_POLICY_H
#define PILLAR_DB_SQLITE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"

/* May a script's statement do this? The arguments are those of an sqlite3_set_authorizer callback. */
bool sqlite_permits(int action, const char *first, const char *second);

/* Does a statement that asks for this make or alter a table, so that what comes of it must be looked at? */
bool sqlite_defines_table(int action);

/*
 * How many names in the schemas begin with pillar_, and how many foreign keys refer to such a name, whether there is a table
 * of that name or not. A script's statement may add none. Fails as db_step does.
 */
bool sqlite_count_claims(struct db *db, int64_t *count, struct error *e);

#endif
