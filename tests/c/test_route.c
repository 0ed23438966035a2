/* Which route, or which mount, a request goes to. */
#include "script/app.h"

#include <stdio.h>

#include "support/alloc.h"
#include "support/app.h"
#include "support/check.h"

enum { NONE = 999 };

static void build(struct app *app)
{
    struct error e;

    assert_that(app_build_routes(app, &e), "%s", e.message);
}

static void done(struct app *app)
{
    arena_free(&app->arena);
}

/* The number of the route that is found, or NONE. */
static size_t find(const struct app *app, enum method method, const char *target)
{
    struct exchange ex;
    size_t route = NONE;
    unsigned allowed = 0;

    exchange_for(&ex, method, target);
    enum route_match match = app_route(app, &ex, &route, &allowed);
    exchange_done(&ex);
    return match == ROUTE_FOUND ? route : NONE;
}

#define GETS(app, target) find((app), METHOD_GET, (target))

TEST(finds_literal_paths)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/");
    app_add_route(&app, METHOD_GET, "/tasks");
    app_add_route(&app, METHOD_GET, "/tasks/open");
    app_add_route(&app, METHOD_GET, "/tasks/");
    build(&app);
    assert_int_equal(GETS(&app, "/"), 0);
    assert_int_equal(GETS(&app, "/tasks"), 1);
    assert_int_equal(GETS(&app, "/tasks?x=1"), 1);
    assert_int_equal(GETS(&app, "/tasks/open"), 2);
    assert_int_equal(GETS(&app, "/tasks/"), 3);
    assert_int_equal(GETS(&app, "/t%61sks"), 1);
    assert_int_equal(GETS(&app, "/Tasks"), NONE);
    assert_int_equal(GETS(&app, "/task"), NONE);
    assert_int_equal(GETS(&app, "/tasks/open/x"), NONE);
    assert_int_equal(GETS(&app, "/tasks%2fopen"), NONE); /* one segment with a slash in it */
    assert_int_equal(GETS(&app, "//"), NONE);
    done(&app);
}

TEST(an_app_without_routes_finds_nothing)
{
    struct app app = {0};

    build(&app);
    assert_int_equal(GETS(&app, "/"), NONE);
    assert_int_equal(GETS(&app, "/a/b"), NONE);
    done(&app);
}

TEST(literals_go_before_parameters_and_those_before_a_rest)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/a/*rest");
    app_add_route(&app, METHOD_GET, "/a/:x");
    app_add_route(&app, METHOD_GET, "/a/b");
    build(&app);
    assert_int_equal(GETS(&app, "/a/b"), 2);
    assert_int_equal(GETS(&app, "/a/c"), 1);
    assert_int_equal(GETS(&app, "/a/b/c"), 0);
    assert_int_equal(GETS(&app, "/a/"), 0); /* a parameter is never empty */
    assert_int_equal(GETS(&app, "/a"), NONE);
    done(&app);
}

TEST(a_branch_that_leads_nowhere_is_left_again)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/a/b/c");
    app_add_route(&app, METHOD_GET, "/a/:x/d");
    app_add_route(&app, METHOD_GET, "/:y/b/e");
    app_add_route(&app, METHOD_GET, "/*rest");
    build(&app);
    assert_int_equal(GETS(&app, "/a/b/c"), 0);
    assert_int_equal(GETS(&app, "/a/b/d"), 1);
    assert_int_equal(GETS(&app, "/a/b/e"), 2);
    assert_int_equal(GETS(&app, "/a/b/f"), 3);
    assert_int_equal(GETS(&app, "/a/b"), 3);
    done(&app);
}

TEST(a_branch_without_the_method_is_left_too)
{
    struct app app = {0};

    app_add_route(&app, METHOD_POST, "/a/b");
    app_add_route(&app, METHOD_GET, "/a/:x");
    app_add_route(&app, METHOD_DELETE, "/a/*rest");
    build(&app);
    assert_int_equal(find(&app, METHOD_POST, "/a/b"), 0);
    assert_int_equal(find(&app, METHOD_GET, "/a/b"), 1);
    assert_int_equal(find(&app, METHOD_DELETE, "/a/b"), 2);
    done(&app);
}

/* --- methods --- */

static unsigned refused_methods(const struct app *app, enum method method, const char *target)
{
    struct exchange ex;
    size_t route;
    unsigned allowed = 0;

    exchange_for(&ex, method, target);
    assert_int_equal(app_route(app, &ex, &route, &allowed), ROUTE_WRONG_METHOD);
    exchange_done(&ex);
    return allowed;
}

TEST(a_wrong_method_is_told_from_a_wrong_path)
{
    struct app app = {0};
    struct exchange ex;
    size_t route;
    unsigned allowed;

    app_add_route(&app, METHOD_GET, "/a/:x");
    app_add_route(&app, METHOD_PUT, "/a/b");
    app_add_route(&app, METHOD_DELETE, "/a/*rest");
    app_add_route(&app, METHOD_POST, "/c");
    build(&app);
    assert_int_equal(refused_methods(&app, METHOD_POST, "/a/b"),
                     1u << METHOD_GET | 1u << METHOD_PUT | 1u << METHOD_DELETE);
    assert_int_equal(refused_methods(&app, METHOD_POST, "/a/x"), 1u << METHOD_GET | 1u << METHOD_DELETE);
    assert_int_equal(refused_methods(&app, METHOD_OPTIONS, "/c"), 1u << METHOD_POST);
    assert_int_equal(refused_methods(&app, METHOD_HEAD, "/c"), 1u << METHOD_POST);
    exchange_for(&ex, METHOD_POST, "/d");
    assert_int_equal(app_route(&app, &ex, &route, &allowed), ROUTE_NOT_FOUND);
    exchange_done(&ex);
    done(&app);
}

TEST(head_finds_the_route_of_get)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/a");
    app_add_route(&app, METHOD_POST, "/a");
    build(&app);
    assert_int_equal(find(&app, METHOD_HEAD, "/a"), 0);
    done(&app);
}

TEST(the_server_as_a_whole_is_no_route)
{
    struct app app = {0};

    app_add_route(&app, METHOD_OPTIONS, "/*rest");
    build(&app);
    assert_int_equal(find(&app, METHOD_OPTIONS, "*"), NONE);
    assert_int_equal(find(&app, METHOD_OPTIONS, "/"), 0);
    done(&app);
}

TEST(the_librarys_own_route_is_in_no_path)
{
    struct app app = {0};

    app_add_route(&app, METHOD_POST, "");
    app_add_route(&app, METHOD_POST, "/a");
    build(&app);
    assert_int_equal(find(&app, METHOD_POST, "/"), NONE);
    assert_int_equal(find(&app, METHOD_POST, "/a"), 1);
    done(&app);
}

/* --- parameters --- */

static void check_params(const struct app *app, const char *target, const char *expected)
{
    struct exchange ex;
    struct buf seen = BUF_EMPTY;
    size_t route;
    unsigned allowed;

    exchange_for(&ex, METHOD_GET, target);
    assert_int_equal(app_route(app, &ex, &route, &allowed), ROUTE_FOUND);
    for (size_t i = 0; i < ex.request.params.count; i++)
        buf_printf(&seen, "%.*s=%.*s;", STR_ARG(ex.request.params.at[i].name), STR_ARG(ex.request.params.at[i].value));
    assert_str(buf_str(&seen), expected);
    buf_free(&seen);
    exchange_done(&ex);
}

TEST(parameters_are_the_decoded_segments)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/none");
    app_add_route(&app, METHOD_GET, "/projects/:project/tasks/:id");
    app_add_route(&app, METHOD_GET, "/files/:area/*path");
    app_add_route(&app, METHOD_GET, "/all/*");
    build(&app);
    check_params(&app, "/none", "");
    check_params(&app, "/projects/p1/tasks/42", "project=p1;id=42;");
    check_params(&app, "/projects/p%2f1/tasks/%c3%a4", "project=p/1;id=\xc3\xa4;");
    check_params(&app, "/projects/p1/tasks/42?id=7", "project=p1;id=42;");
    check_params(&app, "/files/a/b", "area=a;path=b;");
    check_params(&app, "/files/a/b/c%20d/e", "area=a;path=b/c d/e;");
    check_params(&app, "/files/a/b//", "area=a;path=b//;");
    check_params(&app, "/files/a/", "area=a;path=;");
    check_params(&app, "/all/x/y", "=x/y;");
    done(&app);
}

TEST(parameters_have_the_names_of_the_route_that_was_found)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/a/:first/b");
    app_add_route(&app, METHOD_GET, "/a/:second/c");
    build(&app);
    check_params(&app, "/a/1/b", "first=1;");
    check_params(&app, "/a/1/c", "second=1;");
    done(&app);
}

/* --- conflicts --- */

static void conflict(const char *first, const char *second)
{
    struct app app = {0};
    struct error e = {0};

    app_add_route(&app, METHOD_GET, first);
    app_add_route(&app, METHOD_GET, "/other");
    app_add_route(&app, METHOD_GET, second);
    assert_that(!app_build_routes(&app, &e), "accepted: %s and %s", first, second);
    assert_error(&e, "script", "");
    /* It points at both. */
    assert_non_null(strstr(e.message, "test:1"));
    assert_non_null(strstr(e.message, "test:3"));
    done(&app);
}

TEST(routes_that_cannot_be_told_apart_are_an_error)
{
    conflict("/a", "/a");
    conflict("/a/:x", "/a/:y");
    conflict("/a/*x", "/a/*y");
    conflict("/:a/b/:c", "/:x/b/:y");
}

TEST(routes_that_can_be_told_apart_are_none)
{
    struct app app = {0};

    app_add_route(&app, METHOD_GET, "/a");
    app_add_route(&app, METHOD_POST, "/a");
    app_add_route(&app, METHOD_GET, "/a/");
    app_add_route(&app, METHOD_GET, "/:x");
    app_add_route(&app, METHOD_GET, "/*x");
    app_add_route(&app, METHOD_GET, "/:x/b");
    build(&app);
    done(&app);
}

TEST(the_tree_is_built_whole_or_not_at_all)
{
    bool all = false;

    for (size_t permitted = 0; !all; permitted++) {
        struct app app = {0};
        struct error e;
        app_add_route(&app, METHOD_GET, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z");
        app_add_route(&app, METHOD_GET, "/:a/:b/:c/:d/:e/:f/:g/:h");
        alloc_permit(permitted);
        bool ok = app_build_routes(&app, &e);
        all = !alloc_permit_all();
        assert_int_equal(ok, all);
        if (!ok)
            assert_error(&e, "out_of_memory", "");
        done(&app);
    }
}

/* --- mounts --- */

/* The prefix and what is below it, as "prefix>below"; "none" where there is none. */
static void check_mount(const struct app *app, const char *target, const char *expected)
{
    struct exchange ex;
    struct str below;
    char seen[200] = "none";

    exchange_for(&ex, METHOD_GET, target);
    const struct mount *m = app_mount(app, &ex.request, &below);
    if (m != NULL)
        snprintf(seen, sizeof seen, "%.*s>%.*s", STR_ARG(m->prefix), STR_ARG(below));
    assert_string_equal(seen, expected);
    exchange_done(&ex);
}

TEST(the_longest_prefix_serves)
{
    struct app app = {0};

    app_add_mount(&app, "/static");
    app_add_mount(&app, "");
    app_add_mount(&app, "/static/img");
    check_mount(&app, "/static/a.css", "/static>a.css");
    check_mount(&app, "/static/img/a.png", "/static/img>a.png");
    check_mount(&app, "/static/img", "/static/img>");
    check_mount(&app, "/static/img/", "/static/img>");
    check_mount(&app, "/static/imgs/a", "/static>imgs/a");
    check_mount(&app, "/statics", ">statics");
    check_mount(&app, "/", ">");
    check_mount(&app, "/a/b?c", ">a/b");
    done(&app);
}

TEST(a_path_outside_of_all_mounts_has_none)
{
    struct app app = {0};

    app_add_mount(&app, "/static");
    check_mount(&app, "/", "none");
    check_mount(&app, "/stati", "none");
    check_mount(&app, "/staticx/a", "none");
    check_mount(&app, "/a/static", "none");
    app_add_mount(&app, "");
    check_mount(&app, "*", "none");
    done(&app);
}

TEST(apps_are_compared_by_their_routes)
{
    struct app a = {0};
    struct app b = {0};

    app_add_route(&a, METHOD_GET, "/a");
    assert_ptr_equal(app_other_route(&a, &b), &a.routes[0]);
    assert_ptr_equal(app_other_route(&b, &a), &a.routes[0]);
    app_add_route(&b, METHOD_GET, "/a");
    assert_null(app_other_route(&a, &b));
    b.routes[0].mode = ROUTE_FREE;
    assert_ptr_equal(app_other_route(&a, &b), &a.routes[0]);
    b.routes[0].mode = a.routes[0].mode;
    b.routes[0].method = METHOD_PUT;
    assert_ptr_equal(app_other_route(&a, &b), &a.routes[0]);
    b.routes[0].method = METHOD_GET;
    b.routes[0].pattern = STR("/b");
    assert_ptr_equal(app_other_route(&a, &b), &a.routes[0]);
    done(&a);
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_literal_paths),
        cmocka_unit_test(an_app_without_routes_finds_nothing),
        cmocka_unit_test(literals_go_before_parameters_and_those_before_a_rest),
        cmocka_unit_test(a_branch_that_leads_nowhere_is_left_again),
        cmocka_unit_test(a_branch_without_the_method_is_left_too),
        cmocka_unit_test(a_wrong_method_is_told_from_a_wrong_path),
        cmocka_unit_test(head_finds_the_route_of_get),
        cmocka_unit_test(the_server_as_a_whole_is_no_route),
        cmocka_unit_test(the_librarys_own_route_is_in_no_path),
        cmocka_unit_test(parameters_are_the_decoded_segments),
        cmocka_unit_test(parameters_have_the_names_of_the_route_that_was_found),
        cmocka_unit_test(routes_that_cannot_be_told_apart_are_an_error),
        cmocka_unit_test(routes_that_can_be_told_apart_are_none),
        cmocka_unit_test(the_tree_is_built_whole_or_not_at_all),
        cmocka_unit_test(the_longest_prefix_serves),
        cmocka_unit_test(a_path_outside_of_all_mounts_has_none),
        cmocka_unit_test(apps_are_compared_by_their_routes),
    };

    return RUN_TESTS(tests);
}
