/*
 * floor - what the kernel alone costs: a bare epoll loop that sends the bytes that a broker sends, and does nothing else.
 *
 *   floor [--batch]
 *
 * It speaks just enough HTTP for the load generator. GET /events?user=N opens a stream; POST /emit?first=F&count=C&users=U
 * sends an event to the users F to F + C - 1, modulo U, and POST /emit?all to all streams, with one send() a stream and event.
 * With --batch, all events of a turn for all streams go out in one writev() a stream.
 *
 * It trusts its client: what comes in pieces, a socket that is full or a malformed request end it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    FDS_MAX = 65536,
    USERS_MAX = 65536,
    EVENTS_MAX = 256,  /* of a turn */
    FRAME_MAX = 65536, /* bytes */
    READ_MAX = 1 << 20,
    TURN_MAX = 1024,
};

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/event-stream\r\n"
    "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n"
    "X-Request-Id: 0123456789ab-1\r\nConnection: close\r\n\r\nretry: 3000\n\nid: 0123456789ab-0\nevent: ready\n"
    "data: {\"position\":\"0123456789ab-0\",\"heartbeatMs\":25000,\"userId\":\"0\"}\n\n";
static const char accepted[] =
    "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    "X-Request-Id: 0123456789ab-1\r\nContent-Length: 13\r\n\r\n{\"accepted\":1}";

/* A user's streams are a list of descriptors: next_stream[fd] is the one behind fd, 0 ends it. */
static int first_stream[USERS_MAX];
static int next_stream[FDS_MAX];
static int all_streams[FDS_MAX];
static int stream_count;

static struct iovec pending[EVENTS_MAX];
static int pending_count;
static unsigned long event_number;
static bool batch;

static _Noreturn void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("floor: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void send_whole(int fd, const void *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent != (ssize_t)len && errno != EPIPE && errno != ECONNRESET)
        die("a client does not take what is sent to it: %s", strerror(errno));
}

static unsigned long parameter(const char *target, const char *name)
{
    const char *at = strstr(target, name);

    return at == NULL ? 0 : strtoul(at + strlen(name), NULL, 10);
}

static void open_stream(int fd, const char *target)
{
    unsigned long user = parameter(target, "user=") % USERS_MAX;

    next_stream[fd] = first_stream[user];
    first_stream[user] = fd;
    all_streams[stream_count++] = fd;
    send_whole(fd, stream_head, sizeof stream_head - 1);
}

static size_t make_frame(char *frame, const char *body, size_t len)
{
    int size = snprintf(frame, FRAME_MAX,
                        "id: 0123456789ab-%lu\nevent: sync\ndata: {\"entity\":\"task\",\"action\":\"updated\","
                        "\"entityId\":\"42\",\"timestamp\":1700000000123,\"data\":%.*s}\n\n",
                        ++event_number, (int)len, body);

    if (size >= FRAME_MAX)
        die("an event is too large");
    return (size_t)size;
}

static void send_to_user(unsigned long user, const char *frame, size_t len)
{
    for (int fd = first_stream[user]; fd != 0; fd = next_stream[fd])
        send_whole(fd, frame, len);
}

static void send_pending(void)
{
    size_t bytes = 0;

    for (int i = 0; i < pending_count; i++)
        bytes += pending[i].iov_len;
    for (int i = 0; pending_count > 0 && i < stream_count; i++)
        if (writev(all_streams[i], pending, pending_count) != (ssize_t)bytes)
            die("a client does not take what is sent to it: %s", strerror(errno));
    for (int i = 0; i < pending_count; i++)
        free(pending[i].iov_base);
    pending_count = 0;
}

static void emit(const char *target, const char *body, size_t len)
{
    static char frame[FRAME_MAX];
    size_t size = make_frame(frame, body, len);

    if (strstr(target, "?all") == NULL) {
        unsigned long users = parameter(target, "users=");
        unsigned long first = parameter(target, "first=");
        if (users == 0 || users > USERS_MAX)
            die("there are more users than %d", USERS_MAX);
        for (unsigned long i = 0; i < parameter(target, "count="); i++)
            send_to_user((first + i) % users, frame, size);
    } else if (batch) {
        char *copy = malloc(size);
        if (copy == NULL || pending_count == EVENTS_MAX)
            die("too many events");
        memcpy(copy, frame, size);
        pending[pending_count++] = (struct iovec){copy, size};
    } else {
        for (int i = 0; i < stream_count; i++)
            send_whole(all_streams[i], frame, size);
    }
}

static void answer(int fd, char *request, size_t len)
{
    char *body = memmem(request, len, "\r\n\r\n", 4);
    char *target = memchr(request, ' ', len);

    if (body == NULL || target == NULL)
        die("a request came in pieces");
    *strchr(target + 1, ' ') = '\0';
    body += 4;
    if (request[0] == 'G') {
        open_stream(fd, target);
        return;
    }
    emit(target, body, len - (size_t)(body - request));
    send_whole(fd, accepted, sizeof accepted - 1);
}

static void forget(int epoll, int fd)
{
    (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd); /* the load generator leaves when it is done, so its streams stay in the lists */
}

static void accept_some(int epoll, int listener)
{
    int fd;
    int one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event interest = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= FDS_MAX || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) != 0)
            die("cannot take a connection: %s", strerror(errno));
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("cannot take a connection: %s", strerror(errno));
}

static int listen_somewhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        die("cannot listen: %s", strerror(errno));
    printf("listening on http://127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static struct epoll_event ready[TURN_MAX];
    static char request[READ_MAX];
    int listener = listen_somewhere();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener};

    batch = argc > 1 && strcmp(argv[1], "--batch") == 0;
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &interest) != 0)
        die("cannot make an epoll: %s", strerror(errno));
    for (;;) {
        int count = epoll_wait(epoll, ready, TURN_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                accept_some(epoll, listener);
                continue;
            }
            ssize_t got = recv(fd, request, sizeof request - 1, 0);
            if (got <= 0) {
                forget(epoll, fd);
                continue;
            }
            request[got] = '\0';
            answer(fd, request, (size_t)got);
        }
        send_pending();
    }
}
