/* What happens to the files under a connection: not to be written, too large. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "support/check.h"
#include "support/database.h"

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
    assert_ok(db_begin_write(d->db, &e));
    run_sql(d->db, "INSERT INTO t VALUES (1)");
    assert_ok(db_commit(d->db, &e));
    assert_int_equal(query_integer(d->db, "SELECT count(*) FROM t"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(a_file_that_may_only_be_read_is_unavailable),
        WITH_DATABASE(an_error_of_the_system_is_told_with_what_to_do),
    };

    signal(SIGXFSZ, SIG_IGN);
    return RUN_TESTS(tests);
}
