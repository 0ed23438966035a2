/* Inquiries on their way through the loops of a server, with loops that start, stop, or never run. */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/inquiry.h"
#include "http/io_loop.h"
#include "support/check.h"
#include "support/events.h"

enum { LOOPS = 3, CLIENTS = 12, PATIENCE_S = 30 };

/* --- a handler that opens streams for ada, and asks what became of event 1 --- */

static void ask(struct exchange *ex)
{
    struct inquiry *q = arena_alloc(&ex->arena, sizeof *q);

    if (q == NULL)
        abort();
    *q = (struct inquiry){.arena = &ex->arena, .position = 1, .user_id = STR("ada")};
    ex->inquiry = q;
    http_inquire(ex);
}

/* A loop that waits here sees nothing of what comes meanwhile. */
static atomic_bool held;
static atomic_bool released;

static void hold(struct exchange *ex)
{
    atomic_store(&held, true);
    while (!atomic_load(&released))
        (void)sched_yield();
    ex->response.status = 204;
    http_respond(ex);
}

static void on_request(void *context, struct exchange *ex)
{
    (void)context;
    if (str_eq(ex->request.path, STR("/hold")))
        hold(ex);
    else if (str_eq(ex->request.path, STR("/ask")))
        ask(ex);
    else
        http_open_stream(ex, &(struct stream_request){.user_id = STR("ada")});
}

static void on_complete(void *context, struct exchange *ex)
{
    (void)context;
    ex->response.status = 200;
    buf_printf(&ex->response.body, "%d %zu;", (int)inquiry_outcome(ex->inquiry), ex->inquiry->count);
    http_respond(ex);
}

static void on_refuse(void *context, const struct request *request, struct exchange *answer)
{
    (void)context;
    (void)request;
    (void)answer;
}

static void on_release(void *context, struct exchange *ex)
{
    (void)context;
    inquiry_end(ex->inquiry);
}

/* --- a server --- */

struct fixture {
    struct bus *bus;
    struct http_server *server;
};

static void open_server(struct fixture *f, unsigned loops)
{
    static const struct http_handler handler = {
        .on_request = on_request, .on_complete = on_complete, .on_refuse = on_refuse, .on_release = on_release};
    struct http_config config = {
        .host = "127.0.0.1",
        .loops = loops,
        .guard = {.header_bytes = 4096, .header_count = 10, .target_bytes = 100, .body_bytes = 100},
        .max_connections = 100,
        .max_body_memory = 1 << 24,
        .max_inbox_events = 100,
        .header_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 60000,
        .stream = {.log = {.max_events = 10, .max_bytes = 1 << 20, .max_age_ms = 1ull << 60},
                   .heartbeat_ms = 30000,
                   .retry_min_ms = 1000,
                   .retry_max_ms = 1000,
                   .delivery_log = 100},
    };
    struct error e;

    f->bus = bus_create();
    assert_non_null(f->bus);
    f->server = http_server_create(&config, f->bus, &handler, &e);
    assert_that(f->server != NULL, "%s", e.message);
    http_server_begin(f->server, &test_generation, 0);
}

static void close_server(struct fixture *f)
{
    http_server_free(f->server); /* which ends the process when a handle, a connection or an exchange is left */
    bus_free(f->bus);
}

static void publish(struct fixture *f)
{
    struct event *ev = make_event_for("*", 1);

    bus_publish(f->bus, &ev, 1);
    bus_wake(f->bus);
    event_unref(ev);
}

/* --- its clients --- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_text(int fd, struct str text)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        text = str_from(text, (size_t)sent);
    }
}

static void request(int fd, const char *path)
{
    struct buf text = BUF_EMPTY;

    buf_printf(&text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    send_text(fd, buf_str(&text));
    buf_free(&text);
}

/* Reads until `text` has come. */
static void await(int fd, const char *text)
{
    char bytes[8192] = "";
    size_t len = 0;

    for (;;) {
        ssize_t got = recv(fd, bytes + len, sizeof bytes - 1 - len, 0);
        assert_that(got > 0, "waited for '%s'; received: %s", text, bytes);
        len += (size_t)got;
        bytes[len] = '\0';
        if (strstr(bytes, text) != NULL)
            return;
    }
}

/* --- threads that cannot be made --- */

int __real_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg);

static unsigned threads_left = LOOPS;
static void (*on_failure)(struct io_loop *loop);

int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg)
{
    if (threads_left == 0) {
        on_failure(arg);
        return UV_EAGAIN;
    }
    threads_left--;
    return __real_uv_thread_create(thread, entry, arg);
}

/* --- */

TEST(an_inquiry_is_asked_of_all_loops)
{
    struct fixture f;
    int clients[CLIENTS];
    struct error e;

    threads_left = LOOPS;
    open_server(&f, LOOPS);
    assert_true(http_server_start(f.server, &e));
    for (int i = 0; i < CLIENTS; i++) { /* as many as it takes to be on each of them */
        clients[i] = connect_to(http_server_port(f.server));
        request(clients[i], "/stream");
        await(clients[i], "event: ready");
    }
    int asking = connect_to(http_server_port(f.server));
    request(asking, "/ask");
    await(asking, "9 0;"); /* there is no such event yet */
    publish(&f);
    for (int i = 0; i < 10; i++) {
        request(asking, "/ask");
        await(asking, "0 12;");
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(asking);
    http_server_stop(f.server);
    close_server(&f);
}

/* The question is on the loop's socket before the event is in its inbox. */
TEST(an_inquiry_knows_what_waits_in_the_inbox)
{
    struct fixture f;
    struct error e;

    threads_left = LOOPS;
    open_server(&f, 1);
    assert_true(http_server_start(f.server, &e));
    int asking = connect_to(http_server_port(f.server));
    request(asking, "/ask");
    await(asking, "9 0;");
    int holding = connect_to(http_server_port(f.server));
    request(holding, "/hold");
    while (!atomic_load(&held))
        (void)sched_yield();
    request(asking, "/ask");
    publish(&f);
    atomic_store(&released, true);
    await(asking, "6 0;"); /* it is there, and nobody is connected */
    close(asking);
    close(holding);
    http_server_stop(f.server);
    close_server(&f);
}

TEST(a_server_stops_with_inquiries_on_their_way)
{
    struct buf requests = BUF_EMPTY;
    struct error e;

    for (int i = 0; i < 1000; i++)
        buf_append_str(&requests, STR("GET /ask HTTP/1.1\r\nHost: x\r\n\r\n"));
    for (int round = 0; round < 20; round++) {
        struct fixture f;
        int clients[CLIENTS];
        threads_left = LOOPS;
        open_server(&f, LOOPS);
        assert_true(http_server_start(f.server, &e));
        publish(&f);
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = connect_to(http_server_port(f.server));
            send_text(clients[i], buf_str(&requests));
        }
        await(clients[round % CLIENTS], "6 0;");
        if (round % 2 == 0) /* some go before it does */
            close(clients[0]);
        http_server_stop(f.server);
        for (int i = round % 2 == 0 ? 1 : 0; i < CLIENTS; i++)
            close(clients[i]);
        close_server(&f);
    }
    buf_free(&requests);
}

static int early[CLIENTS];
static uint16_t early_port;

/* Has the loops that run send inquiries to the one that never will. */
static void ask_early(struct io_loop *loop)
{
    for (int i = 0; i < CLIENTS; i++) {
        early[i] = connect_to(early_port);
        request(early[i], "/ask");
    }
    for (bool waits = false; !waits;) {
        pthread_mutex_lock(&loop->inbox.lock);
        waits = loop->inbox.waiting.exchanges != NULL;
        pthread_mutex_unlock(&loop->inbox.lock);
        (void)sched_yield();
    }
}

TEST(a_loop_that_never_runs_keeps_no_inquiry)
{
    struct fixture f;
    struct error e;

    threads_left = 2;
    on_failure = ask_early;
    open_server(&f, LOOPS);
    early_port = http_server_port(f.server);
    assert_false(http_server_start(f.server, &e));
    assert_error(&e, "thread", "");
    for (int i = 0; i < CLIENTS; i++)
        close(early[i]);
    close_server(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inquiry_is_asked_of_all_loops),
        cmocka_unit_test(an_inquiry_knows_what_waits_in_the_inbox),
        cmocka_unit_test(a_server_stops_with_inquiries_on_their_way),
        cmocka_unit_test(a_loop_that_never_runs_keeps_no_inquiry),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* clients go in the middle of answers */
    return RUN_TESTS(tests);
}
