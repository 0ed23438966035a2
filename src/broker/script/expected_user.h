/*
 * expected_user.h - a request may say on whose behalf it was made (X-User-Id), and is carried out for nobody else.
 *
 * A client that keeps changes of a user cannot know whose cookie they will go with: another tab may have signed in as
 * somebody else a moment ago. Only who reads the cookie can tell, so it is told here, once authenticate has said who asks.
 */
#ifndef PILLAR_SCRIPT_EXPECTED_USER_H
#define PILLAR_SCRIPT_EXPECTED_USER_H

#include "script/job.h"

/*
 * True: the request does not say for whom it is, or it is for who asks, or nobody was asked who that is. False: the
 * exchange has its answer, 401 "other_user", or 400 "invalid_field" for a header that is not one user id, UTF-8
 * percent-encoded as encodeURIComponent does it (ECMA-262 section 19.2.6.4).
 */
bool expected_user_admit(struct job *job);

#endif
