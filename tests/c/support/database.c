#include "support/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"

int database_setup(void **state)
{
    struct database *d = calloc(1, sizeof *d);
    const char *base = getenv("TMPDIR");
    struct error e;

    assert_non_null(d);
    snprintf(d->dir, sizeof d->dir, "%s/pillar-test-XXXXXX", base != NULL ? base : P_tmpdir);
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->url, sizeof d->url, "sqlite:%s/test.db", d->dir);
    d->db = db_open(d->url, &e);
    assert_that(d->db != NULL, "cannot open %s: %s", d->url, e.message);
    *state = d;
    return 0;
}

static void remove_file(const struct database *d, const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", d->dir, name);
    (void)unlink(path);
}

int database_teardown(void **state)
{
    struct database *d = *state;

    db_close(d->db);
    remove_file(d, "test.db");
    remove_file(d, "test.db-wal");
    remove_file(d, "test.db-shm");
    (void)rmdir(d->dir);
    free(d);
    return 0;
}

struct db *database_connect(const struct database *d)
{
    struct error e;
    struct db *db = db_open(d->url, &e);

    assert_that(db != NULL, "cannot open %s: %s", d->url, e.message);
    return db;
}

bool try_sql(struct db *db, const char *sql, struct error *e)
{
    struct db_statement *s = db_prepare(db, str_of(sql), e);
    enum db_step step;

    if (s == NULL)
        return false;
    while ((step = db_step(s, e)) == DB_ROW)
        continue;
    db_finish(s);
    return step == DB_DONE;
}

void run_sql(struct db *db, const char *sql)
{
    struct error e;

    assert_that(try_sql(db, sql, &e), "%s: %s", sql, e.message);
}

void run_sql_fails(struct db *db, const char *sql, const char *code)
{
    struct error e;

    assert_that(!try_sql(db, sql, &e), "%s: it was run", sql);
    assert_that(strcmp(e.code, code) == 0, "%s: failed with %s (%s), expected %s", sql, e.code, e.message, code);
}

int64_t query_integer(struct db *db, const char *sql)
{
    struct error e;
    struct db_statement *s = db_prepare(db, str_of(sql), &e);

    assert_that(s != NULL, "%s: %s", sql, e.message);
    assert_that(db_step(s, &e) == DB_ROW, "%s: no row", sql);
    struct db_value v = db_column(s, 0);
    assert_that(v.type == DB_INTEGER, "%s: not an integer", sql);
    assert_that(db_step(s, &e) == DB_DONE, "%s: more than one row", sql);
    db_finish(s);
    return v.integer;
}
