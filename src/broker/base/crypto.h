/*
 * crypto.h - SHA-256, HMAC-SHA256 and scrypt, by OpenSSL.
 *
 * What OpenSSL says of a failure is taken out of its queue of errors again, here and in verify_key.c: a program that
 * embeds the broker finds there only what is its own.
 */
#ifndef PILLAR_BASE_CRYPTO_H
#define PILLAR_BASE_CRYPTO_H

#include <stdint.h>

#include "base/str.h"

enum { SHA256_SIZE = 32, HMAC_SHA256_SIZE = SHA256_SIZE };

/* The SHA-256 (FIPS 180-4) of the parts, one behind the other. Returns false when memory is short. */
bool sha256(unsigned char out[SHA256_SIZE], const struct str *parts, size_t count);

/* The HMAC-SHA256 (RFC 2104, FIPS 180-4) of the parts, one behind the other. Returns false when memory is short. */
bool hmac_sha256(unsigned char out[HMAC_SHA256_SIZE], struct str key, const struct str *parts, size_t count);

struct scrypt_cost {
    unsigned log2_n;
    unsigned r;
    unsigned p;
};

/*
 * scrypt (RFC 7914), `len` bytes of it. It needs 128 * r * (2^log2_n + p) bytes of memory for the while. Returns false
 * when these are not to be had, for more than 256 MiB, and for parameters that scrypt does not have.
 */
bool scrypt(unsigned char *out, size_t len, struct str password, struct str salt, struct scrypt_cost cost);

#endif
