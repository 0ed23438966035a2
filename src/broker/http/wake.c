#include "http/wake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct wake *w = (struct wake *)(void *)((char *)poll - offsetof(struct wake, poll));
    uint64_t calls;

    (void)status;
    (void)events;
    if (read(w->fd, &calls, sizeof calls) == (ssize_t)sizeof calls)
        w->on_wake(w);
}

int wake_open(struct wake *w, uv_loop_t *loop, void (*on_wake)(struct wake *w))
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return uv_translate_sys_error(errno);
    int failed = uv_poll_init(loop, &w->poll, fd);
    if (failed != 0) {
        close(fd);
        return failed;
    }
    w->fd = fd;
    w->on_wake = on_wake;
    if (uv_poll_start(&w->poll, UV_READABLE, on_poll) != 0)
        abort(); /* libuv's own sources: for a handle that is open it only notes what is wanted */
    return 0;
}

void wake_call(const struct wake *w)
{
    uint64_t one = 1;

    /* It can fail for one reason: 2^64 calls wait to be heard. */
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void wake_close(struct wake *w)
{
    if (!wake_is_closing(w))
        uv_close((uv_handle_t *)&w->poll, NULL);
}

bool wake_is_closing(const struct wake *w)
{
    return uv_is_closing((const uv_handle_t *)&w->poll) != 0;
}

void wake_destroy(struct wake *w)
{
    if (w->on_wake != NULL)
        close(w->fd);
    w->on_wake = NULL;
}
