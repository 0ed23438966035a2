/*
 * position.h - where in the history something is: a generation and a number that only grows within it.
 *
 * On the wire it is one opaque word, `<generation>-<number>`. A history that starts anew has a new
 * generation, so that an id of the old one is told from an id of this one.
 */
#ifndef PILLAR_BUS_POSITION_H
#define PILLAR_BUS_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { GENERATION_LEN = 12, POSITION_TEXT_MAX = GENERATION_LEN + 1 + 20 + 1 };

struct generation {
    char text[GENERATION_LEN + 1]; /* lower-case hex */
};

/* Draws a generation that no other history has. */
struct generation generation_new(void);

/* True for what generation_new may draw. */
bool generation_valid(const struct generation *g);

/* Writes the wire form and a NUL; returns it as a str over `out`. */
struct str position_text(char out[POSITION_TEXT_MAX], const struct generation *g, uint64_t number);

enum position_read { POSITION_OK, POSITION_MALFORMED, POSITION_OTHER_GENERATION };

/* Reads a wire form; *number is set for POSITION_OK only. */
enum position_read position_read(struct str text, const struct generation *g, uint64_t *number);

#endif
