/*
 * alloc.h - memory that runs short when a test says so. The link makes the core's calls come here
 * (--wrap=malloc and so on); libraries are not touched.
 */
#ifndef PILLAR_FUZZ_ALLOC_H
#define PILLAR_FUZZ_ALLOC_H

#include <stdbool.h>

/* The `nth` allocation from now fails, and none behind it; 0: none fails. */
void alloc_fail_at(unsigned nth);

/* True once an allocation has failed since alloc_fail_at was called. */
bool alloc_has_failed(void);

/* While suspended, allocations neither fail nor count: for what a test does itself inside of a call of the core. */
void alloc_suspend(void);
void alloc_resume(void);

#endif
