#include "host_limits.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/logger.h"
#include "http/http.h"

/* What the kernel keeps of a connection on which nothing is under way, sockets and inodes and all, and what the broker does. */
enum { KERNEL_BYTES = 4200, BROKER_BYTES = 650, PATH_BYTES = 256 };

static bool read_number(const char *proc, const char *name, const char *format, unsigned long long *value)
{
    char path[PATH_BYTES];
    char line[PATH_BYTES];
    bool found = false;

    snprintf(path, sizeof path, "%s/%s", proc, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, format, value) == 1;
    fclose(file);
    return found;
}

void host_limits_check(const char *proc, size_t connections)
{
    unsigned long long value;

    if (read_number(proc, "sys/net/core/somaxconn", "%llu", &value) && value < HTTP_BACKLOG && value < connections)
        log_warn("http",
                 "net.core.somaxconn is %llu: when more clients than that come back at once, some have to try again; "
                 "sysctl net.core.somaxconn=%d",
                 value, HTTP_BACKLOG);
    if (read_number(proc, "sys/fs/file-max", "%llu", &value) && value < connections)
        log_warn("http", "fs.file-max is %llu, for all processes: too few for %zu connections; sysctl fs.file-max=%zu",
                 value, connections, 2 * connections);
    if (read_number(proc, "meminfo", "MemAvailable: %llu", &value) &&
        value < (unsigned long long)connections * (KERNEL_BYTES + BROKER_BYTES) / 1024)
        log_warn("http", "%llu MiB of memory are available: idle, %zu connections take %zu MiB (--max-connections)",
                 value / 1024, connections, connections / 1024 * (KERNEL_BYTES + BROKER_BYTES) / 1024);
}
