#include "harness/harness.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "broker_private.h"
#include "http/beneath.h"
#include "http/inquiry.h"
#include "http/mime.h"
#include "http/parse.h"

enum { TICK_MS = 100 };

enum crash { CRASH_NONE, CRASH_BEFORE_COMMIT, CRASH_AFTER_COMMIT, CRASHED };

struct harness {
    struct pillar_options *options; /* owned: as they were given */
    char *script;
    char database[64];                     /* its URL */
    char secret[2 * SECRET_BYTES_MIN + 1]; /* who has signed in stays so when the process dies */
    struct pillar_broker *broker;
    struct stream_hub *hub;
    struct db *db; /* keeps the database alive while the process is dead; NULL: none */
    struct bus_outlet outlet;
    struct event_list published; /* on its way to the hub */
    struct event_list events;    /* all of them, for who asks */
    uint64_t newest;             /* the position of the last one */
    struct list streams;
    uint64_t now_ms;
    enum crash crash;
    struct counters counters;
};

struct virtual_stream {
    struct sink sink;
    struct list node; /* of harness->streams */
    struct harness *harness;
    struct stream *stream; /* NULL: it has ended, or broke */
    struct buf received;
    bool paused;
};

/* The exchange of a virtual client. */
struct virtual_exchange {
    struct exchange base; /* first */
    struct harness *harness;
    struct virtual_stream *stream;
    struct parse parse;
    bool answered;
};

static struct virtual_exchange *mine(struct exchange *ex)
{
    return (struct virtual_exchange *)ex;
}

/* --- time: virtual inside of the calls, so that whoever calls keeps the real one --- */

static void enter(const struct harness *h)
{
    clock_set_wall(h->now_ms);
}

static void leave(void)
{
    clock_set_wall(0);
}

uint64_t harness_now(const struct harness *h)
{
    return h->now_ms;
}

static void flush(struct harness *h)
{
    (void)stream_hub_flush(h->hub, SIZE_MAX);
}

static void tick(struct harness *h, uint64_t ms)
{
    h->now_ms += ms;
    enter(h);
    stream_hub_tick(h->hub, h->now_ms, h->now_ms);
    flush(h);
}

void harness_advance(struct harness *h, uint64_t ms)
{
    for (; ms > TICK_MS; ms -= TICK_MS)
        tick(h, TICK_MS);
    tick(h, ms);
    leave();
}

/* --- events, in the order that a loop keeps: those that were published before a request completed go first --- */

static void keep(struct event_list *list, struct event *ev)
{
    if (!event_list_add(list, event_ref(ev)))
        abort(); /* a test that runs out of memory proves nothing */
}

static void keep_for_test(struct harness *h, struct event *ev)
{
    if (ev->kind != EVENT_SYNC || ev->position <= h->newest)
        return;
    keep(&h->events, ev);
    h->newest = ev->position;
}

static void deliver(struct bus_outlet *outlet, struct event *const *events, size_t count)
{
    struct harness *h = (struct harness *)(void *)((char *)outlet - offsetof(struct harness, outlet));

    for (size_t i = 0; i < count; i++) {
        keep(&h->published, events[i]);
        keep_for_test(h, events[i]);
    }
}

static void take_published(struct harness *h)
{
    stream_hub_deliver(h->hub, h->published.at, h->published.count);
    event_list_cut(&h->published, 0);
    flush(h);
}

struct event *const *harness_events(const struct harness *h, size_t *count)
{
    *count = h->events.count;
    return h->events.at;
}

void harness_forget_events(struct harness *h)
{
    event_list_cut(&h->events, 0);
}

/* --- streams --- */

static struct virtual_stream *of_sink(struct sink *sink)
{
    return (struct virtual_stream *)(void *)((char *)sink - offsetof(struct virtual_stream, sink));
}

static size_t sink_send(struct sink *sink, const struct frame *frames, size_t count, bool *full)
{
    struct virtual_stream *s = of_sink(sink);

    *full = s->paused;
    if (s->paused)
        return 0;
    for (size_t i = 0; i < count; i++)
        buf_append_str(&s->received, frames[i].bytes);
    return count;
}

static void sink_end(struct sink *sink)
{
    of_sink(sink)->stream = NULL;
}

static const struct sink_ops sink_ops = {sink_send, sink_end};

static struct virtual_stream *make_stream(struct harness *h)
{
    struct virtual_stream *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->sink.ops = &sink_ops;
    s->harness = h;
    list_push(&h->streams, &s->node);
    return s;
}

struct buf *virtual_stream_received(struct virtual_stream *s)
{
    return &s->received;
}

void virtual_stream_pause(struct virtual_stream *s, bool paused)
{
    bool drains = s->paused && !paused;

    s->paused = paused;
    if (!drains || s->stream == NULL)
        return;
    enter(s->harness);
    stream_writable(s->stream);
    flush(s->harness);
    leave();
}

bool virtual_stream_open(const struct virtual_stream *s)
{
    return s->stream != NULL;
}

void virtual_stream_close(struct virtual_stream *s)
{
    if (s->stream != NULL)
        stream_close(s->stream);
    s->stream = NULL;
}

void virtual_stream_free(struct virtual_stream *s)
{
    if (s == NULL)
        return;
    virtual_stream_close(s);
    list_remove(&s->node);
    buf_free(&s->received);
    free(s);
}

/* --- the protocol --- */

static void respond(struct exchange *ex)
{
    mine(ex)->answered = true;
}

static bool read_file(int root, const char *name, struct buf *out)
{
    int fd = beneath_hidden(name) ? -1 : beneath_open(root, name);
    char piece[4096];
    ssize_t got = -1;

    while (fd >= 0 && (got = read(fd, piece, sizeof piece)) > 0)
        buf_append(out, piece, (size_t)got);
    if (fd >= 0)
        close(fd);
    return got == 0;
}

/* Files are served as they are: what HTTP makes of ranges, conditions and links is not the script's. */
static void respond_file(struct exchange *ex, const struct static_mount *mount, struct str path)
{
    bool directory = path.len == 0 || path.ptr[path.len - 1] == '/';
    char name[PATH_MAX];

    int len = snprintf(name, sizeof name, "%.*s%s", STR_ARG(path), directory ? "index.html" : "");
    bool there = len > 0 && (size_t)len < sizeof name && read_file(mount->root, name, &ex->response.body);
    if (!there && mount->fallback != NULL)
        there = read_file(mount->root, mount->fallback, &ex->response.body);
    ex->response.status = 200;
    if (!there || !response_add_header(ex, STR("Content-Type"), str_of(mime_type(name)), NULL))
        response_set_error(ex, 404, "not_found", "there is no such file", "");
    mine(ex)->answered = true;
}

static void open_stream(struct exchange *ex, const struct stream_request *request)
{
    struct harness *h = mine(ex)->harness;
    struct virtual_stream *s = make_stream(h);

    mine(ex)->answered = true;
    if (s != NULL)
        s->stream = stream_open(h->hub, request, &s->sink, STR_NONE);
    if (s == NULL || s->stream == NULL) {
        virtual_stream_free(s);
        response_set_error(ex, 503, "out_of_memory", "the server is short of memory", "");
        return;
    }
    mine(ex)->stream = s;
    ex->response.status = 200;
}

static void refuse_stream(struct exchange *ex, const char *reason)
{
    response_clear(ex);
    ex->response.status = 200;
    stream_hub_append_refusal(mine(ex)->harness->hub, &ex->response.body, str_of(reason));
    mine(ex)->answered = true;
}

static void inquire(struct exchange *ex)
{
    struct harness *h = mine(ex)->harness;

    inquiry_begin(ex->inquiry, 1);
    inquiry_ask(ex->inquiry, h->hub);
    dispatch_complete(h->broker, ex);
}

static struct counters *counters_of(struct exchange *ex)
{
    return &mine(ex)->harness->counters;
}

static struct stream_hub *hub_of(struct exchange *ex)
{
    return mine(ex)->harness->hub;
}

/* How many requests one makes in a second of real time is no matter for a test. */
static struct rate *rates_of(struct exchange *ex)
{
    (void)ex;
    return NULL;
}

static const struct protocol protocol = {.respond = respond,
                                         .respond_file = respond_file,
                                         .open_stream = open_stream,
                                         .refuse_stream = refuse_stream,
                                         .inquire = inquire,
                                         .counters = counters_of,
                                         .hub = hub_of,
                                         .rates = rates_of};

static void complete(struct exchange *ex)
{
    struct harness *h = mine(ex)->harness;

    take_published(h);
    dispatch_complete(h->broker, ex);
    flush(h);
}

/* --- requests --- */

static void refuse(struct harness *h, struct exchange *ex, const struct refusal *why)
{
    dispatch_refuse(h->broker, &ex->request, ex);
    response_set_error(ex, why->status, why->code, why->message, "");
    respond(ex);
}

/* As http/h1.c reads a head. */
static bool read_head(struct virtual_exchange *ve, const struct harness_request *request, struct refusal *why)
{
    struct exchange *ex = &ve->base;
    struct guard_limits limits = broker_guard_limits(ve->harness->broker);
    struct head_scan scan = {0};
    struct head_verdict verdict = {0};
    struct str head = arena_copy(&ex->arena, request->head);
    size_t len = 0;

    ex->request.body = arena_copy(&ex->arena, request->body);
    ex->assumed_user = arena_copy(&ex->arena, request->user);
    if (head.ptr == NULL || ex->request.body.ptr == NULL || ex->assumed_user.ptr == NULL)
        return error_no_memory(NULL);
    enum head_progress progress = guard_find_head(head, &scan, &limits, &len, why);
    if (progress == HEAD_REFUSED)
        return false;
    if (progress == HEAD_PARTIAL || len != head.len) {
        *why = (struct refusal){400, "bad_request", "the head has no end, or goes on behind it"};
        return false;
    }
    guard_check_head(head, &limits, &verdict);
    if (verdict.sound && !parse_head(&ve->parse, ex, head, &verdict, why))
        return false;
    *why = verdict.refusal;
    return why->status == 0;
}

static struct virtual_exchange *make_exchange(struct harness *h)
{
    struct virtual_exchange *ve = calloc(1, sizeof *ve);

    if (ve == NULL)
        return NULL;
    atomic_init(&ve->base.state, EXCHANGE_QUEUED);
    ve->base.complete = complete;
    ve->base.protocol = &protocol;
    ve->base.request.remote_address = STR("127.0.0.1");
    ve->base.request.id = STR("test");
    ve->harness = h;
    return ve;
}

void harness_release(struct exchange *ex)
{
    if (ex == NULL)
        return;
    dispatch_release(NULL, ex);
    parse_end(&mine(ex)->parse);
    response_clear(ex);
    arena_free(&ex->arena);
    free(mine(ex));
}

bool harness_ask(struct harness *h, const struct harness_request *request, struct harness_answer *answer,
                 struct error *e)
{
    struct virtual_exchange *ve = make_exchange(h);
    struct refusal why = {503, "out_of_memory", "the server is short of memory"};

    *answer = (struct harness_answer){0};
    if (ve == NULL)
        return error_no_memory(e);
    tick(h, 1);
    if (read_head(ve, request, &why))
        dispatch_request(h->broker, &ve->base);
    else
        refuse(h, &ve->base, &why);
    take_published(h);
    leave();
    if (h->crash == CRASHED) {
        harness_release(&ve->base);
        answer->crashed = true;
        return harness_crash(h, e);
    }
    if (!ve->answered)
        abort(); /* a request that nobody answers, and nobody has any more */
    if (ve->base.request.method == METHOD_HEAD)
        buf_free(&ve->base.response.body);
    answer->exchange = &ve->base;
    answer->stream = ve->stream;
    return true;
}

/* --- life and death --- */

static void begin(void *context, uint64_t position)
{
    struct harness *h = context;

    stream_hub_begin(h->hub, journal_generation(h->broker->journal), position);
    if (strcmp(h->broker->options->values.database, "none") == 0)
        h->newest = 0; /* this history is another one */
}

static void recall(void *context, struct event *ev)
{
    struct harness *h = context;

    stream_hub_deliver(h->hub, &ev, 1);
    keep_for_test(h, ev); /* one that was committed before a crash, and not published */
}

static bool start(struct harness *h, struct error *e)
{
    const struct journal_reader reader = {recall, begin, h};
    struct pillar_broker *b = broker_new(h->options, e);
    size_t applied;

    h->broker = b;
    if (b != NULL)
        memcpy(b->made_secret, h->secret, sizeof b->made_secret);
    if (b == NULL || !broker_load(b, h->script, e))
        return false;
    b->harness = h;
    char **database = &b->options->values.database;
    bool none = strcmp(*database, "none") == 0;
    char *url = strdup(none ? "none" : h->database);
    if (url == NULL)
        return error_no_memory(e);
    free(*database);
    *database = url;
    b->options->values.workers = 1;
    if (!none && h->db == NULL)
        h->db = db_open(h->database, e);
    if (!none && h->db == NULL)
        return false;
    struct stream_config config = broker_stream_config(b);
    h->hub = stream_hub_create(&config, h->now_ms, &h->counters);
    if (h->hub == NULL)
        return error_no_memory(e);
    if (!broker_make_journal(b, e) || !broker_make_idempotency(b, e) || !broker_open_history(b, &reader, e) ||
        !program_make_pool(b->program, e) || !program_migrate(b->program, &applied, e))
        return false;
    h->outlet = (struct bus_outlet){.deliver = deliver};
    bus_attach(b->bus, &h->outlet);
    return true;
}

/* Everything but the database: connections break without a word. */
static void die(struct harness *h)
{
    for (struct list *node = h->streams.next; node != &h->streams; node = node->next)
        virtual_stream_close(list_entry(node, struct virtual_stream, node));
    event_list_cut(&h->published, 0);
    stream_hub_free(h->hub);
    h->hub = NULL;
    if (h->broker != NULL && h->broker->bus != NULL)
        bus_detach(h->broker->bus, &h->outlet);
    pillar_broker_destroy(h->broker);
    h->broker = NULL;
}

struct harness *harness_create(const char *script, const struct pillar_options *options, uint64_t now_ms,
                               struct error *e)
{
    static _Thread_local unsigned count;
    struct harness *h = aligned_alloc(_Alignof(struct harness), sizeof *h);

    if (h == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    memset(h, 0, sizeof *h);
    parse_setup();
    list_init(&h->streams);
    snprintf(h->database, sizeof h->database, "memory:harness-%p-%u", (void *)h, ++count);
    random_hex(h->secret, SECRET_BYTES_MIN);
    h->now_ms = now_ms != 0 ? now_ms : clock_wall_ms();
    h->options = options_copy(options);
    h->script = strdup(script);
    if (h->options == NULL || h->script == NULL)
        (void)error_no_memory(e);
    enter(h);
    bool ok = h->options != NULL && h->script != NULL && start(h, e);
    leave();
    if (ok)
        return h;
    harness_free(h);
    return NULL;
}

void harness_free(struct harness *h)
{
    if (h == NULL)
        return;
    die(h);
    struct list *node;
    while ((node = list_pop(&h->streams)) != NULL)
        list_entry(node, struct virtual_stream, node)->harness = NULL;
    event_list_free(&h->published);
    event_list_free(&h->events);
    db_close(h->db);
    pillar_options_free(h->options);
    free(h->script);
    free(h);
}

void harness_crash_at(struct harness *h, enum commit_stage stage)
{
    h->crash = stage == BEFORE_COMMIT ? CRASH_BEFORE_COMMIT : CRASH_AFTER_COMMIT;
}

bool harness_crash(struct harness *h, struct error *e)
{
    h->crash = CRASH_NONE;
    die(h);
    enter(h);
    bool ok = start(h, e);
    leave();
    if (!ok)
        die(h);
    return ok;
}

bool harness_alive(const struct harness *h)
{
    return h->broker != NULL;
}

bool harness_survives(void *context, enum commit_stage stage)
{
    struct harness *h = context;
    bool dies = h->crash == (stage == BEFORE_COMMIT ? CRASH_BEFORE_COMMIT : CRASH_AFTER_COMMIT);

    if (dies)
        h->crash = CRASHED;
    return h->crash != CRASHED;
}

struct db *harness_db(struct harness *h)
{
    return h->db;
}
