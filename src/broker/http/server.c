/* The set of loops, the address they listen on, and the door's calls. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/logger.h"
#include "http/h1.h"
#include "http/parse.h"

struct http_server {
    struct http_config config;
    struct http_handler handler;
    struct bus *bus;
    _Atomic size_t connections; /* over all loops: the limit is the server's */
    uint16_t port;
    unsigned made; /* loops that io_loop_init has seen */
    struct io_loop *loops;
};

/* --- the address --- */

static int open_socket(const struct addrinfo *address, bool share)
{
    int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool read_port(int fd, struct sockaddr_storage *bound, uint16_t *port)
{
    socklen_t len = sizeof *bound;
    char digits[8];

    if (getsockname(fd, (struct sockaddr *)bound, &len) != 0 ||
        getnameinfo((struct sockaddr *)bound, len, NULL, 0, digits, sizeof digits, NI_NUMERICSERV) != 0)
        return false;
    *port = (uint16_t)strtoul(digits, NULL, 10);
    return true;
}

static bool refuse_address(const struct http_config *config, const char *reason, struct error *e)
{
    return error_set(e, "listen", "cannot listen on %s:%u: %s", config->host, config->port, reason);
}

/*
 * One socket a loop. Several share the port by SO_REUSEPORT, which would also let a second broker share it
 * unnoticed; so the first bind is an exclusive one, which fails if anybody is there.
 */
static bool bind_sockets(struct http_server *server, const struct addrinfo *address, int *fds, struct error *e)
{
    const struct http_config *config = &server->config;
    struct sockaddr_storage bound;
    int first = open_socket(address, false);

    if (first < 0)
        return refuse_address(config, strerror(errno), e);
    /* A single loop serves by this socket: who connects while the history is being read waits in its queue. */
    if (listen(first, config->loops == 1 ? SOMAXCONN : 1) != 0 || !read_port(first, &bound, &server->port)) {
        close(first);
        return refuse_address(config, strerror(errno), e);
    }
    if (config->loops == 1) {
        fds[0] = first;
        return true;
    }
    close(first);
    struct addrinfo shared = *address;
    shared.ai_addr = (struct sockaddr *)&bound;
    for (unsigned i = 0; i < config->loops; i++) {
        fds[i] = open_socket(&shared, true);
        if (fds[i] < 0) {
            (void)refuse_address(config, strerror(errno), e);
            while (i > 0)
                close(fds[--i]);
            return false;
        }
    }
    return true;
}

static bool resolve_and_bind(struct http_server *server, int *fds, struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    char port[8];

    snprintf(port, sizeof port, "%u", server->config.port);
    int failed = getaddrinfo(server->config.host, port, &hints, &found);
    if (failed != 0)
        return refuse_address(&server->config, gai_strerror(failed), e);
    bool ok = bind_sockets(server, found, fds, e);
    freeaddrinfo(found);
    return ok;
}

/* --- life --- */

static bool make_loops(struct http_server *server, int *fds, struct error *e)
{
    for (unsigned i = 0; i < server->config.loops; i++) {
        server->made++;
        if (io_loop_init(&server->loops[i], server, &server->config, &server->handler, fds[i], e)) {
            bus_attach(server->bus, &server->loops[i].inbox.outlet);
            continue;
        }
        for (unsigned j = i + 1; j < server->config.loops; j++)
            close(fds[j]);
        return false;
    }
    return true;
}

struct http_server *http_server_create(const struct http_config *config, struct bus *bus,
                                       const struct http_handler *handler, struct error *e)
{
    struct http_server *server = calloc(1, sizeof *server);
    int *fds = calloc(config->loops, sizeof *fds);

    parse_setup();
    if (server != NULL)
        server->loops = aligned_alloc(_Alignof(struct io_loop), config->loops * sizeof *server->loops);
    if (server == NULL || fds == NULL || server->loops == NULL) {
        (void)error_no_memory(e);
        goto failed;
    }
    server->config = *config;
    server->handler = *handler;
    server->bus = bus;
    if (!resolve_and_bind(server, fds, e) || !make_loops(server, fds, e))
        goto failed;
    server->config.host = NULL;
    free(fds);
    return server;
failed:
    free(fds);
    http_server_free(server);
    return NULL;
}

void http_server_begin(struct http_server *server, const struct generation *g, uint64_t position)
{
    for (unsigned i = 0; i < server->config.loops; i++)
        stream_hub_begin(server->loops[i].hub, g, position);
}

void http_server_recall(struct http_server *server, struct event *ev)
{
    for (unsigned i = 0; i < server->config.loops; i++)
        stream_hub_deliver(server->loops[i].hub, &ev, 1);
}

/* Nobody will run this loop: an inquiry that has come to it all the same is sent on, and further ones pass it over. */
static void retire(struct io_loop *loop)
{
    inbox_ask_to_stop(&loop->inbox);
    while (!wake_is_closing(&loop->wake))
        io_loop_take_inbox(loop);
}

bool http_server_start(struct http_server *server, struct error *e)
{
    for (unsigned i = 0; i < server->config.loops; i++) {
        if (uv_thread_create(&server->loops[i].thread, io_loop_run, &server->loops[i]) != 0) {
            (void)error_set(e, "thread", "cannot start a thread for an I/O loop");
            for (unsigned j = i; j < server->config.loops; j++)
                retire(&server->loops[j]);
            http_server_stop(server);
            return false;
        }
        server->loops[i].running = true;
    }
    return true;
}

void http_server_drain(struct http_server *server)
{
    for (unsigned i = 0; i < server->config.loops; i++)
        inbox_ask_to_drain(&server->loops[i].inbox);
}

bool http_server_drained(const struct http_server *server)
{
    uint64_t left = 0;

    for (unsigned i = 0; i < server->config.loops; i++)
        left += counter_get(&server->loops[i].counters, COUNT_CONNECTIONS_OPENED) -
                counter_get(&server->loops[i].counters, COUNT_CONNECTIONS_CLOSED);
    return left == 0;
}

void http_server_stop(struct http_server *server)
{
    for (unsigned i = 0; i < server->config.loops; i++) {
        struct io_loop *loop = &server->loops[i];
        if (!loop->running)
            continue;
        inbox_ask_to_stop(&loop->inbox);
        uv_thread_join(&loop->thread);
        loop->running = false;
    }
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->made; i++) {
        bus_detach(server->bus, &server->loops[i].inbox.outlet);
        io_loop_destroy(&server->loops[i]);
    }
    free(server->loops);
    free(server);
}

struct io_loop *http_server_next_loop(struct http_server *server, const struct io_loop *loop)
{
    size_t index = (size_t)(loop - server->loops) + 1;

    return &server->loops[index == server->config.loops ? 0 : index];
}

bool http_server_admit(struct http_server *server)
{
    if (atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed) < server->config.max_connections)
        return true;
    atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
    return false;
}

void http_server_release(struct http_server *server)
{
    atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

unsigned http_server_loops(const struct http_server *server)
{
    return server->config.loops;
}

const struct counters *http_server_counters(const struct http_server *server, unsigned loop)
{
    return &server->loops[loop].counters;
}
