/*
 * capture.h - what is written to standard error meanwhile.
 */
#ifndef PILLAR_TESTS_CAPTURE_H
#define PILLAR_TESTS_CAPTURE_H

#include "base/str.h"

/* Standard error, while it goes into a pipe. */
struct capture {
    int saved;
    int from;
    char text[16384];
};

void capture_begin(struct capture *c);

/* Gives standard error back, and returns what was written, which is c's. */
struct str capture_end(struct capture *c);

#endif
