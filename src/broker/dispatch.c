/*
 * Where a request goes: to one of the broker's own endpoints, to the script's queue, or to a file. Runs on the loops.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "broker_private.h"
#include "http/inquiry.h"
#include "library.h"
#include "origin.h"

enum { EVENT_ID_TEXT_MAX = 256 };

/* What the request began with: a route's number means nothing in another program. */
static const struct program *program_of(const struct exchange *ex)
{
    return ex->owner;
}

static void refuse_for_now(struct exchange *ex, int status, const char *code, const char *message, uint64_t seconds)
{
    response_set_error_for_now(ex, status, code, message, seconds);
    http_respond(ex);
}

static void refuse_busy(struct exchange *ex, const char *code, const char *message)
{
    refuse_for_now(ex, 503, code, message, 1);
}

/* Every path knows OPTIONS. */
static void respond_with_methods(struct exchange *ex, unsigned allowed)
{
    struct buf list = BUF_EMPTY;

    allowed |= 1u << METHOD_OPTIONS;
    for (int i = 0; i < METHOD_COUNT; i++) {
        if ((allowed & 1u << i) == 0)
            continue;
        if (list.len > 0)
            buf_append(&list, ", ", 2);
        buf_append_str(&list, method_names[i]);
    }
    if (ex->request.method == METHOD_OPTIONS)
        ex->response.status = 204;
    else
        response_set_error(ex, 405, "method_not_allowed", "this path does not know the method", "");
    if (list.failed || !response_add_header(ex, STR("Allow"), buf_str(&list), NULL) ||
        !origin_answer_preflight(&program_of(ex)->app->cors, ex, buf_str(&list)))
        response_set_error(ex, 503, "out_of_memory", "the server is short of memory", "");
    buf_free(&list);
    http_respond(ex);
}

static bool only_reads(const struct exchange *ex)
{
    return ex->request.method == METHOD_GET || ex->request.method == METHOD_HEAD;
}

/* True for a GET or HEAD; answers everything else. */
static bool only_get(struct exchange *ex)
{
    if (only_reads(ex))
        return true;
    respond_with_methods(ex, 1u << METHOD_GET | 1u << METHOD_HEAD);
    return false;
}

static void respond_json(struct exchange *ex, int status, const char *text)
{
    ex->response.status = status;
    buf_append_str(&ex->response.body, str_of(text));
    if (!response_add_header(ex, STR("Content-Type"), STR("application/json"), NULL) ||
        !response_add_header(ex, STR("Cache-Control"), STR("no-store"), NULL))
        ex->response.status = 503;
    http_respond(ex);
}

static bool queue(struct exchange *ex)
{
    ex->queued_ns = clock_monotonic_ns();
    if (pool_submit(program_of(ex)->pool, ex))
        return true;
    http_count(ex, COUNT_QUEUE_REFUSALS);
    return false;
}

/* --- the stream --- */

static bool is_stream_path(const struct pillar_broker *broker, const struct exchange *ex)
{
    return str_eq(ex->request.path, str_of(broker->options->values.events_path));
}

static struct str session_of(const struct request *r)
{
    struct str from_query = pairs_get(&r->query, STR("sessionId"));

    return from_query.len > 0 ? from_query : pairs_get(&r->headers, STR("x-session-id"));
}

/* The header goes first: a browser that reconnects sends it, and still has the URL that it began with. */
static struct str last_event_id_of(const struct request *r)
{
    struct str from_header = pairs_get(&r->headers, STR("last-event-id"));

    return from_header.len > 0 ? from_header : pairs_get(&r->query, STR("lastEventId"));
}

/* Answers what is wrong with a stream request, before it costs anything. */
static bool check_stream(struct exchange *ex)
{
    struct str session = session_of(&ex->request);
    struct str entities = pairs_get(&ex->request.query, STR("entities"));
    struct str name;

    if (session.len > 0 && !event_id_valid(session)) {
        http_respond_error(ex, 400, "invalid_field",
                           "sessionId must be at most 256 bytes of UTF-8 without control characters", "sessionId");
        return false;
    }
    for (size_t count = 0; entities.len > 0 && str_split(&entities, ',', &name); count++) {
        if (count < program_of(ex)->app->entity_count && app_has_entity(program_of(ex)->app, name))
            continue;
        http_respond_error(ex, 400, "invalid_field",
                           "entities names an entity that the script does not declare, or one twice", "entities");
        return false;
    }
    return true;
}

static void begin_stream(struct pillar_broker *broker, struct exchange *ex)
{
    if (ex->request.method != METHOD_GET) {
        respond_with_methods(ex, 1u << METHOD_GET);
        return;
    }
    if (!check_stream(ex))
        return;
    ex->kind = EXCHANGE_STREAM;
    ex->stream_mark = stream_hub_mark(http_hub(ex));
    if (atomic_load(&broker->draining))
        http_refuse_stream(ex, "the server is going away");
    else if (ex->overloaded || !queue(ex))
        http_refuse_stream(ex, "the server is busy");
}

/* A browser's EventSource gives up for good on anything but 200, so only a login that is missing, or a mistake, is said
 * with a status. */
static void finish_stream(struct pillar_broker *broker, struct exchange *ex)
{
    int status = ex->response.status;

    if (status >= 400 && status < 500 && status != 429) {
        http_respond(ex);
        return;
    }
    if (status != 200) {
        http_refuse_stream(ex, status == 429 ? "too many requests" : "the server could not open the stream");
        return;
    }
    if (atomic_load(&broker->draining)) {
        http_refuse_stream(ex, "the server is going away");
        return;
    }
    struct stream_request request = {.user_id = ex->user_id,
                                     .session_id = session_of(&ex->request),
                                     .entities = pairs_get(&ex->request.query, STR("entities")),
                                     .last_event_id = last_event_id_of(&ex->request),
                                     .expires_ms = ex->user_expires_ms,
                                     .shared_user = program_of(ex)->app->anonymous,
                                     .address = (uint32_t)ex->address_key,
                                     .mark = ex->stream_mark};
    if (request.last_event_id.len > EVENT_ID_TEXT_MAX)
        request.last_event_id.len = EVENT_ID_TEXT_MAX; /* malformed, and said to be */
    const char *objection = stream_hub_objection(http_hub(ex), &request);
    if (objection == NULL)
        http_open_stream(ex, &request);
    else
        http_refuse_stream(ex, objection);
}

/* --- the broker's own endpoints --- */

/* Answers what is wrong with an Idempotency-Key. */
static bool check_idempotency_key(struct exchange *ex)
{
    if (replay_key_valid(&ex->request))
        return true;
    http_respond_error(ex, 400, "invalid_field",
                       "Idempotency-Key must be one header of 1 to 255 visible ASCII characters", "Idempotency-Key");
    return false;
}

static void submit(struct exchange *ex, size_t route)
{
    ex->kind = EXCHANGE_ROUTE;
    ex->route = route;
    if (queue(ex))
        return;
    refuse_busy(ex, "overloaded", "the server has as many requests waiting as it may");
}

static bool gives_emit_key(const struct pillar_broker *broker, const struct exchange *ex)
{
    struct str given = pairs_get(&ex->request.headers, STR("authorization"));
    struct str scheme = STR("Bearer ");

    if (given.len < scheme.len || !str_eq_nocase((struct str){given.ptr, scheme.len}, scheme))
        return false;
    return str_eq_secret(str_trim(str_from(given, scheme.len)), str_of(broker->options->values.emit_key));
}

/* True with the key; answers everything else. */
static bool has_emit_key(const struct pillar_broker *broker, struct exchange *ex)
{
    if (gives_emit_key(broker, ex))
        return true;
    response_set_error(ex, 401, "unauthorized", "the request needs the emit key: Authorization: Bearer KEY", "");
    (void)response_add_header(ex, STR("WWW-Authenticate"), STR("Bearer"), NULL);
    http_respond(ex);
    return false;
}

/* POST /api/emit: checked for its key here, so that nobody else's request takes a place in the queue. */
static void run_emit(struct pillar_broker *broker, struct exchange *ex)
{
    if (ex->request.method != METHOD_POST)
        respond_with_methods(ex, 1u << METHOD_POST);
    else if (has_emit_key(broker, ex) && check_idempotency_key(ex))
        submit(ex, program_of(ex)->app->emit_route);
}

/* What is for the application's own machines, and its operators: without a key, none of it exists. */
static bool run_keyed(struct pillar_broker *broker, struct exchange *ex)
{
    const struct settings *settings = &broker->options->values;

    if (settings->emit_key[0] == '\0')
        return false;
    if (str_eq(ex->request.path, str_of(settings->emit_path))) {
        run_emit(broker, ex);
        return true;
    }
    if (!explain_is_path(broker, ex->request.path))
        return false;
    if (only_get(ex) && has_emit_key(broker, ex))
        explain_ask(broker, ex);
    return true;
}

/* What the script has described; where its event stream is, is an option. */
static void respond_openapi(struct pillar_broker *broker, struct exchange *ex)
{
    struct buf *body = &ex->response.body;
    struct str rest = program_of(ex)->app->openapi;
    struct str part;

    ex->response.status = 200;
    if (str_split(&rest, APP_EVENTS_PATH, &part))
        buf_append_str(body, part);
    json_append_any_string(body, str_of(broker->options->values.events_path));
    buf_append_str(body, rest);
    if (!response_add_header(ex, STR("Content-Type"), STR("application/json"), NULL) ||
        !response_add_header(ex, STR("Cache-Control"), STR("no-cache"), NULL))
        ex->response.status = 503;
    http_respond(ex);
}

static void respond_client(struct pillar_broker *broker, struct exchange *ex)
{
    if (broker->client.root >= 0)
        http_respond_file(ex, &broker->client, STR(LIBRARY_CLIENT_FILE));
    else
        http_respond_error(ex, 404, "not_found",
                           "the browser's client was not built; install Node.js 18 or later, build Pillar with "
                           "cmake -B build -DPILLAR_CLIENT=ON && cmake --build build, and start the broker anew",
                           "");
}

/* What tells how the broker is; for those who watch it, so never limited. */
static bool run_health(struct pillar_broker *broker, struct exchange *ex)
{
    struct str path = ex->request.path;
    bool health = str_eq(path, STR("/healthz"));
    bool ready = str_eq(path, STR("/readyz"));
    bool metrics = str_eq(path, STR("/metrics"));
    if (!health && !ready && !metrics)
        return false;
    if (!only_get(ex))
        return true;
    if (metrics)
        metrics_respond(broker, ex);
    else if (ready && ex->draining)
        respond_json(ex, 503, "{\"status\":\"draining\"}");
    else
        respond_json(ex, 200, ready ? "{\"status\":\"ready\"}" : "{\"status\":\"ok\"}");
    return true;
}

static bool run_builtin(struct pillar_broker *broker, struct exchange *ex)
{
    const struct settings *settings = &broker->options->values;

    if (is_stream_path(broker, ex)) {
        begin_stream(broker, ex);
        return true;
    }
    if (str_eq(ex->request.path, str_of(settings->openapi_path))) {
        if (only_get(ex))
            respond_openapi(broker, ex);
        return true;
    }
    if (str_eq(ex->request.path, str_of(settings->client_path))) {
        if (only_get(ex))
            respond_client(broker, ex);
        return true;
    }
    return run_keyed(broker, ex);
}

/* Answers a request of an address that makes too many. */
static bool refuse_excess(struct pillar_broker *broker, struct exchange *ex)
{
    uint64_t wait_ns = http_take_turn(ex, clock_monotonic_ns());

    if (wait_ns == 0)
        return false;
    http_count(ex, COUNT_RATE_LIMITS);
    if (is_stream_path(broker, ex) && ex->request.method == METHOD_GET)
        http_refuse_stream(ex, "too many requests");
    else
        refuse_for_now(ex, 429, "too_many_requests", "too many requests come from this address; try again later",
                       rate_retry_after(wait_ns));
    return true;
}

/* --- the script's routes and files --- */

static void run_route(struct exchange *ex, size_t route)
{
    struct str session = pairs_get(&ex->request.headers, STR("x-session-id"));

    if (session.len > 0 && !event_id_valid(session)) {
        http_respond_error(ex, 400, "invalid_field",
                           "X-Session-Id must be at most 256 bytes of UTF-8 without control characters",
                           "X-Session-Id");
        return;
    }
    if (!only_reads(ex) && origin_is_foreign(&program_of(ex)->app->cors, &ex->request)) {
        http_count(ex, COUNT_CROSS_SITE);
        http_respond_error(ex, 403, "cross_site",
                           "a browser sent this for a page of another site, which app:cors does not let in", "");
        return;
    }
    if (only_reads(ex) || check_idempotency_key(ex))
        submit(ex, route);
}

/* A slash inside a segment was an encoded one: no file has it in its name. */
static bool has_inner_slash(const struct request *r)
{
    for (size_t i = 0; i < r->segment_count; i++)
        if (r->segments[i].len > 0 && memchr(r->segments[i].ptr, '/', r->segments[i].len) != NULL)
            return true;
    return false;
}

/* The script's own words: a path of the server is nobody's business. */
static void respond_missing(struct exchange *ex, const struct mount *mount)
{
    char message[512];

    snprintf(message, sizeof message, "the files are not there: %.*s", STR_ARG(mount->missing));
    http_respond_error(ex, 404, "not_found", message, "");
}

static void run_mount(struct exchange *ex, const struct mount *mount, struct str below)
{
    const struct static_mount *files = &program_of(ex)->mounts[mount - program_of(ex)->app->mounts];

    if (!only_get(ex))
        return;
    if (files->root < 0)
        respond_missing(ex, mount);
    else if (has_inner_slash(&ex->request))
        http_respond_error(ex, 404, "not_found", "there is no such file", "");
    else
        http_respond_file(ex, files, below);
}

void dispatch_request(void *context, struct exchange *ex)
{
    struct pillar_broker *broker = context;
    struct str below;
    unsigned allowed = 0;
    size_t route;

    ex->owner = broker_program(broker);
    forwarded_resolve(&broker->proxies, ex);
    ex->address_key = address_key(ex->request.remote_address);
    const struct app *app = program_of(ex)->app;
    if (!origin_set_headers(&app->cors, &ex->request, ex)) {
        refuse_busy(ex, "overloaded", "the server is short of memory");
        return;
    }
    if (ex->request.segment_count == 0) { /* OPTIONS * asks about the server as a whole */
        respond_with_methods(ex, (1u << METHOD_COUNT) - 1);
        return;
    }
    if (ex->overloaded && !is_stream_path(broker, ex)) {
        refuse_busy(ex, "too_many_connections", "the server has as many connections as it may");
        return;
    }
    if (run_health(broker, ex))
        return;
    if (ex->draining && !is_stream_path(broker, ex)) {
        refuse_busy(ex, "unavailable", "the server is going away");
        return;
    }
    if (refuse_excess(broker, ex) || run_builtin(broker, ex))
        return;
    enum route_match match = app_route(app, ex, &route, &allowed);
    if (match == ROUTE_FOUND) {
        run_route(ex, route);
        return;
    }
    const struct mount *mount = match == ROUTE_NOT_FOUND ? app_mount(app, &ex->request, &below) : NULL;
    if ((allowed & 1u << METHOD_GET) != 0)
        allowed |= 1u << METHOD_HEAD;
    if (match == ROUTE_WRONG_METHOD)
        respond_with_methods(ex, allowed);
    else if (mount != NULL)
        run_mount(ex, mount, below);
    else
        http_respond_error(ex, 404, "not_found", "there is no such path", "");
}

void dispatch_complete(void *context, struct exchange *ex)
{
    struct pillar_broker *broker = context;

    if (ex->inquiry != NULL)
        explain_answer(broker, ex);
    else if (ex->kind == EXCHANGE_STREAM)
        finish_stream(broker, ex);
    else
        http_respond(ex);
}

void dispatch_refuse(void *context, const struct request *request, struct exchange *answer)
{
    answer->owner = broker_program(context);
    (void)origin_set_headers(&program_of(answer)->app->cors, request, answer);
}

bool dispatch_is_stream(void *context, struct str head)
{
    const struct pillar_broker *broker = context;
    struct str path = str_of(broker->options->values.events_path);
    struct str method = STR("GET ");

    if (!str_starts_with(head, method) || !str_starts_with(str_from(head, method.len), path))
        return false;
    struct str rest = str_from(head, method.len + path.len);
    return str_starts_with(rest, STR(" ")) || str_starts_with(rest, STR("?"));
}

void dispatch_release(void *context, struct exchange *ex)
{
    (void)context;
    inquiry_end(ex->inquiry);
    program_unref(ex->owner);
}
