/* What the log writes: one line an occurrence, whatever a client put into it. */
#include "base/logger.h"

#include "support/capture.h"
#include "support/check.h"

/* The line behind its time: level, area, message. */
static void check_line(struct str written, const char *expected)
{
    enum { TIME_LEN = sizeof "2024-01-02T03:04:05.678Z " - 1 };

    assert_true(written.len > TIME_LEN);
    assert_int_equal(written.ptr[10], 'T');
    assert_int_equal(written.ptr[TIME_LEN - 2], 'Z');
    assert_str(str_from(written, TIME_LEN), expected);
}

#define CHECK_WRITES(expected, ...)                                                                                    \
    do {                                                                                                               \
        static struct capture captured;                                                                                \
        capture_begin(&captured);                                                                                      \
        __VA_ARGS__;                                                                                                   \
        check_line(capture_end(&captured), expected);                                                                  \
    } while (0)

TEST(a_line_has_time_level_area_and_message)
{
    CHECK_WRITES("info  http: hello 42\n", log_info("http", "hello %d", 42));
    CHECK_WRITES("warn  db: x\n", log_warn("db", "x"));
    CHECK_WRITES("error script: x\n", log_error("script", "x"));
}

TEST(nothing_a_client_sends_forges_a_line)
{
    CHECK_WRITES("info  http: a b  c d\n", log_info("http", "a\rb\t\x1b"
                                                            "c\x7f"
                                                            "d"));
    CHECK_WRITES("info  http: a\n  2024 error db: forged\n", log_info("http", "a\n2024 error db: forged"));
    CHECK_WRITES("info  http: a\n", log_info("http", "a\n"));
    CHECK_WRITES("info  http: a\n  \n  b\n", log_info("http", "a\n\nb"));
}

TEST(what_is_below_the_level_is_not_written)
{
    static struct capture c;

    capture_begin(&c);
    log_debug("http", "hidden");
    logger_set_level(LOG_ERROR);
    log_warn("http", "hidden");
    logger_set_level(LOG_OFF);
    log_error("http", "hidden");
    logger_set_level(LOG_INFO);
    assert_int_equal(capture_end(&c).len, 0);
    logger_set_level(LOG_DEBUG);
    CHECK_WRITES("debug http: shown\n", log_debug("http", "shown"));
    logger_set_level(LOG_INFO);
}

TEST(a_line_of_any_length_ends)
{
    static struct capture c;
    static char breaks[8000];
    static char letters[8000];

    memset(breaks, '\n', sizeof breaks - 1);
    memset(letters, 'x', sizeof letters - 1);
    capture_begin(&c);
    log_info("http", "%s", letters);
    log_info("http", "%s", breaks);
    struct str written = capture_end(&c);
    assert_true(written.len > 4000);
    assert_int_equal(written.ptr[written.len - 1], '\n');
    assert_non_null(memmem(written.ptr, written.len, "x\n2", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_area_and_message),
        cmocka_unit_test(nothing_a_client_sends_forges_a_line),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(a_line_of_any_length_ends),
    };

    return RUN_TESTS(tests);
}
