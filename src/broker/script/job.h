/*
 * job.h - what a script worker does at one moment: for which request, inside which transaction.
 *
 * The bindings see the job through the state. A job lives on the worker's stack while a handler runs.
 */
#ifndef PILLAR_SCRIPT_JOB_H
#define PILLAR_SCRIPT_JOB_H

#include "base/exchange.h"
#include "bus/event.h"
#include "script/in_flight.h"

struct worker;

/* Drafts of the transaction under way; owned. */
struct event_list {
    struct event **at;
    size_t count;
    size_t room;
};

bool event_list_add(struct event_list *list, struct event *ev);
/* Drops what is behind the first `count`. */
void event_list_cut(struct event_list *list, size_t count);
/* Puts the disconnects behind the other events, whose order stays, and returns how many those are. */
size_t event_list_settle(struct event_list *list);
void event_list_free(struct event_list *list);

struct script_limits {
    size_t event_bytes;     /* of one event's data */
    size_t event_targets;   /* of one event */
    size_t events;          /* of one handler */
    size_t all_event_bytes; /* of one handler: the events whole */
};

enum job_access {
    JOB_READS,  /* a GET, or finding out who a user is: no writes, no events */
    JOB_WRITES, /* a mutation: the handler is a transaction */
    JOB_FREE    /* transaction = false: writes inside of db:transaction only */
};

enum replay_state {
    REPLAY_OFF,     /* there is no Idempotency-Key, or nothing more to record */
    REPLAY_RUNS,    /* the key is new */
    REPLAY_NOTING,  /* JOB_FREE: the transaction under way says that something is changed */
    REPLAY_NOTED,   /* JOB_FREE: and it is committed */
    REPLAY_REPEATED /* the answer is an earlier one: nothing was done */
};

/* What script/replay.h knows of the job's Idempotency-Key. */
struct replay {
    enum replay_state state;
    struct idempotency_id id;
    struct in_flight_entry entry;
};

struct job {
    struct worker *worker;
    struct exchange *ex; /* NULL when no request is behind it */
    const struct script_limits *limits;
    enum job_access access;
    bool in_transaction;   /* events and writes are allowed */
    bool holds_lock;       /* JOB_FREE inside db:transaction: the process's write lock is ours */
    size_t first_event;    /* of the worker's list: those before belong to other handlers of the batch */
    size_t event_bytes;    /* emitted so far, also what was undone */
    size_t told;           /* JOB_FREE: events of transactions that are committed already */
    struct str user_id;    /* who authenticate said it is; in the exchange's arena */
    struct str session_id; /* the request's; borrowed */
    uint64_t deadline_ns;
    struct replay replay;
};

#endif
