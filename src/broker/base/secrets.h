/*
 * secrets.h - what the broker signs with for itself: sessions, that is (option secret).
 *
 * It may have several secrets, so that they can be changed: the first signs, and all are believed.
 */
#ifndef PILLAR_BASE_SECRETS_H
#define PILLAR_BASE_SECRETS_H

#include "base/crypto.h"

enum { SECRETS_MAX = 8, SECRET_BYTES_MIN = 32, SIGNATURE_SIZE = HMAC_SHA256_SIZE };

struct secrets {
    struct str at[SECRETS_MAX]; /* borrowed from the list that was read */
    size_t count;               /* 0: none, and nothing can be signed */
};

/*
 * Reads a list: secrets separated by commas, with or without spaces around them. An empty list has none. Returns false
 * for a secret that is too short, or too many of them; *problem is then a sentence that says so, and *secrets as it
 * was.
 */
bool secrets_read(struct secrets *secrets, struct str list, const char **problem);

/*
 * Signs a text for a purpose: a signature for one purpose is none for another. The purpose has no NUL in it. Returns
 * false when there is no secret, or memory is short.
 */
bool secrets_sign(const struct secrets *secrets, unsigned char signature[SIGNATURE_SIZE], struct str purpose,
                  struct str text);

/* True for a signature that one of the secrets has made, in a time that does not tell how much of it is right. */
bool secrets_verify(const struct secrets *secrets, struct str signature, struct str purpose, struct str text);

#endif
