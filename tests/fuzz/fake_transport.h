/*
 * fake_transport.h - the bytes' way between a client that is a test and a connection that is real: takes the place
 * of tcp.c behind http/transport.h.
 *
 * Nothing happens inside of a transport_* call: what the client said is delivered, what is pending is written, and
 * what is closed is gone when the wire is given a turn, as a libuv loop would do it.
 */
#ifndef PILLAR_FUZZ_FAKE_TRANSPORT_H
#define PILLAR_FUZZ_FAKE_TRANSPORT_H

#include "base/buf.h"
#include "base/exchange.h"
#include "http/io_loop.h"
#include "http/transport.h"

enum { WIRE_REQUESTS_MAX = 512 };

struct wire {
    struct transport *transport; /* NULL before it is accepted, and once it is gone */
    const struct io_loop *loop;

    /* from the client */
    struct buf input;
    size_t input_at; /* so much of it was delivered */
    size_t piece;    /* at most so much at a time; 0: all there is */
    bool finished;   /* the client has sent FIN */
    bool told_finished;
    bool reset; /* the client has broken the connection */

    /* to the client */
    struct buf output;
    size_t window; /* so much is taken at a time */
    bool fin_due;
    bool fin; /* FIN was sent, behind all of the output */
    bool pending;
    struct str pending_bytes;
    void (*release)(void *owner);
    void *owner;

    bool reading;
    bool closing;
    bool accept_fails;
    bool may_close;     /* something happened that allows the broker to close without a word */
    bool may_lack;      /* and to leave requests without their responses */
    bool short_of_room; /* it was closed for the memory that bodies take, which depends on how they are cut */

    /* what the connection made of it: the methods of what is to be answered, in order */
    enum method methods[WIRE_REQUESTS_MAX];
    size_t due;           /* requests and refusals */
    bool streaming;       /* the last of them became a stream, which ends when the client does */
    bool refused;         /* the last of them was refused */
    bool refused_blindly; /* and its method may not be known */
    uint64_t digest;      /* of the requests */
    size_t delivered;     /* requests */
};

/* Accepts a new connection on the loop. *w is zeroed by the caller, and released by wire_free. */
void wire_connect(struct wire *w, struct io_loop *loop);

/* Sends from the client. */
void wire_say(struct wire *w, const void *bytes, size_t len);

/* The wire of a connection. */
struct wire *wire_of(const struct transport *t);

/* Lets the loop do for this wire what is due. Returns true when anything was. */
bool wire_turn(struct wire *w);

/* Lets what is pending go out, at the next turn. */
void wire_drain(struct wire *w);

void wire_free(struct wire *w);

#endif
