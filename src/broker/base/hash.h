/*
 * hash.h - a keyed 64-bit hash (SipHash-1-3) for keys that strangers choose.
 *
 * The key is drawn at the first use in the process, so collisions cannot be prepared, and a hash must never
 * be stored or sent. Two equal hashes are a hint only: compare the keys.
 */
#ifndef PILLAR_BASE_HASH_H
#define PILLAR_BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

uint64_t hash_str(struct str key);

#endif
