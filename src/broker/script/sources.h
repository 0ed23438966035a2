/*
 * sources.h - the files that a script was loaded from, read once.
 *
 * All workers of a program load the same text, whatever happens to the files meanwhile: also a worker that starts anew
 * long after the script was edited. What was not there is remembered too. Safe on any thread.
 */
#ifndef PILLAR_SCRIPT_SOURCES_H
#define PILLAR_SCRIPT_SOURCES_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

enum { SOURCES_MAX = 4096 };

struct sources;

/* Files below `library_dir` are the library's, and not looked at for changes. A file may have `size_max` bytes. NULL when
 * memory is short. */
struct sources *sources_create(const char *library_dir, size_t size_max);
/* Accepts NULL. */
void sources_free(struct sources *s);

/*
 * The text of a file, as it was when it was first asked for. It is the sources', and stays in place as long as they do.
 * Failure: false with "not_found" or "unavailable", and a message that names the file; also whenever it is asked for
 * again. Not remembered are "out_of_memory", and "too_many": SOURCES_MAX files were asked for already.
 */
bool sources_read(struct sources *s, const char *path, struct str *text, struct error *e);

/* The same text, if the file was read before. */
bool sources_find(struct sources *s, const char *path, struct str *text);

/*
 * True once a file reads differently, has come or is gone, and two calls in a row have found all files in the same
 * state: who writes one in several steps is left to finish.
 */
bool sources_changed(struct sources *s);

#endif
