#include "support/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/check.h"

static _Thread_local size_t left = SIZE_MAX; /* SIZE_MAX: no limit */
static _Thread_local bool refused;

static bool may_allocate(void)
{
    if (left == SIZE_MAX)
        return true;
    if (left > 0) {
        left--;
        return true;
    }
    refused = true;
    return false;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? malloc(size) : NULL;
}

static void *resize(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? realloc(old, size) : NULL;
}

static void give_back(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

void openssl_take_memory(void)
{
    if (CRYPTO_set_mem_functions(take, resize, give_back) != 1)
        abort(); /* too late: OpenSSL has allocated something already */
}

void openssl_permit(size_t count)
{
    left = count;
    refused = false;
}

bool openssl_permit_all(void)
{
    bool failed = refused;

    openssl_permit(SIZE_MAX);
    return failed;
}

/* The queue has sixteen places, so that a failure that many tell of pushes older ones out. */
static void check_no_error_of_ours(void)
{
    unsigned long first = ERR_get_error();

    assert_true(first == 0 || ERR_GET_REASON(first) == 42);
    assert_int_equal(ERR_get_error(), 0);
}

void openssl_try_each_allocation(bool (*call)(void *context), void *context)
{
    assert_true(call(context)); /* what OpenSSL makes once and keeps is there afterwards */
    for (size_t count = 0;; count++) {
        openssl_leave_error();
        openssl_permit(count);
        bool ok = call(context);
        if (openssl_permit_all()) {
            check_no_error_of_ours();
            continue;
        }
        openssl_check_errors();
        assert_true(ok);
        return;
    }
}

void openssl_leave_error(void)
{
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 42);
}

void openssl_check_errors(void)
{
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 42);
    assert_int_equal(ERR_get_error(), 0);
}
