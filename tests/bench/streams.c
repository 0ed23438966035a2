/* The streams: opened a few at a time, and each event that they bring is looked at. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "template.h"

enum {
    OPENING_AT_ONCE = 64,
    TURN_MAX = 1024,
    PIECE = 256 * 1024,
    CARRY_MAX = 1 << 20,
};

#define PATIENCE_NS 20000000000ull

struct stream {
    int fd;
    bool open;
    uint64_t user;
    uint64_t last_id;
    char *carry; /* the beginning of a frame that has not come whole */
    size_t carry_len;
};

static struct stream *streams;
static uint64_t started;
static uint64_t opened;
static int opening_epoll = -1;
static char **tokens;
static uint64_t token_count;

static void read_tokens(void)
{
    char line[4096];
    FILE *file = options.tokens == NULL ? NULL : fopen(options.tokens, "r");

    if (options.tokens == NULL)
        return;
    if (file == NULL)
        die("cannot read %s", options.tokens);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        tokens = realloc(tokens, (token_count + 1) * sizeof *tokens);
        if (tokens == NULL)
            die("out of memory");
        tokens[token_count++] = strdup(line);
    }
    fclose(file);
}

static void ask(const struct stream *s, uint64_t index)
{
    struct template_values values = {.user = s->user, .index = index, .users = options.users};
    struct buf request = BUF_EMPTY;

    buf_printf(&request, "GET ");
    template_append(&request, options.stream_target, &values);
    buf_printf(&request, " HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n");
    for (int i = 0; i < HEADERS_MAX && options.stream_headers[i] != NULL; i++) {
        template_append(&request, options.stream_headers[i], &values);
        buf_printf(&request, "\r\n");
    }
    if (token_count > 0)
        buf_printf(&request, "Authorization: Bearer %s\r\n", tokens[index % token_count]);
    buf_printf(&request, "\r\n");
    if (request.failed || send(s->fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        die("stream %llu cannot be asked for: %s", (unsigned long long)index, strerror(errno));
    buf_free(&request);
}

static void start_one(void)
{
    struct stream *s = &streams[started];
    struct epoll_event interest = {.events = EPOLLOUT, .data.u64 = started};

    s->fd = connect_from(started);
    s->user = started % options.users;
    if (epoll_ctl(opening_epoll, EPOLL_CTL_ADD, s->fd, &interest) != 0)
        die("epoll: %s", strerror(errno));
    started++;
}

static void finish_opening(struct stream *s, uint64_t index, char *bytes, size_t len)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.u64 = index};

    if (memmem(bytes, len, "\r\n\r\n", 4) == NULL)
        die("the head of a stream came in pieces");
    if (len < 12 || memcmp(bytes + 9, "200", 3) != 0)
        die("stream %llu was refused: %.*s", (unsigned long long)index, (int)len, bytes);
    if (epoll_ctl(opening_epoll, EPOLL_CTL_DEL, s->fd, NULL) != 0 ||
        epoll_ctl(load_epoll, EPOLL_CTL_ADD, s->fd, &interest) != 0)
        die("epoll: %s", strerror(errno));
    s->open = true;
    opened++;
}

static void go_on_opening(uint64_t index, uint32_t happened)
{
    static char bytes[65536];
    struct stream *s = &streams[index];
    struct epoll_event interest = {.events = EPOLLIN, .data.u64 = index};

    if ((happened & EPOLLOUT) != 0) {
        ask(s, index);
        if (epoll_ctl(opening_epoll, EPOLL_CTL_MOD, s->fd, &interest) != 0)
            die("epoll: %s", strerror(errno));
        return;
    }
    ssize_t got = recv(s->fd, bytes, sizeof bytes, 0);
    if (got <= 0)
        die("stream %llu: %s", (unsigned long long)index, got == 0 ? "closed" : strerror(errno));
    finish_opening(s, index, bytes, (size_t)got);
}

void streams_open(uint64_t count)
{
    struct epoll_event ready[OPENING_AT_ONCE];
    uint64_t progress_at = now_ns();

    if (streams == NULL) {
        read_tokens();
        streams = calloc(options.streams + 1, sizeof *streams);
        opening_epoll = epoll_create1(EPOLL_CLOEXEC);
        if (streams == NULL || opening_epoll < 0)
            die("out of memory");
    }
    while (opened < count) {
        while (started < count && started - opened < OPENING_AT_ONCE)
            start_one();
        int n = epoll_wait(opening_epoll, ready, OPENING_AT_ONCE, 0); /* it spins here, too */
        if (n > 0)
            progress_at = now_ns();
        else if (now_ns() - progress_at > PATIENCE_NS)
            die("%llu of %llu streams did not open", (unsigned long long)(count - opened), (unsigned long long)count);
        for (int i = 0; i < n; i++)
            go_on_opening(ready[i].data.u64, ready[i].events);
    }
}

static uint64_t number_behind(const char *frame, size_t len, const char *name)
{
    const char *at = memmem(frame, len, name, strlen(name));

    return at == NULL ? UINT64_MAX : strtoull(at + strlen(name), NULL, 10);
}

/* An id "<history>-<number>", or nchan's "<second>:<number>". */
static uint64_t id_of(const char *frame, size_t len)
{
    const char *at = memmem(frame, len, "id: ", 4);
    const char *end = at == NULL ? NULL : memchr(at, '\n', len - (size_t)(at - frame));

    if (end == NULL)
        return 0;
    const char *dash = memchr(at, '-', (size_t)(end - at));
    if (dash != NULL)
        return strtoull(dash + 1, NULL, 10);
    const char *colon = memchr(at + 4, ':', (size_t)(end - at) - 4);
    return strtoull(at + 4, NULL, 10) * 1000000 + (colon == NULL ? 0 : strtoull(colon + 1, NULL, 10));
}

static void take_frame(struct stream *s, const char *frame, size_t len)
{
    uint64_t seq = number_behind(frame, len, "seq=");

    if (memmem(frame, len, "event: resync", 13) != NULL)
        die("the server told a stream to refetch");
    if (seq == UINT64_MAX)
        return; /* a comment, or the beginning */
    struct on_its_way *event = &window[seq % WINDOW];
    uint64_t id = id_of(frame, len);
    results.reordered += id != 0 && id <= s->last_id;
    s->last_id = id;
    results.astray += !concerns(seq, s->user);
    if (event->seq != seq || event->left == 0) {
        results.unexpected++;
        return;
    }
    event->left--;
    results.deliveries++;
    results.bytes += len;
    histogram_add(&results.delivery_ns, now_ns() - event->at_ns);
}

/* Returns how much of it whole frames took. */
static size_t take_frames(struct stream *s, const char *bytes, size_t len)
{
    size_t taken = 0;
    const char *end;

    while ((end = memmem(bytes + taken, len - taken, "\n\n", 2)) != NULL) {
        size_t frame = (size_t)(end - (bytes + taken)) + 2;
        take_frame(s, bytes + taken, frame);
        taken += frame;
    }
    return taken;
}

static void carry_on(struct stream *s, const char *bytes, size_t len)
{
    char *joined = malloc(s->carry_len + len + 1);

    if (joined == NULL || s->carry_len + len > CARRY_MAX)
        die("a frame is too large");
    if (s->carry_len > 0)
        memcpy(joined, s->carry, s->carry_len);
    memcpy(joined + s->carry_len, bytes, len);
    free(s->carry);
    s->carry = joined;
    s->carry_len += len;
    s->carry[s->carry_len] = '\0';
}

void streams_read(uint64_t index)
{
    static char bytes[PIECE + 1];
    struct stream *s = &streams[index];
    ssize_t got = recv(s->fd, bytes, PIECE, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        die("stream %llu: %s", (unsigned long long)index, got == 0 ? "closed" : strerror(errno));
    bytes[got] = '\0';
    if (s->carry_len == 0) {
        size_t taken = take_frames(s, bytes, (size_t)got);
        if (taken < (size_t)got)
            carry_on(s, bytes + taken, (size_t)got - taken);
        return;
    }
    carry_on(s, bytes, (size_t)got);
    size_t taken = take_frames(s, s->carry, s->carry_len);
    s->carry_len -= taken;
    memmove(s->carry, s->carry + taken, s->carry_len);
    if (s->carry_len == 0) {
        free(s->carry);
        s->carry = NULL;
    }
}
