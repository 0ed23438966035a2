#include "db/database_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/str.h"

enum { TRY_AGAIN_MS = 20, PID_WIDTH = 20, LINE_MAX_BYTES = 64 };

/* However the file is named, it has one lock: beside the file itself, where `path` is a symbolic link to it. Behind a hard link
 * there would be two, and SQLite has two logs there. */
static bool name_of(const char *url, char *out, size_t size, struct error *e)
{
    struct str text = str_of(url);
    struct str prefix = STR("sqlite:");
    struct stat found;

    if (!str_starts_with(text, prefix))
        return error_field(e, "database", "'%s' names no database file", url);
    const char *path = url + prefix.len;
    int made = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644); /* so that it has a real path */
    if (made >= 0)
        close(made);
    char *real = realpath(path, NULL);
    int len = snprintf(out, size, "%s-lock", real != NULL ? real : path);
    bool several = real != NULL && stat(real, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink > 1;
    free(real);
    if (several)
        return error_set(e, "unavailable",
                         "the database %s has several names (hard links), and two brokers could have it", path);
    return (len > 0 && (size_t)len < size) || error_field(e, "database", "the path of the database is too long");
}

/* Two lines of fixed length, each written at once: the process, and the position. */
static void write_line(int lock, off_t at, const char *text, int width)
{
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof line, "%-*s\n", width, text);

    /* Where it cannot be written, on a full disk, the lock is as good without it. */
    (void)!pwrite(lock, line, (size_t)len, at);
}

static void read_line(int lock, off_t at, char out[LINE_MAX_BYTES])
{
    ssize_t len = pread(lock, out, LINE_MAX_BYTES - 1, at);

    out[len > 0 ? len : 0] = '\0';
    out[strcspn(out, " \n")] = '\0';
}

static void write_holder(int lock)
{
    char pid[PID_WIDTH + 1];

    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    write_line(lock, 0, pid, PID_WIDTH);
}

void database_lock_note(int lock, const struct generation *g, uint64_t position)
{
    char text[POSITION_TEXT_MAX];

    (void)position_text(text, g, position);
    write_line(lock, PID_WIDTH + 1, text, POSITION_TEXT_MAX);
}

bool database_lock_noted(int lock, struct generation *g, uint64_t *position)
{
    char text[LINE_MAX_BYTES];

    read_line(lock, PID_WIDTH + 1, text);
    if (strlen(text) <= GENERATION_LEN)
        return false;
    memcpy(g->text, text, GENERATION_LEN);
    g->text[GENERATION_LEN] = '\0';
    return position_read(str_of(text), g, position) == POSITION_OK;
}

/* The lock is one on the file that has this name, and on no other's. */
static bool check_file(int lock, const char *name, struct error *e)
{
    struct stat held;
    struct stat named;

    if (fstat(lock, &held) == 0 && lstat(name, &named) == 0 && held.st_dev == named.st_dev &&
        held.st_ino == named.st_ino && S_ISREG(held.st_mode) && held.st_nlink == 1)
        return true;
    return error_set(e, "unavailable",
                     "%s is no lock file, or was deleted meanwhile; delete it if it is there, and start again", name);
}

static bool wait_for(int lock, const char *name, uint64_t wait_ms, struct error *e)
{
    const struct timespec pause = {0, TRY_AGAIN_MS * 1000000L};
    uint64_t until = clock_monotonic_ns() + wait_ms * 1000000u;
    char pid[LINE_MAX_BYTES];
    bool told = false;

    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set(e, "unavailable", "cannot lock %s: %s", name, strerror(errno));
        read_line(lock, 0, pid);
        if (clock_monotonic_ns() >= until)
            return error_set(e, "busy",
                             "another broker (process %s) has the database, and holds %s; stop it, or give this one "
                             "another database (--takeover-timeout is how long to wait)",
                             pid, name);
        if (!told)
            log_info("db", "another broker (process %s) has the database; waiting until it ends", pid);
        told = true;
        nanosleep(&pause, NULL);
    }
    return true;
}

int database_lock_take(const char *url, uint64_t wait_ms, struct error *e)
{
    char name[PATH_MAX];

    if (!name_of(url, name, sizeof name, e))
        return -1;
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        (void)error_set(e, "unavailable",
                        "cannot open the database %.*s: its lock file: %s; does its folder exist, and may the broker "
                        "write there?",
                        (int)(strlen(name) - strlen("-lock")), name, strerror(errno));
        return -1;
    }
    if (check_file(lock, name, e) && wait_for(lock, name, wait_ms, e) && check_file(lock, name, e)) {
        write_holder(lock);
        return lock;
    }
    close(lock);
    return -1;
}

void database_lock_release(int lock)
{
    if (lock >= 0)
        close(lock);
}
