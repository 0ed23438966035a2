#include "script/emit_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/json_walk.h"
#include "script/emit_limits.h"
#include "script/worker.h"

enum { INTEGER_TEXT = 24 };

/* An event as it stands in the body: STR_NONE where a field is missing. */
struct given {
    struct str entity, action, targets, everyone, session_id, user_id, entity_id, project_id, data;
};

static struct str *place_of(struct given *given, struct str name)
{
    const struct {
        struct str name;
        struct str *place;
    } fields[] = {{STR("entity"), &given->entity},
                  {STR("action"), &given->action},
                  {STR("targetUserIds"), &given->targets},
                  {STR("everyone"), &given->everyone},
                  {STR("sessionId"), &given->session_id},
                  {STR("userId"), &given->user_id},
                  {STR("entityId"), &given->entity_id},
                  {STR("projectId"), &given->project_id},
                  {STR("data"), &given->data}};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (str_eq(fields[i].name, name))
            return fields[i].place;
    return NULL;
}

/* A field that is null is not there, but for the data, of which null is a value. The last of a name counts. */
static bool read_members(struct str object, struct arena *arena, struct given *given, struct error *e)
{
    struct json_walk members = json_walk_into(object);
    struct str key;
    struct str name;
    struct str value;

    while (json_walk_next(&members, &key, &value)) {
        if (!json_string_text(key, arena, &name))
            return error_no_memory(e);
        struct str *place = place_of(given, name);
        if (place == NULL) {
            char text[ERROR_FIELD_MAX];
            snprintf(text, sizeof text, "%.*s", STR_ARG(name));
            return error_field(e, text,
                               "%s is not a field of an event; there are entity, action, entityId, projectId, userId, "
                               "sessionId, targetUserIds, everyone and data",
                               text);
        }
        *place = json_kind_of(value) == JSON_NULL && place != &given->data ? STR_NONE : value;
    }
    return true;
}

static bool read_string(struct str value, const char *field, struct arena *arena, struct str *out, struct error *e)
{
    if (value.len == 0)
        return true;
    if (json_kind_of(value) != JSON_STRING)
        return error_field(e, field, "%s must be a string", field);
    return json_string_text(value, arena, out) || error_no_memory(e);
}

/* Numbers and strings name the same thing. Returns false, with an empty message, for what is no id. */
static bool read_id(struct str value, struct arena *arena, struct str *id, struct error *e)
{
    char text[INTEGER_TEXT];
    int64_t number;

    e->message[0] = '\0';
    if (json_kind_of(value) == JSON_STRING)
        return json_string_text(value, arena, id) || error_no_memory(e);
    if (json_kind_of(value) != JSON_NUMBER || !json_integer(value, &number))
        return false;
    int len = snprintf(text, sizeof text, "%" PRId64, number);
    *id = arena_copy(arena, (struct str){text, (size_t)len});
    return id->ptr != NULL || error_no_memory(e);
}

static bool read_id_field(struct str value, const char *field, bool may_be_false, struct arena *arena, struct str *id,
                          struct error *e)
{
    if (value.len == 0 || (may_be_false && json_kind_of(value) == JSON_FALSE))
        return true;
    if (read_id(value, arena, id, e))
        return true;
    if (e->message[0] != '\0')
        return false;
    return error_field(e, field, "%s must be a string%s", field,
                       may_be_false ? ", an integer or false" : " or an integer");
}

static bool check_entity(const struct app *app, struct str entity, struct error *e)
{
    if (entity.len == 0 || app_has_entity(app, entity))
        return true; /* event_create says that it is missing */
    return error_field(e, "entity", "the entity '%.*s' is not declared; declare it with app:entity", STR_ARG(entity));
}

static bool read_targets(const struct job *job, struct str list, struct event_fields *f, struct error *e)
{
    struct arena *arena = &job->ex->arena;
    struct json_walk elements = json_walk_into(list);
    struct str none;
    struct str value;

    while (json_walk_next(&elements, &none, &value))
        f->target_count++;
    if (f->target_count > job->limits->event_targets)
        return error_field(e, "targetUserIds", "targetUserIds names more users than an event may have");
    struct str *targets = arena_alloc(arena, (f->target_count + 1) * sizeof *targets);
    if (targets == NULL)
        return error_no_memory(e);
    f->targets = targets;
    elements = json_walk_into(list);
    while (json_walk_next(&elements, &none, &value)) {
        if (read_id(value, arena, targets++, e))
            continue;
        if (e->message[0] == '\0')
            (void)error_field(e, "targetUserIds", "targetUserIds must hold user ids: strings or integers");
        return false;
    }
    return true;
}

static bool read_audience(const struct job *job, const struct given *given, struct event_fields *f, struct error *e)
{
    if (given->everyone.len > 0) {
        if (json_kind_of(given->everyone) != JSON_TRUE || given->targets.len > 0)
            return error_field(e, "everyone", "everyone must be true, and goes without targetUserIds");
        f->everyone = true;
        return true;
    }
    if (given->targets.len == 0)
        return error_field(e, "targetUserIds",
                           "targetUserIds is missing; give a list of user ids, or \"everyone\": true");
    if (json_kind_of(given->targets) != JSON_LIST)
        return error_field(
            e, "targetUserIds",
            "targetUserIds must be a list of user ids; for all users give \"everyone\": true in its place");
    return read_targets(job, given->targets, f, e);
}

/* The fields are parts of the body, or in the exchange's arena; the data is in `text`. */
static bool read_event(const struct job *job, const struct app *app, struct str object, struct event_fields *f,
                       struct buf *text, struct error *e)
{
    struct arena *arena = &job->ex->arena;
    struct given given = {0};

    if (json_kind_of(object) != JSON_OBJECT)
        return error_field(e, "", "an event must be a JSON object");
    if (!read_members(object, arena, &given, e) || !read_string(given.entity, "entity", arena, &f->entity, e) ||
        !read_string(given.action, "action", arena, &f->action, e) ||
        !read_id_field(given.session_id, "sessionId", true, arena, &f->session_id, e) ||
        !read_id_field(given.user_id, "userId", true, arena, &f->user_id, e) ||
        !read_id_field(given.entity_id, "entityId", false, arena, &f->entity_id, e) ||
        !read_id_field(given.project_id, "projectId", false, arena, &f->project_id, e) ||
        !check_entity(app, f->entity, e) || !read_audience(job, &given, f, e))
        return false;
    text->len = 0;
    json_append_compact(text, given.data);
    if (text->failed)
        return error_no_memory(e);
    if (text->len > job->limits->event_bytes)
        return error_field(e, "data", "data is larger than an event's data may be");
    f->data = buf_str(text);
    return true;
}

static bool emit_one(struct job *job, const struct app *app, struct str object, struct buf *text, struct error *e)
{
    struct event_fields f = {0};

    if (!read_event(job, app, object, &f, text, e) || !emit_count(job, emit_bytes(&f), e))
        return false;
    struct event *draft = event_create(&f, e);
    if (draft == NULL)
        return false;
    if (worker_add_event(job->worker, draft))
        return true;
    event_unref(draft);
    return error_no_memory(e);
}

static void refuse(struct exchange *ex, const struct error *e, size_t number)
{
    char message[ERROR_MESSAGE_MAX + 32];

    if (strcmp(e->code, "out_of_memory") == 0) {
        response_set_error_for_now(ex, 503, e->code, e->message, 1);
        return;
    }
    if (number > 0)
        snprintf(message, sizeof message, "event %zu: %s", number, e->message);
    else
        snprintf(message, sizeof message, "%s", e->message);
    response_set_error(ex, 400, e->code, message, e->field);
}

static bool emit_all(struct job *job, const struct app *app, struct str body, size_t *emitted)
{
    struct json_walk events = json_walk_into(body);
    bool list = json_kind_of(body) == JSON_LIST;
    struct buf text = BUF_EMPTY;
    struct error e;
    struct str none;
    struct str event = body;
    bool ok = true;

    *emitted = 0;
    while (ok && (list ? json_walk_next(&events, &none, &event) : *emitted == 0)) {
        ok = emit_one(job, app, event, &text, &e);
        *emitted += ok ? 1 : 0;
    }
    buf_free(&text);
    if (!ok)
        refuse(job->ex, &e, list ? *emitted + 1 : 0);
    return ok;
}

/* application/json, or a type of its family (RFC 6839 section 3.1). */
static bool is_json(struct str content_type)
{
    static const struct str top = {"application/", 12};
    static const struct str suffix = {"+json", 5};
    struct str kind = STR_NONE; /* where the header is missing there is nothing to split */

    (void)str_split(&content_type, ';', &kind);
    kind = str_trim(kind);
    if (kind.len < top.len || !str_eq_nocase((struct str){kind.ptr, top.len}, top))
        return false;
    kind = str_from(kind, top.len);
    return str_eq_nocase(kind, STR("json")) ||
           (kind.len >= suffix.len && str_eq_nocase(str_from(kind, kind.len - suffix.len), suffix));
}

void emit_api_run(struct job *job, const struct app *app)
{
    struct exchange *ex = job->ex;
    struct str body = ex->request.body;
    struct error e;
    size_t emitted;

    if (!is_json(pairs_get(&ex->request.headers, STR("content-type")))) {
        response_set_error(ex, 415, "unsupported_media_type", "the body must come with Content-Type: application/json",
                           "");
        return;
    }
    if (!json_scan(body, STR_NONE, NULL, &e)) {
        refuse(ex, &e, 0);
        return;
    }
    body = json_root(body);
    if (json_kind_of(body) != JSON_OBJECT && json_kind_of(body) != JSON_LIST) {
        response_set_error(ex, 400, "invalid_json", "the body must be a JSON object or list", "");
        return;
    }
    if (!emit_all(job, app, body, &emitted))
        return;
    ex->response.status = 200;
    buf_printf(&ex->response.body, "{\"emitted\":%zu}", emitted);
    if (!response_add_header(ex, STR("Content-Type"), STR("application/json"), NULL))
        response_set_error_for_now(ex, 503, "out_of_memory", "the server is short of memory", 1);
}
