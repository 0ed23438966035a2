#include "db/sqlite_error.h"

#include <string.h>

#include "base/str.h"

static const char *code_of(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return "unique";
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return "foreign_key";
    case SQLITE_CONSTRAINT_NOTNULL:
        return "not_null";
    default:
        break;
    }
    switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
        return "check";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "busy";
    case SQLITE_INTERRUPT:
        return "deadline";
    case SQLITE_READONLY:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
        return "unavailable";
    case SQLITE_NOMEM:
        return "out_of_memory";
    case SQLITE_AUTH:
        return "refused";
    default:
        return "sql";
    }
}

/* "UNIQUE constraint failed: labels.ownerId, labels.name" -> "ownerId,name" */
static void read_columns(struct error *e, const char *message)
{
    const char *colon = strstr(message, "failed: ");
    size_t len = 0;

    if (colon == NULL)
        return;
    struct str rest = str_of(colon + 8);
    struct str part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        const char *dot = memchr(part.ptr, '.', part.len);
        if (dot == NULL)
            return;
        struct str column = str_from(part, (size_t)(dot - part.ptr) + 1);
        if (len + column.len + 2 > sizeof e->field)
            return;
        if (len > 0)
            e->field[len++] = ',';
        memcpy(e->field + len, column.ptr, column.len);
        len += column.len;
        e->field[len] = '\0';
    }
}

bool sqlite_error(sqlite3 *handle, struct error *e)
{
    int code = sqlite3_extended_errcode(handle);
    const char *message = sqlite3_errmsg(handle);

    if (code == SQLITE_AUTH)
        message = "the broker keeps BEGIN, COMMIT, SAVEPOINT, ATTACH, most PRAGMAs and the pillar_ tables for itself "
                  "(db:transaction is a transaction)";
    (void)error_set(e, code_of(code), "%s", message);
    if (e != NULL && (strcmp(e->code, "unique") == 0 || strcmp(e->code, "not_null") == 0))
        read_columns(e, message);
    return false;
}
