#include "http/inbox.h"

#include <stdlib.h>
#include <string.h>

static void drop_events(struct inbox_batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++)
        event_unref(batch->events[i]);
    batch->event_count = 0;
}

static bool has_disconnect(struct event *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events[i]->kind == EVENT_DISCONNECT)
            return true;
    return false;
}

static bool make_room(struct inbox_batch *batch, size_t most, size_t count)
{
    size_t needed = batch->event_count + count;

    if (needed > most)
        return false;
    if (needed <= batch->event_room)
        return true;
    size_t room = batch->event_room == 0 ? 64 : batch->event_room;
    while (room < needed)
        room *= 2;
    struct event **events = realloc(batch->events, room * sizeof(struct event *));
    if (events == NULL)
        return false;
    batch->events = events;
    batch->event_room = room;
    return true;
}

static void deliver(struct bus_outlet *outlet, struct event *const *events, size_t count)
{
    struct inbox *inbox = (struct inbox *)(void *)((char *)outlet - offsetof(struct inbox, outlet));
    struct inbox_batch *batch = &inbox->waiting;

    pthread_mutex_lock(&inbox->lock);
    if (batch->missed == 0 && make_room(batch, inbox->max_events, count)) {
        for (size_t i = 0; i < count; i++)
            batch->events[batch->event_count++] = event_ref(events[i]);
    } else {
        batch->missed_disconnect |= has_disconnect(batch->events, batch->event_count) || has_disconnect(events, count);
        drop_events(batch);
        batch->missed = events[count - 1]->position;
    }
    pthread_mutex_unlock(&inbox->lock);
}

/* Under the lock: whoever puts something in calls the loop, unless somebody has since it looked last. */
static void call(struct inbox *inbox)
{
    if (!inbox->called)
        wake_call(inbox->wake);
    inbox->called = true;
}

static void wake(struct bus_outlet *outlet)
{
    struct inbox *inbox = (struct inbox *)(void *)((char *)outlet - offsetof(struct inbox, outlet));

    pthread_mutex_lock(&inbox->lock);
    if (inbox->waiting.event_count > 0 || inbox->waiting.missed > 0)
        call(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_init(struct inbox *inbox, const struct wake *wake_of_loop, size_t max_events)
{
    *inbox =
        (struct inbox){.outlet = {.deliver = deliver, .wake = wake}, .max_events = max_events, .wake = wake_of_loop};
    pthread_mutex_init(&inbox->lock, NULL); /* with default attributes it has nothing to fail at */
}

void inbox_destroy(struct inbox *inbox)
{
    drop_events(&inbox->waiting);
    free(inbox->waiting.events);
    pthread_mutex_destroy(&inbox->lock);
}

/* Under the lock. */
static void append(struct inbox *inbox, struct exchange *ex)
{
    ex->next = NULL;
    if (inbox->waiting.exchanges == NULL)
        inbox->waiting.exchanges = ex;
    else
        inbox->last->next = ex;
    inbox->last = ex;
}

void inbox_put_exchange(struct inbox *inbox, struct exchange *ex)
{
    pthread_mutex_lock(&inbox->lock);
    append(inbox, ex);
    call(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

bool inbox_put_visitor(struct inbox *inbox, struct exchange *ex)
{
    pthread_mutex_lock(&inbox->lock);
    bool taken = !inbox->closed;
    if (taken) {
        append(inbox, ex);
        call(inbox);
    }
    pthread_mutex_unlock(&inbox->lock);
    return taken;
}

bool inbox_close(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    bool closed = inbox->waiting.exchanges == NULL;
    inbox->closed = closed;
    pthread_mutex_unlock(&inbox->lock);
    return closed;
}

void inbox_ask_to_drain(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->waiting.drain = true;
    call(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_ask_to_stop(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->waiting.stop = true;
    call(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_take(struct inbox *inbox, struct inbox_batch *batch)
{
    struct inbox_batch empty = {.events = batch->events, .event_room = batch->event_room};

    pthread_mutex_lock(&inbox->lock);
    *batch = inbox->waiting;
    inbox->waiting = empty;
    inbox->last = NULL;
    inbox->called = false;
    pthread_mutex_unlock(&inbox->lock);
}
