/*
 * sqlite_policy.h - what of SQL is a script's, and what the broker keeps for itself.
 */
#ifndef PILLAR_DB_SQLITE_POLICY_H
#define PILLAR_DB_SQLITE_POLICY_H

#include <stdbool.h>

/* May a script's statement do this? The arguments are those of an sqlite3_set_authorizer callback. */
bool sqlite_permits(int action, const char *first, const char *second);

#endif
