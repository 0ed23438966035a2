/*
 * library.h - where the parts are that belong to the binary: the Lua library, the C module for tests of scripts, and the
 * browser's client.
 *
 * In the build tree they lie beside the binary; installed, under the same prefix.
 */
#ifndef PILLAR_LIBRARY_H
#define PILLAR_LIBRARY_H

#include "base/error.h"

/* The folder of the Lua library, which the caller frees: `setting`, if it is not empty. NULL with "library". */
char *library_find(const char *setting, struct error *e);

/* The folder of the C modules, which the caller frees. NULL with "library". */
char *library_find_modules(struct error *e);

/* The name of the browser's client in its folder. */
#define LIBRARY_CLIENT_FILE "pillar.js"

/* The folder of the browser's client, which the caller frees. NULL: it was not built, or memory is short. */
char *library_find_client(void);

#endif
