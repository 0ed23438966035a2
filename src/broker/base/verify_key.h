/*
 * verify_key.h - keys that verify signatures of JSON Web Tokens.
 *
 * A key verifies with the one algorithm that fits it (RFC 7518 section 3.1, RFC 8037), so that nothing in a token can
 * choose another:
 *
 *     HS256   a secret of at least 32 bytes (RFC 7518 section 3.2)
 *     RS256   an RSA key of 2048 to 8192 bits
 *     ES256   a key on the curve P-256
 *     EdDSA   an Ed25519 key
 *
 * Only public keys and secrets are taken. A private key where a public one would do is a mistake, and is refused.
 */
#ifndef PILLAR_BASE_VERIFY_KEY_H
#define PILLAR_BASE_VERIFY_KEY_H

#include "base/error.h"
#include "base/str.h"

enum { VERIFY_KEY_TEXT_MAX = 64 * 1024, VERIFY_KEY_SECRET_MAX = 4096 };

/* Immutable: any thread may use it. */
struct verify_key;

/*
 * The functions that make a key return NULL with "invalid_key" for one that is malformed, too weak, of another kind or
 * private, and with "out_of_memory". The caller owns the key and frees it with verify_key_free.
 */

/* For HS256. A text that is a public key in one of the usual formats is refused: it is no secret. */
struct verify_key *verify_key_from_secret(struct str secret, struct error *e);

/*
 * One PEM block (RFC 7468): a PUBLIC KEY, or a CERTIFICATE, which stands for the key in it; its dates and who has
 * signed it are not looked at.
 */
struct verify_key *verify_key_from_pem(struct str pem, struct error *e);

/* The members of a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2); empty for one that is not there. */
struct jwk {
    struct str kty;
    struct str crv;
    struct str n;
    struct str e;
    struct str x;
    struct str y;
    struct str k;
    struct str d;
};

struct verify_key *verify_key_from_jwk(const struct jwk *jwk, struct error *e);

/* Accepts NULL. */
void verify_key_free(struct verify_key *key);

/* "HS256", "RS256", "ES256" or "EdDSA" */
const char *verify_key_algorithm(const struct verify_key *key);

/* True when the signature, in the form that JSON Web Signatures have it, is this key's for the message. */
bool verify_key_verify(const struct verify_key *key, struct str message, struct str signature);

#endif
