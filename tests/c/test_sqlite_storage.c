/* What happens to the files under a connection: gone, replaced, damaged, not to be written, too large. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "db/sqlite_checkpoint.h"
#include "support/check.h"
#include "support/database.h"

/* Of a page, and of what is damaged, behind the first ten. */
enum { PAGE = 4096, STRETCH_MAX = 200 * PAGE };
static const off_t stretch_at = 10L * PAGE;

#define assert_ok(call) assert_that(call, "%s", e.message)

struct path {
    char text[320];
};

static struct path path_of(const struct database *d, const char *name)
{
    struct path p;

    snprintf(p.text, sizeof p.text, "%s/%s", d->dir, name);
    return p;
}

static void move(const struct database *d, const char *from, const char *to)
{
    assert_int_equal(rename(path_of(d, from).text, path_of(d, to).text), 0);
}

/* --- gone, or another one --- */

static void check_refused(struct db *db, const char *file, const char *why)
{
    struct error e = {0};

    assert_false(db_in_place(db, &e));
    assert_ok(db_begin_write(db, &e));
    run_sql(db, "INSERT INTO t VALUES (1)");
    assert_false(db_commit(db, &e));
    assert_error(&e, "unavailable", "");
    assert_that(strstr(e.message, file) != NULL && strstr(e.message, why) != NULL &&
                    strstr(e.message, "restart the broker") != NULL,
                "%s", e.message);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM t"), 0);
}

static void check_accepted(struct db *db)
{
    struct error e;

    assert_ok(db_in_place(db, &e));
    assert_ok(db_begin_write(db, &e));
    run_sql(db, "INSERT INTO t VALUES (1)");
    assert_ok(db_commit(db, &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM t"), 1);
}

TEST(what_would_go_into_a_file_that_is_gone_is_not_committed)
{
    static const char *const names[] = {"test.db", "test.db-wal", "test.db-shm"};
    struct database *d = *state;

    run_sql(d->db, "CREATE TABLE t (a)");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        move(d, names[i], "aside");
        check_refused(d->db, names[i], "No such file");
        move(d, "aside", names[i]);
    }
    check_accepted(d->db);
}

TEST(what_would_go_into_a_file_that_was_replaced_is_not_committed)
{
    static const char *const names[] = {"test.db", "test.db-wal", "test.db-shm"};
    struct database *d = *state;

    run_sql(d->db, "CREATE TABLE t (a)");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        move(d, names[i], "aside");
        int fd = open(path_of(d, names[i]).text, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        close(fd);
        check_refused(d->db, names[i], "replaced");
        move(d, "aside", names[i]);
    }
    check_accepted(d->db);
}

/* All three names are there from the start: an empty file has no -wal until it is read. */
TEST(the_files_of_a_new_database_are_watched_too)
{
    struct database *d = *state;
    struct error e = {0};

    move(d, "test.db-wal", "aside");
    assert_false(db_in_place(d->db, &e));
    assert_error(&e, "unavailable", "");
    move(d, "aside", "test.db-wal");
    assert_ok(db_in_place(d->db, &e));
}

/* Whatever it is called. */
TEST(a_database_in_memory_has_no_files)
{
    const struct database *d = *state;
    struct error e;
    char url[400];

    snprintf(url, sizeof url, "memory:%s", path_of(d, "test.db").text + 1);
    struct db *db = db_open(url, &e);
    assert_that(db != NULL, "%s", e.message);
    run_sql(db, "CREATE TABLE t (a)");
    move(d, "test.db", "aside");
    check_accepted(db);
    move(d, "aside", "test.db");
    db_close(db);
}

/* --- damaged --- */

struct stretch {
    int fd;
    char kept[STRETCH_MAX];
    ssize_t len;
};

static void damage(struct stretch *s, const char *path)
{
    static char garbage[sizeof s->kept];

    memset(garbage, 0xff, sizeof garbage);
    s->fd = open(path, O_RDWR);
    assert_true(s->fd >= 0);
    s->len = pread(s->fd, s->kept, sizeof s->kept, stretch_at);
    assert_true(s->len > STRETCH_MAX / 4);
    assert_int_equal(pwrite(s->fd, garbage, (size_t)s->len, stretch_at), s->len);
}

static void mend(struct stretch *s)
{
    assert_int_equal(pwrite(s->fd, s->kept, (size_t)s->len, stretch_at), s->len);
}

static void fill(struct db *db)
{
    struct error e;

    run_sql(db, "CREATE TABLE u (a)");
    run_sql(db, "CREATE TABLE t (a)");
    run_sql(db, "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) "
                "SELECT randomblob(1000) FROM n");
    assert_ok(db_run_internal(db, "PRAGMA wal_checkpoint(TRUNCATE)", &e));
}

static const char sum[] = "SELECT sum(length(a)) FROM t";

/* SQLite commits nothing behind a damaged page, and reads what is not damaged. */
TEST(a_damaged_page_is_unavailable_until_it_is_mended)
{
    struct database *d = *state;
    struct stretch *s = calloc(1, sizeof *s);
    struct error e = {0};

    fill(d->db);
    struct db *reader = database_connect(d);
    struct db *writer = database_connect(d);
    damage(s, path_of(d, "test.db").text);
    db_begin_read(reader);
    assert_false(try_sql(reader, sum, &e));
    assert_error(&e, "unavailable", "");
    assert_that(strstr(e.message, "restore a backup") != NULL, "%s", e.message);
    assert_int_equal(query_integer(reader, "SELECT count(*) FROM u"), 0);
    db_end_read(reader);
    assert_ok(db_begin_write(writer, &e));
    assert_ok(db_savepoint(writer, &e));
    run_sql(writer, "INSERT INTO u VALUES (1)");
    assert_false(try_sql(writer, sum, &e));
    assert_false(db_rollback_to(writer, 0, &e));
    assert_error(&e, "unavailable", "");
    assert_that(strstr(e.message, "rolled the transaction back: database disk image is malformed") != NULL, "%s",
                e.message);
    assert_false(db_commit(writer, &e));
    assert_error(&e, "unavailable", "");
    assert_ok(db_begin_write(writer, &e));
    run_sql(writer, "INSERT INTO u VALUES (1)");
    assert_ok(db_commit(writer, &e));
    assert_int_equal(query_integer(writer, "SELECT count(*) FROM u"), 1);
    mend(s);
    db_begin_read(reader);
    assert_int_equal(query_integer(reader, sum), 300000);
    db_end_read(reader);
    assert_ok(db_begin_write(writer, &e));
    assert_int_equal(query_integer(writer, sum), 300000);
    db_rollback(writer);
    db_close(reader);
    db_close(writer);
    close(s->fd);
    free(s);
}

/* --- not to be written --- */

TEST(a_file_that_may_only_be_read_is_unavailable)
{
    struct database *d = *state;
    struct error e = {0};
    bool root = geteuid() == 0;

    run_sql(d->db, "CREATE TABLE t (a)");
    assert_int_equal(chmod(path_of(d, "test.db").text, 0444), 0);
    assert_int_equal(chmod(d->dir, 0755), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    struct db *db = db_open(d->url, &e);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_null(db);
    assert_error(&e, "unavailable", "");
    assert_that(strstr(e.message, "test.db: the broker may only read it") != NULL, "%s", e.message);
}

/* --- too large --- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(an_error_of_the_system_is_told_with_what_to_do)
{
    struct database *d = *state;
    struct error e = {0};

    run_sql(d->db, "CREATE TABLE t (a)");
    assert_ok(db_begin_write(d->db, &e));
    run_sql(d->db, "INSERT INTO t VALUES (randomblob(200000))");
    limit_files(100000);
    bool committed = db_commit(d->db, &e);
    limit_files(RLIM_INFINITY);
    assert_false(committed);
    assert_error(&e, "unavailable", "");
    assert_that(strstr(e.message, "File too large") != NULL && strstr(e.message, "ulimit -f") != NULL, "%s", e.message);
    check_accepted(d->db);
}

static void update(sqlite3 *handle, int from)
{
    char sql[100];

    snprintf(sql, sizeof sql, "UPDATE t SET a = randomblob(3000) WHERE rowid > %d", from);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The end of the file lies behind the limit, so the -wal can be written and not read back into the file. */
TEST(a_checkpoint_that_fails_is_noticed_and_the_commit_stands)
{
    static const char setup[] =
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a);"
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000)"
        " SELECT randomblob(3000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)";
    const struct database *d = *state;
    struct sqlite_checkpoint checkpoint = {0};
    const struct outage *outage = &checkpoint.outage;
    sqlite3 *handle;

    assert_int_equal(sqlite3_open(path_of(d, "test.db").text, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, setup, NULL, NULL, NULL), SQLITE_OK);
    sqlite_checkpoint_enable(&checkpoint, handle);
    update(handle, 3990);
    assert_int_equal(outage->failures, 0);
    limit_files(10 << 20);
    update(handle, 2900);
    update(handle, 3999);
    limit_files(RLIM_INFINITY);
    assert_int_equal(outage->failures, 2);
    struct stat wal;
    assert_int_equal(stat(path_of(d, "test.db-wal").text, &wal), 0);
    update(handle, 3999);
    assert_int_equal(outage->failures, 0);
    update(handle, 2900); /* begins the -wal anew, instead of adding to it */
    struct stat later;
    assert_int_equal(stat(path_of(d, "test.db-wal").text, &later), 0);
    assert_true(later.st_size < wal.st_size + 100L * PAGE);
    sqlite3_close(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(what_would_go_into_a_file_that_is_gone_is_not_committed),
        WITH_DATABASE(what_would_go_into_a_file_that_was_replaced_is_not_committed),
        WITH_DATABASE(the_files_of_a_new_database_are_watched_too),
        WITH_DATABASE(a_database_in_memory_has_no_files),
        WITH_DATABASE(a_damaged_page_is_unavailable_until_it_is_mended),
        WITH_DATABASE(a_file_that_may_only_be_read_is_unavailable),
        WITH_DATABASE(an_error_of_the_system_is_told_with_what_to_do),
        WITH_DATABASE(a_checkpoint_that_fails_is_noticed_and_the_commit_stands),
    };

    signal(SIGXFSZ, SIG_IGN);
    return RUN_TESTS(tests);
}
