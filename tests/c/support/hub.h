/*
 * hub.h - a hub of streams under test, with a clock of its own and virtual clients.
 */
#ifndef PILLAR_TESTS_HUB_H
#define PILLAR_TESTS_HUB_H

#include "http/stream.h"
#include "support/fake_sink.h"

struct test_hub {
    struct counters counters;
    struct stream_hub *hub; /* owned */
};

/* The usual configuration: roomy_limits, test_generation, a heartbeat of 30 s, retry from 1000 to 5000 ms. */
extern const struct stream_config test_hub_config;

void test_hub_open(struct test_hub *t, const struct stream_config *config, uint64_t position);
void test_hub_close(struct test_hub *t);

/* Delivers an event as make_event_for makes it, and lets all streams send. */
void test_hub_deliver(struct test_hub *t, const char *users, uint64_t position);

/* The same without letting the streams send. */
void test_hub_append(struct test_hub *t, const char *users, uint64_t position);

/* A client: its sink, its stream, and what it has read. */
struct test_client {
    struct fake_sink sink;
    struct stream *stream; /* NULL once it is closed or ended */
    struct stream_hub *hub;
    struct sse_client read;
};

/* Connects a client; `session` and `last_event_id` may be NULL. */
void test_client_open(struct test_hub *t, struct test_client *c, const char *user, const char *session,
                      const char *last_event_id);
void test_client_request(struct test_hub *t, struct test_client *c, const struct stream_request *request);

/* Closes the stream if it is open, and releases the rest. */
void test_client_close(struct test_client *c);

/* Has the sink take `room` more frames, as a socket that drains, and lets all streams send. */
void test_client_drain(struct test_client *c, size_t room);

/* Forgets what was read so far. */
void test_client_forget(struct test_client *c);

/* All that came since the last look: exactly `sync` events at these positions. */
#define assert_gets(c, ...)                                                                                            \
    test_client_gets((c), (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), \
                     __FILE__, __LINE__)
#define assert_gets_nothing(c) test_client_gets((c), NULL, 0, __FILE__, __LINE__)
void test_client_gets(struct test_client *c, const uint64_t *positions, size_t count, const char *file, int line);

/* All that came since the last look: one `resync` with this reason and position. */
#define assert_gets_resync(c, reason, position) test_client_gets_resync((c), (reason), (position), __FILE__, __LINE__)
void test_client_gets_resync(struct test_client *c, const char *reason, uint64_t position, const char *file, int line);

/* Checks one message that was read: its name, the position that its id names (or NULL for no id), and its data. */
#define assert_message(c, index, name, id, data)                                                                       \
    test_client_message((c), (index), (name), (id), (data), __FILE__, __LINE__)
void test_client_message(const struct test_client *c, size_t index, const char *name, const char *id, const char *data,
                         const char *file, int line);

/* Reads what came since the last look into c->read. */
void test_client_read(struct test_client *c);

#endif
