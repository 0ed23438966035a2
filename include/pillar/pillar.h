/*
 * pillar.h - embed the Pillar sync broker in a C program.
 *
 * The order of calls: pillar_options_create, pillar_options_set and friends, pillar_broker_create (which
 * loads the script, opens the database and binds the address), pillar_broker_start (which starts threads),
 * pillar_broker_drain, pillar_broker_destroy. A process may hold several brokers, each with a script and an
 * address of its own.
 *
 * The caller should ignore SIGPIPE and SIGXFSZ, and block the signals it wants to handle before pillar_broker_start and
 * pillar_broker_reload, since the broker's threads inherit the signal mask.
 */
#ifndef PILLAR_PILLAR_H
#define PILLAR_PILLAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PILLAR_API __attribute__((visibility("default")))
#else
#define PILLAR_API
#endif

/* Why a call failed. `message` is one line for a human, without a newline, and says what to do where that helps. */
typedef struct pillar_error {
    char code[32];
    char field[64]; /* which option or event field is wrong, or "" */
    char message[512];
} pillar_error;

/* "0.1.0" */
PILLAR_API const char *pillar_version(void);

/* --- options --- */

typedef struct pillar_options pillar_options;

/* An option as --help shows it. */
typedef struct pillar_option_info {
    const char *name;        /* "max-body-bytes"; the flag is --max-body-bytes, in a script's settings max_body_bytes */
    const char *environment; /* "PILLAR_MAX_BODY_BYTES" */
    const char *argument;    /* what its value is, "BYTES"; NULL for one that is on or off */
    const char *fallback;    /* its default */
    const char *help;        /* one sentence */
    int secret;              /* not to be given as a flag, where other users of the machine could read it */
} pillar_option_info;

/* The options in the order in which --help shows them, counted from 0; NULL behind the last one. */
PILLAR_API const pillar_option_info *pillar_option_get(size_t index);

/* All defaults. NULL when memory is short. */
PILLAR_API pillar_options *pillar_options_create(void);
PILLAR_API void pillar_options_free(pillar_options *options);

/*
 * Sets an option by its name; this beats the environment, which beats what the script sets. Returns 0, or -1
 * with "invalid_option" for an unknown name or a value that does not fit.
 */
PILLAR_API int pillar_options_set(pillar_options *options, const char *name, const char *value, pillar_error *error);

/* Sets what the environment names. Returns as pillar_options_set. */
PILLAR_API int pillar_options_read_environment(pillar_options *options, pillar_error *error);

/* --- the broker --- */

typedef struct pillar_broker pillar_broker;

/*
 * Loads `script`, applies its migrations, binds the address. `options` is copied. Returns NULL with the
 * reason: a missing file, a Lua error with its file and line, an address in use, a database that cannot be
 * opened or migrated.
 */
PILLAR_API pillar_broker *pillar_broker_create(const char *script, const pillar_options *options, pillar_error *error);

/* Starts serving. Returns 0 or -1. */
PILLAR_API int pillar_broker_start(pillar_broker *broker, pillar_error *error);

/* The port that is listened on: of use when the option said 0. */
PILLAR_API uint16_t pillar_broker_port(const pillar_broker *broker);

/* One line that says what runs where: "listening on http://127.0.0.1:8080, script app.lua, 12 routes, ...". The
 * broker's. */
PILLAR_API const char *pillar_broker_summary(const pillar_broker *broker);

/*
 * Begins to drain: stops accepting connections; requests in hand are answered, further ones refused; then streams are ended,
 * spread over the time that the option drain-window says, so that their clients come back elsewhere or later. Returns at once.
 */
PILLAR_API void pillar_broker_drain(pillar_broker *broker);

/* Not 0 once a drain has nothing left to wait for, or has lasted as long as the option drain-timeout says. */
PILLAR_API int pillar_broker_drained(const pillar_broker *broker);

/* Stops what still runs, and releases everything. Waits for handlers under way: one that is stuck inside of C code keeps it
 * waiting for as long. Accepts NULL. */
PILLAR_API void pillar_broker_destroy(pillar_broker *broker);

/* --- reload --- */

/*
 * Loads the script anew and has it serve all further requests. Those that have come before are answered by the version
 * that they came to; streams stay open and miss nothing. Migration steps that are new are applied; settings that the
 * script gives to pillar.app are not, before the next start. For a broker that has started; safe on any thread, where
 * two calls wait for one another. Takes as long as the script takes to load.
 *
 * Returns 0; or -1, and nothing has changed: with the mistake in the script, its migrations or settings, with
 * "draining", or with "busy" where the same script may be taken later: too many earlier versions have handlers that do
 * not return (option max-retiring), or a transaction holds up a migration.
 */
PILLAR_API int pillar_broker_reload(pillar_broker *broker, pillar_error *error);

/* Not 0 when the option watch is on: the program around the broker is asked to look for changes, and to reload. */
PILLAR_API int pillar_broker_watches(const pillar_broker *broker);

/*
 * Not 0 when a file from which the script was last loaded, or was tried to be, has changed since, and is at rest: two
 * calls in a row have found the same. To be called a few times a second; safe on any thread.
 */
PILLAR_API int pillar_broker_script_changed(pillar_broker *broker);

/* --- events from C --- */

/* The fields of a sync event, as in Lua and JSON. Strings are UTF-8 and end with a NUL; NULL means absent. */
typedef struct pillar_event {
    const char *entity; /* declared by the script */
    const char *action;
    const char *const *target_user_ids; /* whom it concerns */
    size_t target_user_count;
    int everyone;           /* not 0: it concerns every user, and target_user_ids is not looked at */
    const char *user_id;    /* the originator ... */
    const char *session_id; /* ... whose session does not get it */
    const char *entity_id;
    const char *project_id;
    const char *data; /* JSON text */
} pillar_event;

/*
 * Commits events, all of them or none, and delivers them. Waits for the commit; safe on any thread once the
 * broker has started. Returns 0, or -1 with "invalid_field" and the field's name, "overloaded" when the
 * request queue is full, or "unavailable" when the commit failed.
 */
PILLAR_API int pillar_broker_emit(pillar_broker *broker, const pillar_event *events, size_t count, pillar_error *error);

/* --- looking at a script without running it --- */

/*
 * Loads a script, tries its migrations on an empty database in memory, and prints, line by line, what it defines, and
 * behind that what it says and cannot mean: lines that begin with a file and a line, "app.lua:12: ...". Opens no other
 * database and no socket.
 *
 * Returns 0; or how many such findings it has printed, with "findings" and that number in a message; or -1 with the
 * mistake that keeps the script from running. Lines that go on with "note: " are not counted.
 */
PILLAR_API int pillar_check(const char *script, const pillar_options *options,
                            void (*print)(void *context, const char *line), void *context, pillar_error *error);

/* --- tests of scripts --- */

/*
 * Runs tests that use pillar.testing, by busted, which takes the process's place; `arguments`, a list that ends with
 * NULL, are its own: files or folders, and options. Without a path it looks for *_spec.lua below the working directory.
 * Returns only when that cannot be done: -1 with "library" or "test".
 */
PILLAR_API int pillar_test(const char *const *arguments, pillar_error *error);

#ifdef __cplusplus
}
#endif

#endif
