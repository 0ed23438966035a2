#include "base/logger.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static _Atomic int threshold = LOG_INFO;

void logger_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

static size_t write_prefix(char *line, size_t size, enum log_level level, const char *area)
{
    static const char *const names[] = {"debug", "info ", "warn ", "error"};
    uint64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm parts;
    char stamp[32];

    gmtime_r(&seconds, &parts);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    return (size_t)snprintf(line, size, "%s.%03uZ %s %s: ", stamp, (unsigned)(now % 1000), names[level], area);
}

/* Copies the message so that only line breaks inside it stay visible, as indented continuation lines. */
static size_t copy_clean(char *out, size_t size, const char *message)
{
    size_t len = 0;

    for (const char *p = message; *p != '\0' && len + 4 < size; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n' && p[1] != '\0') {
            out[len++] = '\n';
            out[len++] = ' ';
            out[len++] = ' ';
        } else if (c >= 0x20 && c != 0x7f) {
            out[len++] = (char)c;
        } else if (c != '\n') {
            out[len++] = ' ';
        }
    }
    return len;
}

void logger_write(enum log_level level, const char *area, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char message[4096];
    char line[5120];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t len = write_prefix(line, sizeof line, level, area);
    len += copy_clean(line + len, sizeof line - len - 1, message);
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored; /* a log that cannot be written has nowhere to complain */
}
