/*
 * json_walk.h - reading a JSON text that json_scan has found good, piece by piece and without copying it.
 *
 * A value is the slice of the text that it stands in, without space around it. Nothing here fails for what the text says;
 * on a text that json_scan would refuse, what is read is undefined, but is inside of the text.
 */
#ifndef PILLAR_BASE_JSON_WALK_H
#define PILLAR_BASE_JSON_WALK_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

enum json_kind { JSON_OBJECT, JSON_LIST, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

/* The one value of a whole text. */
struct str json_root(struct str text);

/* Of a value, or of STR_NONE, which counts as null. */
enum json_kind json_kind_of(struct str value);

/* Where a walk through an object or a list stands. */
struct json_walk {
    struct str rest;
    bool object;
};

struct json_walk json_walk_into(struct str value);

/* Goes to the next member or element; *key is a JSON string, STR_NONE in a list. Returns false at the end. */
bool json_walk_next(struct json_walk *w, struct str *key, struct str *value);

/* The text of a JSON string: a part of it, or where it has escapes a copy in `arena`. False when memory is short. */
bool json_string_text(struct str value, struct arena *arena, struct str *text);

/* The integer that a JSON number is; false for one with a fraction, or beyond 64 bits. */
bool json_integer(struct str value, int64_t *number);

/* Appends a value without the space between its parts. */
void json_append_compact(struct buf *out, struct str value);

#endif
