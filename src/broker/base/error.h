/*
 * error.h - how a failure is handed to the caller: one sentence for a human, and for machines a code.
 *
 * Functions that can fail for a reason worth telling take a `struct error *`, return false or NULL, and fill it.
 */
#ifndef PILLAR_BASE_ERROR_H
#define PILLAR_BASE_ERROR_H

#include <stdbool.h>

enum { ERROR_MESSAGE_MAX = 480, ERROR_FIELD_MAX = 64 };

struct error {
    const char *code;            /* a static string, "internal" unless the function says otherwise */
    char field[ERROR_FIELD_MAX]; /* the input field that is wrong, or "" */
    char message[ERROR_MESSAGE_MAX];
};

/* Fills *e (which may be NULL) and returns false, so that a failing function can `return error_set(...)`. */
bool error_set(struct error *e, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with code "invalid_field", for a field of some input. */
bool error_field(struct error *e, const char *field, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for a failed allocation: code "out_of_memory". */
bool error_no_memory(struct error *e);

#endif
