/* What the transport asks of the system, on a real socket that was accepted. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "http/transport.h"
#include "support/check.h"

struct fixture {
    uv_loop_t loop;
    uv_tcp_t listener;
    struct transport accepted;
    uint64_t peer_timeout_ms;
    int client;
    bool done;
    bool closed;
};

static void on_closed(struct transport *t)
{
    struct fixture *f = t->tcp.loop->data;

    f->closed = true;
}

static const struct transport_events events = {.on_closed = on_closed};

static void on_connection(uv_stream_t *listener, int status)
{
    struct fixture *f = listener->data;

    assert_int_equal(status, 0);
    assert_int_equal(transport_accept(&f->accepted, &f->loop, listener, &events, f->peer_timeout_ms), 0);
    f->done = true;
}

/* A client's connection, accepted with this timeout. */
static void open_pair(struct fixture *f, uint64_t peer_timeout_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof address;

    *f = (struct fixture){.peer_timeout_ms = peer_timeout_ms, .client = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->loop.data = f;
    assert_int_equal(uv_tcp_init(&f->loop, &f->listener), 0);
    f->listener.data = f;
    assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 1, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&f->listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(f->client, (struct sockaddr *)&address, sizeof address), 0);
    while (!f->done)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void close_pair(struct fixture *f)
{
    transport_close(&f->accepted);
    uv_close((uv_handle_t *)&f->listener, NULL);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    close(f->client);
}

static int option(const struct fixture *f, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    int fd;

    assert_int_equal(uv_fileno((const uv_handle_t *)&f->accepted.tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void asks_for(uint64_t timeout_ms, int idle_s, int interval_s)
{
    struct fixture f;

    open_pair(&f, timeout_ms);
    assert_int_equal(option(&f, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(&f, IPPROTO_TCP, TCP_USER_TIMEOUT), timeout_ms);
    assert_int_equal(option(&f, IPPROTO_TCP, TCP_KEEPIDLE), idle_s);
    assert_int_equal(option(&f, IPPROTO_TCP, TCP_KEEPINTVL), interval_s);
    assert_int_equal(option(&f, IPPROTO_TCP, TCP_KEEPCNT), 3);
    close_pair(&f);
}

/* The first question after half of the time, and three until it is over: in seconds, the system has no less. */
TEST(a_peer_is_asked_in_time)
{
    asks_for(60000, 30, 10);
    asks_for(86400000, 32767, 17878);
    asks_for(3600000, 1800, 600);
    asks_for(10000, 5, 2);
    asks_for(5000, 2, 1);
    asks_for(2000, 1, 1);
    asks_for(1500, 1, 1);
    asks_for(1000, 1, 1);
    asks_for(1, 1, 1);
}

TEST(without_a_timeout_a_peer_is_the_systems_concern)
{
    struct fixture f;

    open_pair(&f, 0);
    assert_int_equal(option(&f, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(&f, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    close_pair(&f);
}

TEST(what_is_sent_is_not_held_back)
{
    struct fixture f;

    open_pair(&f, 60000);
    assert_int_not_equal(option(&f, IPPROTO_TCP, TCP_NODELAY), 0);
    close_pair(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_asked_in_time),
        cmocka_unit_test(without_a_timeout_a_peer_is_the_systems_concern),
        cmocka_unit_test(what_is_sent_is_not_held_back),
    };

    return RUN_TESTS(tests);
}
