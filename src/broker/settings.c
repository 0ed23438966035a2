#include "settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/secrets.h"
#include "base/str.h"
#include "broker_private.h"

enum kind { KIND_TEXT, KIND_COUNT, KIND_BYTES, KIND_TIME, KIND_SWITCH };

struct setting {
    pillar_option_info info;
    enum kind kind;
    size_t offset; /* in struct settings */
    uint64_t least;
    uint64_t most;
};

#define KIB    1024ull
#define MIB    (KIB * KIB)
#define GIB    (KIB * MIB)
#define TIB    (MIB * MIB)
#define SECOND 1000ull
#define HOUR   (3600ull * SECOND)
#define DAY    (24ull * HOUR)

#define AT(field) offsetof(struct settings, field)

static const struct setting settings_table[] = {
    {{"listen", "PILLAR_LISTEN", "HOST:PORT", "127.0.0.1:8080", "Address to listen on; port 0 takes any free one.", 0},
     KIND_TEXT,
     AT(listen),
     0,
     0},
    {{"database", "DATABASE_URL", "URL", "sqlite:pillar.db", "The application's database: sqlite:PATH, or none.", 0},
     KIND_TEXT,
     AT(database),
     0,
     0},
    {{"loops", "PILLAR_LOOPS", "N", "1", "I/O loops, each with a thread of its own.", 0}, KIND_COUNT, AT(loops), 1, 64},
    {{"workers", "PILLAR_WORKERS", "N", "4", "Script workers for reading requests; one more runs the mutations.", 0},
     KIND_COUNT,
     AT(workers),
     1,
     256},
    {{"free-workers", "PILLAR_FREE_WORKERS", "N", "4",
      "Script workers for mutations with transaction = false, if the script has any.", 0},
     KIND_COUNT,
     AT(free_workers),
     1,
     256},
    {{"dev", "PILLAR_DEV", NULL, "off", "Development: error answers hold the script's error and traceback.", 0},
     KIND_SWITCH,
     AT(dev),
     0,
     1},
    {{"watch", "PILLAR_WATCH", NULL, "off", "Reload the script when one of its files changes.", 0},
     KIND_SWITCH,
     AT(watch),
     0,
     1},
    {{"log-level", "PILLAR_LOG_LEVEL", "LEVEL", "info", "What to log: debug, info, warn, error or off.", 0},
     KIND_TEXT,
     AT(log_level),
     0,
     0},
    {{"library", "PILLAR_LIBRARY", "DIR", "", "Where the Lua library is; by default, beside the binary or installed.",
      0},
     KIND_TEXT,
     AT(library),
     0,
     0},

    {{"events-path", "PILLAR_EVENTS_PATH", "PATH", "/api/events", "Path of the event stream.", 0},
     KIND_TEXT,
     AT(events_path),
     0,
     0},
    {{"emit-path", "PILLAR_EMIT_PATH", "PATH", "/api/emit", "Path where back ends post events.", 0},
     KIND_TEXT,
     AT(emit_path),
     0,
     0},
    {{"emit-key", "PILLAR_EMIT_KEY", "KEY", "", "Bearer key for it; without one the path does not exist.", 1},
     KIND_TEXT,
     AT(emit_key),
     0,
     0},
    {{"openapi-path", "PILLAR_OPENAPI_PATH", "PATH", "/openapi.json", "Path of the API's description, or none.", 0},
     KIND_TEXT,
     AT(openapi_path),
     0,
     0},
    {{"client-path", "PILLAR_CLIENT_PATH", "PATH", "/pillar.js", "Path of the browser's client, or none.", 0},
     KIND_TEXT,
     AT(client_path),
     0,
     0},
    {{"secret", "PILLAR_SECRET", "SECRET", "",
      "Signs sessions, 32 characters or more; with several, separated by commas, the first signs and all count.", 1},
     KIND_TEXT,
     AT(secret),
     0,
     0},

    {{"max-connections", "PILLAR_MAX_CONNECTIONS", "N", "16384", "Connections at a time; further ones are sent away.",
      0},
     KIND_COUNT,
     AT(max_connections),
     1,
     100000000},
    {{"max-streams-per-user", "PILLAR_MAX_STREAMS_PER_USER", "N", "256",
      "Event streams of a user at a time, a loop; 0: any number.", 0},
     KIND_COUNT,
     AT(max_streams_per_user),
     0,
     100000000},
    {{"max-streams-per-address", "PILLAR_MAX_STREAMS_PER_ADDRESS", "N", "16384",
      "Event streams of an address at a time, a loop; 0: any number.", 0},
     KIND_COUNT,
     AT(max_streams_per_address),
     0,
     100000000},
    {{"max-requests-per-user", "PILLAR_MAX_REQUESTS_PER_USER", "N", "1000",
      "Requests of a user in a second; 0: any number.", 0},
     KIND_COUNT,
     AT(max_requests_per_user),
     0,
     1000000},
    {{"max-requests-per-address", "PILLAR_MAX_REQUESTS_PER_ADDRESS", "N", "10000",
      "Requests of an address in a second, a loop; 0: any number.", 0},
     KIND_COUNT,
     AT(max_requests_per_address),
     0,
     1000000},
    {{"rate-entries", "PILLAR_RATE_ENTRIES", "N", "65536",
      "Users, and addresses a loop, whose requests are counted; the longest silent give way.", 0},
     KIND_COUNT,
     AT(rate_entries),
     1,
     100000000},
    {{"trusted-proxies", "PILLAR_TRUSTED_PROXIES", "LIST", "",
      "Addresses and networks (10.0.0.0/8, ::1) whose X-Forwarded-For is believed.", 0},
     KIND_TEXT,
     AT(trusted_proxies),
     0,
     0},
    {{"max-header-bytes", "PILLAR_MAX_HEADER_BYTES", "BYTES", "32KiB", "Size of a request head.", 0},
     KIND_BYTES,
     AT(max_header_bytes),
     KIB,
     16ull * MIB},
    {{"max-headers", "PILLAR_MAX_HEADERS", "N", "100", "Header fields of a request.", 0},
     KIND_COUNT,
     AT(max_headers),
     1,
     10000},
    {{"max-target-bytes", "PILLAR_MAX_TARGET_BYTES", "BYTES", "8KiB", "Length of a request target.", 0},
     KIND_BYTES,
     AT(max_target_bytes),
     64,
     MIB},
    {{"max-body-bytes", "PILLAR_MAX_BODY_BYTES", "BYTES", "1MiB", "Size of a request body.", 0},
     KIND_BYTES,
     AT(max_body_bytes),
     0,
     GIB},
    {{"max-body-memory", "PILLAR_MAX_BODY_MEMORY", "BYTES", "256MiB", "Size of all request bodies held by a loop.", 0},
     KIND_BYTES,
     AT(max_body_memory),
     64 * KIB,
     TIB},
    {{"header-timeout", "PILLAR_HEADER_TIMEOUT", "TIME", "10s", "Time for a request head to arrive.", 0},
     KIND_TIME,
     AT(header_timeout),
     1,
     HOUR},
    {{"body-timeout", "PILLAR_BODY_TIMEOUT", "TIME", "60s", "Time for a request body to arrive.", 0},
     KIND_TIME,
     AT(body_timeout),
     1,
     DAY},
    {{"idle-timeout", "PILLAR_IDLE_TIMEOUT", "TIME", "75s", "Time between two requests of a connection.", 0},
     KIND_TIME,
     AT(idle_timeout),
     1,
     DAY},
    {{"write-timeout", "PILLAR_WRITE_TIMEOUT", "TIME", "30s", "Time for which a client may take no byte.", 0},
     KIND_TIME,
     AT(write_timeout),
     1,
     DAY},
    {{"peer-timeout", "PILLAR_PEER_TIMEOUT", "TIME", "60s",
      "Time for which a client's system may acknowledge nothing, write-timeout at the least; 0: any.", 0},
     KIND_TIME,
     AT(peer_timeout),
     0,
     DAY},

    {{"queue-size", "PILLAR_QUEUE_SIZE", "N", "1024",
      "Requests that wait for a script worker, mutations and others each.", 0},
     KIND_COUNT,
     AT(queue_size),
     1,
     1000000},
    {{"queue-timeout", "PILLAR_QUEUE_TIMEOUT", "TIME", "10s", "Time a request may wait for a script worker.", 0},
     KIND_TIME,
     AT(queue_timeout),
     10,
     HOUR},
    {{"batch-size", "PILLAR_BATCH_SIZE", "N", "256", "Mutations that share a commit.", 0},
     KIND_COUNT,
     AT(batch_size),
     1,
     100000},
    {{"batch-time", "PILLAR_BATCH_TIME", "TIME", "5ms", "Age of a transaction at which no further mutation joins it.",
      0},
     KIND_TIME,
     AT(batch_time),
     0,
     10ull * SECOND},
    {{"handler-deadline", "PILLAR_HANDLER_DEADLINE", "TIME", "2s", "Time a handler may run.", 0},
     KIND_TIME,
     AT(handler_deadline),
     10,
     HOUR},
    {{"load-deadline", "PILLAR_LOAD_DEADLINE", "TIME", "10s", "Time the script may take to load.", 0},
     KIND_TIME,
     AT(load_deadline),
     10,
     HOUR},
    {{"script-memory", "PILLAR_SCRIPT_MEMORY", "BYTES", "64MiB", "Memory the script may use, a worker.", 0},
     KIND_BYTES,
     AT(script_memory),
     2 * MIB,
     TIB},
    {{"max-retiring", "PILLAR_MAX_RETIRING", "N", "8",
      "Replaced versions of the script that may still end requests; beyond, a reload is refused.", 0},
     KIND_COUNT,
     AT(max_retiring),
     1,
     1000},
    {{"max-event-bytes", "PILLAR_MAX_EVENT_BYTES", "BYTES", "256KiB", "Size of an event's data.", 0},
     KIND_BYTES,
     AT(max_event_bytes),
     1,
     64ull * MIB},
    {{"max-event-targets", "PILLAR_MAX_EVENT_TARGETS", "N", "100000", "Users that an event may name.", 0},
     KIND_COUNT,
     AT(max_event_targets),
     1,
     10000000},
    {{"max-events", "PILLAR_MAX_EVENTS", "N", "10000", "Events that a handler may emit.", 0},
     KIND_COUNT,
     AT(max_events),
     1,
     10000000},
    {{"max-events-bytes", "PILLAR_MAX_EVENTS_BYTES", "BYTES", "16MiB", "Size of all events that a handler may emit.",
      0},
     KIND_BYTES,
     AT(max_events_bytes),
     1,
     GIB},

    {{"heartbeat", "PILLAR_HEARTBEAT", "TIME", "30s", "Longest silence of a stream.", 0},
     KIND_TIME,
     AT(heartbeat),
     2 * SECOND,
     HOUR},
    {{"expiry-notice", "PILLAR_EXPIRY_NOTICE", "TIME", "60s", "How long before its user expires a stream says so.", 0},
     KIND_TIME,
     AT(expiry_notice),
     0,
     DAY},
    {{"retry-min", "PILLAR_RETRY_MIN", "TIME", "1s", "Reconnection time of streams: drawn from here ...", 0},
     KIND_TIME,
     AT(retry_min),
     1,
     HOUR},
    {{"retry-max", "PILLAR_RETRY_MAX", "TIME", "5s", "... to here.", 0}, KIND_TIME, AT(retry_max), 1, HOUR},
    {{"history-events", "PILLAR_HISTORY_EVENTS", "N", "100000",
      "Events kept for clients that come back, in the database and in memory.", 0},
     KIND_COUNT,
     AT(history_events),
     1,
     1u << 30},
    {{"history-bytes", "PILLAR_HISTORY_BYTES", "BYTES", "64MiB", "Size of the events kept.", 0},
     KIND_BYTES,
     AT(history_bytes),
     4 * KIB,
     TIB},
    {{"history-age", "PILLAR_HISTORY_AGE", "TIME", "24h", "Age of the events kept.", 0},
     KIND_TIME,
     AT(history_age),
     1 * SECOND,
     365ull * DAY},
    {{"new-history", "PILLAR_NEW_HISTORY", NULL, "off",
      "Forget all events, have all clients refetch: for the first start with a backup from elsewhere.", 0},
     KIND_SWITCH,
     AT(new_history),
     0,
     1},
    {{"takeover-timeout", "PILLAR_TAKEOVER_TIMEOUT", "TIME", "30s",
      "Time to wait for another broker that has the database to end.", 0},
     KIND_TIME,
     AT(takeover_timeout),
     0,
     HOUR},
    {{"wal-bytes", "PILLAR_WAL_BYTES", "BYTES", "16MiB",
      "Size of the database's -wal from which on reads wait until it is emptied.", 0},
     KIND_BYTES,
     AT(wal_bytes),
     64 * KIB,
     TIB},
    {{"inbox-events", "PILLAR_INBOX_EVENTS", "N", "65536", "Events that wait for a loop; beyond, its streams refetch.",
      0},
     KIND_COUNT,
     AT(inbox_events),
     1,
     100000000},

    {{"idempotency-age", "PILLAR_IDEMPOTENCY_AGE", "TIME", "24h",
      "For how long the answer to an Idempotency-Key is kept.", 0},
     KIND_TIME,
     AT(idempotency_age),
     1 * SECOND,
     365ull * DAY},
    {{"idempotency-bytes", "PILLAR_IDEMPOTENCY_BYTES", "BYTES", "1MiB",
      "Size of such an answer; of a larger one only that it was given is kept.", 0},
     KIND_BYTES,
     AT(idempotency_bytes),
     0,
     32ull * MIB},
    {{"idempotency-memory", "PILLAR_IDEMPOTENCY_MEMORY", "BYTES", "16MiB",
      "Size of all of them with --database none; the oldest give way.", 0},
     KIND_BYTES,
     AT(idempotency_memory),
     256 * KIB,
     GIB},
    {{"delivery-log", "PILLAR_DELIVERY_LOG", "N", "65536",
      "Deliveries that a loop remembers, to explain them; 32 bytes each.", 0},
     KIND_COUNT,
     AT(delivery_log),
     0,
     4194304},

    {{"drain-timeout", "PILLAR_DRAIN_TIMEOUT", "TIME", "10s",
      "Time for requests in hand and streams to end at SIGTERM.", 0},
     KIND_TIME,
     AT(drain_timeout),
     0,
     HOUR},
    {{"drain-window", "PILLAR_DRAIN_WINDOW", "TIME", "2s",
      "The part of it over which streams are ended, one after the other; 0: all at once.", 0},
     KIND_TIME,
     AT(drain_window),
     0,
     HOUR},
};

enum { SETTING_COUNT = sizeof settings_table / sizeof *settings_table };

_Static_assert((int)SETTING_COUNT <= (int)SETTING_COUNT_MAX, "room for the sources of all settings");

const pillar_option_info *pillar_option_get(size_t index)
{
    return index < SETTING_COUNT ? &settings_table[index].info : NULL;
}

/* --- values --- */

static char **text_of(struct settings *s, const struct setting *setting)
{
    return (char **)(void *)((char *)s + setting->offset);
}

static uint64_t *number_of(struct settings *s, const struct setting *setting)
{
    return (uint64_t *)(void *)((char *)s + setting->offset);
}

struct unit {
    const char *suffix;
    uint64_t factor;
};

static bool read_with_unit(struct str text, const struct unit *units, uint64_t *value)
{
    size_t digits = 0;
    unsigned long long number;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (!str_to_u64((struct str){text.ptr, digits}, &number))
        return false;
    for (; units->suffix != NULL; units++) {
        if (!str_eq_nocase(str_from(text, digits), str_of(units->suffix)))
            continue;
        if (number > UINT64_MAX / units->factor)
            return false;
        *value = number * units->factor;
        return true;
    }
    return false;
}

static bool read_switch(struct str text, uint64_t *value)
{
    static const char *const on[] = {"on", "true", "yes", "1", ""};
    static const char *const off[] = {"off", "false", "no", "0"};

    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        if (str_eq_nocase(text, str_of(on[i]))) {
            *value = 1;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        if (str_eq_nocase(text, str_of(off[i]))) {
            *value = 0;
            return true;
        }
    }
    return false;
}

static const char *hint(enum kind kind)
{
    switch (kind) {
    case KIND_BYTES:
        return "a size such as 500, 64KiB or 1MiB";
    case KIND_TIME:
        return "a time such as 500ms, 10s, 2m or 24h";
    case KIND_SWITCH:
        return "on or off";
    default:
        return "a whole number";
    }
}

static bool read_number(const struct setting *setting, struct str text, uint64_t *value)
{
    static const struct unit counts[] = {{"", 1}, {NULL, 0}};
    static const struct unit bytes[] = {{"", 1},     {"b", 1},     {"k", KIB}, {"kb", KIB}, {"kib", KIB}, {"m", MIB},
                                        {"mb", MIB}, {"mib", MIB}, {"g", GIB}, {"gb", GIB}, {"gib", GIB}, {NULL, 0}};
    static const struct unit times[] = {{"ms", 1},   {"s", SECOND}, {"", SECOND}, {"m", 60ull * SECOND},
                                        {"h", HOUR}, {"d", DAY},    {NULL, 0}};

    switch (setting->kind) {
    case KIND_SWITCH:
        return read_switch(text, value);
    case KIND_BYTES:
        return read_with_unit(text, bytes, value);
    case KIND_TIME:
        return read_with_unit(text, times, value);
    default:
        return read_with_unit(text, counts, value);
    }
}

static bool is_one_of(const char *value, const char *const *choices)
{
    for (; *choices != NULL; choices++)
        if (strcmp(value, *choices) == 0)
            return true;
    return false;
}

static bool check_text(const struct setting *setting, const char *value, const char **problem)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
    char host[256];
    uint16_t port;

    if (setting->offset == AT(listen)) {
        *problem = "it must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080";
        return settings_parse_listen(value, host, sizeof host, &port, NULL);
    }
    if (setting->offset == AT(log_level)) {
        *problem = "it must be debug, info, warn, error or off";
        return is_one_of(value, levels);
    }
    if (setting->offset == AT(events_path) || setting->offset == AT(emit_path)) {
        *problem = "it must be a path that begins with /";
        return value[0] == '/' && value[1] != '\0';
    }
    if (setting->offset == AT(secret)) {
        struct secrets ignored;
        return secrets_read(&ignored, str_of(value), problem);
    }
    if (setting->offset == AT(openapi_path) || setting->offset == AT(client_path)) {
        *problem = "it must be a path that begins with /, or none";
        return strcmp(value, "none") == 0 || (value[0] == '/' && value[1] != '\0');
    }
    if (setting->offset == AT(trusted_proxies)) {
        struct networks networks;
        bool ok = networks_read(str_of(value), &networks, problem);
        networks_free(&networks);
        return ok;
    }
    if (setting->offset == AT(database)) {
        *problem = "it must be sqlite:PATH or none";
        bool memory = strcmp(value, "sqlite::memory:") == 0;
        if (memory)
            *problem = "a database in memory cannot be shared by the workers; give a path, sqlite:PATH, or none";
        return !memory && (strcmp(value, "none") == 0 || (strncmp(value, "sqlite:", 7) == 0 && value[7] != '\0'));
    }
    return true;
}

static bool refuse(const struct setting *setting, const char *value, const char *problem, struct error *e)
{
    (void)error_field(e, setting->info.name, "invalid value '%s' for %s: %s", setting->info.secret ? "..." : value,
                      setting->info.name, problem);
    if (e != NULL)
        e->code = "invalid_option";
    return false;
}

static bool parse(const struct setting *setting, const char *value, uint64_t *number, struct error *e)
{
    const char *problem = "";
    char text[160];

    if (setting->kind == KIND_TEXT)
        return check_text(setting, value, &problem) ? true : refuse(setting, value, problem, e);
    if (!read_number(setting, str_of(value), number)) {
        snprintf(text, sizeof text, "it must be %s", hint(setting->kind));
        return refuse(setting, value, text, e);
    }
    if (*number < setting->least || *number > setting->most) {
        const char *unit = setting->kind == KIND_TIME ? " ms" : setting->kind == KIND_BYTES ? " bytes" : "";
        snprintf(text, sizeof text, "it must be from %llu to %llu%s", (unsigned long long)setting->least,
                 (unsigned long long)setting->most, unit);
        return refuse(setting, value, text, e);
    }
    return true;
}

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *known = settings_table[i].info.name;
        size_t j = 0;
        while (known[j] != '\0' && (name[j] == known[j] || (known[j] == '-' && name[j] == '_')))
            j++;
        if (known[j] == '\0' && name[j] == '\0')
            return &settings_table[i];
    }
    return NULL;
}

static bool assign(struct pillar_options *options, const struct setting *setting, const char *value, uint64_t number,
                   struct error *e)
{
    if (setting->kind != KIND_TEXT) {
        *number_of(&options->values, setting) = number;
        return true;
    }
    char *copy = strdup(value);
    if (copy == NULL)
        return error_no_memory(e);
    free(*text_of(&options->values, setting));
    *text_of(&options->values, setting) = copy;
    return true;
}

bool options_set(struct pillar_options *options, enum setting_source source, const char *name, const char *value,
                 struct error *e)
{
    const struct setting *setting = find(name);
    uint64_t number = 0;

    if (setting == NULL) {
        (void)error_field(e, name, "there is no option '%s'", name);
        if (e != NULL)
            e->code = "invalid_option";
        return false;
    }
    if (!parse(setting, value, &number, e))
        return false;
    enum setting_source *from = &options->sources[setting - settings_table];
    if (*from > source)
        return true;
    if (!assign(options, setting, value, number, e))
        return false;
    *from = source;
    return true;
}

static bool refuse_pair(const char *name, const char *problem, struct error *e)
{
    (void)error_field(e, name, "%s", problem);
    if (e != NULL)
        e->code = "invalid_option";
    return false;
}

bool options_check(const struct pillar_options *options, struct error *e)
{
    const struct settings *s = &options->values;

    if (s->retry_min > s->retry_max)
        return refuse_pair("retry-min", "retry-min must not be above retry-max", e);
    if (s->peer_timeout > 0 && s->peer_timeout < s->write_timeout)
        return refuse_pair("peer-timeout",
                           "peer-timeout must not be below write-timeout: TCP cannot tell a client that takes nothing "
                           "from one that is gone",
                           e);
    return true;
}

struct pillar_options *pillar_options_create(void)
{
    struct pillar_options *options = calloc(1, sizeof *options);

    for (size_t i = 0; options != NULL && i < SETTING_COUNT; i++) {
        const pillar_option_info *info = &settings_table[i].info;
        if (!options_set(options, SOURCE_DEFAULT, info->name, info->fallback, NULL)) {
            pillar_options_free(options);
            return NULL;
        }
    }
    return options;
}

void pillar_options_free(struct pillar_options *options)
{
    if (options == NULL)
        return;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (settings_table[i].kind == KIND_TEXT)
            free(*text_of(&options->values, &settings_table[i]));
    free(options);
}

struct pillar_options *options_copy(const struct pillar_options *options)
{
    struct pillar_options *copy = calloc(1, sizeof *copy);

    if (copy == NULL)
        return NULL;
    *copy = *options;
    bool ok = true;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings_table[i].kind != KIND_TEXT)
            continue;
        char **text = text_of(&copy->values, &settings_table[i]);
        *text = ok ? strdup(*text) : NULL;
        ok = *text != NULL;
    }
    if (ok)
        return copy;
    pillar_options_free(copy);
    return NULL;
}

int pillar_options_set(struct pillar_options *options, const char *name, const char *value, pillar_error *error)
{
    struct error e;

    if (options_set(options, SOURCE_FLAG, name, value, &e))
        return 0;
    return api_report(error, &e);
}

int pillar_options_read_environment(struct pillar_options *options, pillar_error *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const pillar_option_info *info = &settings_table[i].info;
        const char *value = getenv(info->environment);
        struct error e;
        if (value == NULL || options_set(options, SOURCE_ENVIRONMENT, info->name, value, &e))
            continue;
        (void)api_report(error, &e);
        if (error != NULL)
            snprintf(error->message, sizeof error->message, "the environment variable %s: %.400s", info->environment,
                     e.message);
        return -1;
    }
    return 0;
}

static bool same_value(struct pillar_options *a, struct pillar_options *b, const struct setting *setting)
{
    if (setting->kind != KIND_TEXT)
        return *number_of(&a->values, setting) == *number_of(&b->values, setting);
    return strcmp(*text_of(&a->values, setting), *text_of(&b->values, setting)) == 0;
}

void options_list_differences(struct pillar_options *a, struct pillar_options *b, struct buf *names)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (!same_value(a, b, &settings_table[i]))
            buf_printf(names, "%s%s", names->len == 0 ? "" : ", ", settings_table[i].info.name);
}

/* --- addresses --- */

static bool is_port(struct str s, uint16_t *port)
{
    unsigned long long value;

    if (!str_to_u64(s, &value) || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

bool settings_parse_listen(const char *listen, char *host, size_t host_size, uint16_t *port, struct error *e)
{
    const char *colon = strrchr(listen, ':');
    struct str name = STR("127.0.0.1");
    bool ok;

    if (colon == NULL) {
        ok = is_port(str_of(listen), port);
    } else {
        ok = is_port(str_of(colon + 1), port);
        if (colon != listen)
            name = (struct str){listen, (size_t)(colon - listen)};
    }
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = (struct str){name.ptr + 1, name.len - 2};
    else if (memchr(name.ptr, ':', name.len) != NULL)
        ok = false; /* an IPv6 address without its brackets */
    if (!ok || name.len == 0 || name.len >= host_size)
        return error_set(e, "invalid_option", "'%s' is not an address: write HOST:PORT", listen);
    snprintf(host, host_size, "%.*s", STR_ARG(name));
    return true;
}
