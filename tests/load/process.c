#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, LINE_MAX_BYTES = 4096 };

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static _Noreturn void become(char *binary, char *const *words, int output, int errors)
{
    char *arguments[32] = {binary};
    size_t count = 1;

    for (; *words != NULL && count < 31; words++)
        arguments[count++] = *words;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive us */
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execv(binary, arguments);
    _exit(127);
}

void process_start(struct process *p, char *binary, char *const *words)
{
    int output[2];
    int errors[2];

    if (pipe2(output, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        die("cannot make a pipe: %s", strerror(errno));
    *p = (struct process){.pid = fork(), .output = output[0], .errors = errors[0], .rest = BUF_EMPTY};
    if (p->pid < 0)
        die("cannot start %s: %s", binary, strerror(errno));
    if (p->pid == 0)
        become(binary, words, output[1], errors[1]);
    close(output[1]);
    close(errors[1]);
    fcntl(p->errors, F_SETFL, O_NONBLOCK);
}

uint16_t process_wait_port(struct process *p)
{
    static const char before[] = "listening on http://127.0.0.1:";
    struct pollfd ready = {.fd = p->output, .events = POLLIN};
    char text[LINE_MAX_BYTES];
    size_t len = 0;
    const char *at = NULL;

    while (at == NULL || strchr(at, ',') == NULL) {
        ssize_t got = poll(&ready, 1, PATIENCE_MS) == 1 ? read(p->output, text + len, sizeof text - len - 1) : -1;
        if (got <= 0) {
            process_read(p);
            die("the broker did not start: %.*s", STR_ARG(buf_str(&p->rest)));
        }
        len += (size_t)got;
        text[len] = '\0';
        at = strstr(text, before);
    }
    return (uint16_t)strtoul(at + sizeof before - 1, NULL, 10);
}

void process_read(struct process *p)
{
    char piece[LINE_MAX_BYTES];
    ssize_t got;

    while ((got = read(p->errors, piece, sizeof piece)) > 0)
        buf_append(&p->rest, piece, (size_t)got);
}

bool process_take_line(struct process *p, char **line)
{
    char *end = p->rest.len == 0 ? NULL : memchr(p->rest.data, '\n', p->rest.len);

    if (end == NULL)
        return false;
    size_t len = (size_t)(end - p->rest.data);
    *line = strndup(p->rest.data, len);
    p->rest.len -= len + 1;
    memmove(p->rest.data, end + 1, p->rest.len);
    return *line != NULL;
}

void process_end(struct process *p)
{
    int status;

    kill(p->pid, SIGTERM);
    if (waitpid(p->pid, &status, 0) != p->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        process_read(p);
        die("the broker ended with status %#x: %.*s", (unsigned)status, STR_ARG(buf_str(&p->rest)));
    }
    close(p->output);
    close(p->errors);
    buf_free(&p->rest);
}
