/* GET <events-path>/explain: why a user did, or did not, get an event. Runs on the loops. */
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "broker_private.h"
#include "db/journal.h"
#include "http/inquiry.h"

static const char *const outcome_names[INQUIRY_OUTCOMES] = {
    [INQUIRY_DELIVERED] = "delivered",
    [INQUIRY_RESUMED] = "resumed",
    [INQUIRY_LAGGING] = "lagging",
    [INQUIRY_MISSED] = "missed",
    [INQUIRY_FILTERED] = "filtered",
    [INQUIRY_ECHO] = "echo",
    [INQUIRY_NOT_CONNECTED] = "not_connected",
    [INQUIRY_NOT_TARGETED] = "not_targeted",
    [INQUIRY_TRIMMED] = "trimmed",
    [INQUIRY_AHEAD] = "ahead",
};

bool explain_is_path(const struct pillar_broker *broker, struct str path)
{
    struct str stream = str_of(broker->options->values.events_path);

    return str_starts_with(path, stream) && str_eq(str_from(path, stream.len), STR(EXPLAIN_BELOW));
}

/* --- the question --- */

static bool refuse(struct exchange *ex, const char *field, const char *message)
{
    http_respond_error(ex, 400, "invalid_field", message, field);
    return false;
}

/* A parameter with a slip in its name would make the answer one to another question. */
static bool check_names(struct exchange *ex)
{
    static const struct str known[] = {{"event", 5}, {"user", 4}, {"session", 7}};
    const struct pairs *query = &ex->request.query;
    char field[ERROR_FIELD_MAX];

    for (size_t i = 0; i < query->count; i++) {
        struct str name = query->at[i].name;
        bool is_known = false;
        for (size_t j = 0; j < sizeof known / sizeof *known; j++)
            is_known = is_known || str_eq(name, known[j]);
        if (is_known && pairs_get(query, name).ptr == query->at[i].value.ptr)
            continue;
        snprintf(field, sizeof field, "%.*s", STR_ARG(name));
        return refuse(ex, field, "the parameters are event, user and, if wanted, session, each of them once");
    }
    return true;
}

static bool read_question(struct exchange *ex, const struct generation *generation, struct inquiry *q, bool *foreign)
{
    const struct pairs *query = &ex->request.query;
    struct str session = pairs_get(query, STR("session"));

    if (!check_names(ex))
        return false;
    enum position_read read = position_read(pairs_get(query, STR("event")), generation, &q->position);
    if (read == POSITION_MALFORMED)
        return refuse(ex, "event", "event must be the id of an event, as a stream says it");
    *foreign = read == POSITION_OTHER_GENERATION;
    q->user_id = pairs_get(query, STR("user"));
    if (!event_id_valid(q->user_id))
        return refuse(ex, "user", "user must be a user id: 1 to 256 bytes of UTF-8 without control characters");
    if (session.ptr != NULL && !event_id_valid(session))
        return refuse(ex, "session", "session must be 1 to 256 bytes of UTF-8 without control characters");
    q->session_id = session;
    return true;
}

/* --- the answer in words --- */

static size_t count_of(const struct inquiry *q, enum inquiry_outcome outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < q->count; i++)
        count += q->streams[i].outcome == outcome ? 1 : 0;
    return count;
}

/* "2023-11-14T22:13:20Z" (RFC 3339) */
static void append_time(struct buf *out, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[32];

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    buf_append_str(out, str_of(text));
}

static void say_delivered(struct buf *out, const struct inquiry *q)
{
    size_t count = count_of(q, INQUIRY_DELIVERED);

    if (q->count == 1)
        buf_append_str(out, STR("The event was handed to the user's stream."));
    else
        buf_printf(out, "The event was handed to %zu of the %zu streams of the user that are known.", count, q->count);
}

static void say_missed(struct buf *out, const struct inquiry *q)
{
    static const char *const why[] = {
        [STREAM_OPENED] = "The user's stream opened after the event, and did not ask for what came before.",
        [STREAM_RESUMED] = "",
        [STREAM_REFUSED] = "The user's stream opened after the event with an id that nothing can be replayed from, and "
                           "was told to resync: the client was to refetch.",
        [STREAM_LAGGED] =
            "The user's client read too slowly for the log, and is told to resync over the event: it is to "
            "refetch.",
    };

    for (size_t i = 0; i < q->count; i++) {
        if (q->streams[i].outcome != INQUIRY_MISSED)
            continue;
        buf_append_str(out, str_of(why[q->streams[i].since]));
        return;
    }
}

static void say_not_connected(struct buf *out, const struct inquiry *q)
{
    buf_printf(out, "The event is meant for the user, of whom no stream%s is open, and none is known to have got it",
               q->session_id.len > 0 ? " with this session" : "");
    if (q->since_ms == UINT64_MAX) {
        buf_append_str(out, STR("; the broker does not remember its deliveries (--delivery-log)"));
    } else if (q->since_ms >= q->event->timestamp_ms) {
        buf_append_str(out, STR("; the broker remembers its deliveries since "));
        append_time(out, q->since_ms);
        buf_append_str(out, STR(" only, and the event is older"));
    }
    buf_append_char(out, '.');
}

static void say_trimmed(struct buf *out, const struct inquiry *q)
{
    size_t count = count_of(q, INQUIRY_DELIVERED);

    buf_append_str(out, STR("The log has no event with this id: it was trimmed, or there never was one"));
    if (count > 0)
        buf_printf(out, "; it was handed to %zu stream%s of the user", count, count == 1 ? "" : "s");
    buf_append_char(out, '.');
}

static void say_ahead(struct buf *out, const struct inquiry *q, const struct generation *generation)
{
    char id[POSITION_TEXT_MAX];

    position_text(id, generation, q->head);
    buf_printf(out, "There is no event with this id yet: the newest one is %s.", id);
}

static void say(struct buf *out, const struct inquiry *q, enum inquiry_outcome outcome,
                const struct generation *generation)
{
    switch (outcome) {
    case INQUIRY_DELIVERED:
        say_delivered(out, q);
        return;
    case INQUIRY_RESUMED:
        buf_append_str(out,
                       STR("The user's client came back with this id or a later one: it says that it has the event."));
        return;
    case INQUIRY_LAGGING:
        buf_append_str(out,
                       STR("The event waits for the user's client to read: its connection takes no more for now."));
        return;
    case INQUIRY_MISSED:
        say_missed(out, q);
        return;
    case INQUIRY_FILTERED:
        buf_printf(out, "The user's stream asked for other entities than %.*s.", STR_ARG(q->event->entity));
        return;
    case INQUIRY_ECHO:
        buf_append_str(out, STR("The user's own session caused the event, and is not told of it."));
        return;
    case INQUIRY_NOT_CONNECTED:
        say_not_connected(out, q);
        return;
    case INQUIRY_NOT_TARGETED:
        buf_append_str(out, STR("The event is not meant for the user."));
        return;
    case INQUIRY_TRIMMED:
        say_trimmed(out, q);
        return;
    default:
        say_ahead(out, q, generation);
    }
}

/* --- the answer in JSON --- */

static void append_text(struct buf *out, const char *name, struct str value)
{
    if (value.len == 0)
        return;
    buf_printf(out, ",\"%s\":", name);
    json_append_any_string(out, value);
}

static void append_number(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

/* As a stream says it, but for the data. */
static void append_event(struct buf *out, struct str id, const struct event *ev)
{
    buf_append_str(out, STR("{\"event\":{\"id\":"));
    json_append_any_string(out, id);
    if (ev != NULL) {
        append_text(out, "entity", ev->entity);
        append_text(out, "action", ev->action);
        append_text(out, "entityId", ev->entity_id);
        append_text(out, "projectId", ev->project_id);
        append_text(out, "userId", ev->user_id);
        append_text(out, "sessionId", ev->session_id);
        append_number(out, "timestamp", ev->timestamp_ms);
    }
    buf_append_char(out, '}');
}

static void append_stream(struct buf *out, const struct inquiry *q, const struct inquiry_stream *s)
{
    buf_append_char(out, '{');
    if (s->session_id.len > 0) {
        buf_append_str(out, STR("\"sessionId\":"));
        json_append_any_string(out, s->session_id);
        buf_append_char(out, ',');
    }
    buf_printf(out, "\"outcome\":\"%s\"", outcome_names[s->outcome]);
    if (s->outcome == INQUIRY_MISSED)
        append_text(out, "reason", s->since == STREAM_OPENED ? STR("opened") : STR("resync"));
    if (s->at_ms != 0)
        append_number(out, "at", s->at_ms);
    if (q->event != NULL) /* without it, the streams that are open were not asked */
        buf_append_str(out, s->open ? STR(",\"open\":true") : STR(",\"open\":false"));
    buf_append_char(out, '}');
}

static void append_streams(struct buf *out, const struct inquiry *q)
{
    buf_append_str(out, STR(",\"streams\":["));
    for (size_t i = 0; i < q->count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        append_stream(out, q, &q->streams[i]);
    }
    buf_append_char(out, ']');
    if (q->more > 0)
        append_number(out, "more", q->more);
}

static void append_answer(struct buf *out, struct str id, const struct inquiry *q, const char *outcome,
                          const struct buf *explanation)
{
    append_event(out, id, q->event);
    append_text(out, "user", q->user_id);
    if (q->event != NULL)
        buf_append_str(out, q->targeted ? STR(",\"targeted\":true") : STR(",\"targeted\":false"));
    append_text(out, "outcome", str_of(outcome));
    append_text(out, "explanation", buf_str(explanation));
    append_streams(out, q);
    if (q->since_ms > 0 && q->since_ms != UINT64_MAX && q->position <= q->head)
        append_number(out, "deliveriesSince", q->since_ms);
    buf_append_char(out, '}');
    out->failed |= explanation->failed;
}

static void respond(struct exchange *ex)
{
    ex->response.status = 200;
    if (ex->response.body.failed || ex->inquiry->failed ||
        !response_add_header(ex, STR("Content-Type"), STR("application/json"), NULL) ||
        !response_add_header(ex, STR("Cache-Control"), STR("no-store"), NULL))
        response_set_error_for_now(ex, 503, "overloaded", "the server is short of memory", 1);
    http_respond(ex);
}

/* --- asking, and answering --- */

/* Nobody is asked for an id of another history. */
static void answer_foreign(struct exchange *ex, const struct generation *generation)
{
    struct buf text = BUF_EMPTY;

    buf_printf(&text, "The id is of another history: those of this one begin with %s-.", generation->text);
    append_answer(&ex->response.body, pairs_get(&ex->request.query, STR("event")), ex->inquiry, "generation", &text);
    buf_free(&text);
    respond(ex);
}

void explain_ask(struct pillar_broker *broker, struct exchange *ex)
{
    const struct generation *generation = journal_generation(broker->journal);
    struct inquiry *q = arena_alloc(&ex->arena, sizeof *q);
    bool foreign = false;

    if (q == NULL) {
        http_respond_error(ex, 503, "overloaded", "the server is short of memory", "");
        return;
    }
    q->arena = &ex->arena;
    if (!read_question(ex, generation, q, &foreign))
        return;
    ex->inquiry = q;
    if (foreign)
        answer_foreign(ex, generation);
    else
        http_inquire(ex);
}

void explain_answer(struct pillar_broker *broker, struct exchange *ex)
{
    const struct generation *generation = journal_generation(broker->journal);
    enum inquiry_outcome outcome = inquiry_outcome(ex->inquiry);
    struct buf text = BUF_EMPTY;
    char id[POSITION_TEXT_MAX];

    inquiry_name_sessions(ex->inquiry);
    say(&text, ex->inquiry, outcome, generation);
    append_answer(&ex->response.body, position_text(id, generation, ex->inquiry->position), ex->inquiry,
                  outcome_names[outcome], &text);
    buf_free(&text);
    respond(ex);
}
