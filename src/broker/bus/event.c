#include "bus/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "bus/sse.h"

/* Of the names of a payload's members and its timestamp; of the fields of a frame, and its id. */
enum { PAYLOAD_NAMES = 128, FRAME_NAMES = 64 + POSITION_TEXT_MAX };

bool event_name_valid(struct str name)
{
    if (name.len == 0 || name.len > EVENT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.ptr[i]);
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        if (!letter && (i == 0 || !other))
            return false;
    }
    return true;
}

bool event_id_valid(struct str id)
{
    if (id.len == 0 || id.len > EVENT_ID_MAX || !utf8_valid(id))
        return false;
    for (size_t i = 0; i < id.len; i++)
        if ((unsigned char)id.ptr[i] < 0x20 || id.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool check_name(const char *field, struct str name, struct error *e)
{
    if (name.len == 0)
        return error_field(e, field, "%s is missing", field);
    if (!event_name_valid(name))
        return error_field(e, field,
                           "%s must be a letter followed by letters, digits, '_', '-' or '.', at most %d in all", field,
                           EVENT_NAME_MAX);
    return true;
}

static bool check_optional_id(const char *field, struct str id, struct error *e)
{
    if (id.len > 0 && !event_id_valid(id))
        return error_field(e, field, "%s must be at most %d bytes of UTF-8 without control characters", field,
                           EVENT_ID_MAX);
    return true;
}

static bool check_fields(const struct event_fields *f, struct error *e)
{
    if (!check_name("entity", f->entity, e) || !check_name("action", f->action, e) ||
        !check_optional_id("entityId", f->entity_id, e) || !check_optional_id("projectId", f->project_id, e) ||
        !check_optional_id("userId", f->user_id, e) || !check_optional_id("sessionId", f->session_id, e))
        return false;
    for (size_t i = 0; i < f->target_count; i++)
        if (!event_id_valid(f->targets[i]))
            return error_field(
                e, "targetUserIds",
                "targetUserIds[%zu] must be a user id: 1 to %d bytes of UTF-8 without control characters", i + 1,
                EVENT_ID_MAX);
    return true;
}

/* Copies `s` to *at, moves *at behind the copy, and returns the copy. */
static struct str store(char **at, struct str s)
{
    struct str copy = {*at, s.len};

    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static int by_hash_and_id(const void *left, const void *right)
{
    const struct event_target *a = left;
    const struct event_target *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->user_id.len != b->user_id.len)
        return a->user_id.len < b->user_id.len ? -1 : 1;
    return memcmp(a->user_id.ptr, b->user_id.ptr, a->user_id.len);
}

/* Writes the targets to `out`, sorted, each once, their ids still the caller's. Returns how many there are. */
static size_t fold_targets(const struct event_fields *f, struct event_target *out)
{
    size_t count = 0;

    for (size_t i = 0; i < f->target_count; i++)
        out[i] = (struct event_target){hash_str(f->targets[i]), f->targets[i]};
    if (f->target_count > 1)
        qsort(out, f->target_count, sizeof *out, by_hash_and_id);
    for (size_t i = 0; i < f->target_count; i++)
        if (count == 0 || by_hash_and_id(&out[count - 1], &out[i]) != 0)
            out[count++] = out[i];
    return count;
}

static struct event *allocate(const struct event_fields *f, const struct event_target *targets, size_t count)
{
    size_t size = sizeof(struct event) + count * sizeof *targets + f->entity.len + f->action.len + f->entity_id.len +
                  f->project_id.len + f->user_id.len + f->session_id.len;
    size_t target_bytes = 0;

    for (size_t i = 0; i < count; i++)
        target_bytes += targets[i].user_id.len;
    struct event *ev = calloc(1, size + target_bytes);
    if (ev == NULL)
        return NULL;
    ev->size = size + target_bytes;
    ev->target_bytes = target_bytes;
    ev->targets = (struct event_target *)(void *)(ev + 1);
    ev->target_count = count;
    char *at = (char *)(ev->targets + count);
    for (size_t i = 0; i < count; i++)
        ev->targets[i] = (struct event_target){targets[i].hash, store(&at, targets[i].user_id)};
    ev->entity = store(&at, f->entity);
    ev->action = store(&at, f->action);
    ev->entity_id = store(&at, f->entity_id);
    ev->project_id = store(&at, f->project_id);
    ev->user_id = store(&at, f->user_id);
    ev->session_id = store(&at, f->session_id);
    return ev;
}

static bool copy_data(struct event *ev, struct str data)
{
    if (data.len == 0)
        return true;
    ev->data = malloc(data.len);
    if (ev->data == NULL)
        return false;
    memcpy(ev->data, data.ptr, data.len);
    ev->data_len = data.len;
    return true;
}

struct event *event_create(const struct event_fields *fields, struct error *e)
{
    struct event_fields f = *fields;
    struct event_target *targets = NULL;
    size_t count = 0;

    if (f.everyone)
        f.target_count = 0;
    if (!check_fields(&f, e))
        return NULL;
    if (f.target_count > 0) {
        targets = malloc(f.target_count * sizeof *targets);
        if (targets == NULL) {
            (void)error_no_memory(e);
            return NULL;
        }
        count = fold_targets(&f, targets);
    }
    struct event *ev = allocate(&f, targets, count);
    free(targets);
    if (ev == NULL || !copy_data(ev, f.data)) {
        free(ev);
        (void)error_no_memory(e);
        return NULL;
    }
    atomic_init(&ev->references, 1);
    ev->everyone = f.everyone;
    return ev;
}

struct event *event_create_disconnect(struct str user_id, struct str session_id, struct error *e)
{
    if (user_id.len == 0) {
        (void)error_field(e, "userId", "userId is missing");
        return NULL;
    }
    if (!check_optional_id("userId", user_id, e) || !check_optional_id("sessionId", session_id, e))
        return NULL;
    size_t size = sizeof(struct event) + user_id.len + session_id.len;
    struct event *ev = calloc(1, size);
    if (ev == NULL) {
        error_no_memory(e);
        return NULL;
    }
    char *at = (char *)(ev + 1);
    ev->size = size;
    atomic_init(&ev->references, 1);
    ev->kind = EVENT_DISCONNECT;
    ev->user_id = store(&at, user_id);
    ev->session_id = store(&at, session_id);
    return ev;
}

/* `name` with the comma before it, its quotes and the colon. */
static void append_member(struct buf *out, struct str name, struct str value)
{
    if (value.len == 0)
        return;
    buf_append_str(out, name);
    json_append_string(out, value);
}

static void append_payload(struct buf *out, const struct event *ev, uint64_t timestamp_ms)
{
    buf_append(out, "{\"entity\":", 10);
    json_append_string(out, ev->entity);
    append_member(out, STR(",\"action\":"), ev->action);
    append_member(out, STR(",\"entityId\":"), ev->entity_id);
    append_member(out, STR(",\"projectId\":"), ev->project_id);
    append_member(out, STR(",\"userId\":"), ev->user_id);
    append_member(out, STR(",\"sessionId\":"), ev->session_id);
    buf_append(out, ",\"timestamp\":", 13);
    buf_append_u64(out, timestamp_ms);
    if (ev->data != NULL) {
        buf_append(out, ",\"data\":", 8);
        buf_append(out, ev->data, ev->data_len);
    }
    buf_append_char(out, '}');
}

static bool build_frame(struct event *ev, const struct generation *g, uint64_t position, uint64_t timestamp_ms,
                        struct error *e)
{
    char id[POSITION_TEXT_MAX];
    struct buf payload = BUF_EMPTY;
    struct buf frame = BUF_EMPTY;

    /* About what it comes to, so that the buffers need not grow step by step. */
    size_t texts =
        ev->entity.len + ev->action.len + ev->entity_id.len + ev->project_id.len + ev->user_id.len + ev->session_id.len;
    (void)buf_reserve(&payload, PAYLOAD_NAMES + texts + ev->data_len);
    append_payload(&payload, ev, timestamp_ms);
    (void)buf_reserve(&frame, FRAME_NAMES + payload.len);
    bool ok = payload.failed ? error_no_memory(e)
                             : sse_append_event(&frame,
                                                &(struct sse_event){.id = position_text(id, g, position),
                                                                    .name = STR("sync"),
                                                                    .data = buf_str(&payload)},
                                                e);
    buf_free(&payload);
    /* A log keeps it for long: in as much memory as it needs, which a growing buffer takes up to twice. */
    char *exact = ok && frame.len > 0 ? malloc(frame.len) : NULL;
    if (exact != NULL) {
        memcpy(exact, frame.data, frame.len);
        ev->frame = exact;
        ev->frame_len = frame.len;
    }
    buf_free(&frame);
    return exact != NULL || (ok && error_no_memory(e));
}

bool event_seal(struct event *ev, const struct generation *g, uint64_t position, uint64_t timestamp_ms, struct error *e)
{
    if (ev->kind == EVENT_SYNC && !build_frame(ev, g, position, timestamp_ms, e))
        return false;
    ev->position = position;
    ev->timestamp_ms = timestamp_ms;
    return true;
}

void event_drop_data(struct event *ev)
{
    free(ev->data);
    ev->data = NULL;
}

struct event *event_ref(struct event *ev)
{
    atomic_fetch_add_explicit(&ev->references, 1, memory_order_relaxed);
    return ev;
}

void event_unref(struct event *ev)
{
    if (ev == NULL || atomic_fetch_sub_explicit(&ev->references, 1, memory_order_acq_rel) != 1)
        return;
    free(ev->data);
    free(ev->frame);
    free(ev);
}

bool event_concerns(const struct event *ev, struct str user_id, uint64_t hash)
{
    struct event_target wanted = {hash, user_id};

    if (ev->everyone)
        return true;
    return bsearch(&wanted, ev->targets, ev->target_count, sizeof *ev->targets, by_hash_and_id) != NULL;
}

bool event_is_echo(const struct event *ev, struct str user_id, struct str session_id)
{
    return session_id.len > 0 && ev->session_id.len > 0 && str_eq(ev->session_id, session_id) &&
           str_eq(ev->user_id, user_id);
}
