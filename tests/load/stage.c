#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OPTIONS_MAX = 16, PIECE = 64 * 1024 };

void stage_start(struct stage *s, char *binary, const char *script, char *const *options)
{
    char path[128];
    char database[128];
    char run[] = "run";
    char listen[] = "--listen=127.0.0.1:0";
    char window[] = "--drain-window=0";
    char *words[OPTIONS_MAX + 6] = {run, path, listen, database, window};
    size_t count = 5;

    snprintf(s->dir, sizeof s->dir, "/tmp/pillar-load-XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        die("cannot make a folder: %s", strerror(errno));
    snprintf(path, sizeof path, "%s/app.lua", s->dir);
    snprintf(database, sizeof database, "--database=sqlite:%s/app.db", s->dir);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(script, file) < 0 || fclose(file) != 0)
        die("cannot write the script: %s", strerror(errno));
    for (; *options != NULL && count < OPTIONS_MAX + 5; options++)
        words[count++] = *options;
    process_start(&s->broker, binary, words);
    s->port = process_wait_port(&s->broker);
}

void stage_end(struct stage *s)
{
    process_end(&s->broker);
    stage_remove(s->dir);
}

void stage_remove(const char *dir)
{
    static const char *const names[] = {"app.lua", "app.db", "app.db-wal", "app.db-shm", "app.db-lock"};
    char path[512];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

size_t stage_setting(const char *name, size_t fallback)
{
    const char *text = getenv(name);
    size_t value = text == NULL ? fallback : strtoul(text, NULL, 10);

    if (value == 0)
        die("%s must be a number above 0", name);
    return value;
}

int stage_connect(const struct stage *s)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        die("cannot connect: %s", strerror(errno));
    return fd;
}

void stage_send(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0)
            die("cannot send: %s", strerror(errno));
        bytes = str_from(bytes, (size_t)sent);
    }
}

void stage_send_text(int fd, struct buf *text)
{
    if (text->failed)
        die("out of memory");
    stage_send(fd, buf_str(text));
    buf_free(text);
}

uint64_t stage_number(struct str text, const char *before)
{
    const char *at = memmem(text.ptr, text.len, before, strlen(before));

    return at == NULL ? UINT64_MAX : strtoull(at + strlen(before), NULL, 10);
}

static void receive_more(int fd, struct buf *bytes)
{
    if (!buf_reserve(bytes, PIECE))
        die("out of memory");
    ssize_t got = recv(fd, bytes->data + bytes->len, PIECE, 0);
    if (got <= 0)
        die("the connection ended before the answer did: %s", got == 0 ? "FIN" : strerror(errno));
    bytes->len += (size_t)got;
}

static void receive_answer(int fd, struct answer *answer)
{
    struct buf *bytes = &answer->bytes;
    const char *end = NULL;

    while (end == NULL) {
        receive_more(fd, bytes);
        end = memmem(bytes->data, bytes->len, "\r\n\r\n", 4);
    }
    size_t head_len = (size_t)(end - bytes->data) + 4;
    uint64_t length = stage_number((struct str){bytes->data, head_len}, "Content-Length: ");
    size_t whole = head_len + (length == UINT64_MAX ? 0 : (size_t)length);
    while (bytes->len < whole)
        receive_more(fd, bytes);
    answer->head = (struct str){bytes->data, head_len};
    answer->body = (struct str){bytes->data + head_len, whole - head_len};
    answer->status = (unsigned)stage_number(answer->head, "HTTP/1.1 ");
}

void stage_request(int fd, const char *method, const char *target, const char *user, const char *json,
                   struct answer *answer)
{
    struct buf request = BUF_EMPTY;

    *answer = (struct answer){.bytes = BUF_EMPTY};
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: load\r\nX-User: %s\r\n", method, target, user);
    if (json != NULL)
        buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(json));
    buf_printf(&request, "\r\n%s", json == NULL ? "" : json);
    stage_send_text(fd, &request);
    receive_answer(fd, answer);
}

void stage_expect(int fd, const char *method, const char *target, const char *user, const char *json, unsigned status)
{
    struct answer answer;

    stage_request(fd, method, target, user, json, &answer);
    if (answer.status != status)
        die("%s %s was answered: %.*s", method, target, STR_ARG(buf_str(&answer.bytes)));
    buf_free(&answer.bytes);
}

uint64_t stage_metric(int fd, const char *name)
{
    struct answer answer;
    char line[128];

    snprintf(line, sizeof line, "\n%s ", name);
    stage_request(fd, "GET", "/metrics", "nobody", NULL, &answer);
    uint64_t value = stage_number(answer.body, line);
    if (answer.status != 200 || value == UINT64_MAX)
        die("GET /metrics does not tell %s", name);
    buf_free(&answer.bytes);
    return value;
}
