#include "support/app.h"

#include <stdio.h>

#include "http/target.h"
#include "support/check.h"

enum { ROUTES_MAX = 64, MOUNTS_MAX = 16 };

void app_add_route(struct app *app, enum method method, const char *pattern)
{
    char source[32];

    if (app->routes == NULL)
        app->routes = arena_alloc(&app->arena, ROUTES_MAX * sizeof *app->routes);
    assert_true(app->route_count < ROUTES_MAX);
    snprintf(source, sizeof source, "test:%zu", app->route_count + 1);
    app->routes[app->route_count++] = (struct route){.method = method,
                                                     .pattern = arena_copy(&app->arena, str_of(pattern)),
                                                     .source = arena_copy(&app->arena, str_of(source))};
}

void app_add_mount(struct app *app, const char *prefix)
{
    if (app->mounts == NULL)
        app->mounts = arena_alloc(&app->arena, MOUNTS_MAX * sizeof *app->mounts);
    assert_true(app->mount_count < MOUNTS_MAX);
    app->mounts[app->mount_count++] = (struct mount){.prefix = arena_copy(&app->arena, str_of(prefix))};
}

void exchange_for(struct exchange *ex, enum method method, const char *target)
{
    struct refusal why;

    *ex = (struct exchange){.arena = ARENA_EMPTY};
    ex->request.method = method;
    ex->request.target = arena_copy(&ex->arena, str_of(target));
    assert_that(target_parse(&ex->request, &ex->arena, &why), "the target %s was refused: %s", target, why.message);
}

void exchange_done(struct exchange *ex)
{
    buf_free(&ex->response.body);
    arena_free(&ex->arena);
}
