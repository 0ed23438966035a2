#include "http/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "base/tally.h"
#include "bus/sse.h"
#include "http/expiry.h"

enum {
    WHEEL_SLOTS = 16,
    FRAMES_PER_SEND = 64,        /* well under IOV_MAX */
    BYTES_PER_SEND = 256 * 1024, /* more than a socket takes at once by default */
    STEPS_PER_SEND = 1024,       /* over the log, about 0.1 ms: then it is another stream's turn */
    WORK_OF_A_SEND = 64,         /* steps that take as long as a send of little */
    BYTES_OF_WORK = 256,         /* bytes that take as long to send as a step */
    WORK_OF_A_LOOK = 16 * 1024,  /* the most that a stream does at once to be looked at */
    EXPIRE_SLICE = 4096,         /* streams that are told of their end, or ended, in one tick */
    NOTICE_AGAIN_MS = 1000,      /* when one that is full is told next */
    DISCONNECTS_KEPT = 256,      /* a stream that opens looks whether its user is among the last */
};

struct stream {
    struct subscriber subscriber;
    struct list in_wheel;
    struct list in_dirty; /* in the hub's list while it has something to send */
    struct stream_hub *hub;
    struct sink *sink;
    uint64_t complete_from; /* it has got, or will get, what it wants of all that came behind this position */
    uint32_t entities_len;  /* of the names behind its session id */
    uint32_t session;       /* deliveries_session of its id */
    uint32_t expiry_place;  /* in the hub's expiries; 0: it does not expire */
    uint32_t address;       /* in the hub's tally */
    uint16_t session_len;   /* of its session id, which is behind the struct */
    uint16_t sent_tick; /* the hub's tick at the last send; it is looked at long before the tick comes round again */
    uint8_t since;      /* an enum stream_since: how it came to complete_from */
    bool full;          /* the sink takes no more for now */
    bool ending;        /* it ends once it has sent all there is for it */
};

struct stream_hub {
    struct stream_config config;
    struct generation generation;
    struct event_log *log;
    struct counters *counters;
    struct list dirty;
    /*
     * Each turn of the wheel visits each stream once and takes nearly half a heartbeat; a stream that sent nothing
     * since the last visit gets a comment. So sending an event never has to move a stream in a timer.
     */
    struct list wheel[WHEEL_SLOTS];
    uint16_t tick;
    uint64_t next_tick_ms;
    unsigned next_slot;                      /* where the next new stream goes */
    size_t count;                            /* of the streams in the wheel */
    unsigned end_slot;                       /* whence the next stream is taken that is to end */
    struct list ending;                      /* no longer in the wheel */
    struct str end_comment;                  /* what those say */
    struct expiry_queue expiries;            /* of the streams whose users expire */
    uint64_t disconnects;                    /* so far */
    uint64_t disconnected[DISCONNECTS_KEPT]; /* the users of the last ones, by their hashes */
    struct tally addresses;                  /* how many streams each has */
    uint64_t jitter;
    struct deliveries deliveries;
    uint64_t wall_ms; /* when streams were last let send */
};

struct str stream_session_id(const struct stream *s)
{
    return (struct str){(const char *)(s + 1), s->session_len};
}

static void mark_dirty(void *context, struct subscriber *subscriber)
{
    struct stream_hub *hub = context;
    struct stream *s = list_entry(subscriber, struct stream, subscriber);

    if (list_empty(&s->in_dirty))
        list_push(&hub->dirty, &s->in_dirty);
}

struct stream_hub *stream_hub_create(const struct stream_config *config, uint64_t now_ms, struct counters *counters)
{
    struct stream_hub *hub = calloc(1, sizeof *hub);

    if (hub == NULL)
        return NULL;
    hub->config = *config;
    hub->counters = counters;
    hub->next_tick_ms = now_ms;
    hub->jitter = random_u64();
    list_init(&hub->dirty);
    list_init(&hub->ending);
    for (int i = 0; i < WHEEL_SLOTS; i++)
        list_init(&hub->wheel[i]);
    hub->log = event_log_create(&config->log, 0, counters, mark_dirty, hub);
    if (hub->log == NULL || !deliveries_init(&hub->deliveries, config->delivery_log, clock_wall_ms())) {
        event_log_free(hub->log);
        free(hub);
        return NULL;
    }
    return hub;
}

void stream_hub_begin(struct stream_hub *hub, const struct generation *g, uint64_t position)
{
    hub->generation = *g;
    event_log_gap(hub->log, position);
}

void stream_hub_free(struct stream_hub *hub)
{
    if (hub == NULL)
        return;
    event_log_free(hub->log);
    deliveries_free(&hub->deliveries);
    expiry_free(&hub->expiries);
    tally_free(&hub->addresses);
    free(hub);
}

void stream_hub_gap(struct stream_hub *hub, uint64_t position)
{
    event_log_gap(hub->log, position);
}

uint64_t stream_hub_head(const struct stream_hub *hub)
{
    return event_log_head(hub->log);
}

/* --- what a stream says by itself --- */

static unsigned draw_retry(struct stream_hub *hub)
{
    return (unsigned)random_between(&hub->jitter, hub->config.retry_min_ms, hub->config.retry_max_ms);
}

void stream_hub_append_refusal(struct stream_hub *hub, struct buf *out, struct str comment)
{
    sse_append_retry(out, draw_retry(hub));
    sse_append_comment(out, comment);
}

static void append_ready(struct stream_hub *hub, struct buf *out, struct str user_id, uint64_t position, bool with_id)
{
    char id[POSITION_TEXT_MAX];
    struct str text = position_text(id, &hub->generation, position);
    struct buf data = BUF_EMPTY;

    buf_printf(&data, "{\"position\":\"%s\",\"heartbeatMs\":%llu,\"userId\":", id,
               (unsigned long long)hub->config.heartbeat_ms);
    json_append_string(&data, user_id);
    buf_append_char(&data, '}');
    (void)sse_append_event(
        out, &(struct sse_event){.id = with_id ? text : STR_NONE, .name = STR("ready"), .data = buf_str(&data)}, NULL);
    out->failed |= data.failed;
    buf_free(&data);
}

static void append_resync(struct stream_hub *hub, struct buf *out, const char *reason)
{
    char id[POSITION_TEXT_MAX];
    struct str text = position_text(id, &hub->generation, event_log_head(hub->log));
    struct buf data = BUF_EMPTY;

    buf_printf(&data, "{\"reason\":\"%s\",\"position\":\"%s\"}", reason, id);
    (void)sse_append_event(out, &(struct sse_event){text, STR("resync"), buf_str(&data)}, NULL);
    out->failed |= data.failed;
    buf_free(&data);
    counter_add(hub->counters, COUNT_RESYNCS, 1);
}

static void append_expiring(struct buf *out, uint64_t expires_ms)
{
    struct buf data = BUF_EMPTY;

    buf_printf(&data, "{\"expiresAt\":%llu}", (unsigned long long)expires_ms);
    (void)sse_append_event(out, &(struct sse_event){STR_NONE, STR("expiring"), buf_str(&data)}, NULL);
    out->failed |= data.failed;
    buf_free(&data);
}

/* Sends bytes of the stream's own. Short of memory, the stream stays as it was and tries again when it next can. */
static bool send_own(struct stream *s, const struct buf *bytes)
{
    struct frame frame = {buf_str(bytes), NULL};

    if (bytes->failed || s->full)
        return false;
    s->sent_tick = s->hub->tick;
    return s->sink->ops->send(s->sink, &frame, 1, &s->full) == 1;
}

/* --- the walk --- */

static bool wants(const struct stream *s, const struct event *ev)
{
    struct str rest = {(const char *)(s + 1) + s->session_len, s->entities_len};
    struct str name;

    if (rest.len == 0)
        return true;
    while (str_split(&rest, ',', &name))
        if (str_eq(name, ev->entity))
            return true;
    return false;
}

struct batch {
    struct frame frames[FRAMES_PER_SEND];
    struct log_cursor behind[FRAMES_PER_SEND]; /* where the cursor stands once a frame is taken */
    size_t echoes[FRAMES_PER_SEND];            /* withheld before it */
    uint64_t withheld[FRAMES_PER_SEND];        /* the positions of the echoes */
    size_t all_echoes;
    size_t count;
    struct log_cursor end; /* where it stands once all are taken, events that it does not want included */
    enum log_walk stopped; /* LOG_EVENT: there is room for no more in it */
    size_t work;           /* as stream_hub_flush counts it */
};

static bool has_room(const struct batch *b, size_t steps, size_t bytes)
{
    return steps < STEPS_PER_SEND && b->count < FRAMES_PER_SEND && b->all_echoes < FRAMES_PER_SEND &&
           bytes < BYTES_PER_SEND;
}

/* However much of the log the stream does not want, a batch ends after some steps. */
static void collect(struct stream *s, struct batch *b)
{
    struct event *ev;
    size_t steps = 0;
    size_t bytes = 0;

    b->count = 0;
    b->all_echoes = 0;
    b->stopped = LOG_EVENT;
    b->end = s->subscriber.cursor;
    for (; has_room(b, steps, bytes); steps++) {
        b->stopped = event_log_next(s->hub->log, &s->subscriber, &b->end, &ev);
        if (b->stopped != LOG_EVENT)
            break;
        if (event_is_echo(ev, event_log_user_id(&s->subscriber), stream_session_id(s))) {
            b->withheld[b->all_echoes++] = ev->position;
            continue;
        }
        if (!wants(s, ev))
            continue;
        b->echoes[b->count] = b->all_echoes;
        b->frames[b->count] = (struct frame){{ev->frame, ev->frame_len}, ev};
        b->behind[b->count++] = b->end;
        bytes += ev->frame_len;
    }
    b->work = 1 + steps + (b->count > 0 ? WORK_OF_A_SEND + bytes / BYTES_OF_WORK : 0);
}

/* Notes that the first frames of the batch were taken, and what was withheld before. */
static void note_deliveries(struct stream *s, const struct batch *b, size_t taken, size_t echoes)
{
    struct deliveries *d = &s->hub->deliveries;
    struct delivery entry = {
        .user = event_log_user_hash(&s->subscriber), .session = s->session, .at_ms = s->hub->wall_ms};

    for (size_t i = 0; i < taken; i++) {
        entry.position = b->frames[i].event->position;
        deliveries_note(d, &entry);
    }
    entry.echo = true;
    for (size_t i = 0; i < echoes; i++) {
        entry.position = b->withheld[i];
        deliveries_note(d, &entry);
    }
}

/* Returns true when all frames of the batch were taken. */
static bool send_batch(struct stream *s, const struct batch *b)
{
    size_t taken = 0;

    if (b->count > 0) {
        taken = s->sink->ops->send(s->sink, b->frames, b->count, &s->full);
        counter_add(s->hub->counters, COUNT_DELIVERIES, taken);
        s->sent_tick = s->hub->tick;
    }
    bool all = taken == b->count;
    if (all || taken > 0) {
        size_t echoes = all ? b->all_echoes : b->echoes[taken - 1];
        s->subscriber.cursor = all ? b->end : b->behind[taken - 1];
        counter_add(s->hub->counters, COUNT_ECHOES, echoes);
        note_deliveries(s, b, taken, echoes);
    }
    return all;
}

/* The log has lost something that the stream had yet to see. Short of memory, it stays as it was. */
static void tell_lost(struct stream *s)
{
    struct buf frame = BUF_EMPTY;

    append_resync(s->hub, &frame, "lagged");
    bool sent = send_own(s, &frame);
    buf_free(&frame);
    if (!sent)
        return;
    event_log_skip(s->hub->log, &s->subscriber);
    s->complete_from = event_log_head(s->hub->log);
    s->since = STREAM_LAGGED;
}

/* Sends one batch and adds to *work what that took. Returns true when the stream could go on at once. */
static bool walk(struct stream *s, size_t *work)
{
    struct batch batch;

    if (s->full) {
        *work += 1;
        return false;
    }
    collect(s, &batch);
    *work += batch.work;
    if (!send_batch(s, &batch))
        return false;
    if (batch.stopped == LOG_END)
        event_log_level(&s->subscriber);
    else if (batch.stopped == LOG_LOST && !s->full)
        tell_lost(s);
    return batch.stopped == LOG_EVENT && !s->full;
}

static void end(struct stream *s, struct str comment);

/* The stream may be gone afterwards. */
static void end_if_due(struct stream *s)
{
    if (s->ending && !s->full && !s->subscriber.behind)
        end(s, s->hub->end_comment);
}

/* One that could go on does so behind all others that have something to send. */
static void proceed(struct stream *s, size_t *work)
{
    if (walk(s, work))
        mark_dirty(s->hub, &s->subscriber);
    else
        end_if_due(s);
}

bool stream_hub_flush(struct stream_hub *hub, size_t most)
{
    size_t work = 0;

    hub->wall_ms = clock_wall_ms();
    while (work < most) {
        struct list *node = list_pop(&hub->dirty);
        if (node == NULL)
            return false;
        proceed(list_entry(node, struct stream, in_dirty), &work);
    }
    return !list_empty(&hub->dirty);
}

/* Lets a stream send what there is for it, as far as its sink takes it now, until that took about `most` of work. */
static void send_now(struct stream *s, size_t most)
{
    size_t work = 0;

    s->hub->wall_ms = clock_wall_ms();
    if (!s->subscriber.behind)
        return;
    while (walk(s, &work) && work < most) {
    } /* what is left, the flush has in its list already */
}

void stream_writable(struct stream *s)
{
    s->full = false;
    if (s->subscriber.behind)
        mark_dirty(s->hub, &s->subscriber);
    else
        end_if_due(s);
}

/* --- opening and ending --- */

static const char *resume(struct stream_hub *hub, struct stream *s, struct str last_event_id, uint64_t *from)
{
    uint64_t position;

    switch (position_read(last_event_id, &hub->generation, &position)) {
    case POSITION_MALFORMED:
        return "malformed";
    case POSITION_OTHER_GENERATION:
        return "generation";
    case POSITION_OK:
        break;
    }
    if (position > event_log_head(hub->log))
        return "ahead";
    if (!event_log_seek(hub->log, &s->subscriber, position))
        return "trimmed";
    *from = position;
    return NULL;
}

/*
 * `ready` names the position that the stream starts from, and its user. A client that is to resync keeps its old id until
 * `resync` gives it a new one: cut between the two, it comes back and is told again.
 */
static void append_opening(struct stream_hub *hub, struct stream *s, const struct stream_request *request,
                           struct buf *out)
{
    bool resumes = request->last_event_id.len > 0;
    uint64_t from = event_log_head(hub->log);
    const char *reason = resumes ? resume(hub, s, request->last_event_id, &from) : NULL;

    s->complete_from = from;
    s->since = !resumes ? STREAM_OPENED : reason == NULL ? STREAM_RESUMED : STREAM_REFUSED;
    sse_append_retry(out, draw_retry(hub));
    append_ready(hub, out, request->user_id, from, reason == NULL);
    if (reason != NULL)
        append_resync(hub, out, reason);
}

static struct stream *allocate(const struct stream_request *request)
{
    struct stream *s = malloc(sizeof *s + request->session_id.len + request->entities.len);

    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof *s);
    char *at = (char *)(s + 1);
    if (request->session_id.len > 0)
        memcpy(at, request->session_id.ptr, request->session_id.len);
    s->session_len = (uint16_t)request->session_id.len; /* EVENT_ID_MAX at most */
    at += request->session_id.len;
    if (request->entities.len > 0)
        memcpy(at, request->entities.ptr, request->entities.len);
    s->entities_len = (uint32_t)request->entities.len; /* a request's target has no 4 GiB */
    s->session = deliveries_session(request->session_id);
    list_init(&s->in_dirty);
    list_init(&s->in_wheel);
    return s;
}

/* Notes when the stream is to be told of its end, at the next tick at the earliest. False when memory is short. */
static bool note_expiry(struct stream *s, uint64_t expires_ms)
{
    uint64_t notice = s->hub->config.expiry_notice_ms;
    struct expiry entry = {expires_ms > notice ? expires_ms - notice : 0, expires_ms, &s->expiry_place};

    return expires_ms == 0 || expiry_add(&s->hub->expiries, &entry);
}

static void release(struct stream *s)
{
    event_log_unsubscribe(s->hub->log, &s->subscriber);
    tally_drop(&s->hub->addresses, s->address);
    expiry_remove(&s->hub->expiries, &s->expiry_place);
    free(s);
}

struct stream *stream_open(struct stream_hub *hub, const struct stream_request *request, struct sink *sink,
                           struct str head)
{
    struct stream *s = allocate(request);
    struct buf opening = BUF_EMPTY;

    if (s == NULL)
        return NULL;
    s->hub = hub;
    s->sink = sink;
    s->address = request->address;
    if (!tally_add(&hub->addresses, s->address)) {
        free(s);
        return NULL;
    }
    if (!event_log_subscribe(hub->log, &s->subscriber, request->user_id) || !note_expiry(s, request->expires_ms)) {
        release(s);
        return NULL;
    }
    buf_append_str(&opening, head);
    append_opening(hub, s, request, &opening);
    if (opening.failed) {
        buf_free(&opening);
        release(s);
        return NULL;
    }
    list_push(&hub->wheel[hub->next_slot++ % WHEEL_SLOTS], &s->in_wheel);
    hub->count++;
    counter_add(hub->counters, COUNT_STREAMS_OPENED, 1);
    (void)send_own(s, &opening);
    buf_free(&opening);
    if (s->subscriber.behind)
        mark_dirty(hub, &s->subscriber);
    return s;
}

void stream_close(struct stream *s)
{
    list_remove(&s->in_wheel);
    list_remove(&s->in_dirty);
    s->hub->count -= s->ending ? 0 : 1;
    counter_add(s->hub->counters, COUNT_STREAMS_CLOSED, 1);
    release(s);
}

/* The client gets what there is for it, as far as it takes it now, and a time to come back. */
static void end(struct stream *s, struct str comment)
{
    struct sink *sink = s->sink;
    struct buf farewell = BUF_EMPTY;

    send_now(s, SIZE_MAX);
    stream_hub_append_refusal(s->hub, &farewell, comment);
    (void)send_own(s, &farewell);
    buf_free(&farewell);
    stream_close(s);
    sink->ops->end(sink);
}

static void disconnect(struct stream_hub *hub, const struct event *ev)
{
    const struct list *streams = event_log_subscribers(hub->log, ev->user_id);
    struct list ending;
    struct list *node;

    hub->disconnected[hub->disconnects++ % DISCONNECTS_KEPT] = hash_str(ev->user_id);
    if (streams == NULL)
        return;
    list_init(&ending);
    for (node = streams->next; node != streams; node = node->next) {
        struct stream *s = list_entry(node, struct stream, subscriber.of_user);
        if (ev->session_id.len > 0 && !str_eq(ev->session_id, stream_session_id(s)))
            continue;
        list_remove(&s->in_dirty);
        list_push(&ending, &s->in_dirty);
    }
    while ((node = list_pop(&ending)) != NULL) {
        counter_add(hub->counters, COUNT_STREAMS_DISCONNECTED, 1);
        end(list_entry(node, struct stream, in_dirty), STR("disconnected"));
    }
}

void stream_hub_deliver(struct stream_hub *hub, struct event *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i]->kind == EVENT_DISCONNECT)
            disconnect(hub, events[i]);
        else
            event_log_append(hub->log, events[i]);
    }
}

uint64_t stream_hub_mark(const struct stream_hub *hub)
{
    return hub->disconnects;
}

/* Where more were disconnected than are remembered, anybody may have been among them. */
static bool was_disconnected(const struct stream_hub *hub, struct str user_id, uint64_t since)
{
    uint64_t hash = hash_str(user_id);

    if (hub->disconnects - since > DISCONNECTS_KEPT)
        return true;
    for (; since < hub->disconnects; since++)
        if (hub->disconnected[since % DISCONNECTS_KEPT] == hash)
            return true;
    return false;
}

/* True when the user has as many streams as one may; looks at no more than that. */
static bool has_all_streams(const struct stream_hub *hub, struct str user_id)
{
    const struct list *streams = event_log_subscribers(hub->log, user_id);
    size_t count = 0;

    if (streams == NULL || hub->config.max_per_user == 0)
        return false;
    for (const struct list *node = streams->next; node != streams && count < hub->config.max_per_user;
         node = node->next)
        count++;
    return count >= hub->config.max_per_user;
}

static const char *over_limit(const struct stream_hub *hub, const struct stream_request *request)
{
    size_t most = hub->config.max_per_address;

    if (!request->shared_user && has_all_streams(hub, request->user_id))
        return "the user has as many streams as one may";
    if (most > 0 && tally_get(&hub->addresses, request->address) >= most)
        return "the address has as many streams as one may";
    return NULL;
}

const char *stream_hub_objection(const struct stream_hub *hub, const struct stream_request *request)
{
    if (was_disconnected(hub, request->user_id, request->mark))
        return "disconnected";
    const char *limit = over_limit(hub, request);
    if (limit != NULL)
        counter_add(hub->counters, COUNT_STREAM_LIMITS, 1);
    return limit;
}

void stream_hub_end_all(struct stream_hub *hub, struct str comment)
{
    struct list *node;

    hub->disconnects += DISCONNECTS_KEPT + 1;
    for (int i = 0; i < WHEEL_SLOTS; i++)
        while ((node = list_pop(&hub->wheel[i])) != NULL)
            end(list_entry(node, struct stream, in_wheel), comment);
    while ((node = list_pop(&hub->ending)) != NULL)
        end(list_entry(node, struct stream, in_wheel), comment);
}

/* New streams go to the slots in turns, so that is how they are taken from them. */
static struct stream *next_to_end(struct stream_hub *hub)
{
    struct list *node = NULL;

    while (node == NULL)
        node = list_pop(&hub->wheel[hub->end_slot++ % WHEEL_SLOTS]);
    return list_entry(node, struct stream, in_wheel);
}

size_t stream_hub_end_some(struct stream_hub *hub, size_t keep, size_t most, struct str comment)
{
    hub->end_comment = comment;
    for (; most > 0 && hub->count > keep; most--) {
        struct stream *s = next_to_end(hub);
        s->ending = true;
        hub->count--;
        list_push(&hub->ending, &s->in_wheel);
        if (s->subscriber.behind)
            mark_dirty(hub, &s->subscriber);
        else
            end_if_due(s);
    }
    return hub->count;
}

size_t stream_hub_count(const struct stream_hub *hub)
{
    return hub->count;
}

/* --- time --- */

/* Tells a stream that its user expires soon. One that cannot be told now is told a little later. */
static void tell_expiry(struct stream *s, const struct expiry *due, uint64_t wall_ms)
{
    struct buf notice = BUF_EMPTY;

    append_expiring(&notice, due->expires_ms);
    bool told = send_own(s, &notice);
    buf_free(&notice);
    uint64_t again = wall_ms + NOTICE_AGAIN_MS;
    expiry_move(&s->hub->expiries, &s->expiry_place, told || again > due->expires_ms ? due->expires_ms : again);
}

static void expire(struct stream_hub *hub, uint64_t wall_ms)
{
    const struct expiry *due;

    for (unsigned i = 0; i < EXPIRE_SLICE && (due = expiry_due(&hub->expiries, wall_ms)) != NULL; i++) {
        struct stream *s = list_entry(due->place, struct stream, expiry_place);
        if (due->expires_ms > wall_ms) {
            tell_expiry(s, due, wall_ms);
            continue;
        }
        counter_add(hub->counters, COUNT_STREAMS_EXPIRED, 1);
        end(s, STR("the session has expired"));
    }
}

static void keep_awake(struct stream_hub *hub, struct list *slot)
{
    static const char comment[] = ":\n\n";
    struct buf bytes = {(char *)comment, sizeof comment - 1, 0, false};

    for (struct list *node = slot->next; node != slot; node = node->next) {
        struct stream *s = list_entry(node, struct stream, in_wheel);
        if ((uint16_t)(hub->tick - s->sent_tick) >= WHEEL_SLOTS && send_own(s, &bytes))
            counter_add(hub->counters, COUNT_COMMENTS, 1);
        /* A stream that stopped for want of memory, and not because its sink is full, is tried again. */
        if (s->subscriber.behind && !s->full)
            mark_dirty(hub, &s->subscriber);
    }
}

void stream_hub_tick(struct stream_hub *hub, uint64_t now_ms, uint64_t wall_ms)
{
    /* A stream that sends right behind its visit is silent for a step less than two turns. Those take a little less
     * than a heartbeat, so that it still holds when the tick comes late. */
    uint64_t step = hub->config.heartbeat_ms / (2 * WHEEL_SLOTS + 2);
    if (step == 0)
        step = 1;

    event_log_trim(hub->log, wall_ms);
    expire(hub, wall_ms);
    /* After a pause longer than a turn, one turn reaches everybody. */
    if (now_ms > hub->next_tick_ms + step * WHEEL_SLOTS)
        hub->next_tick_ms = now_ms - step * (WHEEL_SLOTS - 1);
    for (; now_ms >= hub->next_tick_ms; hub->next_tick_ms += step) {
        hub->tick++;
        keep_awake(hub, &hub->wheel[hub->tick % WHEEL_SLOTS]);
        keep_awake(hub, &hub->ending);
    }
}

/* --- for who asks what became of an event --- */

struct event *stream_hub_event(const struct stream_hub *hub, uint64_t position)
{
    return event_log_find(hub->log, position);
}

const struct deliveries *stream_hub_deliveries(const struct stream_hub *hub)
{
    return &hub->deliveries;
}

void stream_hub_each(struct stream_hub *hub, struct str user_id, void (*on_stream)(void *context, struct stream *s),
                     void *context)
{
    const struct list *streams = event_log_subscribers(hub->log, user_id);

    if (streams == NULL)
        return;
    for (struct list *node = streams->next; node != streams; node = node->next)
        on_stream(context, list_entry(node, struct stream, subscriber.of_user));
}

void stream_look(struct stream *s, const struct event *ev, struct stream_view *view)
{
    send_now(s, WORK_OF_A_LOOK);
    if (s->ending) /* it may be level now, and is not to end while its neighbours are looked at */
        mark_dirty(s->hub, &s->subscriber);
    *view = (struct stream_view){.session = s->session,
                                 .wanted = wants(s, ev),
                                 .since = (enum stream_since)s->since,
                                 .complete_from = s->complete_from,
                                 .progress = event_log_progress(s->hub->log, &s->subscriber, ev->position)};
}
