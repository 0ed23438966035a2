/* Transactions, snapshots, savepoints, and what the broker's own statements survive. */
#include "db/db.h"

#include <sqlite3.h>

#include "support/check.h"
#include "support/database.h"

static struct db *with_table(void **state)
{
    struct db *db = ((struct database *)*state)->db;

    run_sql(db, "CREATE TABLE t (a)");
    return db;
}

static void insert(struct db *db, int value)
{
    char sql[] = "INSERT INTO t VALUES (0)";

    sql[22] = (char)('0' + value);
    run_sql(db, sql);
}

static int64_t count(struct db *db)
{
    return query_integer(db, "SELECT count(*) FROM t");
}

#define assert_ok(call) assert_that(call, "%s", e.message)

TEST(a_commit_is_seen_by_others_and_not_before)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    insert(db, 1);
    assert_int_equal(count(db), 1);
    assert_int_equal(count(other), 0);
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(other), 1);
    db_close(other);
}

TEST(a_rollback_leaves_nothing)
{
    struct db *db = with_table(state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    insert(db, 1);
    run_sql(db, "CREATE TABLE u (a)");
    db_rollback(db);
    assert_int_equal(count(db), 0);
    run_sql_fails(db, "SELECT * FROM u", "sql");
    db_rollback(db); /* harmless when nothing is open */
    assert_ok(db_begin_write(db, &e));
    db_rollback(db);
}

TEST(closing_rolls_back)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e;

    assert_ok(db_begin_write(other, &e));
    insert(other, 1);
    db_close(other);
    assert_int_equal(count(db), 0);
}

TEST(a_commit_that_fails_rolls_back)
{
    struct db *db = ((struct database *)*state)->db;
    struct error e = {0};

    run_sql(db, "CREATE TABLE p (id INTEGER PRIMARY KEY)");
    run_sql(db, "CREATE TABLE t (a REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
    assert_ok(db_begin_write(db, &e));
    run_sql(db, "INSERT INTO t VALUES (7)");
    assert_false(db_commit(db, &e));
    assert_error(&e, "foreign_key", "");
    assert_int_equal(count(db), 0);
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_commit(db, &e));
}

TEST(a_begin_inside_of_a_transaction_fails)
{
    struct db *db = with_table(state);
    struct error e = {0};

    assert_ok(db_begin_write(db, &e));
    assert_false(db_begin_write(db, &e));
    assert_error(&e, "sql", "");
    db_rollback(db);
    assert_false(db_commit(db, &e)); /* there is nothing to commit */
}

/* --- snapshots --- */

TEST(reads_of_a_scope_see_one_snapshot)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);

    db_begin_read(db);
    insert(other, 1); /* before the first statement of the scope: it is part of the snapshot */
    assert_int_equal(count(db), 1);
    insert(other, 2);
    assert_int_equal(count(db), 1);
    db_end_read(db);
    assert_int_equal(count(db), 2);
    db_begin_read(db);
    db_end_read(db);
    db_end_read(db);
    assert_int_equal(count(db), 2);
    db_close(other);
}

TEST(a_write_ends_the_scope_of_reads)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e;

    db_begin_read(db);
    assert_int_equal(count(db), 0);
    insert(other, 1);
    assert_ok(db_begin_write(db, &e));
    assert_int_equal(count(db), 1);
    insert(db, 2);
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(other), 2);
    db_close(other);
}

TEST(a_reader_that_may_not_write_has_its_snapshot)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);

    db_set_read_only(db, true);
    db_begin_read(db);
    assert_int_equal(count(db), 0);
    insert(other, 1);
    assert_int_equal(count(db), 0);
    db_end_read(db);
    assert_int_equal(count(db), 1);
    db_close(other);
}

/* --- savepoints --- */

TEST(savepoints_nest_like_brackets)
{
    struct db *db = with_table(state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    assert_ok(db_savepoint(db, &e));
    insert(db, 2);
    assert_ok(db_savepoint(db, &e));
    insert(db, 3);
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e)); /* without 3 */
    assert_ok(db_release(db, &e));                       /* with 2 */
    assert_ok(db_savepoint(db, &e));
    insert(db, 4);
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e)); /* without 4 */
    assert_ok(db_release(db, &e));                       /* with 1 and 2 */
    assert_ok(db_savepoint(db, &e));
    insert(db, 5);
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(query_integer(db, "SELECT sum(a) FROM t"), 8);
    assert_int_equal(count(db), 3);
}

TEST(a_rollback_to_undoes_what_was_released_inside)
{
    struct db *db = with_table(state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    insert(db, 1);
    assert_ok(db_savepoint(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 2);
    assert_ok(db_release(db, &e));
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(db), 1);
}

TEST(savepoints_begin_anew_with_each_transaction)
{
    struct db *db = with_table(state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    assert_ok(db_savepoint(db, &e));
    db_rollback(db);
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(db), 1);
}

static struct db *with_deferred_key(void **state)
{
    struct db *db = ((struct database *)*state)->db;

    run_sql(db, "CREATE TABLE p (id INTEGER PRIMARY KEY)");
    run_sql(db, "CREATE TABLE t (a REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
    return db;
}

/* One handler's broken key must not make the commit of all fail. */
TEST(the_outermost_release_checks_deferred_keys)
{
    struct db *db = with_deferred_key(state);
    struct error e = {0};

    run_sql(db, "INSERT INTO p VALUES (1)");
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    assert_ok(db_release(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 7);
    assert_false(db_release(db, &e));
    assert_error(&e, "foreign_key", "");
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e)); /* the savepoint is still there */
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(db), 2);
}

TEST(a_deferred_key_may_be_mended_before_the_release)
{
    struct db *db = with_deferred_key(state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 7);
    assert_ok(db_release(db, &e)); /* an inner one: there is still time */
    run_sql(db, "INSERT INTO p VALUES (7)");
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(db), 1);
}

TEST(a_failed_statement_leaves_the_rest_of_the_transaction)
{
    struct db *db = ((struct database *)*state)->db;
    struct error e;

    run_sql(db, "CREATE TABLE t (a UNIQUE)");
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    run_sql_fails(db, "INSERT INTO t VALUES (2), (1)", "unique");
    insert(db, 3);
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(db), 2);
}

/* --- transactions that the database ends by itself --- */

/* No page more: the next row that needs one finds the disk full. */
static void fill_disk(struct db *db, bool full)
{
    struct error e;

    assert_ok(db_run_internal(db, full ? "PRAGMA max_page_count = 1" : "PRAGMA max_page_count = 1000000", &e));
}

static const char large_row[] = "INSERT INTO t VALUES (randomblob(50000))";

/* The transaction is over, and whoever goes on as if nothing had happened changes nothing. */
static void check_ended(struct db *db, const char *cause)
{
    struct error e = {0};

    assert_false(try_sql(db, "INSERT INTO t VALUES (7)", &e));
    assert_error(&e, "unavailable", "");
    assert_that(strstr(e.message, "rolled the transaction back") != NULL && strstr(e.message, cause) != NULL, "%s",
                e.message);
    run_sql_fails(db, "SELECT count(*) FROM t", "unavailable");
    assert_false(db_run_script(db, "INSERT INTO t VALUES (7)", &e));
    assert_error(&e, "unavailable", "");
    assert_false(db_savepoint(db, &e));
    assert_error(&e, "unavailable", "");
    assert_false(db_begin_write(db, &e));
    assert_error(&e, "unavailable", "");
}

static void check_works(struct db *db, struct db *other)
{
    struct error e;

    assert_int_equal(count(db), 0);
    assert_int_equal(count(other), 0);
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(count(other), 1);
}

TEST(a_full_disk_ends_the_transaction_for_those_too_who_do_not_look)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e = {0};

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    fill_disk(db, true);
    run_sql_fails(db, large_row, "unavailable");
    check_ended(db, "full");
    assert_false(db_release(db, &e));
    assert_error(&e, "unavailable", "");
    assert_false(db_rollback_to(db, 0, &e));
    assert_error(&e, "unavailable", "");
    assert_false(db_savepoint(db, &e)); /* of the next handler: it would begin a transaction of its own */
    assert_error(&e, "unavailable", "");
    assert_false(db_commit(db, &e));
    assert_error(&e, "unavailable", "");
    fill_disk(db, false);
    check_works(db, other);
    db_close(other);
}

TEST(a_rollback_is_enough_for_a_transaction_that_has_ended)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e = {0};

    assert_ok(db_begin_write(db, &e));
    fill_disk(db, true);
    run_sql_fails(db, large_row, "unavailable");
    check_ended(db, "full");
    db_rollback(db);
    fill_disk(db, false);
    check_works(db, other);
    db_close(other);
}

TEST(a_statement_that_is_under_way_goes_no_further)
{
    struct db *db = with_table(state);
    struct error e = {0};

    run_sql(db, "INSERT INTO t VALUES (1), (2), (3)");
    assert_ok(db_begin_write(db, &e));
    struct db_statement *rows = db_prepare(db, STR("SELECT a FROM t"), &e);
    assert_int_equal(db_step(rows, &e), DB_ROW);
    fill_disk(db, true);
    run_sql_fails(db, large_row, "unavailable");
    assert_int_equal(db_step(rows, &e), DB_FAILED);
    assert_error(&e, "unavailable", "");
    db_finish(rows);
    db_rollback(db);
}

TEST(a_conflict_that_rolls_back_ends_the_transaction)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e = {0};

    run_sql(db, "CREATE UNIQUE INDEX u ON t (a)");
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    insert(db, 1);
    run_sql_fails(db, "INSERT OR ROLLBACK INTO t VALUES (1)", "unique");
    check_ended(db, "UNIQUE constraint failed: t.a; OR ROLLBACK");
    db_rollback(db);
    check_works(db, other);
    db_close(other);
}

/* The cause is that of this transaction, not of an earlier one. */
TEST(each_transaction_tells_its_own_end)
{
    struct db *db = with_table(state);
    struct error e = {0};

    run_sql(db, "CREATE UNIQUE INDEX u ON t (a)");
    assert_ok(db_begin_write(db, &e));
    insert(db, 1);
    run_sql_fails(db, "INSERT OR ROLLBACK INTO t VALUES (1)", "unique");
    db_rollback(db);
    assert_ok(db_begin_write(db, &e));
    fill_disk(db, true);
    run_sql_fails(db, large_row, "unavailable");
    check_ended(db, "full");
    db_rollback(db);
}

/* --- the guard --- */

static bool always(void *context)
{
    (void)context;
    return true;
}

static bool soon(void *context)
{
    int *looks = context;

    return ++*looks > 5;
}

TEST(a_write_that_is_interrupted_ends_the_transaction)
{
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);
    struct error e = {0};
    int looks = 0;

    assert_ok(db_begin_write(db, &e));
    insert(db, 1);
    db_set_guard(db, soon, &looks);
    run_sql_fails(db, "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
                  "deadline");
    db_set_guard(db, NULL, NULL);
    check_ended(db, "interrupted");
    db_rollback(db);
    check_works(db, other);
    db_close(other);
}

/* What comes later would be read from another snapshot. */
TEST(a_snapshot_that_has_ended_is_read_no_further)
{
    static const char much[] = "SELECT length(group_concat(a || randomblob(500000), 'x')) FROM t";
    struct db *db = with_table(state);
    struct error e = {0};

    run_sql(db, "INSERT INTO t VALUES (1), (2), (3), (4)");
    db_set_read_only(db, true);
    db_begin_read(db);
    assert_int_equal(count(db), 4);
    sqlite3_hard_heap_limit64(sqlite3_memory_used() + 200000);
    bool read = try_sql(db, much, &e);
    sqlite3_hard_heap_limit64(0);
    assert_false(read);
    assert_error(&e, "out_of_memory", "");
    run_sql_fails(db, "SELECT count(*) FROM t", "unavailable");
    db_end_read(db);
    db_begin_read(db);
    assert_int_equal(count(db), 4);
    db_end_read(db);
}

/* A handler that ran out of time is cleaned up after all the same. */
TEST(a_guard_does_not_stop_what_cleans_up)
{
    struct db *db = with_table(state);
    struct error e = {0};

    assert_ok(db_begin_write(db, &e));
    insert(db, 1);
    assert_ok(db_savepoint(db, &e));
    insert(db, 2);
    db_set_guard(db, always, NULL);
    assert_false(
        try_sql(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", &e));
    assert_error(&e, "deadline", "");
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e));
    assert_ok(db_savepoint(db, &e));
    assert_ok(db_release(db, &e));
    db_rollback(db);
    db_set_guard(db, NULL, NULL);
    assert_int_equal(count(db), 0);
    assert_ok(db_begin_write(db, &e));
    db_rollback(db);
}

/* --- the broker's own statements, which are kept prepared --- */

static void round_trip(struct db *db)
{
    struct error e;

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e));
    assert_ok(db_savepoint(db, &e));
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_ok(db_begin_write(db, &e));
    db_rollback(db);
    db_begin_read(db);
    (void)query_integer(db, "SELECT 1");
    db_end_read(db);
}

/* Each of these makes SQLite prepare every statement anew, and ask again what it is allowed. */
TEST(the_brokers_statements_survive_what_a_script_does_to_the_schema)
{
    static const char *const changes[] = {"CREATE TABLE u (a)", "ALTER TABLE u ADD COLUMN b", "ANALYZE", "DROP TABLE u",
                                          "REINDEX"};
    struct db *db = with_table(state);
    struct db *other = database_connect(*state);

    round_trip(db);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        run_sql(db, changes[i]);
        round_trip(db);
    }
    run_sql(other, "CREATE TABLE v (a)");
    round_trip(db);
    db_close(other);
}

TEST(the_brokers_statements_survive_a_schema_that_was_rolled_back)
{
    struct db *db = with_table(state);
    struct error e;

    round_trip(db);
    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    run_sql(db, "CREATE TABLE u (a)");
    assert_ok(db_rollback_to(db, db_depth(db) - 1, &e));
    assert_ok(db_savepoint(db, &e));
    run_sql(db, "CREATE TABLE u (a)");
    insert(db, 1);
    assert_ok(db_release(db, &e));
    db_rollback(db);
    round_trip(db);
    assert_int_equal(count(db), 0);
}

TEST(the_brokers_statements_survive_the_scripts)
{
    struct db *db = with_table(state);
    char sql[] = "SELECT 000";

    round_trip(db);
    for (int i = 0; i < 600; i++) {
        sql[7] = (char)('1' + i / 100);
        sql[8] = (char)('0' + i / 10 % 10);
        sql[9] = (char)('0' + i % 10);
        (void)query_integer(db, sql);
    }
    round_trip(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(a_commit_is_seen_by_others_and_not_before),
        WITH_DATABASE(a_rollback_leaves_nothing),
        WITH_DATABASE(closing_rolls_back),
        WITH_DATABASE(a_commit_that_fails_rolls_back),
        WITH_DATABASE(a_begin_inside_of_a_transaction_fails),
        WITH_DATABASE(reads_of_a_scope_see_one_snapshot),
        WITH_DATABASE(a_write_ends_the_scope_of_reads),
        WITH_DATABASE(a_reader_that_may_not_write_has_its_snapshot),
        WITH_DATABASE(savepoints_nest_like_brackets),
        WITH_DATABASE(a_rollback_to_undoes_what_was_released_inside),
        WITH_DATABASE(savepoints_begin_anew_with_each_transaction),
        WITH_DATABASE(the_outermost_release_checks_deferred_keys),
        WITH_DATABASE(a_deferred_key_may_be_mended_before_the_release),
        WITH_DATABASE(a_failed_statement_leaves_the_rest_of_the_transaction),
        WITH_DATABASE(a_full_disk_ends_the_transaction_for_those_too_who_do_not_look),
        WITH_DATABASE(a_rollback_is_enough_for_a_transaction_that_has_ended),
        WITH_DATABASE(a_statement_that_is_under_way_goes_no_further),
        WITH_DATABASE(a_conflict_that_rolls_back_ends_the_transaction),
        WITH_DATABASE(each_transaction_tells_its_own_end),
        WITH_DATABASE(a_write_that_is_interrupted_ends_the_transaction),
        WITH_DATABASE(a_snapshot_that_has_ended_is_read_no_further),
        WITH_DATABASE(a_guard_does_not_stop_what_cleans_up),
        WITH_DATABASE(the_brokers_statements_survive_what_a_script_does_to_the_schema),
        WITH_DATABASE(the_brokers_statements_survive_a_schema_that_was_rolled_back),
        WITH_DATABASE(the_brokers_statements_survive_the_scripts),
    };

    return RUN_TESTS(tests);
}
