/*
 * verify_key_private.h - what a key is: verify_key.c makes it, and verify_signature.c verifies with it.
 */
#ifndef PILLAR_BASE_VERIFY_KEY_PRIVATE_H
#define PILLAR_BASE_VERIFY_KEY_PRIVATE_H

#include <openssl/evp.h>

#include "base/verify_key.h"

enum verify_algorithm { VERIFY_HS256, VERIFY_RS256, VERIFY_ES256, VERIFY_EDDSA };

struct verify_key {
    enum verify_algorithm algorithm;
    EVP_PKEY *public_key; /* owned; NULL for HS256 */
    char *secret;         /* owned; NULL for the others */
    size_t secret_len;
};

#endif
