/* The journal with a database: what is committed is the history, also of the processes that come after. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "bus/event_log.h"
#include "db/journal.h"
#include "support/alloc.h"
#include "support/check.h"
#include "support/database.h"
#include "support/events.h"

enum { KEPT_MAX = 5000 };

static const struct journal_limits roomy = {1000000, 1ull << 40, 1ull << 40};

/* What came by the bus, or was recalled. */
struct kept {
    struct bus_outlet outlet; /* first */
    struct event *events[KEPT_MAX];
    size_t count;
    uint64_t lost; /* the last position that the history was said to begin behind */
    size_t losses;
};

static void keep(void *context, struct event *ev)
{
    struct kept *k = context;

    assert_true(k->count < KEPT_MAX);
    k->events[k->count++] = event_ref(ev);
}

static void lose(void *context, uint64_t position)
{
    struct kept *k = context;

    k->lost = position;
    k->losses++;
}

static void deliver(struct bus_outlet *outlet, struct event *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        keep((struct kept *)(void *)outlet, events[i]);
}

static void forget(struct kept *k)
{
    while (k->count > 0)
        event_unref(k->events[--k->count]);
}

/* One process's life. */
struct life {
    struct bus *bus;
    struct journal *journal;
    struct db *db;
    struct kept kept;
};

static void begin_with(struct life *l, const struct database *d, const struct journal_limits *limits, bool anew)
{
    struct error e;

    *l = (struct life){.bus = bus_create(), .db = database_connect(d)};
    l->journal = journal_create(l->bus, limits);
    l->kept.outlet.deliver = deliver;
    bus_attach(l->bus, &l->kept.outlet);
    assert_that(journal_open(l->journal, l->db, anew, &e), "%s", e.message);
}

static void begin(struct life *l, const struct database *d)
{
    begin_with(l, d, &roomy, false);
}

static void end(struct life *l)
{
    forget(&l->kept);
    bus_detach(l->bus, &l->kept.outlet);
    journal_free(l->journal);
    bus_free(l->bus);
    db_close(l->db);
}

static void recall(struct life *l)
{
    const struct journal_reader reader = {keep, lose, &l->kept};
    struct error e;

    forget(&l->kept);
    assert_that(journal_recall(l->journal, l->db, &reader, &e), "%s", e.message);
}

static struct event *draft(const char *entity_id)
{
    struct str targets[] = {STR("ada"), STR("grace")};
    struct event_fields fields = {.entity = STR("task"),
                                  .action = STR("created"),
                                  .entity_id = str_of(entity_id),
                                  .project_id = STR("p1"),
                                  .user_id = STR("ada"),
                                  .session_id = STR("laptop"),
                                  .data = STR("{\n\"title\":\"Ship\"}"),
                                  .targets = targets,
                                  .target_count = 2};
    struct event *ev = event_create(&fields, NULL);

    assert_non_null(ev);
    return ev;
}

enum end_of { COMMITTED, ROLLED_BACK, COMMITTED_IN_SECRET };

/* One transaction with so many events, and how it ends. */
static void transact(struct life *l, size_t count, enum end_of how)
{
    struct event *events[64];
    struct error e;

    for (size_t i = 0; i < count; i++)
        events[i] = draft("t1");
    assert_true(journal_lock(l->journal, 0));
    assert_that(db_begin_write(l->db, &e), "%s", e.message);
    assert_that(journal_prepare(l->journal, l->db, events, count, &e), "%s", e.message);
    if (how == ROLLED_BACK) {
        db_rollback(l->db);
        journal_doubt(l->journal);
    } else {
        assert_true(db_commit(l->db, &e));
    }
    if (how == COMMITTED)
        journal_publish(l->journal, events, count);
    if (how == COMMITTED_IN_SECRET)
        journal_doubt(l->journal);
    journal_unlock(l->journal);
    for (size_t i = 0; i < count; i++)
        event_unref(events[i]);
}

static void add(struct life *l, size_t count)
{
    transact(l, count, COMMITTED);
}

static void assert_positions(const struct kept *k, uint64_t from, uint64_t to)
{
    assert_int_equal(k->count, to + 1 - from);
    for (size_t i = 0; i < k->count; i++)
        assert_int_equal(k->events[i]->position, from + i);
}

/* --- a history outlives its process --- */

TEST(the_next_process_continues_the_history)
{
    struct database *d = *state;
    static struct life first, second;

    begin(&first, d);
    add(&first, 3);
    begin(&second, d);
    assert_string_equal(journal_generation(first.journal)->text, journal_generation(second.journal)->text);
    assert_int_equal(journal_position(second.journal), 3);
    end(&first);
    add(&second, 2);
    recall(&second);
    assert_positions(&second.kept, 1, 5);
    assert_int_equal(second.kept.lost, 0);
    end(&second);
}

TEST(an_event_is_recalled_as_it_was)
{
    struct database *d = *state;
    static struct life first, second;

    begin(&first, d);
    add(&first, 1);
    begin(&second, d);
    recall(&second);
    const struct event *was = first.kept.events[0];
    const struct event *is = second.kept.events[0];
    assert_bytes(((struct str){is->frame, is->frame_len}), ((struct str){was->frame, was->frame_len}));
    assert_int_equal(is->timestamp_ms, was->timestamp_ms);
    assert_int_equal(is->target_count, 2);
    assert_true(event_concerns(is, STR("grace"), is->targets[1].hash) ||
                event_concerns(is, STR("grace"), is->targets[0].hash));
    assert_true(event_is_echo(is, STR("ada"), STR("laptop")));
    assert_false(is->everyone);
    assert_null(is->data);
    assert_int_equal(event_weight(is), event_weight(was));
    end(&first);
    end(&second);
}

static struct event *made(const struct event_fields *fields)
{
    struct event *ev = event_create(fields, NULL);

    assert_non_null(ev);
    return ev;
}

TEST(for_everyone_for_nobody_and_for_one_are_told_apart)
{
    struct database *d = *state;
    static struct life first, second;
    struct str one = STR("ada");
    struct event_fields fields = {.entity = STR("task"), .action = STR("x"), .everyone = true};
    struct event *events[3];
    struct error e;

    begin(&first, d);
    events[0] = made(&fields);
    fields.everyone = false;
    events[1] = made(&fields);
    fields.targets = &one;
    fields.target_count = 1;
    events[2] = made(&fields);
    assert_true(db_begin_write(first.db, &e) && journal_prepare(first.journal, first.db, events, 3, &e) &&
                db_commit(first.db, &e));
    journal_publish(first.journal, events, 3);
    begin(&second, d);
    recall(&second);
    assert_int_equal(second.kept.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(second.kept.events[i]->everyone, i == 0);
        assert_int_equal(second.kept.events[i]->target_count, i == 2);
        assert_int_equal(second.kept.events[i]->user_id.len, 0);
        assert_int_equal(second.kept.events[i]->session_id.len, 0);
        event_unref(events[i]);
    }
    end(&first);
    end(&second);
}

TEST(what_is_rolled_back_is_no_history)
{
    struct database *d = *state;
    static struct life first, second;

    begin(&first, d);
    add(&first, 2);
    transact(&first, 3, ROLLED_BACK);
    add(&first, 1);
    assert_positions(&first.kept, 1, 3);
    begin(&second, d);
    recall(&second);
    assert_positions(&second.kept, 1, 3);
    end(&first);
    end(&second);
}

/* The database said that the commit failed, and has made it. */
TEST(a_commit_in_doubt_is_published_by_the_next)
{
    struct database *d = *state;
    static struct life l;

    begin(&l, d);
    add(&l, 2);
    transact(&l, 3, COMMITTED_IN_SECRET);
    assert_int_equal(journal_position(l.journal), 2);
    assert_positions(&l.kept, 1, 2);
    add(&l, 1);
    assert_positions(&l.kept, 1, 6);
    assert_int_equal(journal_position(l.journal), 6);
    end(&l);
}

TEST(a_disconnect_is_not_recalled)
{
    struct database *d = *state;
    static struct life first, second;
    struct event *events[2] = {draft("t"), event_create_disconnect(STR("ada"), STR_NONE, NULL)};
    struct error e;

    begin(&first, d);
    assert_true(db_begin_write(first.db, &e) && journal_prepare(first.journal, first.db, events, 2, &e) &&
                db_commit(first.db, &e));
    journal_publish(first.journal, events, 2);
    begin(&second, d);
    recall(&second);
    assert_positions(&second.kept, 1, 1);
    event_unref(events[0]);
    event_unref(events[1]);
    end(&first);
    end(&second);
}

TEST(a_new_history_forgets_the_old_one)
{
    struct database *d = *state;
    static struct life first, second, third;

    begin(&first, d);
    add(&first, 3);
    begin_with(&second, d, &roomy, true);
    assert_string_not_equal(journal_generation(first.journal)->text, journal_generation(second.journal)->text);
    assert_int_equal(journal_position(second.journal), 0);
    recall(&second);
    assert_int_equal(second.kept.count, 0);
    add(&second, 1);
    begin(&third, d);
    assert_string_equal(journal_generation(second.journal)->text, journal_generation(third.journal)->text);
    assert_int_equal(journal_position(third.journal), 1);
    end(&first);
    end(&second);
    end(&third);
}

/* --- what is not as it should be --- */

TEST(tables_of_another_version_are_refused)
{
    struct database *d = *state;
    static struct life l;
    struct error e;

    begin(&l, d);
    add(&l, 1);
    assert_true(db_run_internal(l.db, "UPDATE pillar_history SET version = 2", &e));
    assert_false(journal_open(l.journal, l.db, false, &e));
    assert_error(&e, "history", "");
    assert_false(journal_open(l.journal, l.db, true, &e));
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 1);
    end(&l);
}

TEST(behind_a_hole_the_history_begins_anew)
{
    struct database *d = *state;
    static struct life l;
    struct error e;

    begin(&l, d);
    add(&l, 6);
    assert_true(db_run_internal(l.db, "DELETE FROM pillar_events WHERE position = 3", &e));
    recall(&l);
    assert_int_equal(l.kept.lost, 3);
    assert_int_equal(l.kept.events[l.kept.count - 1]->position, 6);
    assert_true(db_run_internal(l.db, "UPDATE pillar_events SET entity = '?' WHERE position = 5", &e));
    recall(&l);
    assert_int_equal(l.kept.lost, 5);
    assert_int_equal(l.kept.events[l.kept.count - 1]->position, 6);
    end(&l);
}

TEST(a_generation_that_is_none_is_replaced)
{
    struct database *d = *state;
    static struct life l;
    struct error e;

    begin(&l, d);
    add(&l, 2);
    assert_true(db_run_internal(l.db, "UPDATE pillar_history SET generation = 'nonsense'", &e));
    assert_true(journal_open(l.journal, l.db, false, &e));
    assert_int_equal(journal_position(l.journal), 0);
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 0);
    end(&l);
}

TEST(a_history_that_cannot_be_is_replaced)
{
    static const char *const damages[] = {"INSERT INTO pillar_history SELECT * FROM pillar_history",
                                          "UPDATE pillar_history SET floor = -1",
                                          "UPDATE pillar_history SET floor = 9223372036854775806",
                                          "UPDATE pillar_events SET position = 9223372036854775806 WHERE position = 2",
                                          "UPDATE pillar_events SET position = -7 WHERE position = 2"};
    struct database *d = *state;
    struct error e;

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        static struct life l, next;
        begin_with(&l, d, &roomy, true);
        add(&l, 2);
        assert_true(db_run_internal(l.db, damages[i], &e));
        begin(&next, d);
        assert_that(journal_position(next.journal) == 0, "%s", damages[i]);
        assert_string_not_equal(journal_generation(l.journal)->text, journal_generation(next.journal)->text);
        add(&next, 1);
        recall(&next);
        assert_positions(&next.kept, 1, 1);
        end(&l);
        end(&next);
    }
}

TEST(data_that_is_no_json_is_not_told)
{
    struct database *d = *state;
    static struct life l;
    struct error e;

    begin(&l, d);
    add(&l, 3);
    assert_true(db_run_internal(l.db, "UPDATE pillar_events SET data = '{\"a\":' WHERE position = 2", &e));
    recall(&l);
    assert_int_equal(l.kept.lost, 2);
    assert_int_equal(l.kept.events[l.kept.count - 1]->position, 3);
    end(&l);
}

TEST(a_failed_preparation_leaves_the_transaction_to_be_rolled_back)
{
    struct database *d = *state;
    static struct life l;
    bool done = false;

    begin(&l, d);
    add(&l, 1);
    for (size_t permitted = 0; !done; permitted++) {
        struct event *ev = draft("t1");
        struct error e;
        assert_true(db_begin_write(l.db, &e));
        alloc_permit(permitted);
        bool ok = journal_prepare(l.journal, l.db, &ev, 1, &e);
        done = !alloc_permit_all();
        assert_that(ok == done, "with %zu allocations", permitted);
        db_rollback(l.db);
        event_unref(ev);
    }
    add(&l, 1);
    assert_positions(&l.kept, 1, 2);
    end(&l);
}

/* --- limits --- */

TEST(the_oldest_go_when_there_are_too_many)
{
    struct database *d = *state;
    static struct life l, next;
    const struct journal_limits limits = {10, 1ull << 40, 1ull << 40};

    begin_with(&l, d, &limits, false);
    for (int i = 0; i < 5; i++)
        add(&l, 5);
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 10);
    assert_int_equal(query_integer(l.db, "SELECT floor FROM pillar_history"), 15);
    begin_with(&next, d, &limits, false);
    recall(&next);
    assert_positions(&next.kept, 16, 25);
    assert_int_equal(next.kept.lost, 15);
    end(&l);
    end(&next);
}

TEST(the_oldest_go_when_they_are_too_large)
{
    struct database *d = *state;
    static struct life l;
    struct error e;

    begin(&l, d);
    add(&l, 1);
    uint64_t each = (uint64_t)query_integer(l.db, "SELECT bytes FROM pillar_events");
    end(&l);
    const struct journal_limits limits = {1000, 4 * each + each / 2, 1ull << 40};
    begin_with(&l, d, &limits, false);
    add(&l, 9);
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 4);
    assert_int_equal(query_integer(l.db, "SELECT min(position) FROM pillar_events"), 7);
    assert_true(db_run_internal(l.db, "UPDATE pillar_events SET bytes = bytes", &e));
    end(&l);
}

TEST(the_oldest_go_when_they_are_too_old)
{
    struct database *d = *state;
    static struct life l, next;
    const struct journal_limits limits = {1000, 1ull << 40, 60000};
    uint64_t now = 1700000000000;

    clock_set_wall(now);
    begin_with(&l, d, &limits, false);
    add(&l, 3);
    clock_set_wall(now + 50000);
    add(&l, 1);
    assert_false(journal_is_over(l.journal));
    clock_set_wall(now + 60001);
    assert_true(journal_is_over(l.journal));
    add(&l, 0);
    assert_false(journal_is_over(l.journal));
    assert_int_equal(query_integer(l.db, "SELECT min(position) FROM pillar_events"), 4);
    clock_set_wall(now + 1000000);
    add(&l, 0);
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 0);
    assert_false(journal_is_over(l.journal));
    /* All is gone, and the ids go on. */
    begin_with(&next, d, &limits, false);
    assert_int_equal(journal_position(next.journal), 4);
    recall(&next);
    assert_int_equal(next.kept.count, 0);
    assert_int_equal(next.kept.lost, 4);
    add(&next, 1);
    assert_positions(&next.kept, 5, 5);
    clock_set_wall(0);
    end(&l);
    end(&next);
}

/* However much is too old, a commit drops only some of it. */
TEST(trimming_goes_in_slices)
{
    struct database *d = *state;
    static struct life l;
    const struct journal_limits few = {10, 1ull << 40, 1ull << 40};

    begin(&l, d);
    for (int i = 0; i < 40; i++)
        add(&l, 50);
    end(&l);
    begin_with(&l, d, &few, false);
    int64_t before = query_integer(l.db, "SELECT count(*) FROM pillar_events");
    add(&l, 1);
    int64_t after = query_integer(l.db, "SELECT count(*) FROM pillar_events");
    assert_int_equal(before, 2000);
    assert_in_range(before + 1 - after, 200, 300);
    for (int i = 0; i < 10; i++)
        add(&l, 0);
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 10);
    assert_false(journal_is_over(l.journal));
    end(&l);
}

TEST(a_rolled_back_trim_has_dropped_nothing)
{
    struct database *d = *state;
    static struct life l;
    const struct journal_limits limits = {10, 1ull << 40, 1ull << 40};

    begin_with(&l, d, &limits, false);
    add(&l, 10);
    transact(&l, 10, ROLLED_BACK);
    assert_int_equal(query_integer(l.db, "SELECT min(position) FROM pillar_events"), 1);
    add(&l, 1);
    assert_int_equal(query_integer(l.db, "SELECT min(position) FROM pillar_events"), 2);
    assert_int_equal(query_integer(l.db, "SELECT count(*) FROM pillar_events"), 10);
    end(&l);
}

/* --- the position of a snapshot --- */

TEST(a_snapshot_knows_its_position)
{
    struct database *d = *state;
    static struct life l;
    struct db *reader = database_connect(d);
    uint64_t position;
    struct error e;

    begin(&l, d);
    add(&l, 2);
    db_begin_read(reader);
    assert_int_equal(query_integer(reader, "SELECT count(*) FROM pillar_events"), 2);
    add(&l, 3);
    assert_true(journal_position_in_snapshot(l.journal, reader, &position, &e));
    assert_int_equal(position, 2);
    db_end_read(reader);
    assert_true(journal_position_in_snapshot(l.journal, reader, &position, &e));
    assert_int_equal(position, 5);
    db_close(reader);
    end(&l);
}

struct late {
    struct life *life;
    struct event *ev;
};

static void *publish_late(void *context)
{
    const struct late *late = context;
    const struct timespec pause = {0, 20 * 1000000L};

    nanosleep(&pause, NULL);
    journal_publish(late->life->journal, &late->ev, 1);
    return NULL;
}

/* Else a client could ask a loop for what comes behind a position that the loop has not heard of. */
TEST(who_sees_a_commit_waits_until_it_is_published)
{
    struct database *d = *state;
    static struct life l;
    struct late late = {&l, draft("t")};
    struct db *reader = database_connect(d);
    pthread_t thread;
    uint64_t position;
    struct error e;

    begin(&l, d);
    assert_true(db_begin_write(l.db, &e) && journal_prepare(l.journal, l.db, &late.ev, 1, &e) && db_commit(l.db, &e));
    assert_int_equal(pthread_create(&thread, NULL, publish_late, &late), 0);
    assert_true(journal_position_in_snapshot(l.journal, reader, &position, &e));
    assert_int_equal(position, 1);
    assert_int_equal(journal_position(l.journal), 1);
    pthread_join(thread, NULL);
    event_unref(late.ev);
    db_close(reader);
    end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(the_next_process_continues_the_history),
        WITH_DATABASE(an_event_is_recalled_as_it_was),
        WITH_DATABASE(for_everyone_for_nobody_and_for_one_are_told_apart),
        WITH_DATABASE(what_is_rolled_back_is_no_history),
        WITH_DATABASE(a_commit_in_doubt_is_published_by_the_next),
        WITH_DATABASE(a_disconnect_is_not_recalled),
        WITH_DATABASE(a_new_history_forgets_the_old_one),
        WITH_DATABASE(tables_of_another_version_are_refused),
        WITH_DATABASE(behind_a_hole_the_history_begins_anew),
        WITH_DATABASE(a_generation_that_is_none_is_replaced),
        WITH_DATABASE(a_history_that_cannot_be_is_replaced),
        WITH_DATABASE(data_that_is_no_json_is_not_told),
        WITH_DATABASE(a_failed_preparation_leaves_the_transaction_to_be_rolled_back),
        WITH_DATABASE(the_oldest_go_when_there_are_too_many),
        WITH_DATABASE(the_oldest_go_when_they_are_too_large),
        WITH_DATABASE(the_oldest_go_when_they_are_too_old),
        WITH_DATABASE(trimming_goes_in_slices),
        WITH_DATABASE(a_rolled_back_trim_has_dropped_nothing),
        WITH_DATABASE(a_snapshot_knows_its_position),
        WITH_DATABASE(who_sees_a_commit_waits_until_it_is_published),
    };

    return RUN_TESTS(tests);
}
