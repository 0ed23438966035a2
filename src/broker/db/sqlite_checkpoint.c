#include "db/sqlite_checkpoint.h"

#include <stdio.h>

#include "base/clock.h"
#include "db/sqlite_error.h"

enum { FRAMES = 1000 }; /* in the -wal from which on each commit tries; as SQLite does */

static void note(struct outage *outage, sqlite3 *handle)
{
    struct error why;
    char text[ERROR_MESSAGE_MAX];

    (void)sqlite_error(handle, sqlite3_system_errno(handle), &why);
    snprintf(text, sizeof text,
             "%.150s-wal cannot be written back into the database, and grows until it can; nothing is lost: %.200s",
             sqlite3_db_filename(handle, "main"), why.message);
    outage_note(outage, clock_monotonic_ns(), "db", text);
}

static int on_commit(void *outage, sqlite3 *handle, const char *name, int frames)
{
    if (frames < FRAMES)
        return SQLITE_OK;
    int result = sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (result == SQLITE_OK)
        outage_end(outage, clock_monotonic_ns(), "db", "the -wal was written back into the database again");
    else if ((result & 0xff) != SQLITE_BUSY && (result & 0xff) != SQLITE_LOCKED) /* somebody else is at it */
        note(outage, handle);
    return SQLITE_OK; /* the commit stands */
}

void sqlite_checkpoint_enable(sqlite3 *handle, struct outage *outage)
{
    sqlite3_wal_hook(handle, on_commit, outage);
}
