#include "db/migrate.h"

#include "support/check.h"
#include "support/database.h"

#define CREATE_PROJECTS "CREATE TABLE projects (id INTEGER PRIMARY KEY)"
#define CREATE_TASKS    "CREATE TABLE tasks (id INTEGER PRIMARY KEY, projectId INTEGER REFERENCES projects)"

static const struct migration steps[] = {
    {"projects", CREATE_PROJECTS},
    {"", CREATE_TASKS},
    {"seed", "INSERT INTO projects VALUES (1); INSERT INTO tasks VALUES (1, 1), (2, 1)"},
};

static size_t applies(struct db *db, const struct migration *of, size_t count)
{
    struct error e;
    size_t applied = 99;

    assert_that(migrate(db, of, count, &applied, &e), "%s", e.message);
    return applied;
}

/* The message must say which step, by number and name. */
static void fails(struct db *db, const struct migration *of, size_t count, const char *part)
{
    struct error e = {0};
    size_t applied = 0;

    assert_false(migrate(db, of, count, &applied, &e));
    assert_error(&e, "migration", "");
    assert_that(strstr(e.message, part) != NULL, "\"%s\" does not name %s", e.message, part);
    assert_false(migrate(db, of, count, NULL, NULL));
}

static int64_t tables(struct db *db)
{
    return query_integer(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'pillar%'");
}

TEST(each_step_is_applied_once)
{
    struct database *d = *state;
    struct db *other = database_connect(d);

    assert_int_equal(applies(d->db, steps, 2), 2);
    assert_int_equal(tables(d->db), 2);
    assert_int_equal(applies(other, steps, 2), 0);
    assert_int_equal(applies(other, steps, 3), 1);
    assert_int_equal(query_integer(other, "SELECT count(*) FROM tasks"), 2);
    assert_int_equal(applies(other, steps, 3), 0);
    assert_int_equal(query_integer(other, "SELECT count(*) FROM tasks"), 2);
    db_close(other);
}

TEST(no_steps_are_fine)
{
    struct db *db = ((struct database *)*state)->db;

    assert_int_equal(applies(db, NULL, 0), 0);
    assert_int_equal(applies(db, steps, 3), 3);
    assert_true(migrate(db, steps, 3, NULL, NULL));
}

TEST(white_space_does_not_count)
{
    static const struct migration reformatted[] = {
        {"projects", "\n  CREATE TABLE\n\tprojects  (id   INTEGER PRIMARY\r\nKEY)\n"},
        {"renamed", CREATE_TASKS "  "},
    };
    struct db *db = ((struct database *)*state)->db;

    assert_int_equal(applies(db, steps, 2), 2);
    assert_int_equal(applies(db, reformatted, 2), 0);
}

TEST(a_changed_step_is_refused)
{
    static const struct migration changed[] = {
        {"projects", CREATE_PROJECTS},
        {"tasks", "CREATE TABLE tasks (id INTEGER PRIMARY KEY, projectId TEXT REFERENCES projects)"},
        {"more", "CREATE TABLE more (id)"},
    };
    static const struct migration joined[] = {{"projects", "CREATETABLE projects (id INTEGER PRIMARY KEY)"},
                                              {"", CREATE_TASKS}};
    static const struct migration longer[] = {{"projects", CREATE_PROJECTS "; DROP TABLE projects"},
                                              {"", CREATE_TASKS}};
    struct db *db = ((struct database *)*state)->db;

    assert_int_equal(applies(db, steps, 2), 2);
    fails(db, changed, 3, "step 2 (tasks)");
    assert_int_equal(tables(db), 2);
    fails(db, joined, 2, "step 1 (projects)");
    fails(db, longer, 2, "step 1");
    assert_int_equal(applies(db, steps, 2), 0);
}

TEST(a_missing_step_is_refused)
{
    static const struct migration inserted[] = {
        {"new", "CREATE TABLE new (id)"}, {"projects", CREATE_PROJECTS}, {"", CREATE_TASKS}};
    struct db *db = ((struct database *)*state)->db;

    assert_int_equal(applies(db, steps, 3), 3);
    fails(db, steps, 2, "step 3");
    fails(db, steps + 1, 2, "step 1");
    fails(db, inserted, 3, "step 1 (new)");
    fails(db, NULL, 0, "step 1");
}

TEST(a_failing_step_rolls_all_back)
{
    static const struct migration broken[] = {
        {"projects", CREATE_PROJECTS},
        {"broken", "CREATE TABLE half (a); INSERT INTO half VALUES (1); SELEC 1"},
        {"never", "CREATE TABLE never (a)"},
    };
    struct db *db = ((struct database *)*state)->db;

    fails(db, broken, 3, "step 2 (broken)");
    assert_int_equal(tables(db), 0);
    assert_int_equal(applies(db, steps, 3), 3);
}

TEST(a_step_that_breaks_foreign_keys_is_refused)
{
    static const struct migration orphan[] = {
        {"projects", CREATE_PROJECTS}, {"", CREATE_TASKS}, {"orphan", "INSERT INTO tasks VALUES (1, 7)"}};
    struct db *db = ((struct database *)*state)->db;

    fails(db, orphan, 3, "tasks");
    assert_int_equal(tables(db), 0);
    /* What was applied stays when a later one breaks it. */
    assert_int_equal(applies(db, orphan, 2), 2);
    fails(db, orphan, 3, "tasks");
    assert_int_equal(query_integer(db, "SELECT count(*) FROM tasks"), 0);
}

/* The way that SQLite's documentation gives for changing a table that others refer to. */
TEST(a_step_may_rebuild_a_table)
{
    static const struct migration rebuilt[] = {
        {"projects", CREATE_PROJECTS},
        {"", CREATE_TASKS},
        {"seed", "INSERT INTO projects VALUES (1); INSERT INTO tasks VALUES (1, 1), (2, 1)"},
        {"rebuild", "CREATE TABLE renewed (id INTEGER PRIMARY KEY, name TEXT);"
                    "INSERT INTO renewed (id) SELECT id FROM projects; DROP TABLE projects;"
                    "ALTER TABLE renewed RENAME TO projects"},
    };
    struct db *db = ((struct database *)*state)->db;

    assert_int_equal(applies(db, rebuilt, 4), 4);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM tasks JOIN projects ON projects.id = projectId"), 2);
}

TEST(foreign_keys_are_checked_again_afterwards)
{
    struct db *db = ((struct database *)*state)->db;
    static const struct migration broken[] = {{"broken", "SELEC 1"}};

    assert_int_equal(applies(db, steps, 2), 2);
    run_sql_fails(db, "INSERT INTO tasks VALUES (1, 7)", "foreign_key");
    fails(db, broken, 1, "step 1");
    run_sql_fails(db, "INSERT INTO tasks VALUES (1, 7)", "foreign_key");
}

TEST(a_step_may_not_end_the_transaction_or_touch_the_history)
{
    static const char *const wrong[] = {"COMMIT",
                                        "CREATE TABLE a (b); COMMIT; SELEC 1",
                                        "BEGIN",
                                        "ROLLBACK",
                                        "PRAGMA foreign_keys = ON",
                                        "DELETE FROM pillar_migrations",
                                        "DROP TABLE pillar_migrations"};
    struct db *db = ((struct database *)*state)->db;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct migration of[] = {{"projects", CREATE_PROJECTS}, {"wrong", wrong[i]}};
        fails(db, of, 2, "step 2 (wrong)");
        assert_int_equal(tables(db), 0);
    }
}

TEST(two_brokers_apply_the_steps_once)
{
    struct database *d = *state;
    struct db *other = database_connect(d);
    struct error e;

    /* The second one has opened the database before the first one was done. */
    assert_int_equal(query_integer(other, "SELECT count(*) FROM sqlite_schema"), 0);
    assert_int_equal(applies(d->db, steps, 3), 3);
    assert_int_equal(applies(other, steps, 3), 0);
    assert_true(db_begin_write(d->db, &e));
    db_rollback(d->db);
    db_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(each_step_is_applied_once),
        WITH_DATABASE(no_steps_are_fine),
        WITH_DATABASE(white_space_does_not_count),
        WITH_DATABASE(a_changed_step_is_refused),
        WITH_DATABASE(a_missing_step_is_refused),
        WITH_DATABASE(a_failing_step_rolls_all_back),
        WITH_DATABASE(a_step_that_breaks_foreign_keys_is_refused),
        WITH_DATABASE(a_step_may_rebuild_a_table),
        WITH_DATABASE(foreign_keys_are_checked_again_afterwards),
        WITH_DATABASE(a_step_may_not_end_the_transaction_or_touch_the_history),
        WITH_DATABASE(two_brokers_apply_the_steps_once),
    };

    return RUN_TESTS(tests);
}
