#include "support/capture.h"

#include <fcntl.h>
#include <unistd.h>

#include "support/check.h"

void capture_begin(struct capture *c)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    c->saved = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    c->from = ends[0];
    (void)fcntl(c->from, F_SETFL, O_NONBLOCK);
}

struct str capture_end(struct capture *c)
{
    ssize_t len = read(c->from, c->text, sizeof c->text);

    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    close(c->from);
    return (struct str){c->text, len < 0 ? 0 : (size_t)len};
}
