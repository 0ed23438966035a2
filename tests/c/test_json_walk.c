#include "base/json_walk.h"

#include "base/json.h"
#include "support/alloc.h"
#include "support/check.h"

static struct str root(const char *text)
{
    struct error e;

    assert_true(json_scan(str_of(text), STR_NONE, NULL, &e));
    return json_root(str_of(text));
}

static void check_str(struct str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.ptr, expected, s.len);
}

TEST(a_text_has_one_value)
{
    const struct {
        const char *text;
        const char *value;
        enum json_kind kind;
    } cases[] = {
        {" {} ", "{}", JSON_OBJECT},
        {"\n[1, 2]\n", "[1, 2]", JSON_LIST},
        {"\"a\\\"]\"", "\"a\\\"]\"", JSON_STRING},
        {" -1.5e3 ", "-1.5e3", JSON_NUMBER},
        {"true", "true", JSON_TRUE},
        {" false", "false", JSON_FALSE},
        {"null ", "null", JSON_NULL},
        {"{\"a\":\"}\"}", "{\"a\":\"}\"}", JSON_OBJECT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str value = root(cases[i].text);
        check_str(value, cases[i].value);
        assert_int_equal(json_kind_of(value), cases[i].kind);
    }
    assert_int_equal(json_kind_of(STR_NONE), JSON_NULL);
}

TEST(an_object_is_walked_in_its_order)
{
    static const char *const expected[][2] = {
        {"\"a\"", "1"}, {"\"b\\\"\"", "{\"c\" : [1,{}]}"}, {"\"\"", "\",}\""}, {"\"d\"", "null"}, {"\"a\"", "[]"}};
    struct json_walk w =
        json_walk_into(root(" { \"a\" : 1 , \"b\\\"\":{\"c\" : [1,{}]} ,\"\":\",}\",\"d\": null ,\"a\":[] } "));
    struct str key;
    struct str value;

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(json_walk_next(&w, &key, &value));
        check_str(key, expected[i][0]);
        check_str(value, expected[i][1]);
    }
    assert_false(json_walk_next(&w, &key, &value));
    assert_false(json_walk_next(&w, &key, &value));
}

TEST(a_list_has_no_keys)
{
    struct json_walk w = json_walk_into(root("[ 1 ,\"two\",[3 , 4], {\"five\":6} ]"));
    static const char *const expected[] = {"1", "\"two\"", "[3 , 4]", "{\"five\":6}"};
    struct str key;
    struct str value;

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(json_walk_next(&w, &key, &value));
        assert_null(key.ptr);
        check_str(value, expected[i]);
    }
    assert_false(json_walk_next(&w, &key, &value));
    w = json_walk_into(root("[]"));
    assert_false(json_walk_next(&w, &key, &value));
    w = json_walk_into(root("{ }"));
    assert_false(json_walk_next(&w, &key, &value));
}

TEST(a_string_is_what_its_escapes_say)
{
    struct arena arena = {0};
    struct str text;
    const struct {
        const char *value;
        const char *text;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041\\u00e4\\u20ac\\ud83d\\ude00z\"", "aA\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"},
        {"\"\xc3\xa4\\n\"", "\xc3\xa4\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(json_string_text(root(cases[i].value), &arena, &text));
        check_str(text, cases[i].text);
    }
    arena_free(&arena);
}

TEST(short_of_memory_a_string_says_so)
{
    struct arena arena = {0};
    struct str text;

    alloc_permit(0);
    bool copied = json_string_text(STR("\"a\\nb\""), &arena, &text);
    bool borrowed = json_string_text(STR("\"ab\""), &arena, &text);
    (void)alloc_permit_all();
    assert_false(copied);
    assert_true(borrowed);
    arena_free(&arena);
}

TEST(integers_are_exact)
{
    int64_t n = 0;

    assert_true(json_integer(STR("7"), &n));
    assert_int_equal(n, 7);
    assert_true(json_integer(STR("7.0"), &n));
    assert_int_equal(n, 7);
    assert_true(json_integer(STR("-12e2"), &n));
    assert_int_equal(n, -1200);
    assert_true(json_integer(STR("9223372036854775807"), &n));
    assert_true(n == INT64_MAX);
    assert_true(json_integer(STR("-9223372036854775808"), &n));
    assert_true(n == INT64_MIN);
    assert_false(json_integer(STR("9223372036854775808"), &n));
    assert_false(json_integer(STR("7.5"), &n));
    assert_false(json_integer(STR("1e300"), &n));
    assert_false(json_integer(STR("1e-3"), &n));
    assert_false(json_integer(STR("1.00000000000000000000000000000000000000000000000000000000000000000000000"), &n));
}

TEST(space_is_left_out_but_inside_of_strings)
{
    struct buf out = BUF_EMPTY;

    json_append_compact(&out, root("{ \"a b\" : [ 1 ,\n2 ] ,\r\n\t\"c\":\" \\\" \" }"));
    check_str(buf_str(&out), "{\"a b\":[1,2],\"c\":\" \\\" \"}");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_has_one_value),
        cmocka_unit_test(an_object_is_walked_in_its_order),
        cmocka_unit_test(a_list_has_no_keys),
        cmocka_unit_test(a_string_is_what_its_escapes_say),
        cmocka_unit_test(short_of_memory_a_string_says_so),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(space_is_left_out_but_inside_of_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
