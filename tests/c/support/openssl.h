/*
 * openssl.h - OpenSSL's memory, which fails when a test says so, and its queue of errors.
 */
#ifndef PILLAR_TESTS_OPENSSL_H
#define PILLAR_TESTS_OPENSSL_H

#include <stdbool.h>
#include <stddef.h>

/* Puts our allocator in OpenSSL's place. To be called first in main; without it OpenSSL's memory does not fail. */
void openssl_take_memory(void);

/* From now on `count` of this thread's allocations by OpenSSL succeed, and all further ones fail. */
void openssl_permit(size_t count);

/* Lets all succeed again. Returns true when one has failed since. */
bool openssl_permit_all(void);

/* Runs `call` again and again, with room for one more allocation each time, until none fails. `call` returns whether it
 * has succeeded, and may do so only with the right result; the last time it must. */
void openssl_try_each_allocation(bool (*call)(void *context), void *context);

/* Fails the test unless the queue of errors holds what openssl_leave_error has put there, and nothing else; and empties
 * it. */
void openssl_leave_error(void);
void openssl_check_errors(void);

#endif
