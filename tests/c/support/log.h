/*
 * log.h - an event log under test, and what its subscribers see of it.
 */
#ifndef PILLAR_TESTS_LOG_H
#define PILLAR_TESTS_LOG_H

#include "bus/event_log.h"

struct test_log {
    struct counters counters;
    struct event_log *log;    /* owned */
    size_t wakes;             /* calls of on_event */
    struct subscriber *woken; /* by the last one */
};

/* Limits that nothing in a small test reaches. */
extern const struct event_log_limits roomy_limits;

void test_log_open(struct test_log *t, const struct event_log_limits *limits, uint64_t position);
void test_log_close(struct test_log *t);

/* Appends an event for the users named, or for everyone where that is "*"; its timestamp is its position. */
void test_log_append(struct test_log *t, const char *users, uint64_t position);

void test_log_subscribe(struct test_log *t, struct subscriber *s, const char *user);

/* Walks to the end, which must be reached, over exactly these positions, and takes all of it. */
#define assert_sees(t, s, ...)                                                                                         \
    test_log_sees((t), (s), (const uint64_t[]){__VA_ARGS__},                                                           \
                  sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), __FILE__, __LINE__)
#define assert_sees_nothing(t, s) test_log_sees((t), (s), NULL, 0, __FILE__, __LINE__)
void test_log_sees(struct test_log *t, struct subscriber *s, const uint64_t *positions, size_t count, const char *file,
                   int line);

/* The next look tells that something was lost. */
#define assert_lost(t, s) test_log_lost((t), (s), __FILE__, __LINE__)
void test_log_lost(struct test_log *t, const struct subscriber *s, const char *file, int line);

/* Looks once and takes what it saw: the position, or 0 at the end. */
uint64_t test_log_take(struct test_log *t, struct subscriber *s);

#endif
