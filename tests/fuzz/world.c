#include "world.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc.h"
#include "base/utf8.h"
#include "check.h"
#include "http/h1.h"
#include "http/parse.h"

enum { BIG_BODY = 3000 };

static struct world *world_of(const struct exchange *ex)
{
    return ((const struct h1_exchange *)ex)->loop->handler->context;
}

/* --- in place of server.c --- */

bool http_server_admit(struct http_server *server)
{
    struct world *w = (struct world *)(void *)server;

    if (w->admitted == WORLD_CONNECTIONS)
        return false;
    w->admitted++;
    return true;
}

void http_server_release(struct http_server *server)
{
    struct world *w = (struct world *)(void *)server;

    CHECK(w->admitted > 0, "a connection is released twice");
    w->admitted--;
}

unsigned http_server_loops(const struct http_server *server)
{
    (void)server;
    return 1;
}

struct io_loop *http_server_next_loop(struct http_server *server, const struct io_loop *loop)
{
    (void)loop;
    return &((struct world *)(void *)server)->loop;
}

/* --- the handler --- */

static void open_stream(struct exchange *ex)
{
    struct h1 *conn = ((struct h1_exchange *)ex)->conn;
    struct pairs *query = &ex->request.query;
    struct stream_request request = {.user_id = STR("ada"),
                                     .session_id = pairs_get(query, STR("s")),
                                     .entities = pairs_get(query, STR("e")),
                                     .last_event_id = pairs_get(query, STR("l"))};

    if (conn != NULL)
        wire_of(&conn->transport)->streaming = true;
    h1_open_stream(ex, &request);
}

static void respond_with_header(struct exchange *ex)
{
    struct pairs *query = &ex->request.query;

    ex->response.status = 200;
    if (response_add_header(ex, pairs_get(query, STR("n")), pairs_get(query, STR("v")), NULL))
        h1_respond(ex);
    else
        http_respond_error(ex, 500, "script_error", "not a header", "");
}

static void respond(struct exchange *ex, int status, size_t fill)
{
    ex->response.status = status;
    buf_append_str(&ex->response.body, ex->request.body);
    for (size_t i = 0; i < fill; i++)
        buf_append_char(&ex->response.body, 'b');
    h1_respond(ex);
}

/* The first letter of the path says how: see request.dict. */
static void answer(struct exchange *ex, char how)
{
    switch (how) {
    case 's':
        open_stream(ex);
        return;
    case 'r':
        h1_refuse_stream(ex, "the server is busy");
        return;
    case 'h':
        respond_with_header(ex);
        return;
    case 'e':
        http_respond_error(ex, 404, "not_found", "there is no such path", "path");
        return;
    case 'n':
        ex->response.status = 204;
        h1_respond(ex);
        return;
    case 'm':
        ex->response.status = 304;
        h1_respond(ex);
        return;
    default:
        respond(ex, 200, how == 'b' ? BIG_BODY : 0);
    }
}

static char letter_of(const struct request *r)
{
    return r->segment_count == 0 || r->segments[0].len == 0 ? 'n' : r->segments[0].ptr[0];
}

static void check_text(struct str s)
{
    CHECK(utf8_valid(s) && (s.len == 0 || memchr(s.ptr, '\0', s.len) == NULL), "text that is none");
}

static void check_path(const struct request *r)
{
    size_t at = 0;

    check_text(r->path);
    if (r->segment_count == 0) {
        CHECK(str_eq(r->path, STR("*")) && r->method == METHOD_OPTIONS, "no path");
        return;
    }
    for (size_t i = 0; i < r->segment_count; i++) {
        struct str segment = r->segments[i];
        CHECK(r->path.ptr[at] == '/' && segment.ptr == r->path.ptr + at + 1, "segments are not the path's");
        CHECK(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")), "a dot segment");
        at += 1 + segment.len;
    }
    CHECK(at == r->path.len, "a path longer than its segments");
}

static void check_headers(const struct request *r)
{
    size_t hosts = 0;

    for (size_t i = 0; i < r->headers.count; i++) {
        const struct pair *p = &r->headers.at[i];
        CHECK(str_is_token(p->name), "a header without a name");
        for (size_t j = 0; j < p->name.len; j++)
            CHECK(p->name.ptr[j] == ascii_lower(p->name.ptr[j]), "a header's name in upper case");
        for (size_t j = 0; j < p->value.len; j++)
            CHECK((unsigned char)p->value.ptr[j] >= 0x20 || p->value.ptr[j] == '\t', "a control character");
        hosts += str_eq(p->name, STR("host"));
    }
    CHECK(hosts <= 1, "two hosts");
    CHECK(r->headers.count <= WORLD_HEADERS, "too many headers");
}

static void check_request(const struct request *r)
{
    CHECK(r->target.len > 0 && r->target.len <= WORLD_TARGET_BYTES, "a target over its limit");
    CHECK(r->body.len <= WORLD_BODY_BYTES, "a body over its limit");
    CHECK(str_is_token(r->id) && r->id.len <= 64, "no id");
    check_path(r);
    check_headers(r);
    for (size_t i = 0; i < r->query.count; i++) {
        check_text(r->query.at[i].name);
        check_text(r->query.at[i].value);
    }
}

/* FNV-1a, with the length in front. */
static void digest(struct wire *wire, struct str s)
{
    wire->digest = (wire->digest ^ s.len) * 0x100000001b3u;
    for (size_t i = 0; i < s.len; i++)
        wire->digest = (wire->digest ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
}

static void note(struct wire *wire, const struct request *r)
{
    CHECK(!wire->refused, "a request behind a refusal");
    CHECK(wire->due < WIRE_REQUESTS_MAX, "more requests than an input holds");
    wire->methods[wire->due++] = r->method;
    wire->delivered++;
    digest(wire, method_names[r->method]);
    digest(wire, r->target);
    digest(wire, r->body);
    for (size_t i = 0; i < r->headers.count; i++) {
        digest(wire, r->headers.at[i].name);
        digest(wire, r->headers.at[i].value);
    }
}

static void on_request(void *context, struct exchange *ex)
{
    struct world *w = context;
    char how = letter_of(&ex->request);

    check_request(&ex->request);
    note(wire_of(&((struct h1_exchange *)ex)->conn->transport), &ex->request);
    if (ex->overloaded && how != 'r' && how != 's') {
        http_respond_error(ex, 503, "too_many_connections", "the server has as many as it may", "");
    } else if (ex->overloaded) {
        h1_refuse_stream(ex, "the server is busy");
    } else if (how >= 'A' && how <= 'Z') {
        CHECK(exchange_start(ex, 1), "a request that is elsewhere already");
        w->parked[w->parked_count++] = ex;
    } else {
        answer(ex, how);
    }
}

static void on_complete(void *context, struct exchange *ex)
{
    (void)context;
    answer(ex, ascii_lower(letter_of(&ex->request)));
}

static void on_refuse(void *context, const struct request *request, struct exchange *answer)
{
    (void)context;
    check_headers(request);
    CHECK(answer->response.status == 0, "an answer that is one already");
}

static bool is_stream(void *context, struct str head)
{
    (void)context;
    return str_starts_with(head, STR("GET /s"));
}

static void on_release(void *context, struct exchange *ex)
{
    (void)context;
    (void)ex;
}

static bool is_busy(void *context)
{
    const struct world *w = context;

    return w->parked_count > 0;
}

/* --- life --- */

/* Nobody connects to it: connections are made of wires. */
static int listening_socket(void)
{
    static int fd = -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (fd < 0) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "a socket");
    }
    return dup(fd);
}

static const struct generation generation = {"00112233aabb"};

void world_begin(struct world *w)
{
    struct error e;

    alloc_fail_at(0);
    parse_setup();
    memset(w, 0, sizeof *w);
    w->loop.uv.data = &w->loop;
    w->position = 100;
    w->config = (struct http_config){
        .guard = {.header_bytes = WORLD_HEADER_BYTES,
                  .header_count = WORLD_HEADERS,
                  .target_bytes = WORLD_TARGET_BYTES,
                  .body_bytes = WORLD_BODY_BYTES},
        .max_body_memory = WORLD_BODY_MEMORY,
        .max_inbox_events = 8,
        .stream = {.log = {.max_events = 4, .max_bytes = 4096, .max_age_ms = 1000},
                   .heartbeat_ms = 1000,
                   .retry_min_ms = 1000,
                   .retry_max_ms = 1000},
    };
    w->handler = (struct http_handler){w, on_request, on_complete, on_refuse, is_stream, on_release, is_busy};
    CHECK(io_loop_init(&w->loop, (struct http_server *)(void *)w, &w->config, &w->handler, listening_socket(), &e),
          "a loop");
    stream_hub_begin(w->loop.hub, &generation, w->position);
}

void world_connect(struct world *w)
{
    if (w->wire_count == WORLD_WIRES)
        return;
    w->current = &w->wires[w->wire_count++];
    w->current->accept_fails = w->refuse_next > 0;
    w->refuse_next = 0;
    alloc_suspend();
    wire_connect(w->current, &w->loop);
    alloc_resume();
}

void world_settle(struct world *w)
{
    bool any = true;

    while (any) {
        any = false;
        for (size_t i = 0; i < w->wire_count; i++)
            any = wire_turn(&w->wires[i]) || any;
    }
    if (alloc_has_failed())
        w->disturbed = true;
}

static struct exchange *unpark(struct world *w, size_t at)
{
    struct exchange *ex = w->parked[at];

    w->parked_count--;
    memmove(&w->parked[at], &w->parked[at + 1], (w->parked_count - at) * sizeof(struct exchange *));
    return ex;
}

void world_complete(struct world *w, bool newest)
{
    if (w->parked_count == 0)
        return;
    struct exchange *ex = unpark(w, newest ? w->parked_count - 1 : 0);
    CHECK(world_of(ex) == w, "an exchange of another world");
    (void)exchange_settle(ex);
    ex->complete(ex);
    io_loop_take_inbox(&w->loop);
    world_settle(w);
}

void world_give_up(struct world *w)
{
    if (w->parked_count > 0 && exchange_expire(w->parked[0], EXCHANGE_RUNNING))
        h1_give_up((struct h1_exchange *)w->parked[0], true);
    world_settle(w);
}

void world_expire(struct world *w)
{
    struct wire *wire = w->current;

    if (wire->transport == NULL || wire->closing)
        return;
    struct h1 *c = (struct h1 *)(void *)((char *)wire->transport - offsetof(struct h1, transport));
    if (list_empty(&c->timeout))
        return;
    wire->may_close = true;
    wire->may_lack = c->state != H1_HEAD && c->state != H1_BODY;
    list_remove(&c->timeout);
    h1_on_timeout(c);
    world_settle(w);
}

void world_publish(struct world *w)
{
    struct event_fields fields = {.entity = STR("task"),
                                  .action = STR("updated"),
                                  .user_id = STR("ada"),
                                  .session_id = STR("tab"),
                                  .data = STR("{\"text\":\"a line\\nand another\"}"),
                                  .everyone = true};

    alloc_suspend();
    struct event *ev = event_create(&fields, NULL);
    CHECK(ev != NULL && event_seal(ev, &generation, ++w->position, w->now_ms, NULL), "an event");
    stream_hub_deliver(w->loop.hub, &ev, 1);
    event_unref(ev);
    io_loop_flush(&w->loop);
    alloc_resume();
    world_settle(w);
}

void world_pass_time(struct world *w)
{
    w->now_ms += 2 * w->config.stream.heartbeat_ms;
    stream_hub_tick(w->loop.hub, uv_now(&w->loop.uv) + w->now_ms, w->now_ms);
    world_settle(w);
}

void world_drain(struct world *w)
{
    for (size_t i = 0; i < w->wire_count; i++)
        w->wires[i].may_close = true;
    inbox_ask_to_drain(&w->loop.inbox);
    io_loop_take_inbox(&w->loop);
    drain_step(&w->loop);
    world_settle(w);
}

static void end_wire(struct world *w, struct wire *wire)
{
    wire->window = SIZE_MAX;
    while (wire->pending) {
        wire_drain(wire);
        world_settle(w);
    }
}

void world_end(struct world *w)
{
    alloc_fail_at(0);
    world_settle(w);
    /* A response lets the next request be read, so one round may lead to another. */
    for (bool any = true; any;) {
        any = w->parked_count > 0;
        for (size_t i = 0; i < w->wire_count; i++) {
            any = any || w->wires[i].pending;
            end_wire(w, &w->wires[i]);
        }
        world_complete(w, false);
    }
    for (size_t i = 0; i < w->wire_count; i++)
        w->wires[i].finished = true;
    world_settle(w);
    CHECK(w->admitted == 0 && w->loop.connection_count == 0 && w->loop.refuse_count == 0, "a connection is left");
    CHECK(list_empty(&w->loop.outstanding), "an exchange is left");
    CHECK(w->loop.body_memory == 0, "memory of bodies is not given back");
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++)
        CHECK(list_empty(&w->loop.timeouts[kind]), "a timeout is left");
    io_loop_destroy(&w->loop);
}
