/*
 * database.h - a database file that is gone after the test, and SQL in one line.
 */
#ifndef PILLAR_TESTS_DATABASE_H
#define PILLAR_TESTS_DATABASE_H

#include "db/db.h"

struct database {
    char dir[256];
    char url[300];
    struct db *db; /* a connection; owned */
};

/* A cmocka setup and teardown: *state is a struct database with one open connection and an empty file. */
int database_setup(void **state);
int database_teardown(void **state);
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, database_setup, database_teardown)

/* One more connection to the same file. */
struct db *database_connect(const struct database *d);

/* Runs one statement to its end, or fails the test. */
void run_sql(struct db *db, const char *sql);

/* Runs one statement, which must fail with this code. */
void run_sql_fails(struct db *db, const char *sql, const char *code);

/* Prepares and runs one statement. Returns false and fills *e when either fails. */
bool try_sql(struct db *db, const char *sql, struct error *e);

/* The integer in the first column of the only row. */
int64_t query_integer(struct db *db, const char *sql);

#endif
