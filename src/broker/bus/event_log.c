#include "bus/event_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"

enum {
    NUMBERS_FEW = 2,
    NUMBERS_SPARSE = 4, /* it gives memory back when it has room for more than so many times what is in it */
    RING_LEAST = 64,
    RING_SPARSE = 4,
};

/*
 * A queue of event numbers that grows at its end and is dropped from its front. Entries are addressed by a
 * count since the queue's birth, modulo 2^32, which is what cursors hold: an address below `base` is one that
 * was dropped.
 */
struct numbers {
    union {
        uint32_t few[NUMBERS_FEW]; /* while the capacity is no more */
        uint32_t *many;            /* owned */
    };
    uint32_t capacity; /* a power of two */
    uint32_t base;     /* the address of the first entry */
    uint32_t count;
};

/* The streams of a user who has some. */
struct audience {
    struct list subscribers;
    struct list connected; /* of the log's */
};

/* Small, since most users of a log are just named by an event: event_weight counts one for each target. */
struct log_user {
    uint64_t hash;
    struct audience *audience; /* owned; NULL without subscribers */
    struct numbers own;        /* the events that name this user */
    uint32_t id_len;
    char id[];
};

/* What malloc adds at most for itself; and what the map and the ring take for an entry when they are emptiest. */
enum {
    MALLOC_BYTES = 24,
    MAP_BYTES = MAP_SPARSE * sizeof(struct map_slot),
    RING_BYTES = RING_SPARSE * sizeof(struct event *)
};

/* Events are numbered by the log, modulo 2^32; positions may have holes, numbers have none. */
struct event_log {
    struct event_log_limits limits;
    struct counters *counters;
    event_log_on_event *on_event;
    void *context;
    struct map users;      /* of struct log_user, owned */
    struct list connected; /* audiences: an event for everyone costs nothing for users without one */
    struct event **ring;
    uint32_t capacity; /* a power of two */
    uint32_t first;    /* the number of the oldest event kept */
    uint32_t count;
    size_t bytes;
    uint64_t head;
    uint64_t floor;
    struct numbers everyone; /* the events for everyone, which concern whoever has missed them */
};

/* Whether address or number a comes before b, in a window far smaller than 2^31. */
static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static void numbers_init(struct numbers *q)
{
    *q = (struct numbers){.capacity = NUMBERS_FEW};
}

static void numbers_free(struct numbers *q)
{
    if (q->capacity > NUMBERS_FEW)
        free(q->many);
}

static uint32_t numbers_get(const struct numbers *q, uint32_t address)
{
    const uint32_t *at = q->capacity > NUMBERS_FEW ? q->many : q->few;

    return at[address & (q->capacity - 1)];
}

static void numbers_put(struct numbers *q, uint32_t address, uint32_t number)
{
    uint32_t *at = q->capacity > NUMBERS_FEW ? q->many : q->few;

    at[address & (q->capacity - 1)] = number;
}

static bool numbers_resize(struct numbers *q, uint32_t capacity)
{
    struct numbers next = {.capacity = capacity, .base = q->base, .count = q->count};

    if (capacity > NUMBERS_FEW) {
        next.many = malloc(capacity * sizeof *next.many);
        if (next.many == NULL)
            return false;
    }
    for (uint32_t address = q->base; address != q->base + q->count; address++)
        numbers_put(&next, address, numbers_get(q, address));
    numbers_free(q);
    *q = next;
    return true;
}

static bool numbers_push(struct numbers *q, uint32_t number)
{
    if (q->count == q->capacity && !numbers_resize(q, q->capacity * 2))
        return false;
    numbers_put(q, q->base + q->count, number);
    q->count++;
    return true;
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
    if (q->capacity > NUMBERS_FEW && q->count <= q->capacity / NUMBERS_SPARSE)
        (void)numbers_resize(q, q->capacity / 2); /* short of memory, it stays as large as it is */
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

static struct str id_of(const struct log_user *user)
{
    return (struct str){user->id, user->id_len};
}

static bool user_matches(const void *value, const void *key)
{
    return str_eq(id_of(value), *(const struct str *)key);
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
    *user = (struct log_user){.hash = hash, .id_len = (uint32_t)id.len};
    numbers_init(&user->own);
    if (id.len > 0)
        memcpy(user->id, id.ptr, id.len);
    if (!map_insert(&log->users, hash, user)) {
        free(user);
        return NULL;
    }
    return user;
}

static void release_user(struct event_log *log, struct log_user *user)
{
    if (user->audience != NULL || user->own.count > 0)
        return;
    map_remove(&log->users, user->hash, user);
    numbers_free(&user->own);
    free(user);
}

static struct event *event_at(const struct event_log *log, uint32_t number)
{
    return log->ring[number & (log->capacity - 1)];
}

size_t event_weight(const struct event *ev)
{
    return ev->size + MALLOC_BYTES + ev->frame_len + MALLOC_BYTES + RING_BYTES + ev->target_bytes +
           ev->target_count * (sizeof(struct log_user) + MALLOC_BYTES + MAP_BYTES);
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
    numbers_init(&log->everyone);
    return log;
}

static bool resize_ring(struct event_log *log, uint32_t capacity)
{
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

static void forget_number(struct event_log *log, const struct event *ev, uint32_t number)
{
    if (ev->everyone)
        numbers_drop(&log->everyone, number);
    for (size_t i = 0; i < ev->target_count; i++) {
        struct log_user *user = find_user(log, ev->targets[i].user_id, ev->targets[i].hash);
        if (user == NULL)
            continue;
        numbers_drop(&user->own, number);
        release_user(log, user);
    }
}

static void drop_first(struct event_log *log)
{
    struct event *ev = event_at(log, log->first);

    forget_number(log, ev, log->first);
    log->first++;
    log->count--;
    if (log->capacity > RING_LEAST && log->count <= log->capacity / RING_SPARSE)
        (void)resize_ring(log, log->capacity / 2); /* short of memory, it stays as large as it is */
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
    numbers_free(&log->everyone);
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

static void touch(struct event_log *log, const struct audience *audience, bool gap)
{
    for (struct list *node = audience->subscribers.next; node != &audience->subscribers; node = node->next) {
        struct subscriber *s = list_entry(node, struct subscriber, of_user);
        s->gap |= gap;
        if (s->behind)
            continue;
        s->behind = true;
        log->on_event(log->context, s);
    }
}

static void touch_everyone(struct event_log *log, bool gap)
{
    for (struct list *at = log->connected.next; at != &log->connected; at = at->next)
        touch(log, list_entry(at, struct audience, connected), gap);
}

void event_log_gap(struct event_log *log, uint64_t position)
{
    while (log->count > 0)
        drop_first(log);
    log->head = position;
    log->floor = position;
    touch_everyone(log, true);
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
        if (user->audience != NULL)
            touch(log, user->audience, false);
    }
    return true;
}

static bool note_for_everyone(struct event_log *log, uint32_t number)
{
    if (!numbers_push(&log->everyone, number))
        return false;
    touch_everyone(log, false);
    return true;
}

void event_log_append(struct event_log *log, struct event *ev)
{
    if (log->count == log->capacity && !resize_ring(log, log->capacity == 0 ? RING_LEAST : log->capacity * 2)) {
        event_log_gap(log, ev->position);
        return;
    }
    uint32_t number = log->first + log->count;
    log->ring[number & (log->capacity - 1)] = event_ref(ev);
    log->count++;
    log->bytes += event_weight(ev);
    log->head = ev->position;
    counter_add(log->counters, COUNT_LOG_APPENDED, 1);
    if (ev->everyone ? !note_for_everyone(log, number) : !note_for_each(log, ev, number)) {
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

static struct audience *find_or_add_audience(struct event_log *log, struct log_user *user)
{
    if (user->audience != NULL)
        return user->audience;
    struct audience *audience = malloc(sizeof *audience);
    if (audience == NULL)
        return NULL;
    list_init(&audience->subscribers);
    list_init(&audience->connected);
    list_push(&log->connected, &audience->connected);
    user->audience = audience;
    return audience;
}

bool event_log_subscribe(struct event_log *log, struct subscriber *s, struct str user_id)
{
    struct log_user *user = find_or_add_user(log, user_id, hash_str(user_id));

    if (user == NULL)
        return false;
    struct audience *audience = find_or_add_audience(log, user);
    if (audience == NULL) {
        release_user(log, user);
        return false;
    }
    *s = (struct subscriber){.user = user};
    list_push(&audience->subscribers, &s->of_user);
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
    if (!list_empty(&user->audience->subscribers))
        return;
    list_remove(&user->audience->connected);
    free(user->audience);
    user->audience = NULL;
    release_user(log, user);
}

void event_log_skip(struct event_log *log, struct subscriber *s)
{
    s->cursor = (struct log_cursor){numbers_end(&s->user->own), numbers_end(&log->everyone)};
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

struct event *event_log_find(const struct event_log *log, uint64_t position)
{
    uint32_t behind = number_behind(log, position);

    if (behind == log->first)
        return NULL;
    struct event *ev = event_at(log, behind - 1);
    return ev->position == position ? ev : NULL;
}

bool event_log_seek(struct event_log *log, struct subscriber *s, uint64_t position)
{
    event_log_skip(log, s);
    if (position < log->floor || position > log->head)
        return false;
    if (position < log->head) {
        uint32_t number = number_behind(log, position);
        s->cursor.own = numbers_seek(&s->user->own, number);
        s->cursor.everyone = numbers_seek(&log->everyone, number);
        s->behind = true;
    }
    return true;
}

static bool has_lost(const struct event_log *log, const struct subscriber *s, const struct log_cursor *cursor)
{
    return s->gap || before(cursor->own, s->user->own.base) || before(cursor->everyone, log->everyone.base);
}

/* A level subscriber's cursor is at the end: whatever is noted makes it behind. */
enum log_walk event_log_next(struct event_log *log, const struct subscriber *s, struct log_cursor *cursor,
                             struct event **ev)
{
    const struct numbers *own = &s->user->own;
    const struct numbers *everyone = &log->everyone;

    if (has_lost(log, s, cursor))
        return LOG_LOST;
    bool has_own = cursor->own != numbers_end(own);
    bool has_common = cursor->everyone != numbers_end(everyone);
    if (!has_own && !has_common)
        return LOG_END;
    counter_add(log->counters, COUNT_LOG_STEPS, 1);
    bool next_is_own =
        has_own && (!has_common || before(numbers_get(own, cursor->own), numbers_get(everyone, cursor->everyone)));
    *ev = event_at(log, next_is_own ? numbers_get(own, cursor->own++) : numbers_get(everyone, cursor->everyone++));
    return LOG_EVENT;
}

enum log_progress event_log_progress(const struct event_log *log, const struct subscriber *s, uint64_t position)
{
    if (!s->behind)
        return position <= log->head ? LOG_PASSED : LOG_AHEAD;
    if (has_lost(log, s, &s->cursor))
        return LOG_MISSED;
    uint32_t number = number_behind(log, position);
    bool passed = !before(s->cursor.own, numbers_seek(&s->user->own, number)) &&
                  !before(s->cursor.everyone, numbers_seek(&log->everyone, number));
    return passed && position <= log->head ? LOG_PASSED : LOG_AHEAD;
}

void event_log_level(struct subscriber *s)
{
    s->behind = false;
}

const struct list *event_log_subscribers(const struct event_log *log, struct str user_id)
{
    const struct log_user *user = find_user(log, user_id, hash_str(user_id));

    return user == NULL || user->audience == NULL ? NULL : &user->audience->subscribers;
}

struct str event_log_user_id(const struct subscriber *s)
{
    return id_of(s->user);
}

uint64_t event_log_user_hash(const struct subscriber *s)
{
    return s->user->hash;
}
