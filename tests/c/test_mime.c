#include "http/mime.h"

#include "http/status.h"
#include "support/check.h"

static void check_type(const char *path, const char *type)
{
    assert_string_equal(mime_type(path), type);
}

TEST(a_type_goes_by_the_ending)
{
    check_type("index.html", "text/html; charset=utf-8");
    check_type("a/b.c/app.js", "text/javascript; charset=utf-8");
    check_type("app.min.css", "text/css; charset=utf-8");
    check_type("data.json", "application/json");
    check_type("logo.svg", "image/svg+xml");
    check_type("font.woff2", "font/woff2");
    check_type("module.wasm", "application/wasm");
    check_type("INDEX.HTML", "text/html; charset=utf-8");
}

TEST(an_unknown_ending_is_bytes)
{
    check_type("a.unknown", "application/octet-stream");
    check_type("Makefile", "application/octet-stream");
    check_type("html", "application/octet-stream");
    check_type("", "application/octet-stream");
    check_type("a.", "application/octet-stream");
    check_type("site.html/readme", "application/octet-stream");
    check_type("a.htmlx", "application/octet-stream");
    check_type("a.html ", "application/octet-stream");
}

TEST(a_status_has_its_phrase)
{
    assert_string_equal(http_status_reason(200), "OK");
    assert_string_equal(http_status_reason(201), "Created");
    assert_string_equal(http_status_reason(204), "No Content");
    assert_string_equal(http_status_reason(304), "Not Modified");
    assert_string_equal(http_status_reason(404), "Not Found");
    assert_string_equal(http_status_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_status_reason(503), "Service Unavailable");
}

TEST(a_status_that_nobody_knows_has_none)
{
    assert_string_equal(http_status_reason(299), "");
    assert_string_equal(http_status_reason(599), "");
    assert_string_equal(http_status_reason(0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_goes_by_the_ending),
        cmocka_unit_test(an_unknown_ending_is_bytes),
        cmocka_unit_test(a_status_has_its_phrase),
        cmocka_unit_test(a_status_that_nobody_knows_has_none),
    };

    return RUN_TESTS(tests);
}
