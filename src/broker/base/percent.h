/*
 * percent.h - percent-encoded text (RFC 3986 section 2.1).
 */
#ifndef PILLAR_BASE_PERCENT_H
#define PILLAR_BASE_PERCENT_H

#include "base/str.h"

/*
 * Decodes percent escapes, and '+' as a space where `plus` says so (in a query). `out` has room for text.len
 * bytes and may be text.ptr itself. Returns false for a malformed escape or an encoded NUL.
 */
bool percent_decode(struct str text, bool plus, char *out, size_t *len);

#endif
