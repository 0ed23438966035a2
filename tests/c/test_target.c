#include "http/target.h"

#include <stdlib.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/text.h"

/* --- target_parse --- */

struct parsed {
    struct arena arena;
    struct request request;
    struct refusal why;
    bool ok;
};

static struct parsed parse(const char *target)
{
    struct parsed p = {.arena = ARENA_EMPTY};

    p.request.target = arena_copy(&p.arena, str_of(target));
    p.ok = target_parse(&p.request, &p.arena, &p.why);
    return p;
}

static void done(struct parsed *p)
{
    arena_free(&p->arena);
}

/* `segments` joined by '|'. */
static void check_path(const char *target, const char *path, const char *segments)
{
    struct parsed p = parse(target);
    struct str rest = str_of(segments);
    struct str expected;
    size_t count = 0;

    assert_that(p.ok, "%s: %s", target, p.why.message);
    assert_str(p.request.path, path);
    while (str_split(&rest, '|', &expected)) {
        assert_true(count < p.request.segment_count);
        assert_bytes(p.request.segments[count], expected);
        count++;
    }
    assert_int_equal(count, p.request.segment_count);
    done(&p);
}

TEST(splits_a_path_into_segments)
{
    check_path("/", "/", "");
    check_path("/a", "/a", "a");
    check_path("/a/b/c", "/a/b/c", "a|b|c");
    check_path("/a/", "/a/", "a|");
    check_path("/a//b", "/a//b", "a||b");
    check_path("/a?x=/b", "/a", "a");
    check_path("/a+b;c=d,e", "/a+b;c=d,e", "a+b;c=d,e");
}

TEST(decodes_segments_after_splitting)
{
    check_path("/%61/%c3%a4", "/a/\xc3\xa4", "a|\xc3\xa4");
    check_path("/a%2fb/c", "/a/b/c", "a/b|c");
    check_path("/a%3fb", "/a?b", "a?b");
    check_path("/%2541", "/%41", "%41");
    check_path("/...", "/...", "...");
    check_path("/.a/a.", "/.a/a.", ".a|a.");
    check_path("/..%2f", "/../", "../");
}

TEST(leaves_out_the_authority_of_an_absolute_target)
{
    check_path("http://a:80/b/c?d", "/b/c", "b|c");
    check_path("http://a", "/", "");
    check_path("HTTP://a?x", "/", "");
    check_path("http://a/", "/", "");
    struct parsed p = parse("http://a?x=1");
    assert_str(pairs_get(&p.request.query, STR("x")), "1");
    done(&p);
}

TEST(an_asterisk_has_no_segments)
{
    struct parsed p = parse("*");

    assert_true(p.ok);
    assert_str(p.request.path, "*");
    assert_int_equal(p.request.segment_count, 0);
    done(&p);
}

static void check_refused(const char *target)
{
    struct parsed p = parse(target);

    assert_that(!p.ok, "accepted: %s", target);
    assert_int_equal(p.why.status, 400);
    assert_string_equal(p.why.code, "bad_request");
    done(&p);
}

TEST(refuses_paths_that_mean_something_else_to_others)
{
    check_refused("/.");
    check_refused("/..");
    check_refused("/a/../b");
    check_refused("/a/./b");
    check_refused("/a/..");
    check_refused("/%2e");
    check_refused("/%2E%2e/a");
    check_refused("/.%2e");
    check_refused("/a/%2e%2e?x");
    check_refused("http://a/../b");
}

TEST(refuses_malformed_encodings)
{
    check_refused("/%");
    check_refused("/a%2");
    check_refused("/a%2/b");
    check_refused("/%00");
    check_refused("/%ff");
    check_refused("/%c3/%a4");
    check_refused("/%ed%a0%80");
    check_refused("/a?%");
    check_refused("/a?x=%zz");
    check_refused("/a?%00=1");
    check_refused("/a?x=%00");
    check_refused("/a?x=%ff");
    check_refused("/a?%c3=%a4");
}

/* `pairs` as name=value, joined by '|'. */
static void check_query(const char *target, const char *pairs)
{
    struct parsed p = parse(target);
    struct buf seen = BUF_EMPTY;

    assert_that(p.ok, "%s: %s", target, p.why.message);
    for (size_t i = 0; i < p.request.query.count; i++)
        buf_printf(&seen, "%s%.*s=%.*s", i == 0 ? "" : "|", STR_ARG(p.request.query.at[i].name),
                   STR_ARG(p.request.query.at[i].value));
    assert_str(buf_str(&seen), pairs);
    buf_free(&seen);
    done(&p);
}

TEST(reads_a_query_in_order)
{
    check_query("/", "");
    check_query("/?", "");
    check_query("/?a=1", "a=1");
    check_query("/?b=2&a=1&b=3", "b=2|a=1|b=3");
    check_query("/?a", "a=");
    check_query("/?a=", "a=");
    check_query("/?=1", "=1");
    check_query("/?a=b=c", "a=b=c");
    check_query("/?&&a=1&&b=2&", "a=1|b=2");
    check_query("/?a?b=c?d", "a?b=c?d");
    check_query("/?a/b=/", "a/b=/");
}

TEST(decodes_a_query_after_splitting)
{
    check_query("/?a%3db=c%26d", "a=b=c&d");
    check_query("/?x=a+b%2Bc", "x=a b+c");
    check_query("/?%61+=1", "a =1");
    check_query("/?x=%c3%a4", "x=\xc3\xa4");
    check_query("/?x=%2541", "x=%41");
}

static bool parses_many(const char *start, const char *part, size_t count)
{
    struct buf text = BUF_EMPTY;
    struct parsed p = {.arena = ARENA_EMPTY};

    p.request.target = text_repeat(&text, start, count, part, "");
    p.ok = target_parse(&p.request, &p.arena, &p.why);
    if (!p.ok)
        assert_int_equal(p.why.status, 400);
    done(&p);
    buf_free(&text);
    return p.ok;
}

TEST(limits_segments_and_parameters)
{
    assert_true(parses_many("", "/a", TARGET_SEGMENTS_MAX));
    assert_false(parses_many("", "/a", TARGET_SEGMENTS_MAX + 1));
    assert_false(parses_many("", "/", TARGET_SEGMENTS_MAX + 1));
    assert_true(parses_many("/?a", "&a", TARGET_QUERY_MAX - 1));
    assert_false(parses_many("/?a", "&a", TARGET_QUERY_MAX));
}

TEST(says_so_when_memory_is_short)
{
    bool done_all = false;

    for (size_t permitted = 0; !done_all; permitted++) {
        struct parsed p = {.arena = ARENA_EMPTY};
        char target[] = "/a/%62/c?d=e&f=%67";
        p.request.target = str_of(target);
        alloc_permit(permitted);
        p.ok = target_parse(&p.request, &p.arena, &p.why);
        done_all = !alloc_permit_all();
        assert_int_equal(p.ok, done_all);
        if (!p.ok)
            assert_int_equal(p.why.status, 500);
        done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_a_path_into_segments),
        cmocka_unit_test(decodes_segments_after_splitting),
        cmocka_unit_test(leaves_out_the_authority_of_an_absolute_target),
        cmocka_unit_test(an_asterisk_has_no_segments),
        cmocka_unit_test(refuses_paths_that_mean_something_else_to_others),
        cmocka_unit_test(refuses_malformed_encodings),
        cmocka_unit_test(reads_a_query_in_order),
        cmocka_unit_test(decodes_a_query_after_splitting),
        cmocka_unit_test(limits_segments_and_parameters),
        cmocka_unit_test(says_so_when_memory_is_short),
    };

    return RUN_TESTS(tests);
}
