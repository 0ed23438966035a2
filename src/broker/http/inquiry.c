#include "http/inquiry.h"

#include <string.h>

#include "base/hash.h"

/* --- the list --- */

static bool grow(struct inquiry *q)
{
    size_t room = q->room == 0 ? 8 : q->room * 2;
    struct inquiry_stream *streams = arena_alloc(q->arena, room * sizeof *streams);

    if (streams == NULL)
        return false;
    if (q->count > 0)
        memcpy(streams, q->streams, q->count * sizeof *streams);
    q->streams = streams;
    q->room = room;
    return true;
}

static struct inquiry_stream *add(struct inquiry *q)
{
    if (q->count == q->room && !grow(q)) {
        q->failed = true;
        return NULL;
    }
    q->streams[q->count] = (struct inquiry_stream){.at_ms = 0};
    return &q->streams[q->count++];
}

/* --- open streams --- */

static enum inquiry_outcome judge(const struct inquiry *q, const struct stream_view *view, bool echo)
{
    if (echo)
        return INQUIRY_ECHO;
    if (!view->wanted)
        return INQUIRY_FILTERED;
    if (q->position <= view->complete_from)
        return view->since == STREAM_RESUMED ? INQUIRY_RESUMED : INQUIRY_MISSED;
    if (view->progress == LOG_MISSED)
        return INQUIRY_MISSED;
    return view->progress == LOG_PASSED ? INQUIRY_DELIVERED : INQUIRY_LAGGING;
}

static void add_open(void *context, struct stream *s)
{
    struct inquiry *q = context;
    struct str session_id = stream_session_id(s);
    struct stream_view view;

    if (q->session_id.len > 0 && !str_eq(session_id, q->session_id))
        return;
    if (q->count == INQUIRY_STREAMS_MAX) {
        q->more++;
        return;
    }
    struct inquiry_stream *entry = add(q);
    if (entry == NULL)
        return;
    stream_look(s, q->event, &view);
    entry->session_id = arena_copy(q->arena, session_id);
    q->failed |= entry->session_id.ptr == NULL;
    entry->session = view.session;
    entry->outcome = judge(q, &view, event_is_echo(q->event, q->user_id, session_id));
    bool lost = q->position > view.complete_from && view.progress == LOG_MISSED;
    entry->since = lost ? STREAM_LAGGED : view.since; /* it is yet to be told */
    entry->open = true;
}

/* --- deliveries --- */

/*
 * Whether a delivery may be that of an open stream. One that lagged may have had the event before it was told to resync;
 * one that opened behind the event can not have had it: then it went to another stream of the session.
 */
static bool may_be_of(const struct delivery *d, const struct inquiry_stream *s)
{
    if (!s->open || s->at_ms != 0 || s->session != d->session)
        return false;
    if (d->echo)
        return s->outcome == INQUIRY_ECHO;
    return s->outcome == INQUIRY_DELIVERED || (s->outcome == INQUIRY_MISSED && s->since == STREAM_LAGGED);
}

/* Gives a delivery to an open stream among those from `first` on. */
static bool match(struct inquiry *q, const struct delivery *d, size_t first)
{
    if (q->matches++ >= INQUIRY_MATCHES_MAX)
        return false;
    for (size_t i = first; i < q->count; i++) {
        struct inquiry_stream *s = &q->streams[i];
        if (!may_be_of(d, s))
            continue;
        s->at_ms = d->at_ms;
        s->outcome = d->echo ? INQUIRY_ECHO : INQUIRY_DELIVERED;
        return true;
    }
    return false;
}

static void add_delivery(struct inquiry *q, const struct delivery *d, size_t first)
{
    if (match(q, d, first))
        return;
    if (q->count == INQUIRY_STREAMS_MAX) {
        q->more++;
        return;
    }
    struct inquiry_stream *entry = add(q);
    if (entry == NULL)
        return;
    entry->session = d->session;
    entry->outcome = d->echo ? INQUIRY_ECHO : INQUIRY_DELIVERED;
    entry->at_ms = d->at_ms;
}

/* Those from `first` on are the hub's open streams. */
static void add_deliveries(struct inquiry *q, const struct deliveries *deliveries, size_t first)
{
    uint64_t user = hash_str(q->user_id);
    uint32_t session = deliveries_session(q->session_id);
    const struct delivery *d;
    size_t seen = 0;

    while ((d = deliveries_find(deliveries, q->position, user, &seen)) != NULL)
        if (q->session_id.len == 0 || d->session == session)
            add_delivery(q, d, first);
    uint64_t since = deliveries_since(deliveries);
    q->since_ms = since > q->since_ms ? since : q->since_ms;
}

/* --- asking --- */

/* A hub that has the event. Those asked before could not say how their streams stand to it, so they are asked again. */
static void take_event(struct inquiry *q, struct event *ev)
{
    q->event = event_ref(ev);
    q->targeted = event_concerns(ev, q->user_id, hash_str(q->user_id));
    q->left = q->loops;
    q->count = 0;
    q->matches = 0;
    q->more = 0;
}

void inquiry_begin(struct inquiry *q, unsigned loops)
{
    q->loops = loops;
    q->left = loops;
}

void inquiry_ask(struct inquiry *q, struct stream_hub *hub)
{
    struct event *ev = q->event == NULL ? stream_hub_event(hub, q->position) : NULL;
    uint64_t head = stream_hub_head(hub);

    if (ev != NULL)
        take_event(q, ev);
    q->head = head > q->head ? head : q->head;
    size_t first = q->count;
    if (q->targeted)
        stream_hub_each(hub, q->user_id, add_open, q);
    if (q->targeted || q->event == NULL)
        add_deliveries(q, stream_hub_deliveries(hub), first);
    q->left--;
}

void inquiry_skip(struct inquiry *q)
{
    q->left--;
}

bool inquiry_is_whole(const struct inquiry *q)
{
    return q->left == 0;
}

/* --- the answer --- */

static struct str name_of(const struct inquiry *q, uint32_t session)
{
    for (size_t i = 0; i < q->count; i++)
        if (q->streams[i].session_id.len > 0 && q->streams[i].session == session)
            return q->streams[i].session_id;
    if (q->session_id.len > 0 && session == deliveries_session(q->session_id))
        return q->session_id;
    /* A delivery that was withheld names the session by the event itself. */
    if (q->event != NULL && session == deliveries_session(q->event->session_id))
        return q->event->session_id;
    return STR_NONE;
}

void inquiry_name_sessions(struct inquiry *q)
{
    for (size_t i = 0; i < q->count; i++)
        if (q->streams[i].session_id.len == 0)
            q->streams[i].session_id = name_of(q, q->streams[i].session);
}

enum inquiry_outcome inquiry_outcome(const struct inquiry *q)
{
    enum inquiry_outcome outcome = INQUIRY_NOT_CONNECTED;

    if (q->event == NULL)
        return q->position > q->head ? INQUIRY_AHEAD : INQUIRY_TRIMMED;
    if (!q->targeted)
        return INQUIRY_NOT_TARGETED;
    for (size_t i = 0; i < q->count; i++)
        if (q->streams[i].outcome < outcome)
            outcome = q->streams[i].outcome;
    /* The session that was asked about need not be there for it to be left out. */
    if (outcome == INQUIRY_NOT_CONNECTED && event_is_echo(q->event, q->user_id, q->session_id))
        return INQUIRY_ECHO;
    return outcome;
}

void inquiry_end(struct inquiry *q)
{
    if (q == NULL)
        return;
    event_unref(q->event);
    q->event = NULL;
}
