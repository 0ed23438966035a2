#include "db/write_lock.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/check.h"

/* The waiters of a lock, who note the order in which they get it. */
struct queue {
    struct write_lock lock;
    int order[16];
    int count; /* guarded by the lock itself: ThreadSanitizer watches */
};

struct waiter {
    struct queue *queue;
    uint64_t deadline_ns;
    pthread_t thread;
    int number;
    bool got_it;
    _Atomic bool ended;
};

static void *wait_in_line(void *context)
{
    struct waiter *w = context;

    w->got_it = write_lock_acquire(&w->queue->lock, w->deadline_ns);
    if (w->got_it) {
        w->queue->order[w->queue->count++] = w->number;
        write_lock_release(&w->queue->lock);
    }
    atomic_store(&w->ended, true);
    return NULL;
}

static const struct write_waiter *last_waiter(struct queue *q)
{
    pthread_mutex_lock(&q->lock.mutex);
    const struct write_waiter *last = q->lock.last;
    pthread_mutex_unlock(&q->lock.mutex);
    return last;
}

/* Starts a thread and returns once it waits in line, or has given up already; the lock must be held. */
static void start_waiting(struct queue *q, struct waiter *w, int number, uint64_t deadline_ns)
{
    const struct write_waiter *before = last_waiter(q);

    *w = (struct waiter){.queue = q, .number = number, .deadline_ns = deadline_ns};
    assert_int_equal(pthread_create(&w->thread, NULL, wait_in_line, w), 0);
    while (last_waiter(q) == before && !atomic_load(&w->ended))
        sched_yield();
}

static void open_held(struct queue *q)
{
    *q = (struct queue){.count = 0};
    write_lock_init(&q->lock);
    assert_true(write_lock_acquire(&q->lock, 0));
}

/* The lock is free again, and nothing of the test is left in it. */
static void close_free(struct queue *q)
{
    assert_true(write_lock_acquire(&q->lock, 1));
    write_lock_release(&q->lock);
    assert_null(q->lock.first);
    write_lock_destroy(&q->lock);
}

TEST(a_free_lock_is_taken_whatever_the_deadline)
{
    struct queue q;

    open_held(&q);
    write_lock_release(&q.lock);
    assert_true(write_lock_acquire(&q.lock, 1)); /* long past */
    write_lock_release(&q.lock);
    close_free(&q);
}

TEST(waiting_ends_at_the_deadline)
{
    struct queue q;

    open_held(&q);
    assert_false(write_lock_acquire(&q.lock, 1));
    assert_false(write_lock_acquire(&q.lock, clock_monotonic_ns() + 1000000));
    write_lock_release(&q.lock);
    close_free(&q);
}

TEST(who_came_first_is_served_first)
{
    struct queue q;
    struct waiter waiters[6];

    open_held(&q);
    for (int i = 0; i < 6; i++)
        start_waiting(&q, &waiters[i], i, i % 2 == 0 ? 0 : clock_monotonic_ns() + 60000000000u);
    write_lock_release(&q.lock);
    for (int i = 0; i < 6; i++)
        pthread_join(waiters[i].thread, NULL);
    assert_int_equal(q.count, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(q.order[i], i);
    close_free(&q);
}

/* The lock goes from hand to hand: who released it cannot be quicker than those who wait. */
TEST(nobody_slips_in_between)
{
    struct queue q;
    struct waiter waiters[2];

    open_held(&q);
    start_waiting(&q, &waiters[0], 0, 0);
    start_waiting(&q, &waiters[1], 1, 0);
    write_lock_release(&q.lock);
    assert_true(write_lock_acquire(&q.lock, 0));
    q.order[q.count++] = 2;
    write_lock_release(&q.lock);
    for (int i = 0; i < 2; i++)
        pthread_join(waiters[i].thread, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(q.order[i], i);
    close_free(&q);
}

TEST(one_who_gives_up_leaves_the_line)
{
    struct queue q;
    struct waiter waiters[5];

    open_held(&q);
    start_waiting(&q, &waiters[0], 0, 0);
    start_waiting(&q, &waiters[1], 1, clock_monotonic_ns() + 20000000);
    start_waiting(&q, &waiters[2], 2, 0);
    start_waiting(&q, &waiters[3], 3, clock_monotonic_ns() + 20000000);
    pthread_join(waiters[1].thread, NULL);
    pthread_join(waiters[3].thread, NULL);
    start_waiting(&q, &waiters[4], 4, 0); /* behind a last one that is gone */
    write_lock_release(&q.lock);
    pthread_join(waiters[0].thread, NULL);
    pthread_join(waiters[2].thread, NULL);
    pthread_join(waiters[4].thread, NULL);
    assert_false(waiters[1].got_it);
    assert_false(waiters[3].got_it);
    assert_int_equal(q.count, 3);
    assert_int_equal(q.order[0], 0);
    assert_int_equal(q.order[1], 2);
    assert_int_equal(q.order[2], 4);
    close_free(&q);
}

struct crowd {
    struct write_lock lock;
    unsigned long inside;
    unsigned long entered;
    unsigned long refused[4];
};

struct visitor {
    struct crowd *crowd;
    int number;
};

static void *visit_often(void *context)
{
    const struct visitor *v = context;
    struct crowd *c = v->crowd;

    for (int i = 0; i < 2000; i++) {
        /* Deadlines that run out at about the moment at which the lock is handed over. */
        uint64_t deadline = i % 3 == 0 ? 0 : clock_monotonic_ns() + (uint64_t)(i % 7) * 1000;
        if (!write_lock_acquire(&c->lock, deadline)) {
            c->refused[v->number]++;
            continue;
        }
        if (++c->inside != 1)
            abort(); /* an assertion of cmocka's works on the main thread only */
        c->entered++;
        c->inside--;
        write_lock_release(&c->lock);
    }
    return NULL;
}

TEST(one_is_inside_at_a_time)
{
    struct crowd c = {.inside = 0};
    struct visitor visitors[4];
    pthread_t threads[4];
    unsigned long refused = 0;

    write_lock_init(&c.lock);
    for (int i = 0; i < 4; i++) {
        visitors[i] = (struct visitor){&c, i};
        assert_int_equal(pthread_create(&threads[i], NULL, visit_often, &visitors[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        refused += c.refused[i];
    }
    assert_int_equal(c.entered + refused, 8000);
    assert_true(write_lock_acquire(&c.lock, 1));
    write_lock_release(&c.lock);
    write_lock_destroy(&c.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_lock_is_taken_whatever_the_deadline),
        cmocka_unit_test(waiting_ends_at_the_deadline),
        cmocka_unit_test(who_came_first_is_served_first),
        cmocka_unit_test(nobody_slips_in_between),
        cmocka_unit_test(one_who_gives_up_leaves_the_line),
        cmocka_unit_test(one_is_inside_at_a_time),
    };

    return RUN_TESTS(tests);
}
