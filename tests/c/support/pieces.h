/*
 * pieces.h - the ways in which bytes may arrive.
 */
#ifndef PILLAR_TESTS_PIECES_H
#define PILLAR_TESTS_PIECES_H

#include "support/dice.h"

enum pieces_kind { PIECES_WHOLE, PIECES_BYTES, PIECES_RANDOM };

struct pieces {
    enum pieces_kind kind;
    struct dice dice;
};

/* Whole, one byte at a time, and then random sizes: way 0, 1, 2 to PIECES_WAYS - 1. */
enum { PIECES_WAYS = 20 };
struct pieces pieces_way(int way);

/* The size of the next piece when `left` bytes, not 0, are still to come. */
size_t pieces_next(struct pieces *p, size_t left);

#endif
