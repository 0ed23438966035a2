/*
 * h1_private.h - between h1.c (reading), h1_respond.c (writing) and file.c (bodies from files).
 */
#ifndef PILLAR_HTTP_H1_PRIVATE_H
#define PILLAR_HTTP_H1_PRIVATE_H

#include "http/h1.h"
#include "http/parse.h"

/* Of an address and a NUL; transport_address cuts longer ones, of which there are none. */
enum { H1_ADDRESS_MAX = 64 };

/* What reading requests needs; kept from request to request, given back by a stream. */
struct h1_message {
    struct buf head; /* a head that came in pieces, so far */
    struct head_scan scan;
    struct head_verdict verdict;
    struct parse parse;
    struct chunk_guard chunks;
    uint64_t body_left;
    struct h1_exchange *ex;       /* the request that is being read, or handled */
    struct buf pending;           /* what came while a request was being handled */
    size_t pending_at;            /* so much of it is used up */
    char address[H1_ADDRESS_MAX]; /* the client's; empty until the first request asks */
    struct h1_file *file;         /* on its way out as the body of a response; NULL: none is */
};

/* Connections over the limit that a loop keeps for the moment it takes to tell them; further ones are just closed. */
enum { REFUSE_ROOM = 128 };

extern const struct sink_ops h1_sink_ops;
extern const struct protocol h1_protocol;

/* A new exchange, charged to nobody, or NULL. */
struct h1_exchange *h1_new_exchange(struct h1 *c);

/* Answers with a refusal and closes. */
void h1_refuse(struct h1 *c, const struct refusal *why);

/* The response has gone out: on to the next request, or to the end. */
void h1_after_response(struct h1 *c);

/* Listens to the client, whatever it sends. */
void h1_read_on(struct h1 *c);

/* Reads on where h1_after_response left off. */
void h1_resume(struct h1 *c);

/* Gives back what reading needed. */
void h1_free_message(struct h1 *c);

/* What transport_unwritten says, in 32 bits. */
uint32_t h1_unwritten(const struct h1 *c);

/* --- file.c --- */
void h1_file_written(struct h1 *c);
void h1_file_gone(struct h1 *c);

#endif
