/* The command line. Uses the public API, and nothing else of the broker. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pillar/pillar.h"
#include "reloader.h"

/* How long a script that does not return may hold up the end. */
enum { END_PATIENCE_MS = 5000, END_IMPATIENCE_MS = 500 };

static const char usage[] =
    "Pillar, a Lua-scriptable real-time sync broker.\n"
    "\n"
    "  pillar run APP.lua [OPTION ...]     serve the routes and event streams that a script defines\n"
    "  pillar check APP.lua [OPTION ...]   load a script, print its routes, point at mistakes\n"
    "  pillar test [PATH ...]              run the tests of scripts, *_spec.lua, with busted\n"
    "  pillar --version                    print the version\n"
    "  pillar --help                       print this\n"
    "\n"
    "A flag beats its environment variable, which beats what the script gives to pillar.app { ... }.\n"
    "SIGTERM and SIGINT end the broker once requests in hand are answered and streams ended; a second one, at once.\n"
    "SIGHUP loads the script anew, and keeps every stream open; with --watch, so does a change of its files. A script\n"
    "that cannot be loaded leaves the old one running.\n"
    "\n"
    "A TIME is 500ms, 10s, 2m, 24h or 7d, and in seconds without a unit; BYTES are 500, 64KiB or 1MiB.\n"
    "\n"
    "Options:\n";

static void print_help(void)
{
    const pillar_option_info *o;

    fputs(usage, stdout);
    for (size_t i = 0; (o = pillar_option_get(i)) != NULL; i++) {
        char flag[64];
        if (o->secret)
            snprintf(flag, sizeof flag, "(environment only)");
        else
            snprintf(flag, sizeof flag, "--%s%s%s", o->name, o->argument == NULL ? "" : " ",
                     o->argument == NULL ? "" : o->argument);
        printf("  %-28s %s\n", flag, o->help);
        printf("  %-28s %s%s%s\n", "", o->environment, o->fallback[0] == '\0' ? "" : ", default ", o->fallback);
    }
}

static int fail(const char *message)
{
    fprintf(stderr, "pillar: %s\n", message);
    return 1;
}

static int fail_usage(const char *problem, const char *what)
{
    fprintf(stderr, "pillar: %s%s; see pillar --help\n", problem, what);
    return 2;
}

static const pillar_option_info *find_option(const char *name, size_t len)
{
    const pillar_option_info *o;

    for (size_t i = 0; (o = pillar_option_get(i)) != NULL; i++)
        if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

/* Reads one flag at argv[*at], "--name VALUE" or "--name=VALUE", and moves *at to its last word. */
static int read_flag(pillar_options *options, char **argv, int *at)
{
    pillar_error error;
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    const pillar_option_info *o = find_option(name, equals == NULL ? strlen(name) : (size_t)(equals - name));
    const char *value = equals == NULL ? "" : equals + 1;

    if (o == NULL)
        return fail_usage("unknown option ", argv[*at]);
    if (o->secret)
        return fail_usage("a secret is not given as a flag, which others could read; set ", o->environment);
    if (o->argument != NULL && equals == NULL) {
        if (argv[*at + 1] == NULL)
            return fail_usage("a value is missing behind ", argv[*at]);
        value = argv[++*at];
    }
    if (pillar_options_set(options, o->name, value, &error) == 0)
        return 0;
    fprintf(stderr, "pillar: %s\n", error.message);
    return 2;
}

/* A secret is the broker's own: neither scripts nor the programs that they start find it in the environment. */
static void hide_secrets(void)
{
    const pillar_option_info *o;

    for (size_t i = 0; (o = pillar_option_get(i)) != NULL; i++) {
        char *value = o->secret ? getenv(o->environment) : NULL;
        if (value == NULL)
            continue;
        explicit_bzero(value, strlen(value)); /* for /proc/self/environ */
        unsetenv(o->environment);
    }
}

static int read_arguments(pillar_options *options, char **argv, const char **script)
{
    pillar_error error;

    if (pillar_options_read_environment(options, &error) != 0)
        return fail(error.message);
    hide_secrets();
    for (int i = 2; argv[i] != NULL; i++) {
        int status = 0;
        if (strncmp(argv[i], "--", 2) == 0)
            status = read_flag(options, argv, &i);
        else if (*script != NULL)
            status = fail_usage("one script is enough: ", argv[i]);
        else
            *script = argv[i];
        if (status != 0)
            return status;
    }
    return *script == NULL ? fail_usage("which script? pillar ", "run APP.lua") : 0;
}

/* A reload that is asked for while the script is being loaded waits until it is; a broker never dies of it. */
static void block_reload_signal(void)
{
    sigset_t reload;

    sigemptyset(&reload);
    sigaddset(&reload, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &reload, NULL);
}

/* A client that has gone, and a file that may not grow, are errors of the write: also of the migrations at the start. */
static void ignore_write_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static void block_signals(sigset_t *handled)
{
    sigemptyset(handled);
    sigaddset(handled, SIGTERM);
    sigaddset(handled, SIGINT);
    sigaddset(handled, SIGHUP);
    pthread_sigmask(SIG_BLOCK, handled, NULL);
}

/* Waits for SIGTERM or SIGINT. */
static void wait_for_end(const sigset_t *handled, struct reloader *reloader)
{
    int number;

    for (;;) {
        if (sigwait(handled, &number) != 0)
            continue;
        if (number != SIGHUP)
            return;
        reloader_ask(reloader);
    }
}

/* Waits a moment for a signal; -1 when none came. */
static int next_signal(const sigset_t *handled)
{
    const struct timespec pause = {0, 10 * 1000000L};

    return sigtimedwait(handled, NULL, &pause);
}

static bool is_hurried(int number)
{
    return number == SIGTERM || number == SIGINT;
}

/* Returns false when it was cut short. */
static bool drain(pillar_broker *broker, struct reloader *reloader, const sigset_t *handled)
{
    pillar_broker_drain(broker);
    while (!pillar_broker_drained(broker)) {
        int number = next_signal(handled);
        if (is_hurried(number))
            return false;
        if (number == SIGHUP)
            reloader_ask(reloader); /* which says that it is too late */
    }
    return true;
}

struct ending {
    pillar_broker *broker;
    struct reloader *reloader;
    atomic_bool done;
};

static void *destroy(void *arg)
{
    struct ending *ending = arg;

    reloader_stop(ending->reloader);
    pillar_broker_destroy(ending->broker);
    atomic_store(&ending->done, true);
    return NULL;
}

/* What a script is stuck in may never return. What it has not committed is lost with it, as it would be anyway. */
static void end(pillar_broker *broker, struct reloader *reloader, const sigset_t *handled, int patience_ms)
{
    struct ending ending = {.broker = broker, .reloader = reloader};
    struct timespec now;
    pthread_t thread;

    clock_gettime(CLOCK_MONOTONIC, &now);
    long long until = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + patience_ms;
    atomic_init(&ending.done, false);
    if (pthread_create(&thread, NULL, destroy, &ending) != 0) {
        (void)destroy(&ending);
        return;
    }
    while (!atomic_load(&ending.done)) {
        bool hurried = is_hurried(next_signal(handled));
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (hurried || (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 > until) {
            fputs("pillar: a script does not return; ended without it\n", stderr);
            _exit(1);
        }
    }
    pthread_join(thread, NULL);
}

static int run(const char *script, const pillar_options *options)
{
    pillar_error error;
    sigset_t handled;

    block_reload_signal();
    ignore_write_signals();
    pillar_broker *broker = pillar_broker_create(script, options, &error);
    if (broker == NULL)
        return fail(error.message);
    block_signals(&handled); /* not before: loading a script can be interrupted; nor later: threads inherit it */
    if (pillar_broker_start(broker, &error) != 0) {
        pillar_broker_destroy(broker);
        return fail(error.message);
    }
    struct reloader *reloader = reloader_start(broker);
    if (reloader == NULL) {
        pillar_broker_destroy(broker);
        return fail("cannot start a thread");
    }
    printf("pillar %s: %s\n", pillar_version(), pillar_broker_summary(broker));
    fflush(stdout);
    wait_for_end(&handled, reloader);
    end(broker, reloader, &handled, drain(broker, reloader, &handled) ? END_PATIENCE_MS : END_IMPATIENCE_MS);
    return 0;
}

static void print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
}

static int check(const char *script, const pillar_options *options)
{
    pillar_error error;

    return pillar_check(script, options, print_line, NULL, &error) == 0 ? 0 : fail(error.message);
}

/* What follows is busted's, its --help too. */
static int test(char **arguments)
{
    pillar_error error;

    (void)pillar_test((const char *const *)arguments, &error);
    return fail(error.message);
}

static int run_command(char **argv, int (*command)(const char *script, const pillar_options *options))
{
    const char *script = NULL;
    pillar_options *options = pillar_options_create();

    if (options == NULL)
        return fail("out of memory");
    int status = read_arguments(options, argv, &script);
    if (status == 0)
        status = command(script, options);
    pillar_options_free(options);
    return status;
}

/* Else the first sockets and files would get the numbers of the standard streams, and the log would go there. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1)
            (void)open("/dev/null", O_RDWR); /* gets the lowest free number */
}

int main(int argc, char **argv)
{
    const char *command = argc < 2 ? "" : argv[1];

    fill_standard_descriptors();

    if (strcmp(command, "test") == 0)
        return test(argv + 2);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return 0;
        }
    }
    if (strcmp(command, "--version") == 0) {
        printf("pillar %s\n", pillar_version());
        return 0;
    }
    if (strcmp(command, "run") == 0)
        return run_command(argv, run);
    if (strcmp(command, "check") == 0)
        return run_command(argv, check);
    return fail_usage(argc < 2 ? "a command is missing" : "unknown command ", command);
}
