/*
 * event.h - a sync event: what happened to which entity, and whom it concerns; or the word that a user's streams are to
 * end, which goes the same way, so that it comes behind the events that were committed with it.
 *
 * An event has two lives. As a draft it belongs to the one thread that made it, inside a transaction that may
 * still fail. event_seal gives it its place in the history and builds its frame; from then on it is immutable
 * and shared by all threads through its reference count.
 */
#ifndef PILLAR_BUS_EVENT_H
#define PILLAR_BUS_EVENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "bus/position.h"

enum { EVENT_NAME_MAX = 64, EVENT_ID_MAX = 256 };

/* The user ids that an event is meant for: a set, kept sorted by hash. */
struct event_target {
    uint64_t hash;
    struct str user_id; /* inside the event's own memory */
};

enum event_kind {
    EVENT_SYNC,
    EVENT_DISCONNECT /* ends the streams of user_id: those of session_id, or all if that is empty. Has no id, no frame */
};

struct event {
    _Atomic uint32_t references;
    size_t size; /* of this and what lies behind it: the targets, and the text of all strs */
    enum event_kind kind;
    bool everyone; /* meant for every user; targets is then empty */
    struct str entity;
    struct str action;
    struct str entity_id;  /* empty: none */
    struct str project_id; /* empty: none */
    struct str user_id;    /* the originator; empty: none */
    struct str session_id; /* the originator's session; empty: nobody is left out */
    size_t target_count;
    size_t target_bytes; /* of their ids */
    struct event_target *targets;

    char *data; /* owned JSON text; NULL: none, or dropped (it is in the frame) */
    size_t data_len;

    uint64_t position;     /* 0 until sealed; of a disconnect: that of the event it comes behind */
    uint64_t timestamp_ms; /* wall clock at the commit */
    char *frame;           /* owned; NULL until sealed */
    size_t frame_len;
};

struct event_fields {
    struct str entity;
    struct str action;
    struct str entity_id;
    struct str project_id;
    struct str user_id;
    struct str session_id;
    struct str data; /* valid JSON text, or empty */
    bool everyone;
    const struct str *targets; /* borrowed; duplicates are folded */
    size_t target_count;
};

/*
 * Makes a draft that holds copies of all fields; the caller owns the one reference. No targets at all are allowed: the
 * event then concerns nobody. For an event that is meant for everyone, targets are not looked at. Failure: NULL with
 * "invalid_field" and the field's name (a missing or malformed entity or action; an id that is empty, too long, not
 * UTF-8 or has control characters), or "out_of_memory".
 */
struct event *event_create(const struct event_fields *fields, struct error *e);

/*
 * Makes a draft of the word that ends streams; the caller owns the one reference. Failure: NULL with "invalid_field"
 * for a user that is missing or malformed or a malformed session, or "out_of_memory".
 */
struct event *event_create_disconnect(struct str user_id, struct str session_id, struct error *e);

/*
 * Gives a draft its place and its time and builds the frame. Failure: false with "out_of_memory"; the event
 * is still a draft.
 */
bool event_seal(struct event *ev, const struct generation *g, uint64_t position, uint64_t timestamp_ms,
                struct error *e);

/* Gives up the data of a sealed event, which its frame holds as well; before it is shared. */
void event_drop_data(struct event *ev);

struct event *event_ref(struct event *ev);
/* Drops one reference; NULL is allowed. The last one frees the event. */
void event_unref(struct event *ev);

/* True when the event is meant for this user. `hash` is hash_str(user_id). */
bool event_concerns(const struct event *ev, struct str user_id, uint64_t hash);

/* True when this user's session caused the event: it knows already. An empty session matches nothing. */
bool event_is_echo(const struct event *ev, struct str user_id, struct str session_id);

/* True for what the originator's session may be named: 1 to EVENT_ID_MAX bytes of UTF-8 without control characters. */
bool event_id_valid(struct str id);

/* True for a name of an entity or an action: a letter, then letters, digits, '_', '-' or '.'. */
bool event_name_valid(struct str name);

#endif
