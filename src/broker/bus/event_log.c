#include "bus/event_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"

/*
 * A queue of event numbers that grows at its end and is dropped from its front. Entries are addressed by a
 * count since the queue's birth, modulo 2^32, which is what cursors hold: an address below `base` is one that
 * was dropped.
 */
struct numbers {
    uint32_t *at; /* owned; capacity is a power of two, or 0 */
    uint32_t capacity;
    uint32_t base; /* the address of the first entry */
    uint32_t count;
};

struct log_user {
    uint64_t hash;
    struct list subscribers;
    struct list connected; /* of the log's, while there are subscribers */
    struct numbers own;    /* the events meant for this user, wide ones excepted */
    struct str id;         /* behind the struct */
};

/* Events are numbered by the log, modulo 2^32; positions may have holes, numbers have none. */
struct event_log {
    struct event_log_limits limits;
    struct counters *counters;
    event_log_on_event *on_event;
    void *context;
    struct map users;      /* of struct log_user, owned */
    struct list connected; /* those with subscribers: an event for everyone costs nothing for the others */
    struct event **ring;
    uint32_t capacity; /* a power of two */
    uint32_t first;    /* the number of the oldest event kept */
    uint32_t count;
    size_t bytes;
    uint64_t head;
    uint64_t floor;
    struct numbers wide;
};

/* Whether address or number a comes before b, in a window far smaller than 2^31. */
static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static bool numbers_resize(struct numbers *q, uint32_t capacity)
{
    uint32_t *at = malloc(capacity * sizeof *at);

    if (at == NULL)
        return false;
    for (uint32_t i = 0; i < q->count; i++)
        at[(q->base + i) & (capacity - 1)] = q->at[(q->base + i) & (q->capacity - 1)];
    free(q->at);
    q->at = at;
    q->capacity = capacity;
    return true;
}

static bool numbers_push(struct numbers *q, uint32_t number)
{
    if (q->count == q->capacity && !numbers_resize(q, q->capacity == 0 ? 4 : q->capacity * 2))
        return false;
    q->at[(q->base + q->count) & (q->capacity - 1)] = number;
    q->count++;
    return true;
}

static uint32_t numbers_get(const struct numbers *q, uint32_t address)
{
    return q->at[address & (q->capacity - 1)];
}

static uint32_t numbers_end(const struct numbers *q)
{
    return q->base + q->count;
}

/* Drops the front entry if it is `number`, and gives memory back once little of it is used. */
static void numbers_drop(struct numbers *q, uint32_t number)
{
    if (q->count == 0 || numbers_get(q, q->base) != number)
        return;
    q->base++;
    q->count--;
    if (q->count == 0) {
        free(q->at);
        q->at = NULL;
        q->capacity = 0;
    } else if (q->capacity > 16 && q->count <= q->capacity / 4) {
        (void)numbers_resize(q, q->capacity / 2); /* short of memory, it stays as large as it is */
    }
}

/* The address of the first entry that is not before `number`. */
static uint32_t numbers_seek(const struct numbers *q, uint32_t number)
{
    uint32_t low = 0;
    uint32_t high = q->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(numbers_get(q, q->base + middle), number))
            low = middle + 1;
        else
            high = middle;
    }
    return q->base + low;
}

static void numbers_clear(struct numbers *q)
{
    free(q->at);
    q->at = NULL;
    q->capacity = 0;
    q->base += q->count;
    q->count = 0;
}

static bool user_matches(const void *value, const void *key)
{
    const struct log_user *user = value;

    return str_eq(user->id, *(const struct str *)key);
}

static struct log_user *find_user(const struct event_log *log, struct str id, uint64_t hash)
{
    return map_find(&log->users, hash, user_matches, &id);
}

static struct log_user *find_or_add_user(struct event_log *log, struct str id, uint64_t hash)
{
    struct log_user *user = find_user(log, id, hash);

    if (user != NULL)
        return user;
    user = malloc(sizeof *user + id.len);
    if (user == NULL)
        return NULL;
    char *copy = (char *)(user + 1);
    if (id.len > 0)
        memcpy(copy, id.ptr, id.len);
    *user = (struct log_user){.hash = hash, .id = {copy, id.len}};
    list_init(&user->subscribers);
    list_init(&user->connected);
    if (!map_insert(&log->users, hash, user)) {
        free(user);
        return NULL;
    }
    return user;
}

static void release_user(struct event_log *log, struct log_user *user)
{
    if (!list_empty(&user->subscribers) || user->own.count > 0)
        return;
    map_remove(&log->users, user->hash, user);
    free(user->own.at);
    free(user);
}

static bool is_wide(const struct event_log *log, const struct event *ev)
{
    return ev->everyone || ev->target_count > log->limits.wide_targets;
}

static struct event *event_at(const struct event_log *log, uint32_t number)
{
    return log->ring[number & (log->capacity - 1)];
}

struct event_log *event_log_create(const struct event_log_limits *limits, uint64_t position, struct counters *counters,
                                   event_log_on_event *on_event, void *context)
{
    struct event_log *log = calloc(1, sizeof *log);

    if (log == NULL)
        return NULL;
    log->limits = *limits;
    log->counters = counters;
    log->on_event = on_event;
    log->context = context;
    log->head = position;
    log->floor = position;
    list_init(&log->connected);
    return log;
}

static void drop_first(struct event_log *log)
{
    uint32_t number = log->first;
    struct event *ev = event_at(log, number);

    if (is_wide(log, ev)) {
        numbers_drop(&log->wide, number);
    } else {
        for (size_t i = 0; i < ev->target_count; i++) {
            struct log_user *user = find_user(log, ev->targets[i].user_id, ev->targets[i].hash);
            if (user == NULL)
                continue;
            numbers_drop(&user->own, number);
            release_user(log, user);
        }
    }
    log->first++;
    log->count--;
    log->bytes -= event_weight(ev);
    log->floor = ev->position;
    counter_add(log->counters, COUNT_LOG_TRIMMED, 1);
    event_unref(ev);
}

void event_log_free(struct event_log *log)
{
    if (log == NULL)
        return;
    while (log->count > 0)
        drop_first(log);
    numbers_clear(&log->wide);
    map_free(&log->users);
    free(log->ring);
    free(log);
}

void event_log_trim(struct event_log *log, uint64_t wall_ms)
{
    while (log->count > 0) {
        const struct event *oldest = event_at(log, log->first);
        bool old = wall_ms > oldest->timestamp_ms && wall_ms - oldest->timestamp_ms > log->limits.max_age_ms;
        if (!old && log->count <= log->limits.max_events && log->bytes <= log->limits.max_bytes)
            return;
        drop_first(log);
    }
}

static void touch(struct event_log *log, struct subscriber *s)
{
    if (s->behind)
        return;
    s->behind = true;
    log->on_event(log->context, s);
}

void event_log_gap(struct event_log *log, uint64_t position)
{
    while (log->count > 0)
        drop_first(log);
    log->head = position;
    log->floor = position;
    for (struct list *at = log->connected.next; at != &log->connected; at = at->next) {
        const struct log_user *user = list_entry(at, struct log_user, connected);
        for (struct list *node = user->subscribers.next; node != &user->subscribers; node = node->next) {
            struct subscriber *s = list_entry(node, struct subscriber, of_user);
            s->gap = true;
            touch(log, s);
        }
    }
}

static bool make_room(struct event_log *log)
{
    if (log->count < log->capacity)
        return true;
    uint32_t capacity = log->capacity == 0 ? 64 : log->capacity * 2;
    struct event **ring = malloc(capacity * sizeof(struct event *));
    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < log->count; i++)
        ring[(log->first + i) & (capacity - 1)] = event_at(log, log->first + i);
    free(log->ring);
    log->ring = ring;
    log->capacity = capacity;
    return true;
}

/*
 * A subscriber that was level has, by definition, nothing to see before event `number`: every earlier one
 * that concerned it was taken. So its cursor may jump over the wide events of others, which never touched it.
 */
static void touch_at(struct event_log *log, struct subscriber *s, bool wide)
{
    if (!s->behind) {
        s->cursor.wide = numbers_end(&log->wide) - (wide ? 1 : 0);
        s->cursor.own = numbers_end(&s->user->own) - (wide ? 0 : 1);
    }
    touch(log, s);
}

static void touch_user(struct event_log *log, const struct log_user *user, bool wide)
{
    for (struct list *node = user->subscribers.next; node != &user->subscribers; node = node->next)
        touch_at(log, list_entry(node, struct subscriber, of_user), wide);
}

static bool note_wide(struct event_log *log, const struct event *ev, uint32_t number)
{
    if (!numbers_push(&log->wide, number))
        return false;
    for (struct list *at = log->connected.next; ev->everyone && at != &log->connected; at = at->next)
        touch_user(log, list_entry(at, struct log_user, connected), true);
    for (size_t i = 0; i < ev->target_count; i++) {
        const struct log_user *user = find_user(log, ev->targets[i].user_id, ev->targets[i].hash);
        if (user != NULL)
            touch_user(log, user, true);
    }
    return true;
}

static bool note_for_each(struct event_log *log, const struct event *ev, uint32_t number)
{
    for (size_t i = 0; i < ev->target_count; i++) {
        struct log_user *user = find_or_add_user(log, ev->targets[i].user_id, ev->targets[i].hash);
        if (user == NULL)
            return false;
        if (!numbers_push(&user->own, number)) {
            release_user(log, user);
            return false;
        }
        touch_user(log, user, false);
    }
    return true;
}

void event_log_append(struct event_log *log, struct event *ev)
{
    if (!make_room(log)) {
        event_log_gap(log, ev->position);
        return;
    }
    uint32_t number = log->first + log->count;
    log->ring[number & (log->capacity - 1)] = event_ref(ev);
    log->count++;
    log->bytes += event_weight(ev);
    log->head = ev->position;
    counter_add(log->counters, COUNT_LOG_APPENDED, 1);
    if (is_wide(log, ev) ? !note_wide(log, ev, number) : !note_for_each(log, ev, number)) {
        event_log_gap(log, ev->position);
        return;
    }
    event_log_trim(log, ev->timestamp_ms);
}

uint64_t event_log_head(const struct event_log *log)
{
    return log->head;
}

uint64_t event_log_floor(const struct event_log *log)
{
    return log->floor;
}

bool event_log_subscribe(struct event_log *log, struct subscriber *s, struct str user_id)
{
    struct log_user *user = find_or_add_user(log, user_id, hash_str(user_id));

    if (user == NULL)
        return false;
    *s = (struct subscriber){.user = user};
    if (list_empty(&user->subscribers))
        list_push(&log->connected, &user->connected);
    list_push(&user->subscribers, &s->of_user);
    event_log_skip(log, s);
    return true;
}

void event_log_unsubscribe(struct event_log *log, struct subscriber *s)
{
    struct log_user *user = s->user;

    if (user == NULL)
        return;
    list_remove(&s->of_user);
    s->user = NULL;
    if (list_empty(&user->subscribers))
        list_remove(&user->connected);
    release_user(log, user);
}

void event_log_skip(struct event_log *log, struct subscriber *s)
{
    s->cursor = (struct log_cursor){numbers_end(&s->user->own), numbers_end(&log->wide)};
    s->gap = false;
    s->behind = false;
}

/* The number of the first event kept whose position is above `position`. */
static uint32_t number_behind(const struct event_log *log, uint64_t position)
{
    uint32_t low = 0;
    uint32_t high = log->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (event_at(log, log->first + middle)->position <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return log->first + low;
}

bool event_log_seek(struct event_log *log, struct subscriber *s, uint64_t position)
{
    event_log_skip(log, s);
    if (position < log->floor || position > log->head)
        return false;
    if (position < log->head) {
        uint32_t number = number_behind(log, position);
        s->cursor.own = numbers_seek(&s->user->own, number);
        s->cursor.wide = numbers_seek(&log->wide, number);
        s->behind = true;
    }
    return true;
}

enum log_walk event_log_next(struct event_log *log, const struct subscriber *s, struct log_cursor *cursor,
                             struct event **ev)
{
    const struct numbers *own = &s->user->own;
    const struct numbers *wide = &log->wide;

    if (!s->behind) /* its cursor is left where it was when it became level, and may be behind the log by now
                     */
        return LOG_END;
    if (s->gap || before(cursor->own, own->base) || before(cursor->wide, wide->base))
        return LOG_LOST;
    for (;;) {
        bool has_own = cursor->own != numbers_end(own);
        bool has_wide = cursor->wide != numbers_end(wide);
        if (!has_own && !has_wide)
            return LOG_END;
        if (has_own && (!has_wide || before(numbers_get(own, cursor->own), numbers_get(wide, cursor->wide)))) {
            *ev = event_at(log, numbers_get(own, cursor->own++));
            return LOG_EVENT;
        }
        *ev = event_at(log, numbers_get(wide, cursor->wide++));
        if (event_concerns(*ev, s->user->id, s->user->hash))
            return LOG_EVENT;
    }
}

void event_log_level(struct subscriber *s)
{
    s->behind = false;
}

const struct list *event_log_subscribers(const struct event_log *log, struct str user_id)
{
    const struct log_user *user = find_user(log, user_id, hash_str(user_id));

    return user == NULL || list_empty(&user->subscribers) ? NULL : &user->subscribers;
}

struct str event_log_user_id(const struct subscriber *s)
{
    return s->user->id;
}
