/*
 * stage.h - a broker on a script of the program's own, in a folder that is gone afterwards; and blocking requests to it.
 *
 * Whatever goes wrong ends the program.
 */
#ifndef PILLAR_TESTS_STAGE_H
#define PILLAR_TESTS_STAGE_H

#include "base/buf.h"
#include "process.h"

struct stage {
    char dir[64];
    struct process broker;
    uint16_t port;
};

/* Starts the broker with further options, which end with NULL, and waits until it listens. */
void stage_start(struct stage *s, char *binary, const char *script, char *const *options);

/* Sends SIGTERM, waits for status 0, and removes the folder. */
void stage_end(struct stage *s);

/* Removes a folder with a script and a database in it. */
void stage_remove(const char *dir);

/* The number in an environment variable, which must be above 0, or else `fallback`. */
size_t stage_setting(const char *name, size_t fallback);

/* A blocking connection. */
int stage_connect(const struct stage *s);
void stage_send(int fd, struct str bytes);

/* Frees the text once it is sent. */
void stage_send_text(int fd, struct buf *text);

struct answer {
    unsigned status;
    struct buf bytes; /* owned: head and body */
    struct str head;
    struct str body;
};

/* Sends one request as `user`, with a body of JSON unless `json` is NULL, and reads the answer. */
void stage_request(int fd, const char *method, const char *target, const char *user, const char *json,
                   struct answer *answer);

/* The same, for an answer with this status of which nothing more is to be known. */
void stage_expect(int fd, const char *method, const char *target, const char *user, const char *json, unsigned status);

/* The number behind `before` in a text; UINT64_MAX where it is not. */
uint64_t stage_number(struct str text, const char *before);

/* A figure of GET /metrics, "pillar_..." */
uint64_t stage_metric(int fd, const char *name);

#endif
