/*
 * answers.h - what a strict client makes of the bytes that a connection sent.
 */
#ifndef PILLAR_FUZZ_ANSWERS_H
#define PILLAR_FUZZ_ANSWERS_H

#include "fake_transport.h"

/*
 * Checks that all of the wire's output is well-formed responses, each framed as its request's method asks; that
 * there is one for each request and refusal, in number, and none behind one that says that it is the last.
 */
void answers_check(const struct wire *w);

#endif
