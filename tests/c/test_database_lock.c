/* The lock that keeps a second broker off a database. */
#include "db/database_lock.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/check.h"
#include "support/folder.h"

static char url[600];

static const char *url_of(struct folder *f, const char *name)
{
    snprintf(url, sizeof url, "sqlite:%s", folder_path(f, name));
    return url;
}

static int take(struct folder *f, const char *name)
{
    struct error e;
    int lock = database_lock_take(url_of(f, name), 0, &e);

    assert_that(lock >= 0, "%s", e.message);
    return lock;
}

TEST(one_has_it_at_a_time)
{
    struct folder *f = *state;
    struct error e;
    char pid[32];
    int lock = take(f, "app.db");

    snprintf(pid, sizeof pid, "(process %ld)", (long)getpid());
    assert_int_equal(database_lock_take(url_of(f, "app.db"), 0, &e), -1);
    assert_error(&e, "busy", "");
    assert_that(strstr(e.message, pid) != NULL, "\"%s\" does not name %s", e.message, pid);
    int other = take(f, "other.db");
    database_lock_release(other);
    database_lock_release(lock);
    database_lock_release(take(f, "app.db"));
    database_lock_release(-1);
}

TEST(it_says_how_far_the_history_has_come)
{
    struct folder *f = *state;
    const struct generation g = {"0123456789ab"};
    struct generation noted;
    uint64_t position;
    int lock = take(f, "app.db");

    assert_false(database_lock_noted(lock, &noted, &position));
    database_lock_note(lock, &g, UINT64_MAX);
    database_lock_note(lock, &g, 7);
    database_lock_release(lock);
    lock = take(f, "app.db");
    assert_true(database_lock_noted(lock, &noted, &position));
    assert_string_equal(noted.text, g.text);
    assert_int_equal(position, 7);
    database_lock_release(lock);
    folder_write(f, "app.db-lock", "%s", "1\nnonsense that is longer than a generation is\n");
    lock = take(f, "app.db");
    assert_false(database_lock_noted(lock, &noted, &position));
    database_lock_release(lock);
}

TEST(waiting_ends_in_time)
{
    struct folder *f = *state;
    struct error e;
    int lock = take(f, "app.db");
    uint64_t before = clock_monotonic_ns();

    assert_int_equal(database_lock_take(url_of(f, "app.db"), 60, &e), -1);
    assert_true(clock_monotonic_ns() - before >= 60 * 1000000ull);
    database_lock_release(lock);
}

/* However the process ends. */
TEST(it_ends_with_its_process)
{
    struct folder *f = *state;
    struct error e;
    int ready[2];
    char byte;

    (void)url_of(f, "app.db");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (database_lock_take(url, 0, &e) >= 0 && write(ready[1], "x", 1) == 1)
            (void)pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(database_lock_take(url, 0, &e), -1);
    assert_int_equal(kill(child, SIGKILL), 0);
    int lock = database_lock_take(url, 60000, &e);
    assert_that(lock >= 0, "%s", e.message);
    assert_int_equal(waitpid(child, NULL, 0), child);
    database_lock_release(lock);
    close(ready[0]);
    close(ready[1]);
}

TEST(a_link_to_the_file_has_the_same_lock)
{
    struct folder *f = *state;
    char target[600];
    struct error e;

    folder_write(f, "app.db", "%s", "");
    snprintf(target, sizeof target, "%s", folder_path(f, "app.db"));
    assert_int_equal(symlink(target, folder_path(f, "link.db")), 0);
    int lock = take(f, "link.db");
    assert_int_equal(database_lock_take(url_of(f, "app.db"), 0, &e), -1);
    database_lock_release(lock);
}

TEST(a_link_to_a_file_that_is_still_to_be_made_has_the_same_lock)
{
    struct folder *f = *state;
    char target[600];
    struct error e;

    snprintf(target, sizeof target, "%s", folder_path(f, "new.db"));
    assert_int_equal(symlink(target, folder_path(f, "link.db")), 0);
    int lock = take(f, "link.db");
    database_lock_release(lock);
    lock = take(f, "new.db");
    assert_int_equal(database_lock_take(url_of(f, "link.db"), 0, &e), -1);
    database_lock_release(lock);
}

/* There would be two locks, and in SQLite two logs. */
TEST(a_database_with_two_names_is_refused)
{
    struct folder *f = *state;
    char path[600];
    struct error e;

    folder_write(f, "app.db", "%s", "");
    snprintf(path, sizeof path, "%s", folder_path(f, "app.db"));
    assert_int_equal(link(path, folder_path(f, "other.db")), 0);
    assert_int_equal(database_lock_take(url_of(f, "app.db"), 0, &e), -1);
    assert_error(&e, "unavailable", "");
}

TEST(a_lock_file_that_is_none_is_refused_and_left_alone)
{
    struct folder *f = *state;
    char path[600];
    char text[16] = "";
    struct error e;

    folder_write(f, "precious", "%s", "precious");
    snprintf(path, sizeof path, "%s", folder_path(f, "precious"));
    assert_int_equal(link(path, folder_path(f, "app.db-lock")), 0);
    assert_int_equal(database_lock_take(url_of(f, "app.db"), 0, &e), -1);
    assert_error(&e, "unavailable", "");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 8);
    fclose(file);
    assert_string_equal(text, "precious");
    assert_int_equal(mkfifo(folder_path(f, "b.db-lock"), 0600), 0);
    assert_int_equal(database_lock_take(url_of(f, "b.db"), 0, &e), -1);
    assert_error(&e, "unavailable", "");
}

struct waiter {
    char url[600];
    int lock;
};

static void *wait_for_lock(void *context)
{
    struct waiter *w = context;

    w->lock = database_lock_take(w->url, 60000, NULL);
    return NULL;
}

/* How many descriptors this process has of a file. */
static int descriptors_of(const char *path)
{
    int count = 0;

    for (int fd = 0; fd < 64; fd++) {
        char name[64];
        char target[600];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(name, target, sizeof target - 1);
        if (len <= 0)
            continue;
        target[len] = '\0';
        count += strcmp(target, path) == 0 ? 1 : 0;
    }
    return count;
}

/* Who waited has the lock of a file without a name; the next one would make another. */
TEST(a_lock_file_that_is_deleted_meanwhile_is_no_lock)
{
    struct folder *f = *state;
    struct waiter w;
    pthread_t thread;
    int lock = take(f, "app.db");

    snprintf(w.url, sizeof w.url, "%s", url_of(f, "app.db"));
    assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &w), 0);
    while (descriptors_of(folder_path(f, "app.db-lock")) < 2)
        sched_yield();
    assert_int_equal(unlink(folder_path(f, "app.db-lock")), 0);
    int other = take(f, "app.db");
    database_lock_release(lock);
    pthread_join(thread, NULL);
    assert_int_equal(w.lock, -1);
    database_lock_release(other);
}

TEST(what_has_no_file_or_no_folder_is_refused)
{
    struct folder *f = *state;
    struct error e;

    assert_int_equal(database_lock_take("memory:x", 0, &e), -1);
    assert_error(&e, "invalid_field", "database");
    assert_int_equal(database_lock_take(url_of(f, "no/such.db"), 0, &e), -1);
    assert_error(&e, "unavailable", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(one_has_it_at_a_time),
        WITH_FOLDER(it_says_how_far_the_history_has_come),
        WITH_FOLDER(waiting_ends_in_time),
        WITH_FOLDER(it_ends_with_its_process),
        WITH_FOLDER(a_link_to_the_file_has_the_same_lock),
        WITH_FOLDER(a_link_to_a_file_that_is_still_to_be_made_has_the_same_lock),
        WITH_FOLDER(a_database_with_two_names_is_refused),
        WITH_FOLDER(a_lock_file_that_is_none_is_refused_and_left_alone),
        WITH_FOLDER(a_lock_file_that_is_deleted_meanwhile_is_no_lock),
        WITH_FOLDER(what_has_no_file_or_no_folder_is_refused),
    };

    return RUN_TESTS(tests);
}
