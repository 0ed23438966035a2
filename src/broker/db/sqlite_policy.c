#include "db/sqlite_policy.h"

#include <sqlite3.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_ours(const char *table)
{
    return table != NULL && strncasecmp(table, "pillar_", 7) == 0;
}

/* Pragmas that only tell something about the schema. */
static bool is_harmless_pragma(const char *name)
{
    static const char *const harmless[] = {"table_info", "table_xinfo", "table_list",       "index_list",
                                           "index_info", "index_xinfo", "foreign_key_list", "foreign_key_check"};

    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcasecmp(name, harmless[i]) == 0)
            return true;
    return false;
}

bool sqlite_permits(int action, const char *first, const char *second)
{
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return false;
    case SQLITE_PRAGMA:
        return is_harmless_pragma(first);
    case SQLITE_FUNCTION:
        return strcasecmp(second, "load_extension") != 0;
    case SQLITE_READ:
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return true;
    case SQLITE_UPDATE: /* `second` is a column */
        return !is_ours(first);
    default: /* what is made, changed or dropped, or the table it belongs to, is named by one of the two */
        return !is_ours(first) && !is_ours(second);
    }
}

bool sqlite_defines_table(int action)
{
    return action == SQLITE_CREATE_TABLE || action == SQLITE_CREATE_TEMP_TABLE || action == SQLITE_CREATE_VTABLE ||
           action == SQLITE_ALTER_TABLE;
}

bool sqlite_count_claims(struct db *db, int64_t *count, struct error *e)
{
    static const char sql[] = "WITH tables AS (SELECT 'main' AS place, name, type FROM main.sqlite_schema"
                              " UNION ALL SELECT 'temp', name, type FROM temp.sqlite_schema)"
                              " SELECT (SELECT count(*) FROM tables WHERE name LIKE 'pillar\\_%' ESCAPE '\\')"
                              " + (SELECT count(*) FROM tables AS t, pragma_foreign_key_list(t.name, t.place) AS f"
                              " WHERE t.type = 'table' AND f.\"table\" LIKE 'pillar\\_%' ESCAPE '\\')";
    struct db_statement *s = db_prepare_internal(db, str_of(sql), e);

    if (s == NULL)
        return false;
    bool ok = db_step(s, e) == DB_ROW;
    *count = ok ? db_column(s, 0).integer : 0;
    db_finish(s);
    return ok;
}
