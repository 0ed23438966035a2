/* What goes wrong, by its code, and what scripts may not run. */
#include "db/db.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "support/check.h"
#include "support/database.h"

static struct db *the_db(void **state)
{
    return ((struct database *)*state)->db;
}

static void fails(struct db *db, const char *sql, const char *code, const char *field)
{
    struct error e = {0};

    assert_that(!try_sql(db, sql, &e), "%s: it was run", sql);
    assert_that(strcmp(e.code, code) == 0 && strcmp(e.field, field) == 0,
                "%s: %s, field '%s' (%s), expected %s, field '%s'", sql, e.code, e.field, e.message, code, field);
    assert_true(e.message[0] != '\0');
}

/* --- constraints --- */

TEST(constraints_name_their_columns)
{
    struct db *db = the_db(state);

    run_sql(db, "CREATE TABLE labels (id INTEGER PRIMARY KEY, ownerId TEXT NOT NULL, name TEXT, UNIQUE "
                "(ownerId, name))");
    run_sql(db, "CREATE TABLE codes (code TEXT PRIMARY KEY) WITHOUT ROWID");
    run_sql(db, "INSERT INTO labels VALUES (1, 'ada', 'red')");
    run_sql(db, "INSERT INTO codes VALUES ('x')");
    fails(db, "INSERT INTO labels VALUES (2, 'ada', 'red')", "unique", "ownerId,name");
    fails(db, "INSERT INTO labels VALUES (1, 'ada', 'blue')", "unique", "id");
    fails(db, "INSERT INTO codes VALUES ('x')", "unique", "code");
    fails(db, "INSERT INTO labels VALUES (2, NULL, 'red')", "not_null", "ownerId");
    fails(db, "UPDATE labels SET ownerId = NULL", "not_null", "ownerId");
    assert_int_equal(query_integer(db, "SELECT count(*) FROM labels"), 1);
}

TEST(a_unique_index_names_its_columns_too)
{
    struct db *db = the_db(state);

    run_sql(db, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT)");
    run_sql(db, "CREATE UNIQUE INDEX by_email ON users (email)");
    run_sql(db, "CREATE UNIQUE INDEX by_lower ON users (lower(name))");
    run_sql(db, "INSERT INTO users VALUES (1, 'a', 'x')");
    fails(db, "INSERT INTO users VALUES (2, 'a', 'y')", "unique", "email");
    fails(db, "INSERT INTO users VALUES (2, 'b', 'X')", "unique", ""); /* an expression is no column */
}

TEST(checks_name_no_column)
{
    struct db *db = the_db(state);

    run_sql(db, "CREATE TABLE t (a INTEGER CONSTRAINT positive CHECK (a > 0), b TEXT CHECK (length(b) < 5))");
    fails(db, "INSERT INTO t (a) VALUES (0)", "check", "");
    fails(db, "INSERT INTO t (b) VALUES ('too long')", "check", "");
    run_sql(db, "CREATE TABLE rates (rate REAL CHECK (rate < 0.5))"); /* a point that is no dot of table.column */
    fails(db, "INSERT INTO rates VALUES (0.7)", "check", "");
}

TEST(foreign_keys_are_checked)
{
    struct db *db = the_db(state);

    run_sql(db, "CREATE TABLE projects (id INTEGER PRIMARY KEY)");
    run_sql(db, "CREATE TABLE tasks (id INTEGER PRIMARY KEY, projectId INTEGER REFERENCES projects)");
    fails(db, "INSERT INTO tasks VALUES (1, 7)", "foreign_key", "");
    run_sql(db, "INSERT INTO projects VALUES (7)");
    run_sql(db, "INSERT INTO tasks VALUES (1, 7)");
    fails(db, "DELETE FROM projects", "foreign_key", "");
}

TEST(wrong_sql_says_what_is_wrong)
{
    struct db *db = the_db(state);

    fails(db, "SELEC 1", "sql", "");
    fails(db, "SELECT * FROM nowhere", "sql", "");
    fails(db, "SELECT nothing", "sql", "");
    fails(db, "SELECT (", "sql", "");
    run_sql(db, "SELECT 1"); /* and the connection is none the worse */
}

/* --- opening --- */

static void does_not_open(const char *url, const char *code, const char *field)
{
    struct error e = {0};
    struct db *db = db_open(url, &e);

    assert_that(db == NULL, "opened %s", url);
    assert_error(&e, code, field);
    assert_null(db_open(url, NULL));
}

TEST(a_url_names_a_database)
{
    does_not_open("", "invalid_field", "database");
    does_not_open("sqlite:", "invalid_field", "database");
    does_not_open("test.db", "invalid_field", "database");
    does_not_open("mysql://a/b", "invalid_field", "database");
    does_not_open("SQLITE:x", "invalid_field", "database");
}

TEST(a_database_that_cannot_be_opened_is_unavailable)
{
    const struct database *d = *state;
    char url[400];

    snprintf(url, sizeof url, "sqlite:%s", d->dir);
    does_not_open(url, "unavailable", "");
    snprintf(url, sizeof url, "sqlite:%s/missing/test.db", d->dir);
    does_not_open(url, "unavailable", "");
    db_close(NULL);
}

/* What SQLite would take for a URI of its own, or for a database in memory. */
TEST(a_path_is_a_path_whatever_it_begins_with)
{
    static const char *const names[] = {"file:test.db", "file:test.db?mode=memory", "file::memory:"};
    const struct database *d = *state;
    char url[100];
    char before[PATH_MAX];

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(d->dir), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error e;
        snprintf(url, sizeof url, "sqlite:%s", names[i]);
        struct db *db = db_open(url, &e);
        assert_that(db != NULL, "%s: %s", url, e.message);
        assert_that(access(names[i], F_OK) == 0, "%s is another file, or none", names[i]);
        run_sql(db, "CREATE TABLE own (a)");
        assert_int_equal(query_integer(d->db, "SELECT count(*) FROM sqlite_schema"), 0);
        db_close(db);
        assert_int_equal(remove(names[i]), 0);
    }
    struct db *db = db_open("sqlite::memory:", NULL);
    assert_non_null(db);
    assert_int_equal(access(":memory:", F_OK), -1);
    db_close(db);
    assert_int_equal(chdir(before), 0);
}

TEST(a_file_that_is_no_database_is_unavailable)
{
    const struct database *d = *state;
    char path[400];
    char url[420];

    snprintf(path, sizeof path, "%s/other", d->dir);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        assert_true(fputs("this is no database, ", f) >= 0);
    fclose(f);
    snprintf(url, sizeof url, "sqlite:%s", path);
    does_not_open(url, "unavailable", "");
    remove(path);
}

/* --- reading only --- */

TEST(a_reader_does_not_write)
{
    struct db *db = the_db(state);

    run_sql(db, "CREATE TABLE t (a)");
    run_sql(db, "INSERT INTO t VALUES (1)");
    db_set_read_only(db, true);
    fails(db, "INSERT INTO t VALUES (2)", "read_only", "");
    fails(db, "INSERT INTO t VALUES (2) RETURNING a", "read_only", "");
    fails(db, "UPDATE t SET a = 2", "read_only", "");
    fails(db, "DELETE FROM t", "read_only", "");
    fails(db, "CREATE TABLE u (a)", "read_only", "");
    fails(db, "DROP TABLE t", "read_only", "");
    fails(db, "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "read_only", "");
    assert_int_equal(query_integer(db, "SELECT a FROM t"), 1);
    db_set_read_only(db, false);
    run_sql(db, "INSERT INTO t VALUES (2)");
}

TEST(a_reader_runs_no_text_of_many_statements)
{
    struct db *db = the_db(state);
    struct error e = {0};

    run_sql(db, "CREATE TABLE t (a)");
    db_set_read_only(db, true);
    assert_false(db_run_script(db, "SELECT 1; INSERT INTO t VALUES (1)", &e));
    assert_error(&e, "read_only", "");
    assert_int_equal(query_integer(db, "SELECT count(*) FROM t"), 0);
    assert_true(db_run_internal(db, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM t"), 2);
}

/* --- what the broker keeps for itself --- */

static const char *const kept[] = {
    "BEGIN",
    "BEGIN IMMEDIATE",
    "begin exclusive transaction",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT a",
    "RELEASE a",
    "RELEASE pillar_1",
    "ROLLBACK TO a",
    "EXPLAIN COMMIT",
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA foreign_keys",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA synchronous = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA user_version = 3",
    "PRAGMA main.user_version = 3",
    "PRAGMA query_only = ON",
    "CREATE TABLE pillar_mine (a)",
    "CREATE TABLE PILLAR_MINE (a)",
    "CREATE TABLE \"pillar_mine\" AS SELECT 1",
    "DROP TABLE pillar_secret",
    "ALTER TABLE pillar_secret ADD COLUMN b",
    "ALTER TABLE pillar_secret RENAME TO mine",
    "INSERT INTO pillar_secret VALUES (1)",
    "INSERT INTO main.pillar_secret VALUES (1)",
    "UPDATE pillar_secret SET a = 1",
    "DELETE FROM pillar_secret",
    "REPLACE INTO Pillar_Secret VALUES (1)",
    "CREATE INDEX mine ON pillar_secret (a)",
    "CREATE TRIGGER mine AFTER INSERT ON pillar_secret BEGIN SELECT 1; END",
    "WITH x AS (SELECT 1) INSERT INTO pillar_secret SELECT * FROM x",
};

static void with_own_table(struct db *db)
{
    struct error e;

    assert_true(db_run_internal(db, "CREATE TABLE pillar_secret (a); INSERT INTO pillar_secret VALUES (42)", &e));
    run_sql(db, "CREATE TABLE plain (a)");
}

TEST(scripts_may_not_run_what_the_broker_keeps_for_itself)
{
    struct db *db = the_db(state);

    with_own_table(db);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct error e = {0};
        fails(db, kept[i], "refused", "");
        assert_that(!db_run_script(db, kept[i], &e), "%s: it was run", kept[i]);
        assert_error(&e, "refused", "");
    }
    assert_int_equal(query_integer(db, "SELECT a FROM pillar_secret"), 42);
}

/* What of these the broker can prepare, it does; a script's text must not find it. (Not pragmas: some are run as
 * they are prepared.) */
TEST(nor_when_the_broker_has_prepared_the_same_text)
{
    struct db *db = the_db(state);

    with_own_table(db);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (!str_starts_with(str_of(kept[i]), STR("PRAGMA")))
            (void)db_prepare_internal(db, str_of(kept[i]), NULL);
        fails(db, kept[i], "refused", "");
    }
    assert_int_equal(query_integer(db, "SELECT a FROM pillar_secret"), 42);
}

TEST(nor_inside_of_a_transaction)
{
    struct db *db = the_db(state);
    struct error e;

    with_own_table(db);
    assert_true(db_begin_write(db, &e));
    assert_true(db_savepoint(db, &e));
    run_sql(db, "INSERT INTO plain VALUES (1)");
    /* SQLite itself objects to some of them here, with a code of its own. */
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_that(!try_sql(db, kept[i], &e), "%s: it was run", kept[i]);
    assert_true(db_rollback_to(db, 0, &e));
    assert_true(db_commit(db, &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM plain"), 0);
    assert_int_equal(query_integer(db, "SELECT a FROM pillar_secret"), 42);
}

/* A trigger may say what it likes; it is asked when something sets it off. */
TEST(nor_by_a_trigger)
{
    struct db *db = the_db(state);

    with_own_table(db);
    run_sql(db, "CREATE TRIGGER mine AFTER INSERT ON plain BEGIN DELETE FROM pillar_secret; END");
    fails(db, "INSERT INTO plain VALUES (1)", "refused", "");
    assert_int_equal(query_integer(db, "SELECT a FROM pillar_secret"), 42);
}

TEST(scripts_may_not_load_machine_code)
{
    struct error e;

    assert_false(try_sql(the_db(state), "SELECT load_extension('x')", &e));
    assert_non_null(strstr(e.message, "not authorized"));
    assert_false(try_sql(the_db(state), "SELECT LOAD_EXTENSION('x', 'y')", &e));
    assert_non_null(strstr(e.message, "not authorized"));
}

/* Other kinds of tables by that name, which would stand before the broker's. */
TEST(scripts_may_not_make_anything_by_the_brokers_names)
{
    static const char *const made[] = {
        "CREATE TEMP TABLE pillar_secret (a)",
        "CREATE VIEW pillar_view AS SELECT 1",
        "CREATE TEMP VIEW pillar_other AS SELECT 1",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON pillar_secret BEGIN SELECT 1; END",
    };
    struct db *db = the_db(state);
    size_t accepted = 0;

    with_own_table(db);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        struct error e = {0};
        if (!try_sql(db, made[i], &e))
            continue;
        print_error("accepted: %s\n", made[i]);
        accepted++;
    }
    assert_int_equal(accepted, 0);
}

TEST(scripts_may_look_at_the_schema)
{
    struct db *db = the_db(state);

    run_sql(db, "CREATE TABLE plain (a)");
    run_sql(db, "PRAGMA table_info(plain)");
    run_sql(db, "PRAGMA index_list('plain')");
    run_sql(db, "PRAGMA foreign_key_list(plain)");
    assert_int_equal(query_integer(db, "SELECT count(*) FROM pragma_table_info('plain')"), 1);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'plain'"), 1);
}

TEST(scripts_may_do_everything_else)
{
    struct db *db = the_db(state);
    struct error e;

    assert_true(
        db_run_script(db,
                      "CREATE TABLE a (b PRIMARY KEY); CREATE INDEX c ON a (b); CREATE VIEW d AS SELECT * FROM a;"
                      "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a WHERE b = 1; END;"
                      "CREATE TEMP TABLE u (v); INSERT INTO a VALUES (1), (2); ALTER TABLE a RENAME TO aa;"
                      "DROP TRIGGER t; DROP VIEW d; DROP INDEX c; REINDEX; ANALYZE",
                      &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM aa"), 1);
}

/* --- time and locks --- */

struct guard {
    unsigned asked;
    unsigned stop_at; /* the question that is answered with true */
};

static bool must_stop(void *context)
{
    struct guard *guard = context;

    return ++guard->asked >= guard->stop_at;
}

static const char endless[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

TEST(an_endless_query_ends_when_the_guard_says_so)
{
    struct db *db = the_db(state);
    struct guard guard = {0, 50};

    db_set_guard(db, must_stop, &guard);
    fails(db, endless, "deadline", "");
    assert_int_equal(guard.asked, 50);
    db_set_guard(db, NULL, NULL);
    run_sql(db, "SELECT 1");
}

TEST(an_endless_text_of_statements_ends_too)
{
    struct db *db = the_db(state);
    struct guard guard = {0, 50};
    struct error e = {0};

    db_set_guard(db, must_stop, &guard);
    assert_false(db_run_script(db, endless, &e));
    assert_error(&e, "deadline", "");
}

TEST(a_guard_that_lets_go_on_changes_nothing)
{
    struct db *db = the_db(state);
    struct guard guard = {0, UINT32_MAX};

    db_set_guard(db, must_stop, &guard);
    assert_int_equal(query_integer(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) "
                                       "SELECT count(*) FROM n"),
                     100000);
    assert_true(guard.asked > 10);
}

TEST(a_wait_for_the_lock_ends_when_the_guard_says_so)
{
    struct database *d = *state;
    struct db *other = database_connect(d);
    struct guard guard = {0, 5};
    struct error e = {0};

    assert_true(db_begin_write(other, &e));
    db_set_guard(d->db, must_stop, &guard);
    assert_false(db_begin_write(d->db, &e));
    assert_true(guard.asked >= 5);
    assert_error(&e, "deadline", "");
    db_rollback(other);
    guard.stop_at = UINT32_MAX;
    assert_true(db_begin_write(d->db, &e));
    db_rollback(d->db);
    db_close(other);
}

/* Where no guard says stop, waiting still ends; this is the one test that takes a few seconds. */
TEST(a_lock_that_is_held_for_long_is_busy)
{
    struct database *d = *state;
    struct db *other = database_connect(d);
    struct error e = {0};

    assert_true(db_begin_write(other, &e));
    assert_false(db_begin_write(d->db, &e));
    assert_error(&e, "busy", "");
    db_close(other); /* which rolls back */
    assert_true(db_begin_write(d->db, &e));
    db_rollback(d->db);
}

/* Nobody can wait until an old snapshot is young again. */
TEST(a_write_from_an_old_snapshot_is_busy_at_once)
{
    struct database *d = *state;
    struct db *other = database_connect(d);

    run_sql(d->db, "CREATE TABLE t (a)");
    db_begin_read(d->db);
    assert_int_equal(query_integer(d->db, "SELECT count(*) FROM t"), 0);
    run_sql(other, "INSERT INTO t VALUES (1)");
    fails(d->db, "INSERT INTO t VALUES (2)", "busy", "");
    db_end_read(d->db);
    run_sql(d->db, "INSERT INTO t VALUES (2)");
    db_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(constraints_name_their_columns),
        WITH_DATABASE(a_unique_index_names_its_columns_too),
        WITH_DATABASE(checks_name_no_column),
        WITH_DATABASE(foreign_keys_are_checked),
        WITH_DATABASE(wrong_sql_says_what_is_wrong),
        WITH_DATABASE(a_url_names_a_database),
        WITH_DATABASE(a_database_that_cannot_be_opened_is_unavailable),
        WITH_DATABASE(a_path_is_a_path_whatever_it_begins_with),
        WITH_DATABASE(a_file_that_is_no_database_is_unavailable),
        WITH_DATABASE(a_reader_does_not_write),
        WITH_DATABASE(a_reader_runs_no_text_of_many_statements),
        WITH_DATABASE(scripts_may_not_run_what_the_broker_keeps_for_itself),
        WITH_DATABASE(nor_when_the_broker_has_prepared_the_same_text),
        WITH_DATABASE(nor_inside_of_a_transaction),
        WITH_DATABASE(nor_by_a_trigger),
        WITH_DATABASE(scripts_may_not_load_machine_code),
        WITH_DATABASE(scripts_may_not_make_anything_by_the_brokers_names),
        WITH_DATABASE(scripts_may_look_at_the_schema),
        WITH_DATABASE(scripts_may_do_everything_else),
        WITH_DATABASE(an_endless_query_ends_when_the_guard_says_so),
        WITH_DATABASE(an_endless_text_of_statements_ends_too),
        WITH_DATABASE(a_guard_that_lets_go_on_changes_nothing),
        WITH_DATABASE(a_wait_for_the_lock_ends_when_the_guard_says_so),
        WITH_DATABASE(a_lock_that_is_held_for_long_is_busy),
        WITH_DATABASE(a_write_from_an_old_snapshot_is_busy_at_once),
    };

    return RUN_TESTS(tests);
}
