/*
 * check.h - cmocka, and the assertions that it lacks. Each prints both values, or a sentence, with file and
 * line.
 */
#ifndef PILLAR_TESTS_CHECK_H
#define PILLAR_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

/* A test function; one that is missing from its program's list is a warning. */
#define TEST(name) static void name(void **state __attribute__((unused)))

#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* The message is a printf format: in a table of cases it says which one. */
#define assert_that(condition, ...) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, __VA_ARGS__))

/* Compares a str with a C string. */
#define assert_str(actual, expected) check_bytes((actual), str_of(expected), __FILE__, __LINE__)

/* Compares two strs, which may hold NUL. */
#define assert_bytes(actual, expected) check_bytes((actual), (expected), __FILE__, __LINE__)

/* The error that a failed call filled: its code, and its field ("" for none). */
#define assert_error(e, code, field) check_error((e), (code), (field), __FILE__, __LINE__)

void check_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));
void check_bytes(struct str actual, struct str expected, const char *file, int line);
void check_error(const struct error *e, const char *code, const char *field, const char *file, int line);

#endif
