#include "db/database_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/str.h"

enum { TRY_AGAIN_MS = 20, PID_TEXT_MAX = 24 };

/* Beside the file itself, where `path` is a link to it: however the file is named, it has one lock. */
static bool name_of(const char *url, char *out, size_t size)
{
    struct str text = str_of(url);
    struct str prefix = STR("sqlite:");

    if (!str_starts_with(text, prefix))
        return false;
    const char *path = url + prefix.len;
    char *real = realpath(path, NULL);
    int len = snprintf(out, size, "%s-lock", real != NULL ? real : path);
    free(real);
    return len > 0 && (size_t)len < size;
}

static void read_holder(int lock, char pid[PID_TEXT_MAX])
{
    ssize_t len = pread(lock, pid, PID_TEXT_MAX - 1, 0);

    pid[len > 0 ? len : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
}

static void write_holder(int lock)
{
    char pid[PID_TEXT_MAX];
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

    /* For people: on a full disk the lock is as good without it. */
    if (ftruncate(lock, 0) == 0)
        (void)!pwrite(lock, pid, (size_t)len, 0);
}

static bool wait_for(int lock, const char *name, uint64_t wait_ms, struct error *e)
{
    const struct timespec pause = {0, TRY_AGAIN_MS * 1000000L};
    uint64_t until = clock_monotonic_ns() + wait_ms * 1000000u;
    char pid[PID_TEXT_MAX];
    bool told = false;

    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set(e, "unavailable", "cannot lock %s: %s", name, strerror(errno));
        read_holder(lock, pid);
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

    if (!name_of(url, name, sizeof name)) {
        (void)error_field(e, "database", "'%s' names no database file", url);
        return -1;
    }
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (lock < 0) {
        (void)error_set(e, "unavailable",
                        "cannot open the database %.*s: its lock file: %s; does its folder exist, and may the broker "
                        "write there?",
                        (int)(strlen(name) - strlen("-lock")), name, strerror(errno));
        return -1;
    }
    if (wait_for(lock, name, wait_ms, e)) {
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
