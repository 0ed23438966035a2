/*
 * utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef PILLAR_BASE_UTF8_H
#define PILLAR_BASE_UTF8_H

#include "base/str.h"

/* The length in bytes of the valid sequence at the start of s (which is not empty), or 0. */
size_t utf8_sequence(struct str s);

bool utf8_valid(struct str s);

#endif
