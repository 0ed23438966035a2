#include "http/inbox.h"

#include <stdlib.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"

struct fixture {
    uv_loop_t loop;
    struct wake wake;
    unsigned woken;
    struct inbox inbox;
    struct inbox_batch batch;
};

static void on_wake(struct wake *wake)
{
    struct fixture *f = wake->poll.data;

    f->woken++;
}

static void open_inbox(struct fixture *f, size_t max_events)
{
    *f = (struct fixture){.woken = 0};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(wake_open(&f->wake, &f->loop, on_wake), 0);
    f->wake.poll.data = f;
    inbox_init(&f->inbox, &f->wake, max_events);
}

/* Drops the references that the last taking handed over. */
static void drop(struct fixture *f)
{
    for (size_t i = 0; i < f->batch.event_count; i++)
        event_unref(f->batch.events[i]);
    f->batch.event_count = 0;
}

static void close_inbox(struct fixture *f)
{
    drop(f);
    free(f->batch.events);
    inbox_destroy(&f->inbox);
    wake_close(&f->wake);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    wake_destroy(&f->wake);
}

static void deliver(struct fixture *f, uint64_t first, size_t count)
{
    struct event *events[8] = {NULL};

    for (size_t i = 0; i < count; i++)
        events[i] = make_event_for("ada", first + i);
    f->inbox.outlet.deliver(&f->inbox.outlet, events, count);
    for (size_t i = 0; i < count; i++)
        event_unref(events[i]);
}

static void take(struct fixture *f)
{
    drop(f);
    inbox_take(&f->inbox, &f->batch);
}

static unsigned times_woken(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    return f->woken;
}

static void check_events(const struct fixture *f, uint64_t first, size_t count)
{
    assert_int_equal(f->batch.event_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(f->batch.events[i]->position, first + i);
}

TEST(events_are_taken_in_order_and_once)
{
    struct fixture f;

    open_inbox(&f, 100);
    take(&f);
    check_events(&f, 0, 0);
    deliver(&f, 1, 2);
    deliver(&f, 3, 1);
    take(&f);
    check_events(&f, 1, 3);
    assert_int_equal(f.batch.missed, 0);
    take(&f);
    check_events(&f, 0, 0);
    deliver(&f, 4, 1);
    take(&f);
    check_events(&f, 4, 1);
    deliver(&f, 5, 1); /* what nobody takes is released in the end */
    close_inbox(&f);
}

TEST(whoever_puts_something_in_wakes_the_loop)
{
    struct fixture f;
    struct exchange ex = {0};

    open_inbox(&f, 100);
    inbox_put_exchange(&f.inbox, &ex);
    assert_int_equal(times_woken(&f), 1);
    assert_true(inbox_put_visitor(&f.inbox, &ex));
    assert_int_equal(times_woken(&f), 1);
    inbox_ask_to_drain(&f.inbox);
    assert_int_equal(times_woken(&f), 1);
    inbox_ask_to_stop(&f.inbox);
    assert_int_equal(times_woken(&f), 1);
    take(&f);
    assert_true(f.batch.drain);
    assert_true(f.batch.stop);
    take(&f);
    assert_false(f.batch.drain);
    assert_false(f.batch.stop);
    close_inbox(&f);
}

TEST(a_loop_that_has_been_woken_and_has_not_looked_is_left_alone)
{
    struct fixture f;
    struct exchange ex[2] = {0};

    open_inbox(&f, 100);
    for (unsigned i = 0; i < 3; i++) {
        inbox_put_exchange(&f.inbox, &ex[0]);
        inbox_put_exchange(&f.inbox, &ex[1]);
        assert_int_equal(times_woken(&f), i + 1);
        take(&f);
    }
    close_inbox(&f);
}

TEST(events_wait_until_the_loops_are_woken)
{
    struct fixture f;

    open_inbox(&f, 100);
    f.inbox.outlet.wake(&f.inbox.outlet);
    assert_int_equal(times_woken(&f), 0); /* there is nothing to look at */
    deliver(&f, 1, 1);
    assert_int_equal(times_woken(&f), 0);
    f.inbox.outlet.wake(&f.inbox.outlet);
    assert_int_equal(times_woken(&f), 1);
    take(&f);
    check_events(&f, 1, 1);
    f.inbox.outlet.wake(&f.inbox.outlet);
    assert_int_equal(times_woken(&f), 1);
    close_inbox(&f);
}

TEST(too_many_events_are_missed_as_a_whole)
{
    struct fixture f;

    open_inbox(&f, 4);
    deliver(&f, 1, 4);
    take(&f);
    check_events(&f, 1, 4);
    deliver(&f, 5, 3);
    deliver(&f, 8, 2);
    take(&f);
    check_events(&f, 0, 0);
    assert_int_equal(f.batch.missed, 9);
    /* Until the loop has been told, nothing is taken on: it would come before what was missed. */
    deliver(&f, 10, 5);
    deliver(&f, 15, 1);
    take(&f);
    check_events(&f, 0, 0);
    assert_int_equal(f.batch.missed, 15);
    deliver(&f, 16, 1);
    take(&f);
    check_events(&f, 16, 1);
    assert_int_equal(f.batch.missed, 0);
    close_inbox(&f);
}

TEST(events_that_find_no_memory_are_missed)
{
    struct fixture f;
    struct event *ev = make_event_for("ada", 7);

    open_inbox(&f, 100);
    alloc_permit(0);
    f.inbox.outlet.deliver(&f.inbox.outlet, &ev, 1);
    assert_true(alloc_permit_all());
    take(&f);
    check_events(&f, 0, 0);
    assert_int_equal(f.batch.missed, 7);
    event_unref(ev);
    close_inbox(&f);
}

static void deliver_disconnect(struct fixture *f, uint64_t position)
{
    struct event *ev = make_disconnect("ada", NULL, position);

    f->inbox.outlet.deliver(&f->inbox.outlet, &ev, 1);
    event_unref(ev);
}

/* Nobody stays connected because there was no room for the word. */
TEST(a_disconnect_that_finds_no_room_is_not_forgotten)
{
    struct fixture f;

    open_inbox(&f, 2);
    deliver_disconnect(&f, 0);
    take(&f);
    assert_int_equal(f.batch.event_count, 1);
    assert_false(f.batch.missed_disconnect);
    deliver(&f, 1, 3); /* too many, but none of them a disconnect */
    take(&f);
    assert_int_equal(f.batch.missed, 3);
    assert_false(f.batch.missed_disconnect);
    deliver_disconnect(&f, 3);
    deliver(&f, 4, 2); /* it waits already, and is dropped with the others */
    take(&f);
    assert_int_equal(f.batch.missed, 5);
    assert_true(f.batch.missed_disconnect);
    deliver(&f, 6, 2);
    deliver_disconnect(&f, 7); /* it comes when there is no room */
    take(&f);
    assert_int_equal(f.batch.missed, 7);
    assert_true(f.batch.missed_disconnect);
    take(&f);
    assert_false(f.batch.missed_disconnect);
    close_inbox(&f);
}

TEST(exchanges_come_back_oldest_first)
{
    struct fixture f;
    struct exchange ex[3] = {0};

    open_inbox(&f, 1);
    for (int i = 0; i < 2; i++)
        inbox_put_exchange(&f.inbox, &ex[i]);
    deliver(&f, 1, 2); /* an overflow of events keeps no exchange back */
    take(&f);
    assert_ptr_equal(f.batch.exchanges, &ex[0]);
    assert_ptr_equal(ex[0].next, &ex[1]);
    assert_null(ex[1].next);
    inbox_put_exchange(&f.inbox, &ex[2]);
    take(&f);
    assert_ptr_equal(f.batch.exchanges, &ex[2]);
    assert_null(ex[2].next);
    take(&f);
    assert_null(f.batch.exchanges);
    close_inbox(&f);
}

/* --- exchanges that go from loop to loop --- */

TEST(visitors_come_in_line_with_the_others)
{
    struct fixture f;
    struct exchange ex[3] = {0};

    open_inbox(&f, 1);
    inbox_put_exchange(&f.inbox, &ex[0]);
    assert_true(inbox_put_visitor(&f.inbox, &ex[1]));
    inbox_put_exchange(&f.inbox, &ex[2]);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_int_equal(f.woken, 1);
    take(&f);
    assert_ptr_equal(f.batch.exchanges, &ex[0]);
    assert_ptr_equal(ex[0].next, &ex[1]);
    assert_ptr_equal(ex[1].next, &ex[2]);
    assert_true(inbox_put_visitor(&f.inbox, &ex[1]));
    uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_int_equal(f.woken, 2);
    take(&f);
    assert_ptr_equal(f.batch.exchanges, &ex[1]);
    assert_null(ex[1].next);
    close_inbox(&f);
}

TEST(a_closed_inbox_takes_no_visitor)
{
    struct fixture f;
    struct exchange ex[3] = {0};

    open_inbox(&f, 1);
    assert_true(inbox_put_visitor(&f.inbox, &ex[0]));
    assert_false(inbox_close(&f.inbox)); /* who is there already is to be seen to first */
    assert_true(inbox_put_visitor(&f.inbox, &ex[1]));
    take(&f);
    assert_true(inbox_close(&f.inbox));
    assert_false(inbox_put_visitor(&f.inbox, &ex[2]));
    take(&f);
    assert_null(f.batch.exchanges);
    close_inbox(&f);
}

enum { THREADS = 3, ROUNDS = 2000 };

static void *put_many(void *context)
{
    struct fixture *f = context;

    for (int i = 0; i < ROUNDS; i++) {
        struct exchange *ex = calloc(1, sizeof *ex);
        if (ex == NULL)
            abort();
        if (i % 2 == 0)
            inbox_put_exchange(&f->inbox, ex);
        else if (!inbox_put_visitor(&f->inbox, ex))
            abort();
    }
    return NULL;
}

TEST(nothing_is_lost_between_threads)
{
    static struct fixture f;
    pthread_t threads[THREADS];
    size_t taken = 0;

    open_inbox(&f, 100);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, &f), 0);
    while (taken < (size_t)THREADS * ROUNDS) {
        uv_run(&f.loop, UV_RUN_ONCE);
        take(&f);
        while (f.batch.exchanges != NULL) {
            struct exchange *next = f.batch.exchanges->next;
            free(f.batch.exchanges);
            f.batch.exchanges = next;
            taken++;
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    close_inbox(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_taken_in_order_and_once),
        cmocka_unit_test(whoever_puts_something_in_wakes_the_loop),
        cmocka_unit_test(a_loop_that_has_been_woken_and_has_not_looked_is_left_alone),
        cmocka_unit_test(events_wait_until_the_loops_are_woken),
        cmocka_unit_test(too_many_events_are_missed_as_a_whole),
        cmocka_unit_test(events_that_find_no_memory_are_missed),
        cmocka_unit_test(a_disconnect_that_finds_no_room_is_not_forgotten),
        cmocka_unit_test(exchanges_come_back_oldest_first),
        cmocka_unit_test(visitors_come_in_line_with_the_others),
        cmocka_unit_test(a_closed_inbox_takes_no_visitor),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return RUN_TESTS(tests);
}
