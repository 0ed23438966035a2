/* Values on their way into the database and back, parameters, columns, and the cache of statements. */
#include "db/db.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "support/check.h"
#include "support/database.h"

static struct db_statement *prepare(struct db *db, const char *sql)
{
    struct error e;
    struct db_statement *s = db_prepare(db, str_of(sql), &e);

    assert_that(s != NULL, "%s: %s", sql, e.message);
    return s;
}

static void bind(struct db_statement *s, int parameter, struct db_value value)
{
    struct error e;

    assert_that(db_bind(s, parameter, &value, &e), "%s", e.message);
}

static void step(struct db_statement *s, enum db_step expected)
{
    struct error e = {0};
    enum db_step got = db_step(s, &e);

    assert_that(got == expected, "step %d instead of %d: %s", (int)got, (int)expected, e.message);
}

static void same_value(struct db_value got, struct db_value expected)
{
    assert_int_equal(got.type, expected.type);
    switch (expected.type) {
    case DB_INTEGER:
    case DB_BOOLEAN:
        assert_true(got.integer == expected.integer);
        break;
    case DB_REAL:
        assert_memory_equal(&got.real, &expected.real, sizeof got.real); /* bit for bit, the sign of 0 included */
        break;
    case DB_TEXT:
    case DB_BLOB:
        assert_bytes(got.bytes, expected.bytes);
        break;
    default:
        break;
    }
}

/* Through a parameter and back, and through a stored row and back. */
static void goes_both_ways(struct db *db, struct db_value value)
{
    struct db_statement *s = prepare(db, "SELECT ?");

    bind(s, 1, value);
    step(s, DB_ROW);
    same_value(db_column(s, 0), value);
    step(s, DB_DONE);
    db_finish(s);
    s = prepare(db, "INSERT INTO kept (value) VALUES (?)");
    bind(s, 1, value);
    step(s, DB_DONE);
    db_finish(s);
    s = prepare(db, "SELECT value FROM kept ORDER BY id DESC LIMIT 1");
    step(s, DB_ROW);
    same_value(db_column(s, 0), value);
    db_finish(s);
}

static struct db_value integer(int64_t value)
{
    return (struct db_value){.type = DB_INTEGER, .integer = value};
}

static struct db_value real(double value)
{
    return (struct db_value){.type = DB_REAL, .real = value};
}

static struct db_value text(struct str bytes)
{
    return (struct db_value){.type = DB_TEXT, .bytes = bytes};
}

static struct db_value blob(struct str bytes)
{
    return (struct db_value){.type = DB_BLOB, .bytes = bytes};
}

static struct db *with_table(void **state)
{
    struct db *db = ((struct database *)*state)->db;

    run_sql(db, "CREATE TABLE kept (id INTEGER PRIMARY KEY, value)");
    return db;
}

TEST(integers_are_exact)
{
    static const int64_t values[] = {0, 1, -1, 9007199254740993, -9007199254740993, INT64_MAX, INT64_MIN, INT32_MIN};
    struct db *db = with_table(state);

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        goes_both_ways(db, integer(values[i]));
}

TEST(reals_are_exact)
{
    static const double values[] = {0.1,     -0.1,   1.0,      1e308,     DBL_MAX,
                                    DBL_MIN, 5e-324, INFINITY, -INFINITY, 9007199254740993.0};
    struct db *db = with_table(state);

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        goes_both_ways(db, real(values[i]));
}

TEST(texts_and_blobs_keep_every_byte)
{
    struct db *db = with_table(state);
    char all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    goes_both_ways(db, text(STR("")));
    goes_both_ways(db, text(STR("plain")));
    goes_both_ways(db, text(STR("a\0b\0")));
    goes_both_ways(db, text(STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    goes_both_ways(db, blob(STR("")));
    goes_both_ways(db, blob(STR("\0\0")));
    goes_both_ways(db, blob((struct str){all, sizeof all}));
}

TEST(null_is_null)
{
    goes_both_ways(with_table(state), (struct db_value){.type = DB_NULL});
}

TEST(empty_strs_without_memory_are_empty_not_null)
{
    struct db *db = with_table(state);

    goes_both_ways(db, text(STR_NONE));
    goes_both_ways(db, blob(STR_NONE));
}

TEST(columns_that_are_declared_boolean_give_booleans)
{
    struct db *db = ((struct database *)*state)->db;
    struct db_statement *s;

    run_sql(db, "CREATE TABLE flags (a BOOLEAN, b bool, c INTEGER, d BOOLEAN)");
    s = prepare(db, "INSERT INTO flags VALUES (?, ?, ?, NULL)");
    bind(s, 1, (struct db_value){.type = DB_BOOLEAN, .integer = 1});
    bind(s, 2, (struct db_value){.type = DB_BOOLEAN, .integer = 0});
    bind(s, 3, (struct db_value){.type = DB_BOOLEAN, .integer = 1});
    step(s, DB_DONE);
    db_finish(s);
    s = prepare(db, "SELECT a, b, c, d, NOT a FROM flags");
    step(s, DB_ROW);
    same_value(db_column(s, 0), (struct db_value){.type = DB_BOOLEAN, .integer = 1});
    same_value(db_column(s, 1), (struct db_value){.type = DB_BOOLEAN, .integer = 0});
    same_value(db_column(s, 2), integer(1));
    same_value(db_column(s, 3), (struct db_value){.type = DB_NULL});
    same_value(db_column(s, 4), integer(0));
    db_finish(s);
    /* What is no truth value is not made one. */
    run_sql(db, "UPDATE flags SET a = 2, b = 'x'");
    s = prepare(db, "SELECT a, b FROM flags");
    step(s, DB_ROW);
    same_value(db_column(s, 0), integer(2));
    same_value(db_column(s, 1), text(STR("x")));
    db_finish(s);
}

/* --- parameters and columns --- */

TEST(parameters_are_named_or_counted)
{
    struct db *db = ((struct database *)*state)->db;
    struct db_statement *s = prepare(db, "SELECT :a, @b, $c, :a");

    assert_int_equal(db_parameter_count(s), 3);
    assert_string_equal(db_parameter_name(s, 1), "a");
    assert_string_equal(db_parameter_name(s, 2), "b");
    assert_string_equal(db_parameter_name(s, 3), "c");
    bind(s, 1, integer(7));
    step(s, DB_ROW);
    same_value(db_column(s, 0), integer(7));
    same_value(db_column(s, 1), (struct db_value){.type = DB_NULL});
    same_value(db_column(s, 3), integer(7));
    db_finish(s);
    s = prepare(db, "SELECT ?, ?");
    assert_int_equal(db_parameter_count(s), 2);
    assert_null(db_parameter_name(s, 1));
    assert_null(db_parameter_name(s, 2));
    s = prepare(db, "SELECT ?3");
    assert_int_equal(db_parameter_count(s), 3);
    assert_null(db_parameter_name(s, 3));
    s = prepare(db, "SELECT 1");
    assert_int_equal(db_parameter_count(s), 0);
}

TEST(a_parameter_that_is_not_there_is_an_error)
{
    struct db_statement *s = prepare(((struct database *)*state)->db, "SELECT ?");
    struct db_value value = integer(1);
    struct error e = {0};

    assert_false(db_bind(s, 2, &value, &e));
    assert_error(&e, "sql", "");
    assert_false(db_bind(s, 0, &value, NULL));
}

TEST(bindings_end_with_the_run)
{
    struct db_statement *s = prepare(((struct database *)*state)->db, "SELECT ?");

    bind(s, 1, integer(1));
    step(s, DB_ROW);
    db_finish(s);
    step(s, DB_ROW);
    same_value(db_column(s, 0), (struct db_value){.type = DB_NULL});
    db_finish(s);
}

TEST(columns_have_names)
{
    struct db_statement *s = prepare(((struct database *)*state)->db, "SELECT 1 AS one, 2 AS \"two words\"");

    assert_int_equal(db_column_count(s), 2);
    assert_string_equal(db_column_name(s, 0), "one");
    assert_string_equal(db_column_name(s, 1), "two words");
}

TEST(a_write_can_return_rows)
{
    struct db *db = with_table(state);
    struct db_statement *s = prepare(db, "INSERT INTO kept (value) VALUES ('a'), ('b') RETURNING id, value");

    assert_int_equal(db_column_count(s), 2);
    step(s, DB_ROW);
    same_value(db_column(s, 0), integer(1));
    step(s, DB_ROW);
    same_value(db_column(s, 1), text(STR("b")));
    step(s, DB_DONE);
    db_finish(s);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM kept"), 2);
}

TEST(changes_are_counted)
{
    struct db *db = with_table(state);

    run_sql(db, "INSERT INTO kept (value) VALUES (1), (2), (3)");
    assert_int_equal(db_changes(db), 3);
    run_sql(db, "UPDATE kept SET value = 9 WHERE id > 1");
    assert_int_equal(db_changes(db), 2);
    run_sql(db, "DELETE FROM kept WHERE id = 99");
    assert_int_equal(db_changes(db), 0);
}

/* --- statements --- */

TEST(a_statement_is_kept_by_its_text)
{
    struct db *db = ((struct database *)*state)->db;
    struct db_statement *s = prepare(db, "SELECT 1");

    db_finish(s);
    assert_ptr_not_equal(prepare(db, "SELECT 2"), s);
    assert_ptr_equal(prepare(db, "SELECT 1"), s);
    assert_ptr_not_equal(prepare(db, "SELECT 1 "), s);
}

TEST(a_statement_that_runs_is_left_alone)
{
    struct db *db = ((struct database *)*state)->db;
    struct db_statement *s = prepare(db, "SELECT 1 UNION ALL SELECT 2");
    char sql[64];

    step(s, DB_ROW);
    struct db_statement *again = prepare(db, "SELECT 1 UNION ALL SELECT 2");
    assert_ptr_not_equal(again, s);
    step(again, DB_ROW);
    same_value(db_column(again, 0), integer(1));
    for (int i = 0; i < 1000; i++) {
        snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(query_integer(db, sql), i);
    }
    step(s, DB_ROW);
    same_value(db_column(s, 0), integer(2));
    db_finish(s);
    step(again, DB_ROW);
    db_finish(again);
    assert_ptr_equal(prepare(db, "SELECT 1 UNION ALL SELECT 2"), s);
}

TEST(what_is_not_one_statement_is_refused)
{
    static const char *const texts[] = {"",           " ", ";", "-- note", "SELECT 1; SELECT 2", "SELECT 1;; SELECT 2",
                                        "SELECT 1; x"};
    struct db *db = ((struct database *)*state)->db;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error e = {0};
        assert_that(db_prepare(db, str_of(texts[i]), &e) == NULL, "accepted: %s", texts[i]);
        assert_error(&e, "sql", "");
    }
    run_sql(db, "SELECT 1;");
    run_sql(db, " \n SELECT 1 ; ;\n ");
    run_sql(db, "-- note\nSELECT 1 -- note");
}

/* A second statement hidden behind a NUL would never be run, and nobody would be told. */
TEST(a_text_with_nul_is_refused)
{
    struct db *db = ((struct database *)*state)->db;

    assert_null(db_prepare(db, STR("SELECT 1\0; DELETE FROM kept"), NULL));
}

TEST(a_note_behind_a_statement_is_no_second_one)
{
    struct db *db = ((struct database *)*state)->db;

    run_sql(db, "SELECT 1; -- that is all");
    run_sql(db, "SELECT 1; /* that is all */");
}

TEST(a_statement_is_prepared_whatever_its_length)
{
    struct db *db = ((struct database *)*state)->db;
    char sql[3000];

    memset(sql, ' ', sizeof sql);
    memcpy(sql, "SELECT 4", 8);
    sql[sizeof sql - 1] = '\0';
    assert_int_equal(query_integer(db, sql), 4);
    /* Not the whole str, which need not end with a NUL. */
    struct db_statement *s = db_prepare(db, (struct str){"SELECT 45", 8}, NULL);
    step(s, DB_ROW);
    same_value(db_column(s, 0), integer(4));
    db_finish(s);
}

/* Prepares and finishes; returns what tells one preparation from another. */
static uint64_t version_of(struct db *db, const char *sql)
{
    struct db_statement *s = prepare(db, sql);
    uint64_t version = db_statement_version(s);

    db_finish(s);
    return version;
}

TEST(rarely_used_statements_make_room)
{
    struct db *db = ((struct database *)*state)->db;
    uint64_t version = version_of(db, "SELECT 'often'");
    char sql[64];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 400; i++) {
            snprintf(sql, sizeof sql, "SELECT %d", i);
            assert_int_equal(query_integer(db, sql), i);
            if (i % 50 == 0)
                assert_true(version_of(db, "SELECT 'often'") == version);
        }
    }
    /* The first of the rare ones is another one by now. */
    uint64_t first = version_of(db, "SELECT 0");
    for (int i = 1; i < 400; i++) {
        snprintf(sql, sizeof sql, "SELECT %d", i);
        (void)version_of(db, sql);
    }
    assert_true(version_of(db, "SELECT 0") != first);
}

TEST(a_statement_survives_a_change_of_the_schema)
{
    struct db *db = with_table(state);
    struct db_statement *s = prepare(db, "SELECT * FROM kept");

    run_sql(db, "INSERT INTO kept (value) VALUES ('a')");
    step(s, DB_ROW);
    assert_int_equal(db_column_count(s), 2);
    uint64_t version = db_statement_version(s);
    db_finish(s);
    run_sql(db, "ALTER TABLE kept ADD COLUMN more");
    s = prepare(db, "SELECT * FROM kept");
    step(s, DB_ROW);
    assert_int_equal(db_column_count(s), 3);
    assert_true(db_statement_version(s) != version);
    db_finish(s);
}

TEST(all_runs_can_be_ended_at_once)
{
    struct db *db = with_table(state);

    run_sql(db, "INSERT INTO kept (value) VALUES (1), (2)");
    struct db_statement *a = prepare(db, "SELECT id FROM kept");
    struct db_statement *b = prepare(db, "SELECT value FROM kept");
    step(a, DB_ROW);
    step(b, DB_ROW);
    db_finish_all(db);
    a = prepare(db, "SELECT id FROM kept");
    step(a, DB_ROW);
    same_value(db_column(a, 0), integer(1)); /* from the beginning */
    db_finish_all(db);
    run_sql(db, "DROP TABLE kept"); /* which an open run would keep from happening */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(integers_are_exact),
        WITH_DATABASE(reals_are_exact),
        WITH_DATABASE(texts_and_blobs_keep_every_byte),
        WITH_DATABASE(null_is_null),
        WITH_DATABASE(empty_strs_without_memory_are_empty_not_null),
        WITH_DATABASE(columns_that_are_declared_boolean_give_booleans),
        WITH_DATABASE(parameters_are_named_or_counted),
        WITH_DATABASE(a_parameter_that_is_not_there_is_an_error),
        WITH_DATABASE(bindings_end_with_the_run),
        WITH_DATABASE(columns_have_names),
        WITH_DATABASE(a_write_can_return_rows),
        WITH_DATABASE(changes_are_counted),
        WITH_DATABASE(a_statement_is_kept_by_its_text),
        WITH_DATABASE(a_statement_that_runs_is_left_alone),
        WITH_DATABASE(what_is_not_one_statement_is_refused),
        WITH_DATABASE(a_text_with_nul_is_refused),
        WITH_DATABASE(a_note_behind_a_statement_is_no_second_one),
        WITH_DATABASE(a_statement_is_prepared_whatever_its_length),
        WITH_DATABASE(rarely_used_statements_make_room),
        WITH_DATABASE(a_statement_survives_a_change_of_the_schema),
        WITH_DATABASE(all_runs_can_be_ended_at_once),
    };

    return RUN_TESTS(tests);
}
