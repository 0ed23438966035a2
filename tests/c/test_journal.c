/* The journal: places in the history, the order of everything, and the write lock. */
#include "db/journal.h"

#include <pthread.h>

#include "base/clock.h"
#include "support/alloc.h"
#include "support/check.h"

/* Keeps what was published, and looks at the journal's position while it is given it. */
struct recorder {
    struct bus_outlet base;
    struct journal *journal;
    uint64_t positions[5000];
    size_t count;
    uint64_t position_inside;
};

static void record(struct bus_outlet *outlet, struct event *const *events, size_t count)
{
    struct recorder *r = (struct recorder *)(void *)outlet;

    for (size_t i = 0; i < count; i++)
        r->positions[r->count++] = events[i]->position;
    r->position_inside = journal_position(r->journal);
}

static const struct journal_limits limits = {1000000, 1ull << 40, 1ull << 40};

struct fixture {
    struct bus *bus;
    struct journal *journal;
    struct recorder recorder;
};

static void open_journal(struct fixture *f)
{
    *f = (struct fixture){.bus = bus_create()};
    f->journal = journal_create(f->bus, &limits);
    f->recorder.base.deliver = record;
    f->recorder.journal = f->journal;
    bus_attach(f->bus, &f->recorder.base);
}

static void close_journal(struct fixture *f)
{
    bus_detach(f->bus, &f->recorder.base);
    journal_free(f->journal);
    bus_free(f->bus);
}

static struct event *draft(void)
{
    static const struct str target = {"ada", 3};
    struct event *ev = event_create(
        &(struct event_fields){.entity = STR("task"), .action = STR("made"), .targets = &target, .target_count = 1},
        NULL);

    assert_non_null(ev);
    return ev;
}

enum { FEW = 5 };

static void make_drafts(struct event **events)
{
    for (int i = 0; i < FEW; i++)
        events[i] = draft();
}

static void drop(struct event **events)
{
    for (int i = 0; i < FEW; i++)
        event_unref(events[i]);
}

/* One transaction, from its drafts to the bus. */
static void commit(struct fixture *f, size_t count)
{
    struct event *events[FEW];
    struct error e;

    make_drafts(events);
    assert_true(journal_prepare(f->journal, NULL, events, count, &e));
    journal_publish(f->journal, events, count);
    drop(events);
}

TEST(positions_are_contiguous_and_begin_at_one)
{
    static struct fixture f;

    open_journal(&f);
    assert_int_equal(journal_position(f.journal), 0);
    commit(&f, 3);
    commit(&f, 1);
    commit(&f, 5);
    assert_int_equal(journal_position(f.journal), 9);
    assert_int_equal(f.recorder.count, 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(f.recorder.positions[i], i + 1);
    close_journal(&f);
}

TEST(preparing_seals_and_publishes_nothing)
{
    static struct fixture f;
    struct event *events[FEW];
    uint64_t before = clock_wall_ms();
    struct error e;

    open_journal(&f);
    make_drafts(events);
    assert_true(journal_prepare(f.journal, NULL, events, FEW, &e));
    for (uint64_t i = 0; i < FEW; i++) {
        char id[POSITION_TEXT_MAX];
        struct str text = position_text(id, journal_generation(f.journal), i + 1);
        assert_int_equal(events[i]->position, i + 1);
        assert_in_range(events[i]->timestamp_ms, before, clock_wall_ms());
        assert_memory_equal(events[i]->frame, "id: ", 4);
        assert_memory_equal(events[i]->frame + 4, text.ptr, text.len);
    }
    assert_int_equal(f.recorder.count, 0);
    assert_int_equal(journal_position(f.journal), 0);
    drop(events);
    close_journal(&f);
}

TEST(what_is_not_published_uses_up_no_ids)
{
    static struct fixture f;
    struct event *events[FEW];
    struct error e;

    open_journal(&f);
    commit(&f, 2);
    make_drafts(events);
    assert_true(journal_prepare(f.journal, NULL, events, FEW, &e)); /* a transaction that is rolled back then */
    drop(events);
    commit(&f, 2);
    assert_int_equal(journal_position(f.journal), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(f.recorder.positions[i], i + 1);
    close_journal(&f);
}

TEST(a_preparation_that_fails_uses_up_no_ids)
{
    static struct fixture f;
    bool done = false;

    open_journal(&f);
    for (size_t permitted = 0; !done; permitted++) {
        struct event *events[FEW];
        struct error e = {0};
        make_drafts(events);
        alloc_permit(permitted);
        bool ok = journal_prepare(f.journal, NULL, events, FEW, &e);
        done = !alloc_permit_all();
        assert_that(ok == done, "with %zu allocations", permitted);
        if (!ok)
            assert_error(&e, "out_of_memory", "");
        drop(events);
    }
    assert_int_equal(journal_position(f.journal), 0);
    commit(&f, 1);
    assert_int_equal(f.recorder.positions[0], 1);
    close_journal(&f);
}

/* Who reads the position and then asks a loop finds the events there, never the other way round. */
TEST(the_position_moves_after_the_delivery)
{
    static struct fixture f;

    open_journal(&f);
    commit(&f, 2);
    assert_int_equal(f.recorder.position_inside, 0);
    commit(&f, 3);
    assert_int_equal(f.recorder.position_inside, 2);
    assert_int_equal(journal_position(f.journal), 5);
    close_journal(&f);
}

TEST(a_transaction_without_events_publishes_nothing)
{
    static struct fixture f;
    struct error e;

    open_journal(&f);
    commit(&f, 2);
    assert_true(journal_prepare(f.journal, NULL, NULL, 0, &e));
    journal_publish(f.journal, NULL, 0);
    assert_int_equal(journal_position(f.journal), 2);
    close_journal(&f);
}

/* Otherwise a Sync-Position could name a place that no log ever reaches. */
TEST(a_disconnect_takes_no_id)
{
    static struct fixture f;
    struct event *events[2] = {draft(), event_create_disconnect(STR("ada"), STR_NONE, NULL)};
    struct error e;

    open_journal(&f);
    assert_true(journal_prepare(f.journal, NULL, events, 2, &e));
    journal_publish(f.journal, events, 2);
    assert_int_equal(events[1]->position, 1);
    assert_int_equal(journal_position(f.journal), 1);
    commit(&f, 1);
    assert_int_equal(journal_position(f.journal), 2);
    event_unref(events[0]);
    event_unref(events[1]);
    close_journal(&f);
}

TEST(each_journal_has_a_generation_of_its_own)
{
    static struct fixture a, b;

    open_journal(&a);
    open_journal(&b);
    assert_string_not_equal(journal_generation(a.journal)->text, journal_generation(b.journal)->text);
    close_journal(&a);
    close_journal(&b);
    journal_free(NULL);
}

TEST(a_journal_is_made_whole_or_not_at_all)
{
    static struct fixture f;

    open_journal(&f);
    alloc_permit(0);
    struct journal *j = journal_create(f.bus, &limits);
    (void)alloc_permit_all();
    assert_null(j);
    close_journal(&f);
}

/* --- the write lock --- */

TEST(waiting_for_the_lock_ends_at_the_deadline)
{
    static struct fixture f;

    open_journal(&f);
    assert_true(journal_lock(f.journal, 0));
    /* Deadlines that are past already, and one a moment away: all run out, since nobody unlocks. */
    assert_false(journal_lock(f.journal, 1));
    assert_false(journal_lock(f.journal, clock_monotonic_ns()));
    assert_false(journal_lock(f.journal, clock_monotonic_ns() + 2000000));
    journal_unlock(f.journal);
    assert_true(journal_lock(f.journal, clock_monotonic_ns() + 60000000000u));
    journal_unlock(f.journal);
    assert_true(journal_lock(f.journal, 1)); /* there is nothing to wait for */
    journal_unlock(f.journal);
    close_journal(&f);
}

static void *commit_many(void *context)
{
    struct fixture *f = context;

    for (int i = 0; i < 300; i++) {
        assert_true(journal_lock(f->journal, 0));
        commit(f, (size_t)(i % FEW) + 1);
        journal_unlock(f->journal);
    }
    return NULL;
}

TEST(under_the_lock_all_threads_write_one_history)
{
    static struct fixture f;
    pthread_t threads[3];

    open_journal(&f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, commit_many, &f), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(f.recorder.count, 3 * 900);
    for (size_t i = 0; i < f.recorder.count; i++)
        assert_int_equal(f.recorder.positions[i], i + 1);
    close_journal(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_are_contiguous_and_begin_at_one),
        cmocka_unit_test(preparing_seals_and_publishes_nothing),
        cmocka_unit_test(what_is_not_published_uses_up_no_ids),
        cmocka_unit_test(a_preparation_that_fails_uses_up_no_ids),
        cmocka_unit_test(the_position_moves_after_the_delivery),
        cmocka_unit_test(a_transaction_without_events_publishes_nothing),
        cmocka_unit_test(a_disconnect_takes_no_id),
        cmocka_unit_test(each_journal_has_a_generation_of_its_own),
        cmocka_unit_test(a_journal_is_made_whole_or_not_at_all),
        cmocka_unit_test(waiting_for_the_lock_ends_at_the_deadline),
        cmocka_unit_test(under_the_lock_all_threads_write_one_history),
    };

    return RUN_TESTS(tests);
}
