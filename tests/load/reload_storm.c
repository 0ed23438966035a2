/*
 * Many streams, a constant load of mutations, and the script reloaded again and again: each stream must get exactly the
 * events that are meant for it, in order, once, on a connection that stays open. See tests/README.md.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "plan.h"
#include "stage.h"

enum {
    CONNECTING_MAX = 200, /* streams on their way at a time */
    SOURCES = 16,         /* 127.0.0.x, so that ports do not run out */
    PIECE = 256 * 1024,
    POLL_MS = 20,
    PATIENCE_S = 60 /* without any progress */
};

static const char script[] =
    "local pillar = require 'pillar'\n"
    "local version = %zu\n"
    "local app = pillar.app()\n"
    "app:migrate { 'CREATE TABLE ticks (n INTEGER PRIMARY KEY, version INTEGER NOT NULL)' }\n"
    "app:authenticate(function(req)\n"
    "  local name = req.headers['X-User'] or req.query.user\n"
    "  return name and { id = name }\n"
    "end)\n"
    "app:entity('tick')\n"
    "app:get('/version', function(_, db) return version .. ' ' .. db:value('SELECT count(*) FROM ticks') end)\n"
    "app:post('/ticks', function(req, db)\n"
    "  local tick = req:json()\n"
    "  db:insert('ticks', { n = tick.n, version = version })\n"
    "  emit_sync_event { entity = 'tick', action = 'ticked', data = { n = tick.n, version = version },\n"
    "    targetUserIds = tick.targets or pillar.everyone }\n"
    "end)\n"
    "return app\n";

enum kind { KIND_STREAM, KIND_POSTER, KIND_CONTROL };

struct connection {
    enum kind kind;
    int fd;
    struct buf in;
    size_t number; /* of the stream */

    /* of a stream */
    bool ready;
    uint64_t last_id;
    size_t received;
    size_t expected;

    /* of a poster */
    uint64_t n; /* the event that it posts; 0: none */
};

struct storm {
    struct plan plan;
    size_t reloads;
    size_t posters;
    size_t posts_per_reload;
    const char *dir;
    struct process broker;
    uint16_t port;
    int epoll;
    struct connection *connections; /* the streams, the posters, and the control */
    char *piece;

    size_t opened;
    size_t ready;
    uint64_t next_n;
    uint64_t answered;
    uint64_t deliveries;
    uint64_t *ids; /* of the events by their numbers, as far as a stream has told; grows */
    uint64_t ids_room;
    uint64_t id_max;
    size_t *by_version;

    size_t version;           /* of the script that was last written */
    bool reloading;           /* SIGHUP was sent, and no line came yet */
    bool asked;               /* GET /version is on its way */
    bool confirmed;           /* it told this version */
    uint64_t answered_before; /* when the last reload was over */
    uint64_t answered_during; /* while one was under way */
    uint64_t reload_started_ns;
    uint64_t reload_ns;
    bool posting;
    uint64_t rows;

    uint64_t progress; /* what has happened so far, as a sum, and when it last grew: heartbeats do not count */
    uint64_t progress_ns;
};

static struct connection *control_of(struct storm *s)
{
    return &s->connections[s->plan.streams + s->posters];
}

/* --- connections --- */

static void open_connection(struct storm *s, struct connection *c, size_t source)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + source % SOURCES)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
        bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 || fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &wanted) != 0)
        die("cannot connect: %s", strerror(errno));
}

static void send_text(const struct connection *c, struct buf *text)
{
    if (text->failed || send(c->fd, text->data, text->len, MSG_NOSIGNAL) != (ssize_t)text->len)
        die("cannot send: %s", strerror(errno));
    buf_free(text);
}

static void open_streams(struct storm *s)
{
    while (s->opened < s->plan.streams && s->opened - s->ready < CONNECTING_MAX) {
        struct connection *c = &s->connections[s->opened];
        struct buf request = BUF_EMPTY;
        open_connection(s, c, s->opened);
        buf_printf(&request, "GET /api/events?user=u%zu&sessionId=s%zu HTTP/1.1\r\nHost: storm\r\n\r\n",
                   s->opened % s->plan.users, s->opened);
        send_text(c, &request);
        s->opened++;
    }
}

/* --- what streams get --- */

static void note_id(struct storm *s, uint64_t n, uint64_t id)
{
    if (n >= s->next_n)
        die("event %" PRIu64 " was never made", n);
    if (s->ids[n] == 0)
        s->ids[n] = id;
    if (s->ids[n] != id)
        die("event %" PRIu64 " has the ids %" PRIu64 " and %" PRIu64, n, s->ids[n], id);
    if (id > s->id_max)
        s->id_max = id;
}

static void take_event(struct storm *s, struct connection *c, struct str block)
{
    uint64_t n = stage_number(block, "\"n\":");
    uint64_t version = stage_number(block, "\"version\":");
    const char *id_text = memmem(block.ptr, block.len, "id: ", 4);
    const char *dash = id_text == NULL ? NULL : memchr(id_text, '-', (size_t)(block.ptr + block.len - id_text));

    if (n == UINT64_MAX || dash == NULL || version > s->version)
        die("stream %zu got nonsense: %.*s", c->number, STR_ARG(block));
    uint64_t id = strtoull(dash + 1, NULL, 10);
    if (id <= c->last_id)
        die("stream %zu got %" PRIu64 " behind %" PRIu64 ": twice, or out of order", c->number, id, c->last_id);
    if (!plan_concerns(&s->plan, n, c->number))
        die("stream %zu got event %" PRIu64 ", which was not meant for it", c->number, n);
    note_id(s, n, id);
    c->last_id = id;
    c->received++;
    s->deliveries++;
    s->by_version[version]++;
}

static bool contains(struct str block, const char *text)
{
    return memmem(block.ptr, block.len, text, strlen(text)) != NULL;
}

static void take_block(struct storm *s, struct connection *c, struct str block)
{
    if (contains(block, "event: sync\n")) {
        take_event(s, c, block);
    } else if (contains(block, "event: ready\n") && !c->ready) {
        c->ready = true;
        s->ready++;
    } else if (contains(block, "event:")) {
        die("stream %zu was told: %.*s", c->number, STR_ARG(block));
    }
}

/* Blocks end with an empty line; the head of the response is taken for one, and looked at for its status. */
static size_t read_stream(struct storm *s, struct connection *c, struct str bytes)
{
    size_t taken = 0;

    if (!c->ready && bytes.len > 12 && memcmp(bytes.ptr, "HTTP/1.1", 8) == 0 &&
        memcmp(bytes.ptr, "HTTP/1.1 200", 12) != 0)
        die("stream %zu was refused: %.*s", c->number, STR_ARG(bytes));
    for (;;) {
        struct str rest = str_from(bytes, taken);
        const char *end = memmem(rest.ptr, rest.len, "\n\n", 2);
        if (end == NULL)
            return taken;
        size_t len = (size_t)(end - rest.ptr) + 2;
        take_block(s, c, (struct str){rest.ptr, len});
        taken += len;
    }
}

/* --- requests --- */

static void post_next(struct storm *s, struct connection *c)
{
    struct buf body = BUF_EMPTY;
    struct buf request = BUF_EMPTY;

    if (!s->posting)
        return;
    c->n = s->next_n++;
    if (s->next_n > s->ids_room) {
        s->ids = realloc(s->ids, s->ids_room * 2 * sizeof *s->ids);
        if (s->ids == NULL)
            die("out of memory");
        memset(s->ids + s->ids_room, 0, s->ids_room * sizeof *s->ids);
        s->ids_room *= 2;
    }
    struct plan_event e = plan_event(&s->plan, c->n);
    buf_printf(&body, "{\"n\":%" PRIu64, c->n);
    for (size_t i = 0; i < e.count; i++)
        buf_printf(&body, "%s\"u%zu\"", i == 0 ? ",\"targets\":[" : ",", e.targets[i]);
    buf_printf(&body, e.everyone ? "}" : "]}");
    buf_printf(&request,
               "POST /ticks HTTP/1.1\r\nHost: storm\r\nX-User: u%zu\r\nX-Session-Id: s%zu\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               e.origin % s->plan.users, e.origin, body.len);
    buf_append_str(&request, buf_str(&body));
    buf_free(&body);
    send_text(c, &request);
}

static void expect(struct storm *s, uint64_t n)
{
    struct plan_event e = plan_event(&s->plan, n);

    for (size_t i = 0; e.everyone && i < s->plan.streams; i++)
        s->connections[i].expected += i != e.origin;
    for (size_t t = 0; t < e.count; t++)
        for (size_t i = e.targets[t]; i < s->plan.streams; i += s->plan.users)
            s->connections[i].expected += i != e.origin;
}

static void take_answer(struct storm *s, struct connection *c, struct str body)
{
    if (c->kind == KIND_POSTER) {
        expect(s, c->n);
        c->n = 0;
        s->answered++;
        s->answered_during += s->reloading ? 1 : 0;
        post_next(s, c);
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "%.*s", STR_ARG(body));
    char *end;
    size_t version = strtoul(text, &end, 10);
    s->rows = strtoull(end, NULL, 10);
    if (version != s->version)
        die("version %zu answers in place of version %zu", version, s->version);
    s->confirmed = true;
    s->asked = false;
}

/* One response at a time; returns its length, or 0 while it is not whole. */
static size_t read_answer(struct storm *s, struct connection *c, struct str bytes)
{
    const char *end = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    struct str head = {bytes.ptr, (size_t)(end - bytes.ptr) + 4};
    uint64_t length = stage_number(head, "Content-Length: ");
    bool good = memcmp(bytes.ptr, c->kind == KIND_POSTER ? "HTTP/1.1 204" : "HTTP/1.1 200", 12) == 0;
    size_t whole = head.len + (length == UINT64_MAX ? 0 : length);
    if (!good)
        die("a request was refused: %.*s", STR_ARG(bytes));
    if (bytes.len < whole)
        return 0;
    take_answer(s, c, (struct str){head.ptr + head.len, whole - head.len});
    return whole;
}

static void ask_version(struct storm *s)
{
    struct buf request = BUF_EMPTY;

    buf_printf(&request, "GET /version HTTP/1.1\r\nHost: storm\r\nX-User: u0\r\n\r\n");
    send_text(control_of(s), &request);
    s->asked = true;
    s->confirmed = false;
}

/* --- reading --- */

static void take_bytes(struct storm *s, struct connection *c, struct str bytes)
{
    struct buf whole = c->in;
    struct str all = bytes;

    c->in = BUF_EMPTY;
    if (whole.len > 0) {
        buf_append_str(&whole, bytes);
        all = buf_str(&whole);
    }
    size_t taken = c->kind == KIND_STREAM ? read_stream(s, c, all) : read_answer(s, c, all);
    if (taken < all.len)
        buf_append_str(&c->in, str_from(all, taken));
    buf_free(&whole);
    if (c->in.failed)
        die("out of memory");
}

static void read_connection(struct storm *s, struct connection *c)
{
    ssize_t got = recv(c->fd, s->piece, PIECE, 0);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("connection %zu was closed: %s", (size_t)(c - s->connections), got == 0 ? "FIN" : strerror(errno));
    take_bytes(s, c, (struct str){s->piece, (size_t)got});
}

/* --- the broker --- */

static void write_script(struct storm *s)
{
    char path[512];
    char fresh[512];

    snprintf(path, sizeof path, "%s/app.lua", s->dir);
    snprintf(fresh, sizeof fresh, "%s/app.lua.new", s->dir);
    FILE *file = fopen(fresh, "w");
    if (file == NULL || fprintf(file, script, s->version) < 0 || fclose(file) != 0 || rename(fresh, path) != 0)
        die("cannot write the script: %s", strerror(errno));
}

static void take_line(struct storm *s, const char *line)
{
    if (strstr(line, " warn ") != NULL || strstr(line, " error ") != NULL || strstr(line, "not reloaded") != NULL)
        die("the broker says: %s", line);
    if (strstr(line, "pillar: SIGHUP: the script was reloaded") == NULL)
        return;
    s->reloading = false;
    s->reload_ns += clock_monotonic_ns() - s->reload_started_ns;
    s->answered_before = s->answered;
    ask_version(s);
}

static void read_broker(struct storm *s)
{
    char *line;

    process_read(&s->broker);
    while (process_take_line(&s->broker, &line)) {
        take_line(s, line);
        free(line);
    }
}

static void reload(struct storm *s)
{
    s->version++;
    write_script(s);
    s->reloading = true;
    s->confirmed = false;
    s->reload_started_ns = clock_monotonic_ns();
    kill(s->broker.pid, SIGHUP);
}

/* --- the course of it --- */

static bool is_stuck(struct storm *s)
{
    uint64_t progress = s->ready + s->answered + s->deliveries + s->version + (s->confirmed ? 1 : 0);
    uint64_t now = clock_monotonic_ns();

    if (progress != s->progress)
        s->progress_ns = now;
    s->progress = progress;
    return now - s->progress_ns > PATIENCE_S * 1000000000ull;
}

/* The first stream that lacks events, to be named. */
static const struct connection *find_short(const struct storm *s)
{
    for (size_t i = 0; i < s->plan.streams; i++)
        if (s->connections[i].received < s->connections[i].expected)
            return &s->connections[i];
    return NULL;
}

/* Looks at everything once. */
static void turn(struct storm *s)
{
    struct epoll_event found[512];
    int count = epoll_wait(s->epoll, found, 512, POLL_MS);

    for (int i = 0; i < count; i++)
        if (found[i].data.ptr != NULL)
            read_connection(s, found[i].data.ptr);
    read_broker(s);
    if (!is_stuck(s))
        return;
    const struct connection *c = find_short(s);
    die("nothing happens any more: %zu of %zu streams ready, version %zu, %" PRIu64
        " posts answered; stream %zu has %zu of %zu events",
        s->ready, s->plan.streams, s->version, s->answered, c == NULL ? 0 : c->number, c == NULL ? 0 : c->received,
        c == NULL ? 0 : c->expected);
}

static void start(struct storm *s, char *binary)
{
    char path[512];
    char database[512];

    snprintf(path, sizeof path, "%s/app.lua", s->dir);
    snprintf(database, sizeof database, "--database=sqlite:%s/app.db", s->dir);
    char run[] = "run";
    char listen[] = "--listen=127.0.0.1:0";
    char window[] = "--drain-window=0";
    char *const words[] = {run, path, listen, database, window, NULL};
    write_script(s);
    process_start(&s->broker, binary, words);
    s->port = process_wait_port(&s->broker);
    struct epoll_event wanted = {.events = EPOLLIN};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->broker.errors, &wanted) != 0)
        die("epoll: %s", strerror(errno));
}

static void open_all(struct storm *s)
{
    size_t count = s->plan.streams + s->posters + 1;

    s->connections = calloc(count, sizeof *s->connections);
    s->ids_room = 4096;
    s->ids = calloc(s->ids_room, sizeof *s->ids);
    s->by_version = calloc(s->reloads + 2, sizeof *s->by_version);
    s->piece = malloc(PIECE);
    if (s->connections == NULL || s->ids == NULL || s->by_version == NULL || s->piece == NULL)
        die("out of memory");
    for (size_t i = 0; i < count; i++)
        s->connections[i].number = i;
    while (s->ready < s->plan.streams) {
        open_streams(s);
        turn(s);
    }
    for (size_t i = s->plan.streams; i < count; i++) {
        s->connections[i].kind = i + 1 == count ? KIND_CONTROL : KIND_POSTER;
        open_connection(s, &s->connections[i], i);
    }
}

static bool is_quiet(const struct storm *s)
{
    return s->answered + 1 == s->next_n && !s->asked;
}

static void storm(struct storm *s)
{
    s->posting = true;
    for (size_t i = 0; i < s->posters; i++)
        post_next(s, &s->connections[s->plan.streams + i]);
    s->confirmed = true;
    while (s->version <= s->reloads || !s->confirmed || s->answered < s->answered_before + s->posts_per_reload) {
        bool due = !s->reloading && s->confirmed && s->answered >= s->answered_before + s->posts_per_reload;
        if (due && s->version <= s->reloads)
            reload(s);
        turn(s);
    }
    s->posting = false;
    while (!is_quiet(s))
        turn(s);
    ask_version(s);
    while (s->asked || find_short(s) != NULL)
        turn(s);
}

/* Anything that came too often has ended the program already, and so has what came to the wrong stream. */
static void check(const struct storm *s)
{
    size_t total = 0;

    for (size_t i = 0; i < s->plan.streams; i++) {
        const struct connection *c = &s->connections[i];
        if (c->received != c->expected)
            die("stream %zu got %zu events, and %zu were meant for it", i, c->received, c->expected);
        total += c->received;
    }
    for (size_t version = 1; version <= s->version; version++)
        if (s->by_version[version] == 0)
            die("no event came from version %zu of the script", version);
    if (s->id_max != s->answered)
        die("the last id is %" PRIu64 ", after %" PRIu64 " events", s->id_max, s->answered);
    if (s->rows != s->answered)
        die("%" PRIu64 " rows are in the database, after %" PRIu64 " events", s->rows, s->answered);
    printf(
        "%zu streams of %zu users, %zu reloads of %.1f ms on average; %" PRIu64 " mutations, %" PRIu64
        " of them answered while a reload was under way; %zu deliveries, none lost, none doubled, none astray, all in "
        "order; every stream still open; the last version answers\n",
        s->plan.streams, s->plan.users, s->reloads, (double)s->reload_ns / (double)s->reloads / 1e6, s->answered,
        s->answered_during, total);
}

static void close_all(struct storm *s)
{
    process_end(&s->broker);
    for (size_t i = 0; i <= s->plan.streams + s->posters; i++) {
        close(s->connections[i].fd);
        buf_free(&s->connections[i].in);
    }
    close(s->epoll);
    free(s->connections);
    free(s->ids);
    free(s->by_version);
    free(s->piece);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/pillar-storm-XXXXXX";
    struct rlimit files;

    if (argc != 2)
        die("usage: reload_storm PILLAR; see tests/README.md for the variables");
    struct storm s = {.plan = {.streams = stage_setting("STORM_STREAMS", 500)},
                      .reloads = stage_setting("STORM_RELOADS", 20),
                      .posters = stage_setting("STORM_POSTERS", 8),
                      .posts_per_reload = stage_setting("STORM_POSTS", 50),
                      .dir = mkdtemp(dir),
                      .next_n = 1,
                      .version = 1,
                      .progress_ns = clock_monotonic_ns()};
    s.plan.users = stage_setting("STORM_USERS", s.plan.streams / 5 + 1);
    if (s.plan.users > s.plan.streams || s.dir == NULL)
        die("there must be a stream for each user, and a folder for the script");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    start(&s, argv[1]);
    open_all(&s);
    storm(&s);
    check(&s);
    close_all(&s);
    stage_remove(dir);
    return 0;
}
