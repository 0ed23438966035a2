/* GET /metrics: the counters of all threads, summed when somebody asks (Prometheus text format 0.0.4). */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "retirement.h"

void metrics_add_pool(const struct pool *pool, uint64_t sums[COUNTER_COUNT])
{
    unsigned workers = pool_workers(pool);

    for (int i = 0; i < COUNTER_COUNT; i++)
        for (unsigned n = 0; n < workers; n++)
            sums[i] += counter_get(pool_counters(pool, n), (enum counter)i);
}

struct gauges {
    size_t depth;    /* of all queues */
    size_t retiring; /* programs */
};

/* Programs come and go, but under the lock each is counted once. */
static struct gauges sum_programs(struct pillar_broker *broker, uint64_t sums[COUNTER_COUNT])
{
    struct gauges gauges = {0, 0};

    pthread_mutex_lock(&broker->program_lock);
    memcpy(sums, broker->counted, sizeof broker->counted);
    metrics_add_pool(broker->program->pool, sums);
    gauges.depth = pool_depth(broker->program->pool);
    for (const struct retirement *r = broker->retiring; r != NULL; r = r->next) {
        gauges.retiring += r->over ? 0 : 1;
        if (r->program == NULL)
            continue;
        metrics_add_pool(r->program->pool, sums);
        gauges.depth += pool_depth(r->program->pool);
    }
    pthread_mutex_unlock(&broker->program_lock);
    return gauges;
}

static void add_loops(const struct pillar_broker *broker, uint64_t sums[COUNTER_COUNT])
{
    unsigned loops = broker->server == NULL ? 0 : http_server_loops(broker->server);

    for (int i = 0; i < COUNTER_COUNT; i++)
        for (unsigned n = 0; n < loops; n++)
            sums[i] += counter_get(http_server_counters(broker->server, n), (enum counter)i);
}

static void append_metric(struct buf *out, const char *name, const char *suffix, const char *type, const char *help,
                          uint64_t value)
{
    buf_printf(out, "# HELP pillar_%s%s %s\n# TYPE pillar_%s%s %s\npillar_%s%s %llu\n", name, suffix, help, name,
               suffix, type, name, suffix, (unsigned long long)value);
}

static uint64_t difference(const uint64_t *sums, enum counter grown, enum counter gone)
{
    /* The two are read one after the other, so the later may be ahead. */
    return sums[grown] > sums[gone] ? sums[grown] - sums[gone] : 0;
}

/* 0 where there is none. */
static uint64_t size_of_wal(const struct pillar_broker *broker)
{
    struct str url = str_of(broker->options->values.database);
    char path[PATH_MAX + 8];
    struct stat wal;

    if (!str_starts_with(url, STR("sqlite:")))
        return 0;
    snprintf(path, sizeof path, "%s-wal", url.ptr + STR("sqlite:").len);
    return stat(path, &wal) == 0 ? (uint64_t)wal.st_size : 0;
}

void metrics_respond(struct pillar_broker *broker, struct exchange *ex)
{
    uint64_t sums[COUNTER_COUNT];
    struct buf *out = &ex->response.body;

    struct gauges gauges = sum_programs(broker, sums);
    add_loops(broker, sums);
    append_metric(out, "connections", "", "gauge", "Connections open.",
                  difference(sums, COUNT_CONNECTIONS_OPENED, COUNT_CONNECTIONS_CLOSED));
    append_metric(out, "streams", "", "gauge", "Event streams open.",
                  difference(sums, COUNT_STREAMS_OPENED, COUNT_STREAMS_CLOSED));
    append_metric(out, "log_events", "", "gauge", "Events kept for clients that come back, over all loops.",
                  difference(sums, COUNT_LOG_APPENDED, COUNT_LOG_TRIMMED));
    append_metric(out, "queue_depth", "", "gauge", "Requests waiting for a script worker.", gauges.depth);
    append_metric(out, "scripts_retiring", "", "gauge", "Replaced versions of the script that still end requests.",
                  gauges.retiring);
    append_metric(out, "position", "", "gauge", "Position of the last committed event.",
                  journal_position(broker->journal));
    append_metric(out, "wal_bytes", "", "gauge", "Size of the database's write-ahead log.", size_of_wal(broker));
    for (int i = 0; i < COUNTER_COUNT; i++)
        append_metric(out, counter_infos[i].name, "_total", "counter", counter_infos[i].help, sums[i]);
    ex->response.status = 200;
    if (!response_add_header(ex, STR("Content-Type"), STR("text/plain; version=0.0.4; charset=utf-8"), NULL))
        ex->response.status = 503;
    http_respond(ex);
}
