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

void sqlite_checkpoint_measure(struct sqlite_checkpoint *checkpoint, sqlite3 *handle)
{
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;

    (void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log == NULL || log->pMethods == NULL || log->pMethods->xFileSize(log, &size) != SQLITE_OK)
        size = 0;
    checkpoint->wal_bytes = (uint64_t)size;
}

static bool run(struct sqlite_checkpoint *checkpoint, sqlite3 *handle, int mode)
{
    int result = sqlite3_wal_checkpoint_v2(handle, "main", mode, NULL, NULL);

    if (result == SQLITE_OK)
        outage_end(&checkpoint->outage, clock_monotonic_ns(), "db",
                   "the -wal was written back into the database again");
    else if ((result & 0xff) != SQLITE_BUSY && (result & 0xff) != SQLITE_LOCKED) /* somebody else is at it */
        note(&checkpoint->outage, handle);
    sqlite_checkpoint_measure(checkpoint, handle);
    return result == SQLITE_OK;
}

static int on_commit(void *context, sqlite3 *handle, const char *name, int frames)
{
    struct sqlite_checkpoint *checkpoint = context;

    (void)name; /* nothing can be attached */
    if (frames < FRAMES)
        sqlite_checkpoint_measure(checkpoint, handle);
    else
        (void)run(checkpoint, handle, SQLITE_CHECKPOINT_PASSIVE);
    return SQLITE_OK; /* the commit stands */
}

void sqlite_checkpoint_enable(struct sqlite_checkpoint *checkpoint, sqlite3 *handle)
{
    sqlite3_wal_hook(handle, on_commit, checkpoint);
}

bool sqlite_checkpoint_truncate(struct sqlite_checkpoint *checkpoint, sqlite3 *handle)
{
    return run(checkpoint, handle, SQLITE_CHECKPOINT_TRUNCATE);
}
