#include "db/migrate.h"

#include <ctype.h>
#include <string.h>

static const char history_table[] = "CREATE TABLE IF NOT EXISTS main.pillar_migrations ("
                                    " step INTEGER PRIMARY KEY,"
                                    " name TEXT NOT NULL,"
                                    " sql TEXT NOT NULL,"
                                    " appliedAt TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))";

/* The next byte of a text in which every run of white space counts as one space, and none at the ends; 0 at the end. */
static char next_significant(struct str *s, bool *started)
{
    bool space = false;

    while (s->len > 0 && isspace((unsigned char)s->ptr[0])) {
        *s = str_from(*s, 1);
        space = true;
    }
    if (s->len == 0)
        return '\0';
    if (space && *started)
        return ' ';
    char c = s->ptr[0];
    *s = str_from(*s, 1);
    *started = true;
    return c;
}

static bool same_text(struct str a, struct str b)
{
    bool a_started = false;
    bool b_started = false;

    for (;;) {
        char from_a = next_significant(&a, &a_started);
        char from_b = next_significant(&b, &b_started);
        if (from_a != from_b)
            return false;
        if (from_a == '\0')
            return true;
    }
}

static bool refuse(struct error *e, size_t step, const char *name, const char *problem)
{
    return error_set(e, "migration", "migration step %zu%s%s%s: %s", step, name[0] == '\0' ? "" : " (", name,
                     name[0] == '\0' ? "" : ")", problem);
}

static bool check_history(struct db *db, const struct migration *steps, size_t count, size_t *known, struct error *e)
{
    bool ok = true;
    struct db_statement *s = db_prepare_internal(db, STR("SELECT sql FROM main.pillar_migrations ORDER BY step"), e);

    if (s == NULL)
        return false;
    *known = 0;
    enum db_step step;
    while (ok && (step = db_step(s, e)) == DB_ROW) {
        struct db_value sql = db_column(s, 0);
        size_t number = ++*known;
        if (number > count)
            ok = refuse(e, number, "",
                        "the database has it, the script does not; is this an older script, or another one's "
                        "database?");
        else if (!same_text(sql.bytes, str_of(steps[number - 1].sql)))
            ok = refuse(e, number, steps[number - 1].name,
                        "this database has it with another text: leave applied steps alone and add a new one, or give "
                        "another script its own database");
    }
    db_finish(s);
    return ok && step == DB_DONE;
}

static bool note(struct db *db, size_t number, const struct migration *step, struct error *e)
{
    struct db_statement *s =
        db_prepare_internal(db, STR("INSERT INTO main.pillar_migrations (step, name, sql) VALUES (?, ?, ?)"), e);

    if (s == NULL)
        return false;
    bool ok = db_bind(s, 1, &(struct db_value){.type = DB_INTEGER, .integer = (int64_t)number}, e) &&
              db_bind(s, 2, &(struct db_value){.type = DB_TEXT, .bytes = str_of(step->name)}, e) &&
              db_bind(s, 3, &(struct db_value){.type = DB_TEXT, .bytes = str_of(step->sql)}, e) &&
              db_step(s, e) == DB_DONE;
    db_finish(s);
    return ok;
}

static bool check_foreign_keys(struct db *db, struct error *e)
{
    struct db_statement *s = db_prepare_internal(db, STR("PRAGMA foreign_key_check"), e);

    if (s == NULL)
        return false;
    enum db_step step = db_step(s, e);
    bool ok = step == DB_DONE;
    if (step == DB_ROW) {
        struct db_value table = db_column(s, 0);
        (void)error_set(e, "migration", "the migration leaves a broken foreign key in table %.*s",
                        STR_ARG(table.bytes));
    }
    db_finish(s);
    return ok;
}

static bool apply(struct db *db, const struct migration *steps, size_t count, size_t *applied, struct error *e)
{
    size_t known;

    if (!db_run_internal(db, history_table, e) || !check_history(db, steps, count, &known, e))
        return false;
    *applied = count - known;
    for (size_t i = known; i < count; i++) {
        struct error why;
        if (!db_run_script(db, steps[i].sql, &why))
            return refuse(e, i + 1, steps[i].name, why.message);
        if (!note(db, i + 1, &steps[i], e))
            return false;
    }
    return *applied == 0 || check_foreign_keys(db, e);
}

bool migrate(struct db *db, const struct migration *steps, size_t count, size_t *applied, struct error *e)
{
    size_t ignored;

    if (applied == NULL)
        applied = &ignored;
    *applied = 0;
    /* A step may rebuild a table that others refer to, so keys are checked once, at the end. */
    if (!db_run_internal(db, "PRAGMA foreign_keys = OFF", e))
        return false;
    bool ok = db_begin_write(db, e);
    if (ok && !apply(db, steps, count, applied, e)) {
        db_rollback(db);
        ok = false;
    }
    ok = ok && db_commit(db, e);
    return db_run_internal(db, "PRAGMA foreign_keys = ON", ok ? e : NULL) && ok;
}
