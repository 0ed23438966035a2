/*
 * app.h - what a script defines, read out of Lua once and immutable from then on: routes, entities, mounts,
 * migrations, settings. Loops route by it without touching Lua; each worker has loaded the same script and
 * knows a route by its number.
 */
#ifndef PILLAR_SCRIPT_APP_H
#define PILLAR_SCRIPT_APP_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/exchange.h"
#include "db/migrate.h"

struct script_state;
struct route_node;

enum route_mode {
    ROUTE_READ,  /* runs on a reader, in one snapshot */
    ROUTE_WRITE, /* runs on the writer, as a transaction */
    ROUTE_FREE   /* runs on a reader, and opens transactions itself */
};

struct route {
    enum method method;
    struct str pattern; /* "/api/tasks/:id", "/files/" and then "*path" */
    enum route_mode mode;
    bool silent;       /* nobody needs to know what it changes */
    struct str source; /* "app.lua:12" */
};

struct mount {
    struct str prefix; /* begins with '/', ends without, but for "/" itself, which is "" here */
    struct str dir;
    struct str fallback;  /* empty: none */
    struct str immutable; /* a folder below dir, whose files never change; ends with '/'; empty: none */
    struct str missing;   /* what to do about it while the directory is not there; empty: it must be there */
};

enum { APP_EVENTS_PATH = '\1' };

/* app:cors, as lua/pillar/cors.lua has checked it. */
struct cors {
    bool on;
    bool any; /* every origin, without credentials */
    bool credentials;
    struct str *origins; /* as browsers write them */
    size_t origin_count;
    struct str max_age; /* seconds, in digits */
    struct str headers; /* that pages may send, a list with commas; empty: what they ask for */
    struct str exposed; /* that they may read, the same */
};

struct app {
    struct arena arena; /* everything below lives in it */
    struct route *routes;
    size_t route_count;
    size_t emit_route; /* the library's own, behind POST /api/emit; it is in no path's tree */
    struct str *entities;
    size_t entity_count;
    struct mount *mounts;
    size_t mount_count;
    struct migration *migrations;
    size_t migration_count;
    struct pairs settings;
    struct str openapi; /* the API's description; APP_EVENTS_PATH in it stands for the event stream's path */
    struct cors cors;
    bool anonymous; /* the script says that nobody has to sign in */
    struct route_node *root;
};

/*
 * Runs the script at `path` in a fresh state, for at most `deadline_ms`, and reads what it defines. Without `whole` the
 * description of the API is left out, which one load of many is enough for. Failure: NULL with "script" and a message
 * that begins with file and line where Lua knows them.
 */
struct app *app_load(struct script_state *state, const char *path, uint64_t deadline_ms, bool whole, struct error *e);

/* Accepts NULL. */
void app_free(struct app *app);

/* A route that one of them has and the other has not, or NULL: a worker that disagrees must not run. */
const struct route *app_other_route(const struct app *a, const struct app *b);

bool app_has_entity(const struct app *app, struct str name);

/* --- routing --- */

enum route_match { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_WRONG_METHOD };

/*
 * Finds the route for a request and fills its params, in the exchange's arena. Literal segments go before
 * parameters, and those before a rest. HEAD finds GET's route. ROUTE_WRONG_METHOD: *allowed has the bit 1 <<
 * method of each that would do.
 */
enum route_match app_route(const struct app *app, struct exchange *ex, size_t *route, unsigned *allowed);

/* Builds the tree that app_route walks. Two routes that cannot be told apart are an error. */
bool app_build_routes(struct app *app, struct error *e);

/* The mount that serves this path, the longest prefix first, and the path below it; NULL: none. */
const struct mount *app_mount(const struct app *app, const struct request *r, struct str *below);

#endif
