/*
 * json.h - JSON text (RFC 8259): a strict check, and the writing of strings.
 *
 * Parsing to values is lua-cjson's work, in script/. It is lenient and loses integers and
 * empty lists, so every text passes json_scan first, which refuses what is not JSON and rewrites what lua-cjson would lose.
 */
#ifndef PILLAR_BASE_JSON_H
#define PILLAR_BASE_JSON_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 100 };

/*
 * Checks that `text` is one JSON value: RFC 8259 grammar, valid UTF-8, no lone surrogates, at most
 * JSON_DEPTH_MAX nested lists and objects. Failure: false, code "invalid_json", a message with the byte offset.
 *
 * With a `marker` (a word without quotes and backslashes that the text's author cannot know), writes to
 * `rewritten` the text in which each empty list stands as "<marker>[]", and each integer of more than 15
 * digits that fits into 64 bits as "<marker><digits>". `rewritten` stays empty when there is nothing to rewrite.
 */
bool json_scan(struct str text, struct str marker, struct buf *rewritten, struct error *e);

/* How long json_append_string makes `text`. */
size_t json_string_length(struct str text);

/* Appends `text`, which is valid UTF-8, as a JSON string with its quotes. */
void json_append_string(struct buf *out, struct str text);

/* The same for text of any origin: each byte that is not valid UTF-8 becomes U+FFFD. */
void json_append_any_string(struct buf *out, struct str text);

#endif
