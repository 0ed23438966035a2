/*
 * crash_preload.c - loaded into an unmodified broker with LD_PRELOAD, ends it with SIGKILL at an exact instant:
 *
 *   CRASH_AT=PLACE:N:BYTES:MS   at the N-th occurrence of the place, counted from 1 over all threads. At a place that
 *                               sends something, BYTES of it (modulo its length) still reach the client. Before the end
 *                               the thread stands still for MS milliseconds, in which the others do what they can.
 *
 * It stands between the broker and the functions of SQLite and of the C library that it calls; what they are called
 * with tells the places apart. The place is said on standard error before the end. The places are listed in the table.
 */
#include <dlfcn.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum place {
    NOWHERE,
    RENEW,         /* before a new history is noted */
    LOAD,          /* the history is being read at the start: before a row of it */
    HANDLER,       /* before a statement with which a handler changes a table */
    RECORD,        /* before the record of an Idempotency-Key is written */
    ANSWERED,      /* before the answer of a route with transaction = false gets into that record */
    JOURNAL,       /* before an event's row is written */
    TRIM,          /* before old rows are deleted from the journal */
    TRIMMED,       /* behind it, inside of the transaction */
    COMMIT,        /* before COMMIT begins */
    COMMIT_WRITE,  /* inside of COMMIT, before a write to the write-ahead log */
    COMMIT_SYNC,   /* inside of COMMIT, before fdatasync of the write-ahead log */
    COMMIT_SYNCED, /* inside of COMMIT, behind it */
    CHECKPOINT,    /* before a write to the database file itself */
    COMMITTED,     /* COMMIT has returned, nothing is published */
    ANSWER,        /* while an answer with status 2xx is sent */
    DELIVER,       /* while events are sent, live */
    OPENING,       /* while the head of a stream and its first words are sent */
    REPLAY,        /* while events are sent that a client that came back has missed */
};

static const char *const names[] = {
    [NOWHERE] = "",
    [RENEW] = "renew",
    [LOAD] = "load",
    [HANDLER] = "handler",
    [RECORD] = "record",
    [ANSWERED] = "answered",
    [JOURNAL] = "journal",
    [TRIM] = "trim",
    [TRIMMED] = "trimmed",
    [COMMIT] = "commit",
    [COMMIT_WRITE] = "commit-write",
    [COMMIT_SYNC] = "commit-sync",
    [COMMIT_SYNCED] = "commit-synced",
    [CHECKPOINT] = "checkpoint",
    [COMMITTED] = "committed",
    [ANSWER] = "answer",
    [DELIVER] = "deliver",
    [OPENING] = "opening",
    [REPLAY] = "replay",
};

/* What the functions are that we stand before. */
static struct {
    int (*sqlite3_step)(sqlite3_stmt *statement);
    ssize_t (*write)(int fd, const void *bytes, size_t count);
    ssize_t (*writev)(int fd, const struct iovec *parts, int count);
    ssize_t (*send)(int fd, const void *bytes, size_t count, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*pwrite64)(int fd, const void *bytes, size_t count, off64_t offset);
    int (*fdatasync)(int fd);
    int (*epoll_wait)(int epoll, struct epoll_event *events, int most, int timeout);
    int (*epoll_pwait)(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask);
} real;

static enum place armed;
static size_t bytes_to_send;
static unsigned pause_ms;
static atomic_long occurrences_left;

static _Thread_local bool changed; /* the transaction under way has changed something of the app's, or emitted */
static _Thread_local bool committing;
static _Thread_local int opened = -1; /* the stream that was opened in this turn of the loop, the last thing written */

static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (function == NULL)
        abort();
    return function;
}

/* Reads a number behind a colon. */
static long read_number(const char **text)
{
    char *end;

    if (**text != ':')
        abort();
    long number = strtol(*text + 1, &end, 10);
    if (end == *text + 1 || number < 0)
        abort();
    *text = end;
    return number;
}

static void arm(const char *text)
{
    size_t len = strcspn(text, ":");

    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && memcmp(text, names[i], len) == 0)
            armed = (enum place)i;
    if (armed == NOWHERE)
        abort();
    text += len;
    atomic_store(&occurrences_left, read_number(&text));
    bytes_to_send = (size_t)read_number(&text);
    pause_ms = (unsigned)read_number(&text);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("CRASH_AT");

    *(void **)&real.sqlite3_step = find("sqlite3_step");
    *(void **)&real.write = find("write");
    *(void **)&real.writev = find("writev");
    *(void **)&real.send = find("send");
    *(void **)&real.sendmsg = find("sendmsg");
    *(void **)&real.pwrite64 = find("pwrite64");
    *(void **)&real.fdatasync = find("fdatasync");
    *(void **)&real.epoll_wait = find("epoll_wait");
    *(void **)&real.epoll_pwait = find("epoll_pwait");
    if (text != NULL)
        arm(text);
}

/* Whether this is the occurrence to end at. */
static bool is_due(enum place place)
{
    return place == armed && place != NOWHERE && atomic_fetch_sub(&occurrences_left, 1) == 1;
}

_Noreturn static void end(void)
{
    char line[64];
    int len = snprintf(line, sizeof line, "crash: %s\n", names[armed]);

    (void)usleep(pause_ms * 1000);
    (void)real.write(STDERR_FILENO, line, (size_t)len);
    (void)kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void pass(enum place place)
{
    if (is_due(place))
        end();
}

/* --- statements --- */

static bool begins(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

static bool changes_rows(const char *sql)
{
    return begins(sql, "INSERT") || begins(sql, "UPDATE") || begins(sql, "DELETE") || begins(sql, "REPLACE");
}

static enum place place_of(const char *sql)
{
    if (strcasecmp(sql, "COMMIT") == 0)
        return COMMIT;
    if (begins(sql, "DELETE FROM main.pillar_events"))
        return TRIM;
    if (begins(sql, "INSERT INTO main.pillar_events"))
        return JOURNAL;
    if (begins(sql, "INSERT INTO main.pillar_idempotency"))
        return RECORD;
    if (begins(sql, "UPDATE main.pillar_idempotency"))
        return ANSWERED;
    if (begins(sql, "INSERT INTO main.pillar_history"))
        return RENEW;
    if (begins(sql, "SELECT position") && strcasestr(sql, "targets") != NULL)
        return LOAD;
    return changes_rows(sql) && strcasestr(sql, "pillar_") == NULL ? HANDLER : NOWHERE;
}

/* --- the database's files --- */

/* Whether the descriptor's file has a name that ends so. */
static bool file_ends_with(int fd, const char *ending)
{
    char link[32];
    char path[4096];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return false;
    path[len] = '\0';
    size_t tail = strlen(ending);
    return (size_t)len >= tail && strcmp(path + (size_t)len - tail, ending) == 0;
}

/* --- what is sent --- */

static bool contains(const struct iovec *part, const char *text)
{
    return memmem(part->iov_base, part->iov_len, text, strlen(text)) != NULL;
}

static bool part_begins(const struct iovec *part, const char *text)
{
    size_t len = strlen(text);

    return part->iov_len >= len && memcmp(part->iov_base, text, len) == 0;
}

/* Events that follow the opening of their stream at once, before the loop waits again, are those that were missed. */
static enum place place_of_bytes(int fd, const struct iovec *first)
{
    bool same = fd == opened;

    opened = -1;
    if (part_begins(first, "id: ")) {
        opened = same ? fd : -1;
        return same ? REPLAY : DELIVER;
    }
    if (!part_begins(first, "HTTP/1.1 2"))
        return NOWHERE;
    if (!contains(first, "text/event-stream"))
        return ANSWER;
    opened = fd;
    return OPENING;
}

/* Sends the first of the bytes, as a socket that is nearly full would. */
static void send_some(int fd, const struct iovec *parts, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    size_t left = total == 0 ? 0 : bytes_to_send % total;
    for (int i = 0; i < count && left > 0; i++) {
        size_t now = parts[i].iov_len < left ? parts[i].iov_len : left;
        (void)real.write(fd, parts[i].iov_base, now);
        left -= now;
    }
}

static void look_at_bytes(int fd, const struct iovec *parts, int count)
{
    if (armed < ANSWER || fd == STDERR_FILENO || count < 1)
        return;
    if (is_due(place_of_bytes(fd, parts))) {
        send_some(fd, parts, count);
        end();
    }
}

/* --- what the broker calls --- */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's names are reserved for it. */

int sqlite3_step(sqlite3_stmt *statement)
{
    const char *sql = sqlite3_sql(statement);
    enum place place = armed == NOWHERE || sql == NULL ? NOWHERE : place_of(sql);

    changed = changed || place == HANDLER || place == JOURNAL;
    if (place == COMMIT && !changed) /* the broker's own, at the start */
        place = NOWHERE;
    pass(place);
    committing = place == COMMIT;
    int result = real.sqlite3_step(statement);
    committing = false;
    changed = changed && place != COMMIT;
    if (place == COMMIT && result == SQLITE_DONE)
        pass(COMMITTED);
    if (place == TRIM && result == SQLITE_DONE)
        pass(TRIMMED);
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    if (armed == COMMIT_WRITE && committing && file_ends_with(fd, "-wal"))
        pass(COMMIT_WRITE);
    if (armed == CHECKPOINT && file_ends_with(fd, ".db"))
        pass(CHECKPOINT);
    return real.pwrite64(fd, bytes, count, offset);
}

int fdatasync(int fd)
{
    bool of_log = committing && (armed == COMMIT_SYNC || armed == COMMIT_SYNCED) && file_ends_with(fd, "-wal");

    if (of_log)
        pass(COMMIT_SYNC);
    int result = real.fdatasync(fd);
    if (of_log)
        pass(COMMIT_SYNCED);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    struct iovec part = {(void *)bytes, count};

    look_at_bytes(fd, &part, 1);
    return real.write(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    look_at_bytes(fd, parts, count);
    return real.writev(fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    struct iovec part = {(void *)bytes, count};

    look_at_bytes(fd, &part, 1);
    return real.send(fd, bytes, count, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    look_at_bytes(fd, message->msg_iov, (int)message->msg_iovlen);
    return real.sendmsg(fd, message, flags);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    opened = -1;
    return real.epoll_wait(epoll, events, most, timeout);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    opened = -1;
    return real.epoll_pwait(epoll, events, most, timeout, mask);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
