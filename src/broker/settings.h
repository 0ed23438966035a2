/*
 * settings.h - every setting of a broker: its name, default, range and help in one table, and the parsed values.
 */
#ifndef PILLAR_SETTINGS_H
#define PILLAR_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "pillar/pillar.h"

/* Where a value comes from; a later source beats an earlier one. */
enum setting_source { SOURCE_DEFAULT, SOURCE_SCRIPT, SOURCE_ENVIRONMENT, SOURCE_FLAG };

/* Sizes are in bytes, times in milliseconds. */
struct settings {
    char *listen;
    char *database;
    char *events_path;
    char *emit_path;
    char *openapi_path; /* "none": the description is not served */
    char *client_path;  /* "none": the browser's client is not served */
    char *emit_key;     /* "": POST /api/emit does not exist */
    char *secret;       /* "": one is made for the run */
    char *library;      /* "": where the binary's own library is */
    char *log_level;
    char *trusted_proxies; /* addresses and networks, separated by commas */
    uint64_t loops;
    uint64_t workers;
    uint64_t free_workers;
    uint64_t dev;
    uint64_t watch;
    uint64_t max_connections;
    uint64_t max_streams_per_user;
    uint64_t max_streams_per_address;
    uint64_t max_requests_per_user;
    uint64_t max_requests_per_address;
    uint64_t rate_entries;
    uint64_t max_header_bytes;
    uint64_t max_headers;
    uint64_t max_target_bytes;
    uint64_t max_body_bytes;
    uint64_t max_body_memory;
    uint64_t header_timeout;
    uint64_t body_timeout;
    uint64_t idle_timeout;
    uint64_t write_timeout;
    uint64_t peer_timeout; /* 0: that of the system */
    uint64_t queue_size;
    uint64_t batch_size;
    uint64_t batch_time;
    uint64_t queue_timeout;
    uint64_t handler_deadline;
    uint64_t load_deadline;
    uint64_t script_memory;
    uint64_t max_retiring;
    uint64_t heartbeat;
    uint64_t expiry_notice;
    uint64_t retry_min;
    uint64_t retry_max;
    uint64_t history_events;
    uint64_t history_bytes;
    uint64_t history_age;
    uint64_t new_history;
    uint64_t takeover_timeout;
    uint64_t wal_bytes;
    uint64_t inbox_events;
    uint64_t delivery_log;
    uint64_t max_event_bytes;
    uint64_t max_event_targets;
    uint64_t max_events;
    uint64_t max_events_bytes;
    uint64_t drain_timeout;
    uint64_t idempotency_age;
    uint64_t idempotency_bytes;
    uint64_t idempotency_memory;
    uint64_t drain_window;
};

enum { SETTING_COUNT_MAX = 64 };

struct pillar_options {
    struct settings values;
    enum setting_source sources[SETTING_COUNT_MAX];
};

/*
 * Sets one setting by its name, in which '_' counts as '-', unless a later source has set it. Failure: false
 * with "invalid_option", the name in `field`, and nothing changed.
 */
bool options_set(struct pillar_options *options, enum setting_source source, const char *name, const char *value,
                 struct error *e);

/* A copy that the caller frees with pillar_options_free, or NULL. */
struct pillar_options *options_copy(const struct pillar_options *options);

/* Appends the names of the settings whose values differ, "listen, workers". */
void options_list_differences(struct pillar_options *a, struct pillar_options *b, struct buf *names);

/* Checks what no setting can check alone: retry-min against retry-max, peer-timeout against write-timeout. */
bool options_check(const struct pillar_options *options, struct error *e);

/* "HOST:PORT", "[::1]:8080", ":8080" or "8080". The host is copied. Failure: "invalid_option". */
bool settings_parse_listen(const char *listen, char *host, size_t host_size, uint16_t *port, struct error *e);

#endif
