/*
 * Streams whose clients stop reading while very many events pass, beside some that read on. The broker's memory grows by its
 * log and no more, however much there is to be sent; and when the clients read again, or come back, each gets all that was
 * meant for it, once, in order, or a `resync`. See tests/README.md.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "stage.h"

#ifdef SANITIZED
enum { WEIGHED = 0 }; /* what a sanitizer keeps back is not the broker's */
#else
enum { WEIGHED = 1 };
#endif

enum {
    EVERYONE_EVERY = 64, /* one event in so many is for everyone, the others for one user each */
    PER_POST = 500,
    DATA_BYTES = 1000,
    /* Of a client that stops: the system sizes the buffers of both sides by them, and little is on its way. */
    RECEIVE_BUFFER = 16 * 1024,
    SEGMENT = 1400,
    PIECE = 256 * 1024,
    POLL_MS = 20,
    PATIENCE_S = 60, /* without any progress */
};

/*
 * What the broker may take beside its log. A stream that stops holds on to one event, half of which is sent. The rest is the
 * writer's page cache (8 MiB) and the memory of deliveries (2 MiB), which fill up once, and what malloc, the workers' Lua
 * states and the events on their way from there to the loop take for a while.
 */
static const size_t ALLOWANCE_BYTES = (size_t)(4 + 8 + 2) * 1024 * 1024;
static const size_t ALLOWANCE_A_STREAM = (size_t)2 * 1024;

static const char script[] =
    "local pillar = require 'pillar'\n"
    "local app = pillar.app()\n"
    "app:authenticate(function(req)\n"
    "  local name = req.headers['X-User'] or req.query.user\n"
    "  return name and { id = name }\n"
    "end)\n"
    "app:entity('tick')\n"
    "app:post('/emit', function(req)\n"
    "  local wanted = req:json()\n"
    "  local text = ('x'):rep(wanted.bytes)\n"
    "  for n = wanted.from, wanted.from + wanted.count - 1 do\n"
    "    emit_sync_event { entity = 'tick', action = 'ticked', sessionId = false, data = { n = n, text = text },\n"
    "      targetUserIds = n % wanted.every == 0 and pillar.everyone or { 'u' .. n % wanted.users } }\n"
    "  end\n"
    "end)\n"
    "return app\n";

struct reader {
    int fd; /* -1: closed */
    bool is_poster;
    size_t number;
    struct buf in;
    char generation[32];
    bool ready;
    uint64_t last; /* the event that it has seen last, or behind which it was told to refetch */
    size_t events;
    size_t resyncs;
    bool told_resync; /* since it last stopped */
};

struct world {
    struct stage stage;
    size_t slow;
    size_t fast; /* beside them */
    size_t users;
    size_t total; /* events of a phase */
    struct reader *readers;
    struct reader poster;
    int control;
    int epoll;
    uint64_t emitted;
    bool answered;
    size_t ready;
    size_t closed;
    bool returning; /* who is closed comes back at once: also who had to wait too long for its turn here */
    uint64_t progress;
    uint64_t progress_ns;
    char *piece;
};

/* --- the plan: which event concerns whom --- */

static bool concerns(const struct world *w, uint64_t n, const struct reader *r)
{
    return n % EVERYONE_EVERY == 0 || n % w->users == r->number % w->users;
}

static uint64_t next_for(const struct world *w, uint64_t n, const struct reader *r)
{
    do
        n++;
    while (!concerns(w, n, r));
    return n;
}

/* --- connections --- */

static void watch(const struct world *w, struct reader *r, bool read)
{
    struct epoll_event wanted = {.events = read ? EPOLLIN : 0, .data.ptr = r};

    if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, r->fd, &wanted) != 0)
        die("epoll: %s", strerror(errno));
}

static void open_connection(const struct world *w, struct reader *r, bool with_little_room)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(w->stage.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = r};
    int room = RECEIVE_BUFFER;
    int segment = SEGMENT;

    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->fd < 0 ||
        (with_little_room && (setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) != 0 ||
                              setsockopt(r->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) != 0)) ||
        connect(r->fd, (struct sockaddr *)&to, sizeof to) != 0 || fcntl(r->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, r->fd, &wanted) != 0)
        die("cannot connect: %s", strerror(errno));
}

static void ask_for_stream(const struct world *w, struct reader *r)
{
    struct buf request = BUF_EMPTY;

    bool comes_back = r->generation[0] != '\0';

    r->ready = false;
    open_connection(w, r, r->number < w->slow && !comes_back);
    buf_printf(&request, "GET /api/events?user=u%zu HTTP/1.1\r\nHost: load\r\n", r->number % w->users);
    if (comes_back)
        buf_printf(&request, "Last-Event-ID: %s-%" PRIu64 "\r\n", r->generation, r->last);
    buf_append(&request, "\r\n", 2);
    stage_send_text(r->fd, &request);
}

/* --- what streams get --- */

static bool begins_with(struct str s, const char *text)
{
    return s.len >= strlen(text) && memcmp(s.ptr, text, strlen(text)) == 0;
}

static bool contains(struct str s, const char *text)
{
    return memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

/* The id of a message, "generation-number"; 0 where it has none. */
static uint64_t read_id(struct reader *r, struct str block)
{
    const char *at = memmem(block.ptr, block.len, "id: ", 4);
    const char *dash = at == NULL ? NULL : memchr(at, '-', (size_t)(block.ptr + block.len - at));

    if (dash == NULL)
        return 0;
    snprintf(r->generation, sizeof r->generation, "%.*s", (int)(dash - at - 4), at + 4);
    return strtoull(dash + 1, NULL, 10);
}

static void take_sync(struct world *w, struct reader *r, struct str block)
{
    uint64_t n = stage_number(block, "\"n\":");
    uint64_t expected = next_for(w, r->last, r);

    if (n != read_id(r, block))
        die("event %" PRIu64 " has another id: %.*s", n, STR_ARG(block));
    if (n != expected)
        die("stream %zu got event %" PRIu64 " in place of %" PRIu64 ", behind %" PRIu64 ": %s", r->number, n, expected,
            r->last, n < expected ? "twice, out of order, or not meant for it" : "something is lost");
    r->last = n;
    r->events++;
    w->progress++;
}

static void take_resync(struct world *w, struct reader *r, struct str block)
{
    uint64_t position = read_id(r, block);

    if (r->number >= w->slow)
        die("stream %zu, which reads, was told to refetch: %.*s", r->number, STR_ARG(block));
    if (position <= r->last)
        die("stream %zu was told to refetch what it has: %.*s", r->number, STR_ARG(block));
    r->last = position;
    r->resyncs++;
    r->told_resync = true;
    w->progress++;
}

static void take_block(struct world *w, struct reader *r, struct str block)
{
    if (contains(block, "event: sync\n")) {
        take_sync(w, r, block);
    } else if (contains(block, "event: resync\n")) {
        take_resync(w, r, block);
    } else if (contains(block, "event: ready\n")) {
        if (r->generation[0] == '\0')
            r->last = read_id(r, block);
        r->ready = true;
        w->ready++;
        w->progress++;
    }
}

static size_t take_blocks(struct world *w, struct reader *r, struct str bytes)
{
    size_t taken = 0;

    if (!r->ready && bytes.len > 12 && begins_with(bytes, "HTTP/1.1") && !begins_with(bytes, "HTTP/1.1 200"))
        die("stream %zu was refused: %.*s", r->number, STR_ARG(bytes));
    for (;;) {
        struct str rest = str_from(bytes, taken);
        const char *end = memmem(rest.ptr, rest.len, "\n\n", 2);
        if (end == NULL)
            return taken;
        size_t len = (size_t)(end - rest.ptr) + 2;
        take_block(w, r, (struct str){rest.ptr, len});
        taken += len;
    }
}

/* One answer at a time, without a body. */
static size_t take_answer(struct world *w, struct str bytes)
{
    if (memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) == NULL)
        return 0;
    if (!begins_with(bytes, "HTTP/1.1 204"))
        die("a request was refused: %.*s", STR_ARG(bytes));
    w->answered = true;
    w->progress++;
    return bytes.len;
}

static void take_bytes(struct world *w, struct reader *r, struct str bytes)
{
    buf_append_str(&r->in, bytes);
    if (r->in.failed)
        die("out of memory");
    struct str all = buf_str(&r->in);
    size_t taken = r->is_poster ? take_answer(w, all) : take_blocks(w, r, all);
    memmove(r->in.data, r->in.data + taken, r->in.len - taken);
    r->in.len -= taken;
}

static void read_connection(struct world *w, struct reader *r)
{
    ssize_t got = recv(r->fd, w->piece, PIECE, 0);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0) {
        take_bytes(w, r, (struct str){w->piece, (size_t)got});
        return;
    }
    if (r->is_poster || r->number >= w->slow)
        die("a connection that reads was closed: %s", got == 0 ? "FIN" : strerror(errno));
    close(r->fd);
    r->fd = -1;
    r->in.len = 0; /* an event that was cut */
    w->closed++;
    w->progress++;
    if (w->returning)
        ask_for_stream(w, r);
}

static void turn(struct world *w, const char *what)
{
    struct epoll_event found[512];
    uint64_t before = w->progress;
    int count = epoll_wait(w->epoll, found, 512, POLL_MS);

    for (int i = 0; i < count; i++)
        if ((found[i].events & EPOLLIN) != 0)
            read_connection(w, found[i].data.ptr);
    process_read(&w->stage.broker);
    uint64_t now = clock_monotonic_ns();
    if (w->progress != before)
        w->progress_ns = now;
    if (now - w->progress_ns > PATIENCE_S * 1000000000ull)
        die("nothing happens any more: %s", what);
}

/* --- the course of a phase --- */

static void open_streams(struct world *w)
{
    size_t count = w->slow + w->fast;

    w->ready = 0;
    for (size_t i = 0; i < count; i++) {
        ask_for_stream(w, &w->readers[i]);
        while (i + 1 - w->ready > 100)
            turn(w, "streams open");
    }
    while (w->ready < count)
        turn(w, "streams open");
}

static void post(struct world *w, size_t count)
{
    struct buf body = BUF_EMPTY;
    struct buf request = BUF_EMPTY;

    buf_printf(&body, "{\"from\":%" PRIu64 ",\"count\":%zu,\"users\":%zu,\"every\":%d,\"bytes\":%d}", w->emitted + 1,
               count, w->users, EVERYONE_EVERY, DATA_BYTES);
    buf_printf(&request,
               "POST /emit HTTP/1.1\r\nHost: load\r\nX-User: poster\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n",
               body.len);
    buf_append_str(&request, buf_str(&body));
    buf_free(&body);
    w->answered = false;
    w->emitted += count;
    stage_send_text(w->poster.fd, &request);
    while (!w->answered)
        turn(w, "a request is answered");
}

static bool has_all(const struct world *w, const struct reader *r)
{
    return next_for(w, r->last, r) > w->emitted;
}

static void emit(struct world *w, size_t count)
{
    for (size_t n; count > 0; count -= n) {
        n = count < PER_POST ? count : PER_POST;
        post(w, n);
    }
}

/* The streams that are read have everything; the others too, if `all`. */
static void wait_until_level(struct world *w, bool all)
{
    for (size_t i = all ? 0 : w->slow; i < w->slow + w->fast; i++)
        while (!has_all(w, &w->readers[i]))
            turn(w, "streams get what was meant for them");
}

static void stop_reading(struct world *w)
{
    for (size_t i = 0; i < w->slow; i++) {
        watch(w, &w->readers[i], false);
        w->readers[i].told_resync = false;
    }
}

static void read_on(struct world *w)
{
    for (size_t i = 0; i < w->slow; i++)
        watch(w, &w->readers[i], true);
}

/* --- memory --- */

struct memory {
    uint64_t rss;
    uint64_t pss;
};

static struct memory weigh(const struct world *w)
{
    char path[64];
    char text[4096];

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)w->stage.broker.pid);
    FILE *file = fopen(path, "r");
    size_t len = file == NULL ? 0 : fread(text, 1, sizeof text, file);
    struct memory m = {stage_number((struct str){text, len}, "\nRss:") * 1024,
                       stage_number((struct str){text, len}, "\nPss:") * 1024};
    if (file == NULL || m.pss > m.rss)
        die("%s tells no memory", path);
    fclose(file);
    return m;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 1024 / 1024;
}

static void check_growth(const struct world *w, const char *what, struct memory before, size_t log_bytes)
{
    struct memory now = weigh(w);
    uint64_t most = log_bytes + ALLOWANCE_BYTES + w->slow * ALLOWANCE_A_STREAM;

    printf("  %s: RSS %.1f MiB, %+.1f; PSS %.1f MiB, %+.1f; the bound is %.1f: the log's %.1f, and %.1f\n", what,
           mib(now.rss), mib(now.rss) - mib(before.rss), mib(now.pss), mib(now.pss) - mib(before.pss), mib(most),
           mib(log_bytes), mib(most - log_bytes));
    if (WEIGHED && (now.rss > before.rss + most || now.pss > before.pss + most))
        die("the broker's memory grew beyond its bound");
}

/* --- the phases --- */

struct phase {
    const char *name;
    size_t log_mib;
    bool closes; /* by a write-timeout that the slow ones overrun */
};

static void begin(struct world *w, char *binary, const struct phase *p)
{
    size_t count = w->slow + w->fast;
    char bytes[64];
    char write_timeout[32];
    char peer_timeout[] = "--peer-timeout=1h";
    char events[] = "--history-events=10000000";
    char deadline[] = "--handler-deadline=60s";
    char *const options[] = {bytes, write_timeout, peer_timeout, events, deadline, NULL};

    snprintf(bytes, sizeof bytes, "--history-bytes=%zuMiB", p->log_mib);
    snprintf(write_timeout, sizeof write_timeout, "--write-timeout=%s", p->closes ? "500ms" : "1h");
    stage_start(&w->stage, binary, script, options);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->readers = calloc(count, sizeof *w->readers);
    if (w->epoll < 0 || w->readers == NULL)
        die("cannot begin: %s", strerror(errno));
    for (size_t i = 0; i < count; i++)
        w->readers[i].number = i;
    w->emitted = 0;
    w->closed = 0;
    w->returning = false;
    w->progress_ns = clock_monotonic_ns();
    w->poster = (struct reader){.is_poster = true};
    open_connection(w, &w->poster, false);
    w->control = stage_connect(&w->stage);
    open_streams(w);
    /* What the first requests take once is no growth. */
    emit(w, PER_POST);
    emit(w, PER_POST);
    wait_until_level(w, true);
}

static void finish(struct world *w)
{
    for (size_t i = 0; i < w->slow + w->fast; i++) {
        if (w->readers[i].fd >= 0)
            close(w->readers[i].fd);
        buf_free(&w->readers[i].in);
    }
    close(w->poster.fd);
    buf_free(&w->poster.in);
    close(w->control);
    close(w->epoll);
    free(w->readers);
    stage_end(&w->stage);
}

static void wait_until_closed(struct world *w)
{
    while (stage_metric(w->control, "pillar_streams") > w->fast)
        turn(w, "streams that take nothing are closed");
    uint64_t timeouts = stage_metric(w->control, "pillar_timeouts_total");
    printf("  %" PRIu64 " connections were closed, since their clients took no byte in time\n", timeouts);
    if (timeouts < w->slow)
        die("%zu streams took nothing, and %" PRIu64 " timeouts ran out", w->slow, timeouts);
    read_on(w);
    while (w->closed < w->slow)
        turn(w, "clients see the end of their streams");
    w->returning = true;
    for (size_t i = 0; i < w->slow; i++)
        ask_for_stream(w, &w->readers[i]);
}

static void report(const struct world *w, const struct phase *p)
{
    size_t told = 0;
    size_t events = 0;

    for (size_t i = 0; i < w->slow; i++) {
        told += w->readers[i].told_resync;
        events += w->readers[i].events;
    }
    printf("  %s: %zu streams got the rest, %zu a resync; %zu events in all, each in its place; %zu that never stopped "
           "got "
           "all\n",
           p->closes ? "came back" : "read on", w->slow - told, told, events, w->fast);
}

static void run(struct world *w, char *binary, const struct phase *p)
{
    size_t log_bytes = p->log_mib * 1024 * 1024;

    begin(w, binary, p);
    printf("%s: %zu streams stop, %zu read on; %zu events, a log of %zu MiB\n", p->name, w->slow, w->fast, w->total,
           p->log_mib);
    struct memory before = weigh(w);
    stop_reading(w);
    emit(w, w->total);
    wait_until_level(w, false);
    check_growth(w, "when all events have passed", before, log_bytes);
    if (p->closes)
        wait_until_closed(w);
    else
        read_on(w);
    emit(w, EVERYONE_EVERY - w->emitted % EVERYONE_EVERY); /* the last is for everyone: nobody may be silent */
    wait_until_level(w, true);
    check_growth(w, "when all have what was meant for them", before, log_bytes);
    report(w, p);
    finish(w);
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc != 2)
        die("usage: slow_readers PILLAR; see tests/README.md for the variables");
    struct world w = {.slow = stage_setting("SLOW_STREAMS", 1000), .total = stage_setting("SLOW_EVENTS", 100000)};
    w.users = stage_setting("SLOW_USERS", w.slow / 10 + 1);
    w.fast = w.slow / 50 + 1;
    w.piece = malloc(PIECE);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (w.piece == NULL)
        die("out of memory");
    /* About 2 KiB an event: a log for all of them, and one for a tenth. */
    size_t all = w.total * 2 / 1024 + 1;
    run(&w, argv[1], &(struct phase){"the log keeps everything", all, false});
    run(&w, argv[1], &(struct phase){"the log keeps little", all / 20 + 1, false});
    run(&w, argv[1], &(struct phase){"who takes nothing is closed", all, true});
    free(w.piece);
    return 0;
}
