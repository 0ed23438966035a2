/*
 * host_limits.h - settings of the system that are too low for as many connections as the broker may have.
 *
 * They are an operator's to change, and nothing is wrong until many clients come at once, so the log names them at the start.
 */
#ifndef PILLAR_HOST_LIMITS_H
#define PILLAR_HOST_LIMITS_H

#include <stddef.h>

/* Warns of each. `proc` is "/proc"; what cannot be read there is passed over. */
void host_limits_check(const char *proc, size_t connections);

#endif
