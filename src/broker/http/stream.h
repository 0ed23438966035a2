/*
 * stream.h - event streams of one loop: cursors over the loop's log, and the hub that moves them.
 *
 * A stream costs a fixed number of bytes, whatever its client does. It walks from its cursor to the end of
 * the log and hands frames to its sink; when the sink is full it stops, and when the sink drains it walks on.
 * When the log has dropped what it had yet to see, it says `resync`.
 *
 * The hub runs on one thread and takes the time as an argument; when it delivered what, it notes by the wall clock.
 */
#ifndef PILLAR_HTTP_STREAM_H
#define PILLAR_HTTP_STREAM_H

#include "base/buf.h"
#include "base/counters.h"
#include "bus/event_log.h"
#include "bus/position.h"
#include "http/deliveries.h"
#include "http/sink.h"

struct stream;
struct stream_hub;

struct stream_config {
    struct event_log_limits log;
    uint64_t heartbeat_ms; /* a stream is never silent for longer */
    unsigned retry_min_ms; /* the reconnection time is drawn from this range */
    unsigned retry_max_ms;
    size_t max_per_user;       /* streams; 0: any number */
    size_t max_per_address;    /* the same */
    uint64_t expiry_notice_ms; /* how long before its user expires a stream says so */
    size_t delivery_log;       /* deliveries that are remembered; 0: none */
};

/* NULL when memory is short. `counters` outlives it. */
struct stream_hub *stream_hub_create(const struct stream_config *config, uint64_t now_ms, struct counters *counters);

/* While no stream is open: the history begins behind `position`, in this generation; what was there is forgotten. */
void stream_hub_begin(struct stream_hub *hub, const struct generation *g, uint64_t position);

/* Needs all streams closed. Accepts NULL. */
void stream_hub_free(struct stream_hub *hub);

/*
 * Takes events into the log and notes which streams have something to send; stream_hub_flush sends it. Where one of
 * them is the word to disconnect a user, the streams it means send what there is for them before it, and end.
 */
void stream_hub_deliver(struct stream_hub *hub, struct event *const *events, size_t count);

/* The hub missed events up to `position`: every stream is to be told so. */
void stream_hub_gap(struct stream_hub *hub, uint64_t position);

/*
 * Lets noted streams send until that took about `most` of work, one batch each: a stream that has more than a batch goes
 * behind the others. A unit is a step over the log, about 0.1 us; a send counts for 64, and each 256 bytes for one.
 * Returns true when some are still waiting.
 */
bool stream_hub_flush(struct stream_hub *hub, size_t most);

/*
 * Drops old events, keeps quiet streams awake, and ends those whose user has expired (by the wall clock), after they
 * have said that it is near. To be called several times a heartbeat, with a flush behind it.
 */
void stream_hub_tick(struct stream_hub *hub, uint64_t now_ms, uint64_t wall_ms);

/* The position of the newest event that was delivered. */
uint64_t stream_hub_head(const struct stream_hub *hub);

/* Ends all streams with a reconnection time, each drawn anew. Who was about to open one is sent away as well. */
void stream_hub_end_all(struct stream_hub *hub, struct str comment);

/*
 * Has streams come to their end until `keep` are left, but `most` of them at the most, in the order in which they opened, as
 * far as that goes. With the next flushes each sends all there is for it, whatever comes while its client is slow to take it included, then a
 * reconnection time, drawn anew, and `comment`, which outlives the hub; and ends. Returns how many are left that were not
 * told to.
 */
size_t stream_hub_end_some(struct stream_hub *hub, size_t keep, size_t most, struct str comment);

/* How many streams are open and have not been told to end. */
size_t stream_hub_count(const struct stream_hub *hub);

/* Appends what a client gets that is to come back later: a reconnection time and a comment. */
void stream_hub_append_refusal(struct stream_hub *hub, struct buf *out, struct str comment);

/*
 * What a stream that asks for admission is to remember, taken before it is looked up who the user is: a user who is
 * disconnected between then and the opening must not slip in by a sign-in that was still good when it was looked at.
 */
uint64_t stream_hub_mark(const struct stream_hub *hub);

struct stream_request {
    struct str user_id;
    struct str session_id;    /* empty: no event is withheld */
    struct str entities;      /* names separated by commas; empty: all */
    struct str last_event_id; /* empty: from now on */
    uint64_t expires_ms;      /* when the user expires, by the wall clock; 0: never */
    bool shared_user;         /* everybody is this user: the limit for one does not apply */
    uint32_t address;         /* whose limit it counts against: the end of its address_key */
    uint64_t mark;            /* what stream_hub_mark said before it was known who the user is */
};

/* Why the stream must not open, a comment for its client; NULL: it may. */
const char *stream_hub_objection(const struct stream_hub *hub, const struct stream_request *request);

/*
 * Opens a stream and sends `head`, the reconnection time and `ready`; what the client has missed goes with the next
 * flushes. Returns NULL, and sends nothing, when memory is short.
 */
struct stream *stream_open(struct stream_hub *hub, const struct stream_request *request, struct sink *sink,
                           struct str head);

/* The sink takes frames again: what there is goes with the next flushes. */
void stream_writable(struct stream *s);

/* The client is gone: releases the stream, sends nothing. */
void stream_close(struct stream *s);

/* --- for who asks what became of an event --- */

/* The event at this position, borrowed from the hub's log; NULL: it has been trimmed, or there is none. */
struct event *stream_hub_event(const struct stream_hub *hub, uint64_t position);

/* What the hub remembers of its deliveries. */
const struct deliveries *stream_hub_deliveries(const struct stream_hub *hub);

/* Calls on_stream for each open stream of the user; it must not open or close any. */
void stream_hub_each(struct stream_hub *hub, struct str user_id, void (*on_stream)(void *context, struct stream *s),
                     void *context);

/* The session of a stream, borrowed; empty: it has none. */
struct str stream_session_id(const struct stream *s);

/* How a stream came to the position behind which it is complete. */
enum stream_since {
    STREAM_OPENED,  /* it began there, and asked for no replay */
    STREAM_RESUMED, /* its client said that it has what came before */
    STREAM_REFUSED, /* its client asked for a replay, and was told to resync */
    STREAM_LAGGED   /* it was too slow for the log, and told to resync */
};

struct stream_view {
    uint32_t session; /* deliveries_session of its id */
    bool wanted;      /* the entity is among those that the client asked for */
    enum stream_since since;
    uint64_t complete_from;     /* it has got, or will get, what it wants of all that came behind this position */
    enum log_progress progress; /* up to the event; LOG_MISSED: it is yet to be told to resync */
};

/*
 * Lets the stream send what there is for it, as far as its sink takes it, and tells how it then stands to an event. In a
 * long replay it sends a part; the rest goes with the next flushes.
 */
void stream_look(struct stream *s, const struct event *ev, struct stream_view *view);

#endif
