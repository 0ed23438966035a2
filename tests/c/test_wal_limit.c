#include "db/wal_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "db/journal.h"
#include "support/check.h"
#include "support/database.h"

enum { LIMIT = 256 << 10, LONGEST_MS = 600 };

struct scene {
    struct bus *bus;
    struct journal *journal;
    struct db *writer;
    struct db *reader;
    const struct database *d;
};

static void begin(struct scene *s, const struct database *d, uint64_t limit)
{
    const struct journal_limits limits = {100, 1 << 20, 3600000};
    struct error e;

    *s = (struct scene){.bus = bus_create(), .d = d};
    s->journal = journal_create(s->bus, &limits);
    if (limit > 0)
        journal_limit_wal(s->journal, limit, LONGEST_MS);
    s->writer = database_connect(d);
    s->reader = database_connect(d);
    assert_true(journal_join(s->journal, s->writer, &e) && journal_join(s->journal, s->reader, &e));
    run_sql(s->writer, "CREATE TABLE t (a)");
    run_sql(s->writer, "INSERT INTO t VALUES (1)");
}

static void end(struct scene *s)
{
    db_close(s->reader);
    db_close(s->writer);
    journal_free(s->journal);
    bus_free(s->bus);
}

static size_t size_of_wal(const struct scene *s)
{
    char path[300];
    struct stat wal;

    snprintf(path, sizeof path, "%s/test.db-wal", s->d->dir);
    return stat(path, &wal) == 0 ? (size_t)wal.st_size : 0;
}

/* About 100 KiB of -wal, each time in the same pages. Returns the milliseconds that looking after it took. */
static uint64_t grow(struct scene *s)
{
    struct error e;

    assert_true(db_begin_write(s->writer, &e));
    run_sql(s->writer, "UPDATE t SET a = randomblob(100000)");
    assert_true(db_commit(s->writer, &e));
    uint64_t before = clock_monotonic_ns();
    journal_tend_wal(s->journal, s->writer);
    return (clock_monotonic_ns() - before) / 1000000u;
}

TEST(a_wal_that_nobody_reads_is_emptied_at_the_limit)
{
    struct scene s;
    size_t most = 0;

    begin(&s, *state, LIMIT);
    for (int i = 0; i < 40; i++) {
        (void)grow(&s);
        most = size_of_wal(&s) > most ? size_of_wal(&s) : most;
    }
    assert_true(most > 0 && most <= LIMIT);
    assert_int_equal(query_integer(s.reader, "SELECT length(a) FROM t"), 100000);
    end(&s);
}

TEST(a_snapshot_that_stays_is_waited_for_now_and_then)
{
    struct scene s;
    uint64_t waits[8] = {0};
    int count = 0;

    begin(&s, *state, LIMIT);
    db_begin_read(s.reader);
    (void)query_integer(s.reader, "SELECT count(*) FROM t");
    for (int i = 0; i < 30; i++) { /* 3 MiB: 12 times the limit */
        uint64_t ms = grow(&s);
        if (ms >= WAL_WAIT_FIRST_MS && count < 8)
            waits[count++] = ms;
    }
    /* At the limit, one limit later, and then whenever it has doubled: 0.25, 0.5, 1, 2 MiB. */
    assert_in_range(count, 3, 4);
    assert_in_range(waits[0], WAL_WAIT_FIRST_MS, LONGEST_MS - 1 + 400);
    assert_true(waits[1] >= LONGEST_MS);
    db_end_read(s.reader);
    while (size_of_wal(&s) > LIMIT && count++ < 60)
        (void)grow(&s);
    assert_true(size_of_wal(&s) <= LIMIT);
    assert_true(grow(&s) < WAL_WAIT_FIRST_MS);
    end(&s);
}

TEST(without_a_limit_nothing_is_waited_for)
{
    struct scene s;

    begin(&s, *state, 0);
    db_begin_read(s.reader);
    (void)query_integer(s.reader, "SELECT count(*) FROM t");
    for (int i = 0; i < 10; i++)
        assert_true(grow(&s) < WAL_WAIT_FIRST_MS);
    assert_true(size_of_wal(&s) > LIMIT);
    end(&s);
}

/* --- the gate --- */

static bool is_late(void *deadline_ns)
{
    return clock_monotonic_ns() >= *(const uint64_t *)deadline_ns;
}

TEST(who_waits_in_front_of_the_gate_keeps_its_deadline)
{
    struct database *d = *state;
    uint64_t deadline_ns = clock_monotonic_ns() + 20000000u;
    struct snapshot_gate gate;
    struct error e;

    snapshot_gate_init(&gate);
    assert_true(db_join(d->db, &gate, LIMIT, &e));
    run_sql(d->db, "CREATE TABLE t (a)");
    assert_true(snapshot_gate_close(&gate, 1));
    db_set_guard(d->db, is_late, &deadline_ns);
    db_begin_read(d->db);
    assert_false(try_sql(d->db, "SELECT * FROM t", &e));
    assert_error(&e, "deadline", "");
    assert_false(db_has_snapshot(d->db));
    assert_true(is_late(&deadline_ns));
    db_end_read(d->db);
    db_set_guard(d->db, NULL, NULL);
    snapshot_gate_open(&gate);
    db_begin_read(d->db);
    run_sql(d->db, "SELECT * FROM t");
    assert_false(snapshot_gate_close(&gate, clock_monotonic_ns() + 1000000u));
    db_close(d->db); /* with its snapshot */
    d->db = NULL;
    assert_true(snapshot_gate_close(&gate, 1));
    snapshot_gate_destroy(&gate);
}

static void *leave_soon(void *gate)
{
    const struct timespec pause = {0, 20 * 1000000L};

    nanosleep(&pause, NULL);
    snapshot_gate_leave(gate);
    return NULL;
}

static void *pass(void *gate)
{
    assert_true(snapshot_gate_enter(gate, NULL, NULL));
    snapshot_gate_leave(gate);
    return NULL;
}

TEST(closing_waits_for_those_inside_and_opening_lets_in_those_who_wait)
{
    struct snapshot_gate gate;
    pthread_t leaver;
    pthread_t comer;

    (void)state;
    snapshot_gate_init(&gate);
    assert_true(snapshot_gate_enter(&gate, NULL, NULL));
    assert_int_equal(pthread_create(&leaver, NULL, leave_soon, &gate), 0);
    assert_true(snapshot_gate_close(&gate, clock_monotonic_ns() + 60000000000u));
    assert_int_equal(pthread_create(&comer, NULL, pass, &gate), 0);
    snapshot_gate_open(&gate);
    pthread_join(leaver, NULL);
    pthread_join(comer, NULL);
    assert_int_equal(gate.inside, 0);
    snapshot_gate_destroy(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(a_wal_that_nobody_reads_is_emptied_at_the_limit),
        WITH_DATABASE(a_snapshot_that_stays_is_waited_for_now_and_then),
        WITH_DATABASE(without_a_limit_nothing_is_waited_for),
        WITH_DATABASE(who_waits_in_front_of_the_gate_keeps_its_deadline),
        cmocka_unit_test(closing_waits_for_those_inside_and_opening_lets_in_those_who_wait),
    };

    return RUN_TESTS(tests);
}
