/*
 * app.h - a struct app as a script would define it, made by hand, and requests for it.
 */
#ifndef PILLAR_TESTS_APP_H
#define PILLAR_TESTS_APP_H

#include "script/app.h"

/* Adds a route; `source` is its place in the order: "test:1" for the first. The app is zeroed before the first one. */
void app_add_route(struct app *app, enum method method, const char *pattern);
void app_add_mount(struct app *app, const char *prefix);

/* An exchange for `method` and `target`, which is taken apart as one from the wire is. Freed with exchange_done. */
void exchange_for(struct exchange *ex, enum method method, const char *target);
void exchange_done(struct exchange *ex);

#endif
