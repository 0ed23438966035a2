#include "http/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where openat2 is missing (Linux before 5.6, or a sandbox), the path is walked by hand, following no link at all. */
static int walk_beneath(int root, const char *path)
{
    int at = root;
    const char *from = path;

    for (;;) {
        const char *slash = strchr(from, '/');
        size_t len = slash == NULL ? strlen(from) : (size_t)(slash - from);
        char name[256];
        if (len >= sizeof name) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, from, len);
        name[len] = '\0';
        int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | (slash != NULL ? O_DIRECTORY : 0);
        int next = openat(at, len == 0 ? "." : name, flags);
        if (at != root)
            close(at);
        if (next < 0 || slash == NULL)
            return next;
        at = next;
        from = slash + 1;
    }
}

#if defined(__SANITIZE_THREAD__)
/* ThreadSanitizer knows a descriptor by the calls it intercepts: neither openat2 is one of them nor libuv's closing,
 * so it would take ours for the connection that had the number before. open is one. */
static int reopen_for_tsan(int fd)
{
    char path[32];

    if (fd < 0)
        return fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int known = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    syscall(SYS_close, fd);
    return known;
}
#else
static int reopen_for_tsan(int fd)
{
    return fd;
}
#endif

int beneath_open(int root, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const char *name = path[0] == '\0' ? "." : path;
    long fd = syscall(SYS_openat2, root, name, &how, sizeof how);

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return reopen_for_tsan(walk_beneath(root, name));
    return reopen_for_tsan((int)fd);
}

bool beneath_hidden(const char *path)
{
    return path[0] == '.' || strstr(path, "/.") != NULL;
}
