/*
 * reloader.h - the part of the command line that reloads the script: when it is asked to, or when a file has changed
 * and the option watch is on. On a thread of its own, so that a script that loads slowly does not keep a signal
 * waiting.
 */
#ifndef PILLAR_RELOADER_H
#define PILLAR_RELOADER_H

#include "pillar/pillar.h"

struct reloader;

/* `broker` has started, and outlives the reloader. NULL when memory or threads are short. */
struct reloader *reloader_start(pillar_broker *broker);

/* Has the script reloaded soon. What is asked for while a reload waits to begin is one reload. */
void reloader_ask(struct reloader *r);

/* Waits for a reload under way, ends the thread, and frees. Accepts NULL. */
void reloader_stop(struct reloader *r);

#endif
