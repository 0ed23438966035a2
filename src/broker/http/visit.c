#include "http/visit.h"

#include "http/h1.h"
#include "http/inquiry.h"

static struct io_loop *home_of(const struct exchange *ex)
{
    return ((const struct h1_exchange *)ex)->loop;
}

static void arrive(struct io_loop *home, struct exchange *ex)
{
    home->inquiries--;
    home->handler->on_complete(home->handler->context, ex);
}

/* Asks this loop, and passes the exchange on. */
static void ask(struct io_loop *loop, struct exchange *ex)
{
    struct io_loop *home = home_of(ex);
    struct io_loop *next = loop;

    inquiry_ask(ex->inquiry, loop->hub);
    while (!inquiry_is_whole(ex->inquiry)) {
        next = http_server_next_loop(loop->server, next);
        if (inbox_put_visitor(&next->inbox, ex))
            return;
        inquiry_skip(ex->inquiry);
    }
    if (loop == home)
        arrive(home, ex);
    else
        (void)inbox_put_visitor(&home->inbox, ex); /* which is open: the loop waits for its inquiries */
}

/* By the own inbox too, where events go before exchanges: so all that was published before the question is known. */
void visit_begin(struct exchange *ex)
{
    struct io_loop *home = home_of(ex);

    home->inquiries++;
    inquiry_begin(ex->inquiry, http_server_loops(home->server));
    if (!inbox_put_visitor(&home->inbox, ex))
        ask(home, ex);
}

void visit_take(struct io_loop *loop, struct exchange *ex)
{
    if (inquiry_is_whole(ex->inquiry))
        arrive(loop, ex);
    else
        ask(loop, ex);
}
