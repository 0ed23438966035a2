/*
 * counters.h - what a thread counted, readable by any other thread at any time, without locks.
 *
 * Each set has one writing thread. A reader sums the sets; the sum may be a moment old. Values only grow: a
 * number of things present is the difference of two counters.
 */
#ifndef PILLAR_BASE_COUNTERS_H
#define PILLAR_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(symbol, name on /metrics, help) */
#define COUNTERS(X)                                                                                                    \
    X(COUNT_CONNECTIONS_OPENED, "connections_opened", "Connections accepted.")                                         \
    X(COUNT_CONNECTIONS_CLOSED, "connections_closed", "Connections closed.")                                           \
    X(COUNT_CONNECTIONS_REFUSED, "connections_refused", "Connections turned away at the connection limit.")            \
    X(COUNT_BYTES_RECEIVED, "received_bytes", "Bytes read from clients.")                                              \
    X(COUNT_BYTES_SENT, "sent_bytes", "Bytes written to clients.")                                                     \
    X(COUNT_REQUESTS, "requests", "Requests that passed the HTTP guard.")                                              \
    X(COUNT_REQUESTS_REFUSED, "requests_refused", "Requests that the HTTP guard refused.")                             \
    X(COUNT_TIMEOUTS, "timeouts", "Connections closed because a timeout ran out.")                                     \
    X(COUNT_RESPONSES_2XX, "responses_2xx", "Responses with a status of 2xx, streams included.")                       \
    X(COUNT_RESPONSES_3XX, "responses_3xx", "Responses with a status of 3xx.")                                         \
    X(COUNT_RESPONSES_4XX, "responses_4xx", "Responses with a status of 4xx.")                                         \
    X(COUNT_RESPONSES_5XX, "responses_5xx", "Responses with a status of 5xx.")                                         \
    X(COUNT_QUEUE_REFUSALS, "queue_refusals", "Requests refused because the request queue was full.")                  \
    X(COUNT_STREAMS_OPENED, "streams_opened", "Event streams opened.")                                                 \
    X(COUNT_STREAMS_CLOSED, "streams_closed", "Event streams ended.")                                                  \
    X(COUNT_STREAMS_DISCONNECTED, "streams_disconnected", "Event streams ended by the script.")                        \
    X(COUNT_STREAMS_EXPIRED, "streams_expired", "Event streams ended because their user's sign-in has expired.")       \
    X(COUNT_STREAMS_REFUSED, "streams_refused", "Event streams sent away to come back later.")                         \
    X(COUNT_STREAM_LIMITS, "stream_limits", "Event streams refused because a user or an address had all it may have.") \
    X(COUNT_RATE_LIMITS, "rate_limits", "Requests refused because a user or an address made too many.")                \
    X(COUNT_CROSS_SITE, "cross_site", "Requests refused because a browser sent them for a page of another site.")      \
    X(COUNT_DELIVERIES, "deliveries", "Events handed to a stream's connection.")                                       \
    X(COUNT_ECHOES, "echoes_suppressed", "Events withheld from the session that caused them.")                         \
    X(COUNT_RESYNCS, "resyncs", "Streams told to refetch.")                                                            \
    X(COUNT_COMMENTS, "comments", "Comment lines sent to keep streams awake.")                                         \
    X(COUNT_LOG_APPENDED, "log_appended", "Events put into the logs of the loops.")                                    \
    X(COUNT_LOG_TRIMMED, "log_trimmed", "Events dropped from the logs of the loops.")                                  \
    X(COUNT_LOG_STEPS, "log_steps", "Events that streams met on their way through the logs.")                          \
    X(COUNT_INBOX_OVERFLOWS, "inbox_overflows", "Times that a loop's inbox was full of events.")                       \
    X(COUNT_EVENTS, "events", "Events committed.")                                                                     \
    X(COUNT_HANDLERS, "handlers", "Script handlers run.")                                                              \
    X(COUNT_HANDLER_ERRORS, "handler_errors", "Script handlers that raised an error.")                                 \
    X(COUNT_HANDLER_DEADLINES, "handler_deadlines", "Script handlers ended at their deadline.")                        \
    X(COUNT_HANDLER_MEMORY, "handler_memory", "Script handlers ended at the memory limit.")                            \
    X(COUNT_SILENT_CHANGES, "silent_changes", "Mutations that nobody was told of.")                                    \
    X(COUNT_IDEMPOTENCY_REPLAYS, "idempotency_replays", "Mutations that were repeated, and got their first answer.")   \
    X(COUNT_IDEMPOTENCY_CONFLICTS, "idempotency_conflicts", "Mutations refused because of their Idempotency-Key.")     \
    X(COUNT_COMMITS, "commits", "Transactions committed.")                                                             \
    X(COUNT_COMMIT_FAILURES, "commit_failures", "Transactions that could not be committed.")                           \
    X(COUNT_JOBS_TAKEN, "jobs_taken", "Requests taken from the request queue.")                                        \
    X(COUNT_RELOADS, "script_reloads", "Times that the script was replaced while the broker ran.")                     \
    X(COUNT_RELOAD_FAILURES, "script_reload_failures", "Times that it could not be, and the old one went on.")

enum counter {
#define X(symbol, name, help) symbol,
    COUNTERS(X)
#undef X
        COUNTER_COUNT
};

struct counters {
    _Alignas(64) _Atomic uint64_t value[COUNTER_COUNT];
};

struct counter_info {
    const char *name;
    const char *help;
};

extern const struct counter_info counter_infos[COUNTER_COUNT];

/* Called by the set's own thread only. */
static inline void counter_add(struct counters *c, enum counter which, uint64_t n)
{
    uint64_t now = atomic_load_explicit(&c->value[which], memory_order_relaxed);
    atomic_store_explicit(&c->value[which], now + n, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counters *c, enum counter which)
{
    return atomic_load_explicit(&c->value[which], memory_order_relaxed);
}

#endif
