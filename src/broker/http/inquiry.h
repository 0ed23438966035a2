/*
 * inquiry.h - why a user did, or did not, get an event: the question, and what the streams of each loop say to it.
 *
 * One hub after the other is asked, each on its own thread; who owns the inquiry at the moment is up to the asker. Its
 * open streams are cursors, and know what they have passed; its memory of the last deliveries knows when they did, and
 * of streams that are gone by now.
 */
#ifndef PILLAR_HTTP_INQUIRY_H
#define PILLAR_HTTP_INQUIRY_H

#include "base/arena.h"
#include "bus/event.h"
#include "http/stream.h"

/*
 * What became of the event, for a stream and as a whole. Of what its streams have to tell, the user as a whole has the
 * first in this order.
 */
enum inquiry_outcome {
    INQUIRY_DELIVERED,     /* handed to the stream's connection */
    INQUIRY_RESUMED,       /* the client came back with this id or a later one: it says that it has the event */
    INQUIRY_LAGGING,       /* the stream has yet to take it: its sink is full */
    INQUIRY_MISSED,        /* the stream opened later without a replay, or was told to resync over it */
    INQUIRY_FILTERED,      /* the client asked for other entities only */
    INQUIRY_ECHO,          /* the session itself caused it */
    INQUIRY_NOT_CONNECTED, /* of no stream is anything known */
    INQUIRY_NOT_TARGETED,
    INQUIRY_TRIMMED, /* no log has the event any more */
    INQUIRY_AHEAD,   /* no event has come that far */
    INQUIRY_OUTCOMES
};

/* Streams that one answer tells of, and deliveries of the one event to the one user that are compared with them. */
enum { INQUIRY_STREAMS_MAX = 500, INQUIRY_MATCHES_MAX = 2000 };

struct inquiry_stream {
    struct str session_id; /* in the arena; empty: it had none, or nobody knows its name any more */
    uint32_t session;      /* deliveries_session of it */
    enum inquiry_outcome outcome;
    enum stream_since since; /* of one that is open */
    uint64_t at_ms;          /* when it was handed over, or withheld; 0: that is not known */
    bool open;
};

struct inquiry {
    struct arena *arena; /* borrowed, where all of it is */
    uint64_t position;
    struct str user_id;
    struct str session_id; /* empty: all of them */

    unsigned loops;      /* hubs to be asked in all */
    unsigned left;       /* of them, before the answer is whole */
    struct event *event; /* a reference of its own; NULL: no log had it so far */
    bool targeted;       /* it is meant for the user; false without an event */
    uint64_t head;       /* of the log that is furthest */
    uint64_t since_ms;   /* behind this time all deliveries are known; UINT64_MAX: of some hub, none are */
    struct inquiry_stream *streams;
    size_t count;
    size_t room;
    size_t matches;
    size_t more; /* streams and deliveries beyond those listed */
    bool failed; /* memory is short: what is there is not all */
};

/* To be called before the first hub is asked, of so many. */
void inquiry_begin(struct inquiry *q, unsigned loops);

/* Asks one hub, and lets those streams of it that are asked send what there is for them. */
void inquiry_ask(struct inquiry *q, struct stream_hub *hub);

/* Counts a hub that is not there any more as asked. */
void inquiry_skip(struct inquiry *q);

/* True when all were asked. */
bool inquiry_is_whole(const struct inquiry *q);

/* Gives streams that are gone the names of their sessions, as far as others know them; once it is whole. */
void inquiry_name_sessions(struct inquiry *q);

/* The outcome for the user as a whole, once it is whole. */
enum inquiry_outcome inquiry_outcome(const struct inquiry *q);

/* Gives the reference to the event back; what is in the arena stays there. Accepts NULL. */
void inquiry_end(struct inquiry *q);

#endif
