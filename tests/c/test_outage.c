/* What the log is told of something that fails again and again. */
#include "base/outage.h"

#include "support/capture.h"
#include "support/check.h"

static const uint64_t second = 1000000000u;

/* What was written, behind the time: the lines' level, area and message. */
static void check_says(struct capture *c, const char *expected)
{
    enum { TIME_LEN = sizeof "2024-01-02T03:04:05.678Z " - 1 };
    struct str written = capture_end(c);

    if (expected == NULL)
        assert_str(written, "");
    else
        assert_str(str_from(written, written.len < TIME_LEN ? written.len : TIME_LEN), expected);
}

static void fails(struct outage *o, uint64_t at_s, const char *text, const char *expected)
{
    static struct capture c;

    capture_begin(&c);
    outage_note(o, 1000 * second + at_s * second, "db", text);
    check_says(&c, expected);
}

static void works(struct outage *o, uint64_t at_s, const char *expected)
{
    static struct capture c;

    capture_begin(&c);
    outage_end(o, 1000 * second + at_s * second, "db", "it works");
    check_says(&c, expected);
}

TEST(the_first_failure_is_said_and_then_one_a_minute)
{
    struct outage o = {0};

    works(&o, 0, NULL);
    fails(&o, 0, "full", "error db: full\n");
    fails(&o, 0, "full", NULL);
    fails(&o, 59, "full", NULL);
    fails(&o, 60, "full", "error db: full (4 times in 60 s)\n");
    fails(&o, 119, "full", NULL);
    fails(&o, 125, "full", "error db: full (6 times in 125 s)\n");
}

TEST(another_reason_is_said_at_once)
{
    struct outage o = {0};

    fails(&o, 0, "full", "error db: full\n");
    fails(&o, 1, "locked", "error db: locked (2 times in 1 s)\n");
    fails(&o, 2, "locked", NULL);
    fails(&o, 3, "full", "error db: full (4 times in 3 s)\n");
}

TEST(the_end_is_said_once_and_the_next_failure_at_once)
{
    struct outage o = {0};

    fails(&o, 0, "full", "error db: full\n");
    works(&o, 0, "info  db: it works, after 1 failure in 0 s\n");
    works(&o, 1, NULL);
    fails(&o, 1, "full", "error db: full\n");
    fails(&o, 5, "full", NULL);
    works(&o, 7, "info  db: it works, after 2 failures in 6 s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_is_said_and_then_one_a_minute),
        cmocka_unit_test(another_reason_is_said_at_once),
        cmocka_unit_test(the_end_is_said_once_and_the_next_failure_at_once),
    };

    return RUN_TESTS(tests);
}
