/*
 * status.h - reason phrases (RFC 9110 section 15, and the registry it founds).
 */
#ifndef PILLAR_HTTP_STATUS_H
#define PILLAR_HTTP_STATUS_H

/* The phrase, or "" for a status that has none here: a client must not mind (RFC 9112 section 4). */
const char *http_status_reason(int status);

#endif
