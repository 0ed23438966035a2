/* The public API, and how a broker is put together and taken apart. */
#include "pillar/pillar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "broker_private.h"
#include "db/database_lock.h"
#include "host_limits.h"
#include "library.h"
#include "retirement.h"
#include "script/sources.h"

/* For the listeners, the database, the loops themselves and what a script may open. */
static const size_t DESCRIPTORS_RESERVED = 64;

const char *pillar_version(void)
{
    return PILLAR_VERSION;
}

/* Lua's messages may have several lines; a line break and the blanks around it become one space. */
static void copy_as_line(char *out, size_t size, const char *text)
{
    size_t len = 0;

    for (; *text != '\0' && len + 1 < size; text++) {
        bool blank = *text == '\n' || *text == '\t' || *text == ' ';
        if (!blank || (len > 0 && out[len - 1] != ' '))
            out[len++] = blank ? ' ' : *text;
    }
    out[len] = '\0';
}

int api_report(pillar_error *out, const struct error *e)
{
    if (out != NULL) {
        snprintf(out->code, sizeof out->code, "%s", e->code);
        snprintf(out->field, sizeof out->field, "%s", e->field);
        copy_as_line(out->message, sizeof out->message, e->message);
    }
    return -1;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* --- putting together: the script --- */

static bool find_script(struct pillar_broker *b, const char *script, struct error *e)
{
    if (access(script, R_OK) != 0)
        return error_set(e, "script", "cannot read the script %s: %s", script, strerror(errno));
    b->script = strdup(script);
    b->script_dir = directory_of(script);
    if (b->script == NULL || b->script_dir == NULL)
        return error_no_memory(e);
    b->library_dir = library_find(b->options->values.library, e);
    return b->library_dir != NULL;
}

/* --- putting together: the server --- */

/* Descriptors are what a connection costs first; the process may raise its own limit to the hard one. */
static size_t usable_connections(size_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return wanted;
    }
    size_t room = limit.rlim_cur > DESCRIPTORS_RESERVED + DESCRIPTORS_RESERVED
                      ? (size_t)limit.rlim_cur - DESCRIPTORS_RESERVED
                      : DESCRIPTORS_RESERVED;
    if (limit.rlim_cur == RLIM_INFINITY || wanted <= room)
        return wanted;
    log_warn("http",
             "max-connections is cut from %zu to %zu: the process may open %llu files, and needs %zu: LimitNOFILE=, or "
             "ulimit -Hn",
             wanted, room, (unsigned long long)limit.rlim_cur, wanted + DESCRIPTORS_RESERVED);
    return room;
}

struct guard_limits broker_guard_limits(const struct pillar_broker *b)
{
    const struct settings *s = &b->options->values;

    return (struct guard_limits){.header_bytes = (size_t)s->max_header_bytes,
                                 .header_count = (size_t)s->max_headers,
                                 .target_bytes = (size_t)s->max_target_bytes,
                                 .body_bytes = (size_t)s->max_body_bytes};
}

struct stream_config broker_stream_config(const struct pillar_broker *b)
{
    const struct settings *s = &b->options->values;

    return (struct stream_config){.log = {.max_events = (size_t)s->history_events,
                                          .max_bytes = (size_t)s->history_bytes,
                                          .max_age_ms = s->history_age},
                                  .heartbeat_ms = s->heartbeat,
                                  .max_per_user = (size_t)s->max_streams_per_user,
                                  .max_per_address = (size_t)s->max_streams_per_address,
                                  .expiry_notice_ms = s->expiry_notice,
                                  .delivery_log = (size_t)s->delivery_log,
                                  .retry_min_ms = (unsigned)s->retry_min,
                                  .retry_max_ms = (unsigned)s->retry_max};
}

static size_t limit_connections(const struct settings *s)
{
    host_limits_check("/proc",
                      (size_t)s->max_connections); /* as many as are wanted: the limits are to be raised together */
    return usable_connections((size_t)s->max_connections);
}

static struct http_config http_settings(const struct pillar_broker *b, const char *host, uint16_t port)
{
    const struct settings *s = &b->options->values;

    return (struct http_config){
        .host = host,
        .port = port,
        .loops = (unsigned)s->loops,
        .guard = broker_guard_limits(b),
        .max_connections = limit_connections(s),
        .max_body_memory = (size_t)s->max_body_memory,
        .max_inbox_events = (size_t)s->inbox_events,
        .max_requests_per_address = s->max_requests_per_address,
        .rate_entries = (size_t)s->rate_entries,
        .header_timeout_ms = s->header_timeout,
        .body_timeout_ms = s->body_timeout,
        .idle_timeout_ms = s->idle_timeout,
        .write_timeout_ms = s->write_timeout,
        .peer_timeout_ms = s->peer_timeout,
        .handler_deadline_ms = s->handler_deadline,
        .queue_timeout_ms = s->queue_timeout,
        .drain_timeout_ms = s->drain_timeout,
        .drain_window_ms = s->drain_window < s->drain_timeout ? s->drain_window : s->drain_timeout,
        .stream = broker_stream_config(b),
    };
}

/* Each request that is not answered holds a reference; the broker has one, or a retirement. */
static bool is_busy(void *context)
{
    struct pillar_broker *b = context;

    pthread_mutex_lock(&b->program_lock);
    bool busy = b->program->references > 1;
    for (const struct retirement *r = b->retiring; r != NULL; r = r->next)
        busy |= r->program != NULL && r->program->references > 1;
    pthread_mutex_unlock(&b->program_lock);
    return busy;
}

static bool make_server(struct pillar_broker *b, struct error *e)
{
    struct http_handler handler = {.context = b,
                                   .on_request = dispatch_request,
                                   .on_complete = dispatch_complete,
                                   .on_refuse = dispatch_refuse,
                                   .is_stream = dispatch_is_stream,
                                   .on_release = dispatch_release,
                                   .is_busy = is_busy};
    char host[256];
    uint16_t port;

    if (!settings_parse_listen(b->options->values.listen, host, sizeof host, &port, e))
        return false;
    struct http_config config = http_settings(b, host, port);
    b->server = http_server_create(&config, b->bus, &handler, e);
    return b->server != NULL;
}

static void begin_server(void *context, uint64_t position)
{
    struct pillar_broker *b = context;

    http_server_begin(b->server, journal_generation(b->journal), position);
}

static void recall_event(void *context, struct event *ev)
{
    const struct pillar_broker *b = context;

    http_server_recall(b->server, ev);
}

static bool write_summary(struct pillar_broker *b, struct error *e)
{
    const struct settings *s = &b->options->values;
    struct buf text = BUF_EMPTY;
    char host[256];
    uint16_t ignored;
    size_t len;

    (void)settings_parse_listen(s->listen, host, sizeof host, &ignored, NULL);
    bool bracket = strchr(host, ':') != NULL;
    buf_printf(&text, "listening on http://%s%s%s:%u, script %s, %zu routes, database %s", bracket ? "[" : "", host,
               bracket ? "]" : "", http_server_port(b->server), b->script, b->program->app->route_count - 1,
               s->database);
    if (b->program->app->anonymous)
        buf_printf(&text, "; nobody has to sign in (app:anonymous)");
    buf_append_char(&text, '\0');
    if (text.failed) {
        buf_free(&text);
        return error_no_memory(e);
    }
    b->summary = buf_take(&text, &len);
    return true;
}

bool broker_apply_settings(const struct pillar_broker *b, const struct app *app, struct pillar_options *options,
                           struct error *e)
{
    const struct pairs *settings = &app->settings;
    struct error why = {.code = "internal"};

    for (size_t i = 0; i < settings->count; i++) {
        const struct pair *p = &settings->at[i];
        if (!options_set(options, SOURCE_SCRIPT, p->name.ptr, p->value.ptr, &why)) {
            (void)error_set(e, "invalid_option", "%s: pillar.app: %s", b->script, why.message);
            return false;
        }
    }
    return options_check(options, e);
}

/* Whoever has not built the client has a broker all the same; its path says what is missing. */
static void open_client(struct pillar_broker *b)
{
    bool served = strcmp(b->options->values.client_path, "none") != 0;
    char *dir = served ? library_find_client() : NULL;

    if (dir != NULL)
        b->client.root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
}

bool broker_load(struct pillar_broker *b, const char *script, struct error *e)
{
    if (!find_script(b, script, e))
        return false;
    b->program = program_new(b, e);
    if (b->program == NULL || !program_load(b->program, e) ||
        !broker_apply_settings(b, b->program->app, b->options, e) || !program_check(b, b->program, e))
        return false;
    open_client(b);
    return true;
}

struct program *broker_program(struct pillar_broker *b)
{
    pthread_mutex_lock(&b->program_lock);
    struct program *p = b->program;
    p->references++;
    pthread_mutex_unlock(&b->program_lock);
    return p;
}

static bool make_limits(struct pillar_broker *b, struct error *e)
{
    const struct settings *s = &b->options->values;
    const char *ignored;

    if (!networks_read(str_of(s->trusted_proxies), &b->proxies, &ignored))
        return error_no_memory(e);
    if (s->max_requests_per_user == 0)
        return true;
    b->user_rates = user_rates_create(s->max_requests_per_user, (size_t)s->rate_entries);
    return b->user_rates != NULL || error_no_memory(e);
}

enum { WAL_WAIT_MORE_MS = 100, WAL_WAIT_MOST_MS = 10000 };

bool broker_make_journal(struct pillar_broker *b, struct error *e)
{
    const struct settings *s = &b->options->values;
    const struct journal_limits limits = {s->history_events, s->history_bytes, s->history_age};

    b->bus = bus_create();
    b->journal = b->bus == NULL ? NULL : journal_create(b->bus, &limits);
    if (b->journal == NULL)
        return error_no_memory(e);
    /* A read that begins just before it would have to wait ends at its deadline, or soon after. */
    uint64_t longest_ms = s->handler_deadline + WAL_WAIT_MORE_MS;
    journal_limit_wal(b->journal, s->wal_bytes, longest_ms < WAL_WAIT_MOST_MS ? longest_ms : WAL_WAIT_MOST_MS);
    return true;
}

bool broker_make_idempotency(struct pillar_broker *b, struct error *e)
{
    char url[64];

    b->in_flight = in_flight_create();
    if (b->in_flight == NULL)
        return error_no_memory(e);
    if (strcmp(b->options->values.database, "none") != 0)
        return true;
    snprintf(url, sizeof url, "memory:records-%p", (void *)b);
    b->records = db_open(url, e);
    return b->records != NULL && idempotency_prepare(b->records, e);
}

static bool assemble(struct pillar_broker *b, const char *script, struct error *e)
{
    const struct journal_reader reader = {recall_event, begin_server, b};
    size_t applied;

    if (!broker_load(b, script, e) || !broker_make_journal(b, e) || !broker_make_idempotency(b, e))
        return false;
    /* The database's lock before the address: who waits for another broker to end needs what that one has. The address before
     * the database itself: a broker that cannot run changes nothing. */
    return make_limits(b, e) && broker_take_database(b, e) && make_server(b, e) && broker_open_history(b, &reader, e) &&
           program_make_pool(b->program, e) && program_migrate(b->program, &applied, e) && write_summary(b, e);
}

static void set_log_level(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error", "off"};

    for (int i = 0; i <= LOG_OFF; i++)
        if (strcmp(name, names[i]) == 0)
            logger_set_level((enum log_level)i);
}

struct pillar_broker *broker_new(const struct pillar_options *options, struct error *e)
{
    struct pillar_broker *b = calloc(1, sizeof *b);

    if (b == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    /* With default attributes these have nothing to fail at. */
    pthread_mutex_init(&b->program_lock, NULL);
    pthread_cond_init(&b->program_left, NULL);
    pthread_mutex_init(&b->reload_lock, NULL);
    random_hex(b->made_secret, SECRET_BYTES_MIN);
    b->database_lock = -1;
    b->client.root = -1;
    b->given = options_copy(options);
    b->options = options_copy(options);
    if (b->given != NULL && b->options != NULL)
        return b;
    pillar_broker_destroy(b);
    (void)error_no_memory(e);
    return NULL;
}

struct pillar_broker *pillar_broker_create(const char *script, const struct pillar_options *options,
                                           pillar_error *error)
{
    struct error e = {.code = "internal"};
    struct pillar_broker *b = broker_new(options, &e);

    if (b != NULL) {
        set_log_level(b->options->values.log_level);
        if (assemble(b, script, &e)) {
            program_tell_missing(b->program);
            if (b->options->values.secret[0] == '\0')
                log_info("auth",
                         "PILLAR_SECRET is not set: sessions end with this process; make one with: openssl rand "
                         "-hex 32");
            return b;
        }
    }
    (void)api_report(error, &e);
    pillar_broker_destroy(b);
    return NULL;
}

/* --- running --- */

int pillar_broker_start(struct pillar_broker *b, pillar_error *error)
{
    struct error e = {.code = "internal"};

    b->started = true;
    if (pool_start(b->program->pool, &e) && http_server_start(b->server, &e))
        return 0;
    return api_report(error, &e);
}

uint16_t pillar_broker_port(const struct pillar_broker *b)
{
    return http_server_port(b->server);
}

const char *pillar_broker_summary(const struct pillar_broker *b)
{
    return b->summary;
}

void pillar_broker_drain(struct pillar_broker *b)
{
    if (atomic_exchange(&b->draining, true))
        return;
    b->drain_ends_ns = clock_monotonic_ns() + b->options->values.drain_timeout * 1000000u;
    if (b->started)
        log_info("http", "going away: requests in hand are answered, and streams end");
    http_server_drain(b->server);
}

int pillar_broker_drained(const struct pillar_broker *b)
{
    return http_server_drained(b->server) || clock_monotonic_ns() >= b->drain_ends_ns;
}

/*
 * Shutdown order: workers first, while the loops still take their answers; then the loops, which close every
 * handle; then what both stand on.
 */
void pillar_broker_destroy(struct pillar_broker *b)
{
    if (b == NULL)
        return;
    if (b->started) {
        pillar_broker_drain(b);
        retirement_wait_for_all(b);
        pool_stop(b->program->pool);
        http_server_stop(b->server);
    }
    http_server_free(b->server);
    program_unref(b->program);
    sources_free(b->failed);
    database_lock_release(b->database_lock); /* the workers have closed the database */
    db_close(b->records);
    in_flight_free(b->in_flight);
    journal_free(b->journal);
    bus_free(b->bus);
    user_rates_free(b->user_rates);
    networks_free(&b->proxies);
    free(b->summary);
    if (b->client.root >= 0)
        close(b->client.root);
    free(b->library_dir);
    free(b->script_dir);
    free(b->script);
    pillar_options_free(b->options);
    pillar_options_free(b->given);
    pthread_mutex_destroy(&b->reload_lock);
    pthread_cond_destroy(&b->program_left);
    pthread_mutex_destroy(&b->program_lock);
    free(b);
}
