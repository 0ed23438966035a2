/*
 * mime.h - media types by file name.
 */
#ifndef PILLAR_HTTP_MIME_H
#define PILLAR_HTTP_MIME_H

/* The type for a path by its ending; "application/octet-stream" for one that is unknown. Text is said to be UTF-8. */
const char *mime_type(const char *path);

#endif
