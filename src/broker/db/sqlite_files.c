#include "db/sqlite_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const suffixes[SQLITE_FILES] = {"", "-wal", "-shm"};

static bool look_at(const char *path, const char *suffix, struct stat *found)
{
    char whole[PATH_MAX + sizeof "-wal"];

    snprintf(whole, sizeof whole, "%s%s", path, suffix);
    return stat(whole, found) == 0;
}

void sqlite_files_note(struct sqlite_files *files, sqlite3 *handle)
{
    struct stat found;

    files->path = sqlite3_db_filename(handle, "main");
    if (files->path != NULL && files->path[0] == '\0') /* in memory */
        files->path = NULL;
    for (int i = 0; files->path != NULL && i < SQLITE_FILES; i++) {
        if (!look_at(files->path, suffixes[i], &found))
            continue;
        files->at[i].device = found.st_dev;
        files->at[i].inode = found.st_ino;
    }
}

bool sqlite_files_check(const struct sqlite_files *files, struct error *e)
{
    struct stat found;

    for (int i = 0; files->path != NULL && i < SQLITE_FILES; i++) {
        if (files->at[i].inode == 0)
            continue;
        bool there = look_at(files->path, suffixes[i], &found);
        if (there && found.st_dev == files->at[i].device && found.st_ino == files->at[i].inode)
            continue;
        return error_set(
            e, "unavailable",
            "%.200s%s is not the file that the broker has open: %s; put that one back, or restart the broker "
            "with the database that is meant (what was deleted can be copied from /proc/%ld/fd until then)",
            files->path, suffixes[i], there ? "it was replaced" : strerror(errno), (long)getpid());
    }
    return true;
}
