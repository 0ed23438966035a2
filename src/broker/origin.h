/*
 * origin.h - where a browser says that a request comes from: which pages may read answers (CORS), and which may change
 * something.
 *
 * Standards: Fetch (https://fetch.spec.whatwg.org, sections 3.2 Origin and 3.3 CORS), Fetch Metadata
 * (https://www.w3.org/TR/fetch-metadata).
 */
#ifndef PILLAR_ORIGIN_H
#define PILLAR_ORIGIN_H

#include "script/app.h"

/*
 * Gives every answer that ex may have the headers that app:cors has for the request; harmless without app:cors. Returns
 * false when memory is short. `cors` and the request outlive the answer.
 */
bool origin_set_headers(const struct cors *cors, const struct request *request, struct exchange *ex);

/*
 * Adds what a preflight asks for to its answer; `methods` are those of the path. Does nothing for any other request,
 * and for an origin that is not allowed. Returns false when memory is short.
 */
bool origin_answer_preflight(const struct cors *cors, struct exchange *ex, struct str methods);

/*
 * True when a browser sent the request for a page of another site that app:cors does not let in. What is no browser,
 * and says nothing of where it comes from, is not foreign.
 */
bool origin_is_foreign(const struct cors *cors, const struct request *r);

#endif
