#include "bus/bus.h"

#include <pthread.h>

#include "support/check.h"
#include "support/events.h"

/* Keeps the positions that it was given. The bus delivers under its lock, so no lock of its own is needed. */
struct recorder {
    struct bus_outlet base;
    uint64_t positions[4000];
    size_t count;
    size_t calls;
};

static void record(struct bus_outlet *outlet, struct event *const *events, size_t count)
{
    struct recorder *r = (struct recorder *)(void *)outlet;

    r->calls++;
    for (size_t i = 0; i < count; i++)
        r->positions[r->count++] = events[i]->position;
}

static struct recorder *attach(struct bus *bus, struct recorder *r)
{
    *r = (struct recorder){.base = {.deliver = record}};
    bus_attach(bus, &r->base);
    return r;
}

static void publish(struct bus *bus, uint64_t first, size_t count)
{
    struct event *events[8] = {NULL};

    for (size_t i = 0; i < count; i++)
        events[i] = make_event_for("ada", first + i);
    bus_publish(bus, events, count);
    for (size_t i = 0; i < count; i++)
        event_unref(events[i]);
}

static void check_positions(const struct recorder *r, size_t count, const uint64_t *expected)
{
    assert_int_equal(r->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(r->positions[i], expected[i]);
}

TEST(all_outlets_get_all_events_in_order)
{
    static struct recorder a, b;
    struct bus *bus = bus_create();

    attach(bus, &a);
    attach(bus, &b);
    publish(bus, 1, 1);
    publish(bus, 2, 3);
    check_positions(&a, 4, (uint64_t[]){1, 2, 3, 4});
    check_positions(&b, 4, (uint64_t[]){1, 2, 3, 4});
    assert_int_equal(a.calls, 2);
    bus_detach(bus, &a.base);
    bus_detach(bus, &b.base);
    bus_free(bus);
}

TEST(an_outlet_gets_what_is_published_while_it_is_attached)
{
    static struct recorder a, b, c;
    struct bus *bus = bus_create();

    attach(bus, &a);
    publish(bus, 1, 1);
    attach(bus, &b);
    attach(bus, &c);
    publish(bus, 2, 1);
    bus_detach(bus, &b.base);
    publish(bus, 3, 1);
    bus_detach(bus, &a.base);
    publish(bus, 4, 1);
    bus_detach(bus, &c.base);
    publish(bus, 5, 1);
    check_positions(&a, 3, (uint64_t[]){1, 2, 3});
    check_positions(&b, 1, (uint64_t[]){2});
    check_positions(&c, 3, (uint64_t[]){2, 3, 4});
    bus_free(bus);
}

TEST(detaching_a_stranger_changes_nothing)
{
    static struct recorder a, stranger;
    struct bus *bus = bus_create();

    attach(bus, &a);
    bus_detach(bus, &stranger.base);
    publish(bus, 1, 1);
    assert_int_equal(a.count, 1);
    bus_detach(bus, &a.base);
    bus_detach(bus, &a.base);
    bus_free(bus);
    bus_free(NULL);
}

struct publisher {
    struct bus *bus;
    uint64_t first;
    pthread_barrier_t *begin;
};

static void *publish_many(void *context)
{
    struct publisher *p = context;

    pthread_barrier_wait(p->begin);
    for (uint64_t i = 0; i < 500; i++)
        publish(p->bus, p->first + 2 * i, 2);
    return NULL;
}

/* Positions come from two ranges here, so that the order of the two threads shows. */
TEST(two_outlets_see_one_order_of_two_publishers)
{
    static struct recorder a, b;
    struct bus *bus = bus_create();
    pthread_barrier_t begin;
    pthread_t threads[2];
    struct publisher publishers[2] = {{bus, 1, &begin}, {bus, 1000001, &begin}};

    attach(bus, &a);
    attach(bus, &b);
    pthread_barrier_init(&begin, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, &publishers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&begin);
    assert_int_equal(a.count, 2000);
    check_positions(&b, a.count, a.positions);
    bus_detach(bus, &a.base);
    bus_detach(bus, &b.base);
    bus_free(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_outlets_get_all_events_in_order),
        cmocka_unit_test(an_outlet_gets_what_is_published_while_it_is_attached),
        cmocka_unit_test(detaching_a_stranger_changes_nothing),
        cmocka_unit_test(two_outlets_see_one_order_of_two_publishers),
    };

    return RUN_TESTS(tests);
}
