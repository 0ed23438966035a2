/*
 * What a reconnect costs, by how much has happened to others in between: two clients have missed as many events, and
 * between those of one lie a few events of others, between those of the other very many. Both come back again and again, in
 * turns, and must be served in the same time. See tests/README.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "stage.h"

enum { PIECE = 256 * 1024, POSITION_MAX = 64, TARGETS_PER_REQUEST = 20000 };

static const char script[] =
    "local pillar = require 'pillar'\n"
    "local app = pillar.app()\n"
    "app:authenticate(function(req)\n"
    "  local name = req.headers['X-User'] or req.query.user\n"
    "  return name and { id = name }\n"
    "end)\n"
    "app:entity('tick')\n"
    "app:get('/position', function() return 'here' end)\n"
    "app:post('/emit', function(req)\n"
    "  local wanted = req:json()\n"
    "  for i = 1, wanted.count do\n"
    "    local targets = {}\n"
    "    for t = 1, wanted.targets do\n"
    "      targets[t] = wanted.user .. (wanted.from + i * 7919 + t) % wanted.users\n"
    "    end\n"
    "    emit_sync_event { entity = 'tick', action = 'ticked', targetUserIds = targets, sessionId = false,\n"
    "      data = { title = 'a task of ordinary length, to be done some day', n = wanted.from + i } }\n"
    "  end\n"
    "end)\n"
    "return app\n";

/* A client that comes back. */
struct client {
    const char *user;
    size_t between; /* events of others between those that it has missed */
    char position[POSITION_MAX];
    uint64_t *took_ns; /* each time; owned */
    uint64_t steps;    /* through the log, in all */
};

struct world {
    struct stage stage;
    const char *kind;
    int control;
    size_t events;
    size_t missed;
    size_t rounds;
    size_t targets; /* of each event of others */
    size_t others;  /* users */
    size_t emitted;
    char *piece;
};

static void emit(struct world *w, const char *user, size_t users, size_t targets, size_t count)
{
    size_t at_once = TARGETS_PER_REQUEST / targets < 1000 ? TARGETS_PER_REQUEST / targets : 1000;

    while (count > 0) {
        size_t n = count < at_once ? count : at_once;
        char json[256];
        snprintf(json, sizeof json, "{\"user\":\"%s\",\"users\":%zu,\"targets\":%zu,\"count\":%zu,\"from\":%zu}", user,
                 users, targets, n, w->emitted);
        stage_expect(w->control, "POST", "/emit", "emitter", json, 204);
        w->emitted += n;
        count -= n;
    }
}

static void emit_to_others(struct world *w, size_t count)
{
    emit(w, "other", w->others, w->targets, count);
}

static void note_position(const struct world *w, struct client *c)
{
    struct answer answer;

    stage_request(w->control, "GET", "/position", "emitter", NULL, &answer);
    const char *at = memmem(answer.head.ptr, answer.head.len, "Sync-Position: ", 15);
    if (answer.status != 200 || at == NULL)
        die("there is no position: %.*s", STR_ARG(buf_str(&answer.bytes)));
    snprintf(c->position, sizeof c->position, "%.*s", (int)strcspn(at + 15, "\r"), at + 15);
    buf_free(&answer.bytes);
}

/* What the client misses while it is away. */
static void miss(struct world *w, struct client *c)
{
    note_position(w, c);
    for (size_t i = 1; i <= w->missed; i++) {
        emit_to_others(w, c->between * i / w->missed - c->between * (i - 1) / w->missed);
        emit(w, c->user, 1, 1, 1);
    }
}

/* --- coming back --- */

static size_t count_events(struct str bytes, uint64_t *last_id)
{
    size_t count = 0;
    const char *at;

    while ((at = memmem(bytes.ptr, bytes.len, "event: ", 7)) != NULL) {
        bytes = str_from(bytes, (size_t)(at - bytes.ptr) + 7);
        const char *end = memmem(bytes.ptr, bytes.len, "\n\n", 2);
        if (bytes.len >= 6 && memcmp(bytes.ptr, "resync", 6) == 0)
            die("a client was told to refetch: --history-bytes is too small for all of the events");
        if (end == NULL || memcmp(bytes.ptr, "sync", 4) != 0)
            continue;
        uint64_t n = stage_number(bytes, "\"n\":");
        if (n <= *last_id)
            die("event %" PRIu64 " came behind %" PRIu64, n, *last_id);
        *last_id = n;
        count++;
    }
    return count;
}

/* From the request to the last event; the connection is there before. */
static uint64_t come_back(const struct world *w, const struct client *c)
{
    struct buf request = BUF_EMPTY;
    int fd = stage_connect(&w->stage);
    size_t len = 0;
    size_t count = 0;

    buf_printf(&request, "GET /api/events?user=%s0 HTTP/1.1\r\nHost: load\r\nLast-Event-ID: %s\r\n\r\n", c->user,
               c->position);
    uint64_t before = clock_monotonic_ns();
    stage_send_text(fd, &request);
    while (count < w->missed) {
        uint64_t last_id = 0;
        ssize_t got = len < PIECE ? recv(fd, w->piece + len, PIECE - len, 0) : 0;
        if (got <= 0)
            die("a stream ended after %zu of %zu events: %s", count, w->missed, got == 0 ? "FIN" : strerror(errno));
        len += (size_t)got;
        count = count_events((struct str){w->piece, len}, &last_id);
    }
    uint64_t took = clock_monotonic_ns() - before;
    if (count > w->missed)
        die("a client that missed %zu events got %zu", w->missed, count);
    close(fd);
    return took;
}

static void measure(const struct world *w, struct client *clients)
{
    for (size_t round = 0; round < 2 * w->rounds; round++) {
        struct client *c = &clients[round % 2];
        uint64_t steps = stage_metric(w->control, "pillar_log_steps_total");
        c->took_ns[round / 2] = come_back(w, c);
        c->steps += stage_metric(w->control, "pillar_log_steps_total") - steps;
    }
}

/* --- what came of it --- */

static int by_time(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

static double report(const struct world *w, struct client *c)
{
    qsort(c->took_ns, w->rounds, sizeof *c->took_ns, by_time);
    uint64_t median_ns = c->took_ns[w->rounds / 2];
    uint64_t most_ns = c->took_ns[w->rounds * 9 / 10];
    double median = (double)median_ns / 1e3;
    printf("  %zu missed, %6zu of others between: median %7.1f us, 90th percentile %7.1f us, %.1f steps\n", w->missed,
           c->between, median, (double)most_ns / 1e3, (double)c->steps / (double)w->rounds);
    if (c->steps != w->missed * w->rounds)
        die("a client that missed %zu events made %.1f steps", w->missed, (double)c->steps / (double)w->rounds);
    return median;
}

static void run(struct world *w, char *binary, double most)
{
    char events[] = "--history-events=10000000";
    char bytes[] = "--history-bytes=4GiB";
    char deadline[] = "--handler-deadline=60s";
    char *const options[] = {events, bytes, deadline, NULL};
    struct client clients[] = {{.user = "near", .between = w->missed}, {.user = "far", .between = w->events / 10 * 9}};

    stage_start(&w->stage, binary, script, options);
    w->control = stage_connect(&w->stage);
    w->emitted = 0;
    miss(w, &clients[1]);
    if (w->emitted + 2 * w->missed < w->events)
        emit_to_others(w, w->events - 2 * w->missed - w->emitted);
    miss(w, &clients[0]);
    for (size_t i = 0; i < 2; i++) {
        clients[i].took_ns = calloc(w->rounds, sizeof *clients[i].took_ns);
        if (clients[i].took_ns == NULL)
            die("out of memory");
    }
    measure(w, clients);
    printf("%s: %" PRIu64 " events in the log, those of others for %zu users each\n", w->kind,
           stage_metric(w->control, "pillar_log_events"), w->targets);
    double near = report(w, &clients[0]);
    double far = report(w, &clients[1]);
    printf("  ratio %.2f\n", far / near);
    if (most > 0 && far > most * near)
        die("the ratio is above %.1f", most);
    for (size_t i = 0; i < 2; i++)
        free(clients[i].took_ns);
    close(w->control);
    stage_end(&w->stage);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3)
        die("usage: replay_cost PILLAR [RATIO]; see tests/README.md for the variables");
    double most = argc == 3 ? strtod(argv[2], NULL) : 2;
    struct world narrow = {.kind = "narrow",
                           .events = stage_setting("REPLAY_EVENTS", 100000),
                           .missed = stage_setting("REPLAY_MISSED", 10),
                           .rounds = stage_setting("REPLAY_ROUNDS", 200),
                           .targets = 1,
                           .others = 1000,
                           .piece = malloc(PIECE)};
    struct world broad = narrow;
    broad.kind = "broad";
    broad.events = stage_setting("REPLAY_BROAD_EVENTS", 10000);
    broad.targets = stage_setting("REPLAY_TARGETS", 1000);
    broad.others = 5 * broad.targets;
    if (narrow.piece == NULL)
        die("out of memory");
    run(&narrow, argv[1], most);
    run(&broad, argv[1], most);
    free(narrow.piece);
    return 0;
}
