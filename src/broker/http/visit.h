/*
 * visit.h - how an inquiry gets from loop to loop, and home again: by their inboxes, with its exchange.
 *
 * Private to http/. A loop that ends is passed over, since its streams have ended before it. The loop that the exchange
 * came from does not end while it is away.
 */
#ifndef PILLAR_HTTP_VISIT_H
#define PILLAR_HTTP_VISIT_H

#include "http/io_loop.h"

/* Sets out with an exchange of HTTP/1.1 that has an inquiry, on its own loop's thread; see http_inquire. */
void visit_begin(struct exchange *ex);

/* Takes one that came by the loop's inbox: asks this loop too, or, at home and with the answer whole, hands it on. */
void visit_take(struct io_loop *loop, struct exchange *ex);

#endif
