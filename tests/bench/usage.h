/*
 * usage.h - what other processes have used so far.
 */
#ifndef PILLAR_BENCH_USAGE_H
#define PILLAR_BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Processor time of all threads of a process, also of those that have ended, in ns, up to this moment and not to the last
 * tick, as /proc would have it; 0 where it cannot be told.
 */
uint64_t usage_cpu_ns(pid_t pid);

/* Memory that is a process's own, in bytes: anonymous pages, so that caches of files do not count. */
uint64_t usage_memory(pid_t pid);

#endif
