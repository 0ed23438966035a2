/* Which tables a handler changed: what statements say of it, and what rolling back does to it. */
#include "db/changes.h"

#include <stdio.h>

#include "db/db.h"
#include "support/check.h"
#include "support/database.h"

static void expect_list(const struct changes *c, const char *wanted)
{
    struct buf text = BUF_EMPTY;

    assert_int_equal(changes_append(c, &text), wanted[0] != '\0');
    assert_str(buf_str(&text), wanted);
    buf_free(&text);
}

static void note(struct changes *c, const char *table, int depth)
{
    char name[CHANGES_NAME_MAX] = "";

    snprintf(name, sizeof name, "%s", table);
    changes_note(c, name, depth);
}

TEST(tables_are_named_once_in_their_order)
{
    struct changes c = {.count = 0};

    expect_list(&c, "");
    note(&c, "tasks", 1);
    note(&c, "labels", 1);
    note(&c, "tasks", 1);
    expect_list(&c, "tasks, labels");
    changes_clear(&c);
    expect_list(&c, "");
}

TEST(further_tables_than_fit_are_left_out)
{
    struct changes c = {.count = 0};
    char name[16];

    for (int i = 0; i < CHANGES_MAX + 3; i++) {
        snprintf(name, sizeof name, "t%d", i);
        note(&c, name, 0);
    }
    assert_int_equal(c.count, CHANGES_MAX);
}

TEST(what_is_undone_was_not_changed)
{
    struct changes c = {.count = 0};

    note(&c, "outer", 1);
    note(&c, "both", 1);
    note(&c, "both", 2);
    note(&c, "inner", 2);
    changes_undo(&c, 2);
    expect_list(&c, "outer, both");
}

TEST(what_is_kept_belongs_to_what_is_outside)
{
    struct changes c = {.count = 0};

    note(&c, "inner", 2);
    changes_keep(&c, 2, 1);
    changes_undo(&c, 2);
    expect_list(&c, "inner");
    changes_keep(&c, 0, CHANGES_COMMITTED);
    changes_undo(&c, 0);
    expect_list(&c, "inner");
}

/* --- by way of SQL --- */

static void expect_changed(struct db *db, const char *wanted)
{
    struct buf text = BUF_EMPTY;

    assert_int_equal(db_append_changed_tables(db, &text), wanted[0] != '\0');
    assert_str(buf_str(&text), wanted);
    buf_free(&text);
    db_forget_changes(db);
}

static struct db *with_tables(void **state)
{
    struct db *db = ((struct database *)*state)->db;

    run_sql(db, "CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT)");
    run_sql(db, "CREATE TABLE members (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID");
    run_sql(db, "CREATE TABLE log (a)");
    run_sql(db, "CREATE TRIGGER t AFTER INSERT ON members BEGIN INSERT INTO log VALUES (1); END");
    expect_changed(db, "");
    return db;
}

TEST(statements_that_change_rows_name_their_table)
{
    struct db *db = with_tables(state);

    run_sql(db, "INSERT INTO tasks VALUES (1, 'a') RETURNING *");
    expect_changed(db, "tasks");
    run_sql(db, "INSERT INTO members VALUES (1, 2)");
    expect_changed(db, "members"); /* what a trigger does is not the handler's */
    run_sql(db, "UPDATE tasks SET title = 'b' WHERE id = 1");
    expect_changed(db, "tasks");
    run_sql(db, "INSERT INTO tasks VALUES (1, 'c') ON CONFLICT DO UPDATE SET title = 'c'");
    expect_changed(db, "tasks");
    run_sql(db, "WITH x AS (SELECT 1 AS i) DELETE FROM tasks WHERE id IN (SELECT i FROM x)");
    expect_changed(db, "tasks");
    run_sql(db, "DELETE FROM log");
    expect_changed(db, "log");
}

TEST(a_foreign_keys_action_is_not_the_statements)
{
    struct db *db = with_tables(state);

    run_sql(db, "CREATE TABLE notes (task INTEGER REFERENCES tasks (id) ON DELETE CASCADE)");
    run_sql(db, "INSERT INTO tasks VALUES (1, 'a')");
    run_sql(db, "INSERT INTO notes VALUES (1)");
    db_forget_changes(db);
    run_sql(db, "DELETE FROM tasks");
    expect_changed(db, "tasks");
}

TEST(temporary_tables_and_the_schema_are_nobodys_business)
{
    struct db *db = with_tables(state);

    run_sql(db, "CREATE TEMP TABLE scratch (a)");
    run_sql(db, "INSERT INTO scratch VALUES (1)");
    run_sql(db, "INSERT INTO log VALUES (1)");
    db_forget_changes(db);
    run_sql(db, "DROP TABLE log");
    expect_changed(db, "");
}

TEST(statements_that_change_nothing_name_none)
{
    struct db *db = with_tables(state);

    run_sql(db, "UPDATE tasks SET title = 'b' WHERE id = 7");
    run_sql(db, "DELETE FROM tasks");
    run_sql(db, "INSERT OR IGNORE INTO tasks SELECT 1, 'a' WHERE FALSE");
    run_sql(db, "CREATE TABLE another (a)");
    expect_changed(db, "");
    run_sql(db, "INSERT INTO tasks VALUES (1, 'a')");
    db_forget_changes(db);
    run_sql(db, "SELECT * FROM tasks"); /* the number of changes is still the last statement's */
    expect_changed(db, "");
}

TEST(what_a_transaction_rolls_back_was_not_changed)
{
    struct db *db = with_tables(state);
    struct error e;

    assert_true(db_begin_write(db, &e) && db_savepoint(db, &e));
    run_sql(db, "INSERT INTO tasks VALUES (1, 'a')");
    assert_true(db_savepoint(db, &e));
    run_sql(db, "INSERT INTO members VALUES (1, 2)");
    assert_true(db_rollback_to(db, 1, &e));
    assert_true(db_savepoint(db, &e));
    run_sql(db, "INSERT INTO log VALUES (1)");
    assert_true(db_release(db, &e) && db_release(db, &e) && db_commit(db, &e));
    expect_changed(db, "tasks, log");

    assert_true(db_begin_write(db, &e));
    run_sql(db, "INSERT INTO tasks VALUES (2, 'b')");
    db_rollback(db);
    expect_changed(db, "");
}

TEST(a_statement_that_is_prepared_anew_names_its_table_still)
{
    struct db *db = with_tables(state);

    run_sql(db, "INSERT INTO tasks (title) VALUES ('a')");
    run_sql(db, "ALTER TABLE tasks ADD COLUMN done");
    db_forget_changes(db);
    run_sql(db, "INSERT INTO tasks (title) VALUES ('a')");
    expect_changed(db, "tasks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_named_once_in_their_order),
        cmocka_unit_test(further_tables_than_fit_are_left_out),
        cmocka_unit_test(what_is_undone_was_not_changed),
        cmocka_unit_test(what_is_kept_belongs_to_what_is_outside),
        WITH_DATABASE(statements_that_change_rows_name_their_table),
        WITH_DATABASE(a_foreign_keys_action_is_not_the_statements),
        WITH_DATABASE(temporary_tables_and_the_schema_are_nobodys_business),
        WITH_DATABASE(statements_that_change_nothing_name_none),
        WITH_DATABASE(what_a_transaction_rolls_back_was_not_changed),
        WITH_DATABASE(a_statement_that_is_prepared_anew_names_its_table_still),
    };

    return RUN_TESTS(tests);
}
