#include "base/exchange.h"

#include <pthread.h>

#include "base/error.h"
#include "base/json.h"
#include "support/alloc.h"
#include "support/check.h"

static void done(struct exchange *ex)
{
    buf_free(&ex->response.body);
    arena_free(&ex->arena);
}

/* --- headers --- */

TEST(headers_are_kept_in_order_as_copies)
{
    struct exchange ex = {0};
    char value[] = "one";

    assert_true(response_add_header(&ex, STR("X-First"), str_of(value), NULL));
    value[0] = 'x';
    for (int i = 0; i < 30; i++)
        assert_true(response_add_header(&ex, STR("Set-Cookie"), STR("a=b\tc"), NULL));
    assert_int_equal(ex.response.headers.count, 31);
    assert_str(ex.response.headers.at[0].name, "X-First");
    assert_str(ex.response.headers.at[0].value, "one");
    assert_str(ex.response.headers.at[30].value, "a=b\tc");
    done(&ex);
}

static void refuses(struct str name, struct str value)
{
    struct exchange ex = {0};
    struct error e = {0};

    assert_that(!response_add_header(&ex, name, value, &e), "accepted: %.*s: %.*s", STR_ARG(name), STR_ARG(value));
    assert_error(&e, "invalid_header", "");
    assert_int_equal(ex.response.headers.count, 0);
    assert_false(response_add_header(&ex, name, value, NULL));
    done(&ex);
}

TEST(values_cannot_break_out_of_their_line)
{
    for (int c = 0; c < 256; c++) {
        char value[] = {'a', (char)c, 'b'};
        struct exchange ex = {0};
        bool control = (c < 0x20 && c != '\t') || c == 0x7f;
        bool accepted = response_add_header(&ex, STR("X-Any"), (struct str){value, 3}, NULL);
        assert_that(accepted == !control, "0x%02x in a value", (unsigned)c);
        done(&ex);
    }
    refuses(STR("Location"), STR("/\r\nSet-Cookie: a=b"));
    refuses(STR("Location"), STR("/\n"));
    refuses(STR("Location"), STR("\r"));
    refuses(STR("Location"), STR("\0"));
}

TEST(names_are_tokens)
{
    refuses(STR_NONE, STR("x"));
    refuses(STR("X Y"), STR("x"));
    refuses(STR("X:"), STR("x"));
    refuses(STR("X\r\n"), STR("x"));
    refuses(STR("X\0"), STR("x"));
    refuses(STR(" X"), STR("x"));
    refuses(STR("\xc3\xa4"), STR("x"));
    refuses(STR("(X)"), STR("x"));
}

TEST(framing_headers_are_the_brokers)
{
    refuses(STR("Content-Length"), STR("0"));
    refuses(STR("content-length"), STR("0"));
    refuses(STR("TRANSFER-ENCODING"), STR("chunked"));
    refuses(STR("Connection"), STR("close"));
    refuses(STR("Keep-Alive"), STR("timeout=5"));
    refuses(STR("Upgrade"), STR("h2c"));
    refuses(STR("Trailer"), STR("X"));
    refuses(STR("TE"), STR("trailers"));
    refuses(STR("Date"), STR("now"));
}

TEST(headers_are_added_whole_or_not_at_all)
{
    bool all = false;

    for (size_t permitted = 0; !all; permitted++) {
        struct exchange ex = {0};
        struct error e = {0};
        size_t added = 0;
        alloc_permit(permitted);
        while (added < 40 && response_add_header(&ex, STR("X-Name"), STR("value"), &e))
            added++;
        all = !alloc_permit_all();
        assert_that((added == 40) == all, "with %zu allocations", permitted);
        assert_int_equal(ex.response.headers.count, added);
        for (size_t i = 0; i < added; i++)
            assert_str(ex.response.headers.at[i].value, "value");
        if (!all)
            assert_error(&e, "out_of_memory", "");
        done(&ex);
    }
}

TEST(pairs_are_found_by_their_first_name)
{
    struct pair at[] = {{STR("a"), STR("1")}, {STR("b"), STR("2")}, {STR("a"), STR("3")}};
    struct pairs pairs = {at, 3};

    assert_str(pairs_get(&pairs, STR("a")), "1");
    assert_str(pairs_get(&pairs, STR("b")), "2");
    assert_null(pairs_get(&pairs, STR("A")).ptr);
    assert_null(pairs_get(&(struct pairs){NULL, 0}, STR("a")).ptr);
}

/* --- error answers --- */

TEST(an_error_answer_replaces_the_response)
{
    struct exchange ex = {0};

    ex.response.status = 200;
    buf_append_str(&ex.response.body, STR("half an answer"));
    assert_true(response_add_header(&ex, STR("Set-Cookie"), STR("a=b"), NULL));
    response_set_error(&ex, 422, "invalid_field", "title is \"too\nlong\"", "title");
    assert_int_equal(ex.response.status, 422);
    assert_int_equal(ex.response.headers.count, 1);
    assert_str(ex.response.headers.at[0].name, "Content-Type");
    assert_str(ex.response.headers.at[0].value, "application/json");
    assert_str(buf_str(&ex.response.body), "{\"error\":{\"code\":\"invalid_field\","
                                           "\"message\":\"title is \\\"too\\nlong\\\"\",\"field\":\"title\"}}");
    done(&ex);
}

TEST(an_error_answer_leaves_out_an_empty_field)
{
    struct exchange ex = {0};

    response_set_error(&ex, 404, "not_found", "nothing here", "");
    assert_str(buf_str(&ex.response.body), "{\"error\":{\"code\":\"not_found\",\"message\":\"nothing here\"}}");
    done(&ex);
}

TEST(an_error_answer_is_json_whatever_the_message_holds)
{
    struct exchange ex = {0};

    response_set_error(&ex, 400, "bad_request", "\xff\x01\"", "\xc3");
    assert_true(json_scan(buf_str(&ex.response.body), STR_NONE, NULL, NULL));
    done(&ex);
}

TEST(short_of_memory_an_error_answer_has_at_least_its_status)
{
    bool whole = false;

    for (size_t permitted = 0; !whole; permitted++) {
        struct exchange ex = {0};
        alloc_permit(permitted);
        response_set_error(&ex, 503, "overloaded", "the server is short of memory", "field");
        whole = !alloc_permit_all();
        assert_int_equal(ex.response.status, 503);
        assert_false(ex.response.body.failed);
        /* All of the body or nothing of it. */
        assert_int_equal(ex.response.body.len > 0, whole);
        assert_int_equal(ex.response.headers.count > 0 || !whole, 1);
        done(&ex);
    }
}

/* --- who answers --- */

TEST(a_worker_starts_once_and_settles)
{
    struct exchange ex = {0};

    assert_false(exchange_expire(&ex, EXCHANGE_RUNNING)); /* nobody runs it yet */
    assert_false(exchange_settle(&ex));
    assert_true(exchange_start(&ex, 42));
    assert_int_equal(atomic_load(&ex.started_ns), 42);
    assert_false(exchange_start(&ex, 43));
    assert_true(exchange_settle(&ex));
    assert_false(exchange_expire(&ex, EXCHANGE_RUNNING));
    assert_false(exchange_settle(&ex));
    assert_int_equal(atomic_load(&ex.state), EXCHANGE_SETTLED);
}

TEST(one_that_waits_too_long_is_not_started)
{
    struct exchange ex = {0};

    assert_true(exchange_expire(&ex, EXCHANGE_QUEUED));
    assert_false(exchange_expire(&ex, EXCHANGE_QUEUED));
    assert_false(exchange_start(&ex, 42));
    assert_int_equal(atomic_load(&ex.state), EXCHANGE_EXPIRED);
}

TEST(an_expired_worker_comes_to_nothing)
{
    struct exchange ex = {0};

    assert_true(exchange_start(&ex, 1));
    assert_true(exchange_expire(&ex, EXCHANGE_RUNNING));
    assert_false(exchange_expire(&ex, EXCHANGE_RUNNING));
    assert_false(exchange_settle(&ex));
    assert_false(exchange_start(&ex, 2));
    assert_int_equal(atomic_load(&ex.state), EXCHANGE_EXPIRED);
}

struct race {
    struct exchange exchanges[1000];
    pthread_barrier_t begin;
    bool settled[1000];
    bool expired[1000];
};

static void *settle_all(void *context)
{
    struct race *race = context;

    pthread_barrier_wait(&race->begin);
    for (int i = 0; i < 1000; i++)
        race->settled[i] = exchange_settle(&race->exchanges[i]);
    return NULL;
}

/* The worker and the loop meet here; whoever loses must know it. */
TEST(one_of_two_threads_has_its_way)
{
    static struct race race;
    pthread_t worker;

    for (int i = 0; i < 1000; i++)
        assert_true(exchange_start(&race.exchanges[i], 1));
    pthread_barrier_init(&race.begin, NULL, 2);
    assert_int_equal(pthread_create(&worker, NULL, settle_all, &race), 0);
    pthread_barrier_wait(&race.begin);
    for (int i = 0; i < 1000; i++)
        race.expired[i] = exchange_expire(&race.exchanges[i], EXCHANGE_RUNNING);
    pthread_join(worker, NULL);
    pthread_barrier_destroy(&race.begin);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(race.settled[i] + race.expired[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_kept_in_order_as_copies),
        cmocka_unit_test(values_cannot_break_out_of_their_line),
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(framing_headers_are_the_brokers),
        cmocka_unit_test(headers_are_added_whole_or_not_at_all),
        cmocka_unit_test(pairs_are_found_by_their_first_name),
        cmocka_unit_test(an_error_answer_replaces_the_response),
        cmocka_unit_test(an_error_answer_leaves_out_an_empty_field),
        cmocka_unit_test(an_error_answer_is_json_whatever_the_message_holds),
        cmocka_unit_test(short_of_memory_an_error_answer_has_at_least_its_status),
        cmocka_unit_test(a_worker_starts_once_and_settles),
        cmocka_unit_test(one_that_waits_too_long_is_not_started),
        cmocka_unit_test(an_expired_worker_comes_to_nothing),
        cmocka_unit_test(one_of_two_threads_has_its_way),
    };

    return RUN_TESTS(tests);
}
