/* The events: sent over connections of their own, in a closed loop or at a fixed rate, until all have arrived. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"
#include "template.h"

enum { TURN_MAX = 1024, ANSWER_MAX = 65536, PATIENCE_NS = 2000000000 };

#define EMITTER       (1ull << 63) /* in epoll's data; streams are their index */
#define ONE_SECOND_NS 1000000000ull

struct emitter {
    int fd;
    uint64_t seq; /* of its event; 0: it has none */
    char answer[ANSWER_MAX];
    size_t answer_len;
};

static struct emitter *emitters;
static struct buf request;

void emit_open(void)
{
    emitters = calloc(options.in_flight, sizeof *emitters);
    if (emitters == NULL)
        die("out of memory");
    for (uint64_t i = 0; i < options.in_flight; i++) {
        struct epoll_event interest = {.events = EPOLLIN, .data.u64 = i | EMITTER};
        emitters[i].fd = connect_from(options.streams + i);
        if (epoll_ctl(load_epoll, EPOLL_CTL_ADD, emitters[i].fd, &interest) != 0)
            die("epoll: %s", strerror(errno));
    }
}

static void make_request(const struct template_values *values)
{
    static struct buf body;

    request.len = 0;
    body.len = 0;
    template_append(&body, options.emit_body, values);
    buf_printf(&request, "%s ", options.emit_method);
    template_append(&request, options.emit_target, values);
    buf_printf(&request, " HTTP/1.1\r\nHost: bench\r\n");
    for (int i = 0; i < HEADERS_MAX && options.emit_headers[i] != NULL; i++) {
        template_append(&request, options.emit_headers[i], values);
        buf_printf(&request, "\r\n");
    }
    if (body.len > 0)
        buf_printf(&request, "Content-Length: %zu\r\n", body.len);
    buf_printf(&request, "\r\n");
    buf_append_str(&request, buf_str(&body));
    if (request.failed || body.failed)
        die("out of memory");
}

static void send_event(struct emitter *e, uint64_t seq, uint64_t at_ns)
{
    uint64_t first = first_of(seq);
    struct template_values values = {.user = first,
                                     .seq = seq,
                                     .at = at_ns,
                                     .first = first,
                                     .count = options.per_event,
                                     .users = users_at(seq),
                                     .pad = options.pad};

    make_request(&values);
    window[seq % WINDOW] = (struct on_its_way){.seq = seq, .at_ns = at_ns, .left = audience_of(seq)};
    e->seq = seq;
    e->answer_len = 0;
    if (send(e->fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        die("an event cannot be sent: %s", strerror(errno));
}

/* Whether a whole answer is there, with a length or without a body. */
static bool is_whole(const struct emitter *e)
{
    const char *end = memmem(e->answer, e->answer_len, "\r\n\r\n", 4);

    if (end == NULL)
        return false;
    size_t head = (size_t)(end - e->answer) + 4;
    const char *length = strcasestr(e->answer, "content-length:");
    uint64_t body = length == NULL || length > end ? 0 : strtoull(length + 15, NULL, 10);
    return e->answer_len >= head + body;
}

static void read_answer(struct emitter *e)
{
    ssize_t got = recv(e->fd, e->answer + e->answer_len, ANSWER_MAX - 1 - e->answer_len, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        die("a connection that emits: %s", got == 0 ? "closed" : strerror(errno));
    e->answer_len += (size_t)got;
    e->answer[e->answer_len] = '\0';
    if (e->seq == 0 || !is_whole(e))
        return;
    struct on_its_way *event = &window[e->seq % WINDOW];
    event->answered = true;
    results.answers++;
    if (e->answer[9] != '2') {
        if (results.refused++ == 0)
            die("an event was refused: %.*s", (int)e->answer_len, e->answer);
    }
    histogram_add(&results.answer_ns, now_ns() - event->at_ns);
}

/* Frees the emitters whose event is done. Returns how many are busy. */
static uint64_t settle(void)
{
    uint64_t busy = 0;

    for (uint64_t i = 0; i < options.in_flight; i++) {
        struct emitter *e = &emitters[i];
        const struct on_its_way *event = &window[e->seq % WINDOW];
        if (e->seq != 0 && event->answered && event->left == 0)
            e->seq = 0;
        busy += e->seq != 0;
    }
    return busy;
}

/* Returns how many connections had something to read. */
static int turn(void)
{
    static struct epoll_event ready[TURN_MAX];
    int count =
        epoll_wait(load_epoll, ready, TURN_MAX, 0); /* a client that sleeps costs the server a wake-up a delivery */

    for (int i = 0; i < count; i++) {
        if ((ready[i].data.u64 & EMITTER) != 0)
            read_answer(&emitters[ready[i].data.u64 & ~EMITTER]);
        else
            streams_read(ready[i].data.u64);
    }
    return count;
}

static struct emitter *free_emitter(void)
{
    for (uint64_t i = 0; i < options.in_flight; i++)
        if (emitters[i].seq == 0)
            return &emitters[i];
    return NULL;
}

void emit_run(uint64_t from, uint64_t to)
{
    uint64_t next = from;
    uint64_t start = now_ns();
    uint64_t progress_at = start;
    uint64_t progress = 0;
    struct emitter *e;

    for (;;) {
        uint64_t busy = settle();
        uint64_t now = now_ns();
        if (next > to && busy == 0)
            return;
        while (next <= to && (e = free_emitter()) != NULL) {
            uint64_t due = options.rate == 0 ? now : start + (next - from) * ONE_SECOND_NS / options.rate;
            if (due > now)
                break;
            send_event(e, next++, due); /* one that waits for a connection has begun to wait when it was due */
        }
        turn();
        uint64_t done = results.deliveries + results.answers;
        if (done != progress || busy == 0)
            progress_at = now;
        progress = done;
        if (now - progress_at > 5ull * PATIENCE_NS)
            die("events were lost: nothing comes any more");
    }
}

void emit_drain(void)
{
    while (turn() > 0)
        ;
}
