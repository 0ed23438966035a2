/*
 * base64.h - bytes as text, without padding (RFC 4648 sections 4 and 5, RFC 7515 section 2).
 *
 * Decoding is strict, so that there is one text for given bytes: no padding, no white space, no other character, and
 * the bits that the last character has too many are zero.
 */
#ifndef PILLAR_BASE_BASE64_H
#define PILLAR_BASE_BASE64_H

#include "base/str.h"

enum base64_alphabet {
    BASE64_STANDARD, /* ends with + and / */
    BASE64_URL       /* ends with - and _ */
};

/* How many characters so many bytes become. */
static inline size_t base64_encoded_len(size_t bytes)
{
    return bytes / 3 * 4 + (bytes % 3 == 0 ? 0 : bytes % 3 + 1);
}

/* How many bytes a text of so many characters holds. */
static inline size_t base64_decoded_len(size_t characters)
{
    return characters / 4 * 3 + characters % 4 * 3 / 4;
}

/* Writes base64_encoded_len(bytes.len) characters to `out`, and no NUL. */
void base64_encode(char *out, enum base64_alphabet alphabet, struct str bytes);

/* Writes base64_decoded_len(text.len) bytes to `out`. Returns false for a text that is not base64; what is in `out` then
 * means nothing. */
bool base64_decode(unsigned char *out, enum base64_alphabet alphabet, struct str text);

#endif
