/*
 * load - opens event streams, has a server send events to them, and says what that took: the server's processor time and
 * memory, how long an event was on its way, and whether anything was lost, doubled, out of order or told to the wrong ones.
 *
 * Usage: load --port N --pid PID [--NAME VALUE ...]; the names are those of struct options, template.h has the places that
 * the texts may have. It prints one line of JSON. An event that is lost, doubled, out of order or told to the wrong one, in the
 * warm-up too, ends it with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "usage.h"

enum { PORTS_OF_AN_ADDRESS = 4000, SETTLE_MS = 300, PAUSE_MS = 20 };

struct options options = {.users = 1, .in_flight = 1, .emit_method = "POST", .emit_body = ""};
struct results results;
struct on_its_way window[WINDOW];
int load_epoll = -1;

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

int connect_from(uint64_t index)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000101u + (uint32_t)(index / PORTS_OF_AN_ADDRESS))};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))
        die("cannot connect: %s", strerror(errno));
    return fd;
}

uint64_t users_at(uint64_t seq)
{
    return options.warmup_users > 0 && seq <= options.warmup ? options.warmup_users : options.users;
}

uint64_t first_of(uint64_t seq)
{
    return options.per_event == 0 ? 0 : seq * options.per_event % users_at(seq);
}

/* The first `streams % users` users have one stream more than the others; users beyond options.users have none. */
uint64_t audience_of(uint64_t seq)
{
    uint64_t all = users_at(seq);
    uint64_t first = first_of(seq);
    uint64_t each = options.streams / options.users;
    uint64_t more = options.streams % options.users;
    uint64_t count = 0;

    if (options.per_event == 0)
        return options.streams;
    for (uint64_t i = 0; i < options.per_event; i++) {
        uint64_t user = (first + i) % all;
        count += user >= options.users ? 0 : each + (user < more ? 1 : 0);
    }
    return count;
}

bool concerns(uint64_t seq, uint64_t user)
{
    uint64_t all = users_at(seq);

    return options.per_event == 0 || (user < all && (user + all - first_of(seq)) % all < options.per_event);
}

static void set_text(const char **list, const char *value)
{
    for (int i = 0; i < HEADERS_MAX; i++) {
        if (list[i] == NULL) {
            list[i] = value;
            return;
        }
    }
    die("more headers than %d", HEADERS_MAX);
}

static void read_options(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"streams", &options.streams},
                   {"users", &options.users},
                   {"slope", &options.slope},
                   {"rate", &options.rate},
                   {"per-event", &options.per_event},
                   {"in-flight", &options.in_flight},
                   {"warmup", &options.warmup},
                   {"events", &options.events},
                   {"pad", &options.pad},
                   {"warmup-users", &options.warmup_users}};
    static const struct {
        const char *name;
        const char **value;
    } texts[] = {{"stream-target", &options.stream_target},
                 {"tokens", &options.tokens},
                 {"emit-method", &options.emit_method},
                 {"emit-target", &options.emit_target},
                 {"emit-body", &options.emit_body}};

    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i] + 2;
        const char *value = argv[i + 1];
        bool known = false;
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 >= argc)
            die("%s: options are --NAME VALUE", argv[i]);
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (strcmp(name, numbers[k].name) == 0)
                *numbers[k].value = strtoull(value, NULL, 10), known = true;
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if (strcmp(name, texts[k].name) == 0)
                *texts[k].value = value, known = true;
        if (strcmp(name, "port") == 0)
            options.port = (uint16_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "pid") == 0)
            options.pid = (pid_t)strtol(value, NULL, 10);
        else if (strcmp(name, "stream-header") == 0)
            set_text(options.stream_headers, value);
        else if (strcmp(name, "emit-header") == 0)
            set_text(options.emit_headers, value);
        else if (!known)
            die("there is no option --%s", name);
    }
    if (options.per_event > options.users || (options.warmup_users > 0 && options.per_event > options.warmup_users))
        die("an event cannot be for more users than there are");
    if (options.users == 0 || options.in_flight == 0 || options.in_flight > WINDOW / 2)
        die("--users and --in-flight are at least 1, --in-flight %d at most", WINDOW / 2);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void settle(long ms)
{
    struct timespec pause = {0, ms * 1000000L};

    nanosleep(&pause, NULL);
}

/* What an event leaves to be done when it has arrived is done by then, so it counts, and for the right event. */
static uint64_t cpu_at_rest(void)
{
    settle(PAUSE_MS);
    uint64_t cpu = usage_cpu_ns(options.pid);
    if (cpu == 0)
        die("the processor time of process %d cannot be told", (int)options.pid);
    return cpu;
}

static void die_of_faults(void)
{
    if (results.unexpected + results.reordered + results.astray > 0)
        die("%" PRIu64 " events were doubled or not on their way, %" PRIu64 " out of order, %" PRIu64
            " told to somebody whom they are not for",
            results.unexpected, results.reordered, results.astray);
}

static double us(uint64_t ns)
{
    return (double)ns / 1000.0;
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    raise_descriptor_limit();
    load_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load_epoll < 0)
        die("epoll: %s", strerror(errno));

    uint64_t cpu = cpu_at_rest();
    uint64_t slope_memory = 0;
    if (options.slope > 0) {
        streams_open(options.slope);
        settle(SETTLE_MS);
        slope_memory = usage_memory(options.pid);
    }
    streams_open(options.streams);
    settle(SETTLE_MS);
    uint64_t open_cpu = usage_cpu_ns(options.pid) - cpu;
    uint64_t memory = usage_memory(options.pid);

    emit_open();
    emit_run(1, options.warmup);
    die_of_faults();
    memset(&results, 0, sizeof results);
    cpu = cpu_at_rest();
    uint64_t start = now_ns();
    emit_run(options.warmup + 1, options.warmup + options.events);
    uint64_t elapsed = now_ns() - start;
    cpu = cpu_at_rest() - cpu;
    emit_drain();
    die_of_faults();

    printf("{\"streams\":%" PRIu64 ",\"open_cpu_us\":%.1f,\"memory\":%" PRIu64 ",\"slope_memory\":%" PRIu64
           ",\"events\":%" PRIu64 ",\"deliveries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"cpu_us\":%.1f,"
           "\"answer_p50_us\":%.1f,\"answer_p99_us\":%.1f,\"delivery_p50_us\":%.1f,\"delivery_p99_us\":%.1f}\n",
           options.streams, us(open_cpu), memory, slope_memory, options.events, results.deliveries, results.bytes,
           (double)elapsed / 1e9, us(cpu), us(histogram_at(&results.answer_ns, 0.5)),
           us(histogram_at(&results.answer_ns, 0.99)), us(histogram_at(&results.delivery_ns, 0.5)),
           us(histogram_at(&results.delivery_ns, 0.99)));
    return 0;
}
