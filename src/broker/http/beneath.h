/*
 * beneath.h - opening files of a directory that is served, and nothing outside of it.
 */
#ifndef PILLAR_HTTP_BENEATH_H
#define PILLAR_HTTP_BENEATH_H

#include <stdbool.h>

/*
 * Opens `path`, relative to the directory `root` and without a leading slash ("": the directory itself), for reading.
 * No "..", no link leads out of it. The caller closes it. Failure: -1 with errno.
 */
int beneath_open(int root, const char *path);

/* True when a part of the path begins with a dot: such files are not served. */
bool beneath_hidden(const char *path);

#endif
