#include "db/sqlite_error.h"

#include <errno.h>
#include <stdio.h>
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
    case SQLITE_ABORT:
    case SQLITE_PERM:
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

/* Whoever reads the log is to know what to do. */
static const char *advice_on_system_error(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return "; free space on its disk, or raise the quota";
    case EFBIG:
        return "; the file may not grow: raise the file size limit (ulimit -f, LimitFSIZE of systemd)";
    case EROFS:
        return "; the file system is mounted read-only: the kernel's log may say why";
    default:
        return "; look at the disk, and at the kernel's log";
    }
}

static const char *advice_on(int code, int system_error)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return "; free space on its disk";
    case SQLITE_IOERR:
        return advice_on_system_error(system_error);
    case SQLITE_READONLY:
        return "; may the broker write to it, to its -wal and -shm and to the folder, and how is that mounted?";
    case SQLITE_CANTOPEN:
        return "; does its folder exist, and may the broker write there?";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "; stop the broker, keep a copy of the file, and restore a backup";
    case SQLITE_BUSY:
        return code == SQLITE_BUSY ? "; another program holds its lock" : "";
    default:
        return "";
    }
}

static void set_message(struct error *e, sqlite3 *handle, int code, int number)
{
    char why[128] = "";

    if ((code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_CANTOPEN)
        number = 0;
    if (number != 0)
        snprintf(why, sizeof why, " (%s)", strerror(number));
    (void)error_set(e, code_of(code), "%.300s%s%s", sqlite3_errmsg(handle), why, advice_on(code, number));
}

bool sqlite_error(sqlite3 *handle, int system_errno, struct error *e)
{
    int code = sqlite3_extended_errcode(handle);

    if (e == NULL)
        return false;
    if (code == SQLITE_AUTH)
        return error_set(e, "refused",
                         "the broker keeps BEGIN, COMMIT, SAVEPOINT, ATTACH, most PRAGMAs and the pillar_ tables for "
                         "itself (db:transaction is a transaction)");
    set_message(e, handle, code, system_errno);
    if (strcmp(e->code, "unique") == 0 || strcmp(e->code, "not_null") == 0)
        read_columns(e, sqlite3_errmsg(handle));
    return false;
}
