/* Claims of scripts on the broker's tables that SQLite's authorizer is not told of: new names, and foreign keys. */
#include "db/db.h"
#include "db/migrate.h"
#include "support/check.h"
#include "support/database.h"

#define assert_ok(call) assert_that(call, "%s", e.message)

static struct db *prepared(void **state)
{
    struct db *db = ((struct database *)*state)->db;
    struct error e;

    assert_ok(db_run_internal(
        db, "CREATE TABLE pillar_secret (a INTEGER PRIMARY KEY); INSERT INTO pillar_secret VALUES (42)", &e));
    run_sql(db, "CREATE TABLE plain (a)");
    run_sql(db, "CREATE TEMP TABLE passing (a)");
    run_sql(db, "CREATE TABLE child (a REFERENCES parent)");
    run_sql(db, "CREATE TABLE parent (a INTEGER PRIMARY KEY)");
    return db;
}

static const char *const claims[] = {
    "ALTER TABLE plain RENAME TO pillar_secrets",
    "ALTER TABLE plain RENAME TO PILLAR_secrets",
    "ALTER TABLE parent RENAME TO pillar_parent",
    "ALTER TABLE passing RENAME TO pillar_secret",
    "ALTER TABLE temp.passing RENAME TO \"Pillar_Secret\"",
    "CREATE TABLE refs (a REFERENCES pillar_secret(a))",
    "CREATE TABLE refs (a REFERENCES Pillar_Secret ON DELETE CASCADE)",
    "CREATE TABLE refs (a REFERENCES plain, b, FOREIGN KEY (b) REFERENCES \"pillar_secret\" (a))",
    "CREATE TABLE refs (a REFERENCES pillar_still_to_come)",
    "CREATE TABLE IF NOT EXISTS refs (a REFERENCES pillar_secret)",
    "CREATE TABLE \"it's\" (a REFERENCES pillar_secret)",
    "CREATE TEMP TABLE refs (a REFERENCES pillar_secret)",
    "ALTER TABLE plain ADD COLUMN b REFERENCES pillar_secret",
    "/* a comment */ ALTER TABLE plain RENAME TO pillar_secrets",
};
enum { CLAIMS = sizeof claims / sizeof *claims };

static const char schema[] =
    "SELECT sum(length(name || ifnull(sql, ''))) FROM (SELECT name, sql FROM main.sqlite_schema"
    " UNION ALL SELECT name, sql FROM temp.sqlite_schema)";

static void refused(struct db *db, const char *sql, bool as_script)
{
    struct error e = {0};
    int64_t before = query_integer(db, schema);

    assert_that(!(as_script ? db_run_script(db, sql, &e) : try_sql(db, sql, &e)), "%s: it was run", sql);
    assert_that(strcmp(e.code, "refused") == 0, "%s: %s (%s)", sql, e.code, e.message);
    assert_that(query_integer(db, schema) == before, "%s: it left something", sql);
}

TEST(what_claims_something_of_the_brokers_is_refused_and_undone)
{
    struct db *db = prepared(state);

    for (int i = 0; i < CLAIMS; i++) {
        refused(db, claims[i], false);
        refused(db, claims[i], false); /* from among the prepared statements */
        refused(db, claims[i], true);
    }
    assert_int_equal(query_integer(db, "SELECT a FROM pillar_secret"), 42);
}

TEST(the_rest_of_the_transaction_stands)
{
    struct db *db = prepared(state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    for (int i = 0; i < CLAIMS; i++) {
        run_sql(db, "INSERT INTO plain (a) VALUES (1)");
        refused(db, claims[i], false);
        assert_int_equal(db_depth(db), 1);
        assert_ok(db_savepoint(db, &e));
        run_sql(db, "INSERT INTO plain (a) VALUES (2)");
        refused(db, claims[i], true);
        assert_ok(db_rollback_to(db, 1, &e));
    }
    run_sql(db, "CREATE TABLE made (a REFERENCES parent)");
    run_sql(db, "ALTER TABLE made RENAME TO remade");
    assert_ok(db_release(db, &e));
    assert_ok(db_commit(db, &e));
    assert_int_equal(query_integer(db, "SELECT sum(a) FROM plain"), CLAIMS);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM remade"), 0);
}

/* What SQLite itself refuses leaves no savepoint open, and says what it says without one. */
TEST(a_definition_that_fails_by_itself_is_undone)
{
    static const char wrong[] = "SELECT 1;\nCREATE TABLE made AS SELECT abs(a) AS a FROM plain";
    struct db *db = prepared(state);
    struct error e = {0};

    assert_ok(db_begin_write(db, &e));
    run_sql(db, "INSERT INTO plain VALUES (-9223372036854775807 - 1)");
    assert_false(try_sql(db, wrong + strlen("SELECT 1;\n"), &e));
    assert_error(&e, "sql", "");
    assert_that(strstr(e.message, "integer overflow") != NULL, "%s", e.message);
    assert_false(db_run_script(db, wrong, &e));
    assert_that(strstr(e.message, "line 2: integer overflow") != NULL, "%s", e.message);
    assert_ok(db_commit(db, &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM plain"), 1);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'made'"), 0);
}

TEST(explaining_a_definition_defines_nothing)
{
    struct db *db = prepared(state);
    int64_t before = query_integer(db, schema);

    run_sql(db, "EXPLAIN CREATE TABLE made (a)");
    run_sql(db, "EXPLAIN QUERY PLAN CREATE TABLE made AS SELECT 1");
    assert_int_equal(query_integer(db, schema), before);
}

TEST(a_migration_that_claims_something_is_refused)
{
    struct db *db = prepared(state);
    int64_t before = query_integer(db, schema);

    for (int i = 0; i < CLAIMS; i++) {
        const struct migration steps[] = {{"fine", "CREATE TABLE fine (a)"}, {"claim", claims[i]}};
        struct error e = {0};
        assert_that(!migrate(db, steps, 2, NULL, &e), "%s: it was applied", claims[i]);
        assert_error(&e, "migration", "");
        assert_that(strstr(e.message, "step 2 (claim)") != NULL, "%s", e.message);
        assert_int_equal(query_integer(db, schema), before);
    }
}

/* Left by an older version, say. What sets it off is the broker's; what it does is the script's. */
TEST(a_trigger_that_the_broker_sets_off_has_a_scripts_rights)
{
    struct db *db = prepared(state);
    struct error e = {0};

    assert_ok(db_run_internal(db, "CREATE TABLE refs (a REFERENCES pillar_secret ON DELETE CASCADE)", &e));
    run_sql(db, "INSERT INTO refs VALUES (42)");
    run_sql(db, "CREATE TRIGGER mine AFTER DELETE ON refs BEGIN INSERT INTO pillar_secret VALUES (43); END");
    assert_false(db_run_internal(db, "DELETE FROM main.pillar_secret", &e));
    assert_error(&e, "refused", "");
    run_sql(db, "DROP TRIGGER mine");
    run_sql(db, "CREATE TABLE made (a)"); /* what was there before is no claim of this one's */
    refused(db, "CREATE TABLE more (a REFERENCES pillar_secret)", false);
    assert_ok(db_run_internal(db, "DELETE FROM main.pillar_secret", &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM refs"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(what_claims_something_of_the_brokers_is_refused_and_undone),
        WITH_DATABASE(the_rest_of_the_transaction_stands),
        WITH_DATABASE(a_definition_that_fails_by_itself_is_undone),
        WITH_DATABASE(explaining_a_definition_defines_nothing),
        WITH_DATABASE(a_migration_that_claims_something_is_refused),
        WITH_DATABASE(a_trigger_that_the_broker_sets_off_has_a_scripts_rights),
    };

    return RUN_TESTS(tests);
}
