/*
 * password.h - passwords as they are kept: scrypt hashes in the PHC string format,
 *
 *     $scrypt$ln=14,r=8,p=5$salt$hash
 *
 * with salt and hash in base64 without padding (github.com/P-H-C/phc-string-format).
 */
#ifndef PILLAR_BASE_PASSWORD_H
#define PILLAR_BASE_PASSWORD_H

#include "base/str.h"

enum { PASSWORD_MAX = 1024, PASSWORD_HASH_MAX = 128 };

/*
 * Hashes a password of 1 to PASSWORD_MAX bytes with a salt of its own, and writes the hash and a NUL to `out`. This
 * takes 16 MiB of memory and about a tenth of a second: that is what makes guessing dear. Returns false for a password
 * of another length, and when memory is short.
 */
bool password_hash(char out[PASSWORD_HASH_MAX], struct str password);

/*
 * True when the hash is of this password. The hash's own cost counts: up to n * r * p = 2^20, r = 32 and p = 16, which
 * is 128 MiB, and about a third of a second. False for one that is dearer or malformed, and when memory is short.
 */
bool password_verify(struct str password, struct str hash);

#endif
