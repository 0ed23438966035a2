/* How many streams a user and an address may have. */
#include "http/stream.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/hub.h"

static void open_hub(struct test_hub *t, size_t per_user, size_t per_address)
{
    struct stream_config config = test_hub_config;

    config.max_per_user = per_user;
    config.max_per_address = per_address;
    test_hub_open(t, &config, 0);
}

static struct stream_request request_of(const char *user, uint32_t address)
{
    return (struct stream_request){.user_id = str_of(user), .address = address};
}

static void open_one(struct test_hub *t, struct test_client *c, const char *user, uint32_t address)
{
    struct stream_request request = request_of(user, address);

    assert_null(stream_hub_objection(t->hub, &request));
    test_client_request(t, c, &request);
}

static void refused(struct test_hub *t, const char *user, uint32_t address, const char *whose)
{
    struct stream_request request = request_of(user, address);
    const char *why = stream_hub_objection(t->hub, &request);

    assert_that(why != NULL, "%s at %u may open one", user, address);
    assert_non_null(strstr(why, whose));
}

TEST(a_user_may_have_so_many)
{
    struct test_hub t;
    struct test_client c[3];

    open_hub(&t, 2, 0);
    open_one(&t, &c[0], "ada", 1);
    open_one(&t, &c[1], "ada", 2);
    refused(&t, "ada", 3, "user");
    assert_int_equal(counter_get(&t.counters, COUNT_STREAM_LIMITS), 1);
    open_one(&t, &c[2], "grace", 1);
    test_client_close(&c[0]);
    open_one(&t, &c[0], "ada", 1);
    refused(&t, "ada", 3, "user");
    for (int i = 0; i < 3; i++)
        test_client_close(&c[i]);
    test_hub_close(&t);
}

TEST(where_everybody_is_one_user_only_the_address_counts)
{
    struct test_hub t;
    struct test_client c;
    struct stream_request request = request_of("anonymous", 2);

    open_hub(&t, 1, 0);
    open_one(&t, &c, "anonymous", 1);
    refused(&t, "anonymous", 2, "user");
    request.shared_user = true;
    assert_null(stream_hub_objection(t.hub, &request));
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(an_address_may_have_so_many)
{
    struct test_hub t;
    struct test_client c[3];

    open_hub(&t, 0, 2);
    open_one(&t, &c[0], "ada", 1);
    open_one(&t, &c[1], "grace", 1);
    refused(&t, "linus", 1, "address");
    open_one(&t, &c[2], "linus", 2);
    test_client_close(&c[1]);
    open_one(&t, &c[1], "linus", 1);
    refused(&t, "ada", 1, "address");
    stream_hub_end_all(t.hub, STR("going away"));
    struct stream_request request = request_of("ada", 1);
    request.mark = stream_hub_mark(t.hub);
    assert_null(stream_hub_objection(t.hub, &request)); /* what the hub ends is given back as well */
    for (int i = 0; i < 3; i++)
        test_client_close(&c[i]);
    test_hub_close(&t);
}

TEST(without_a_limit_there_may_be_any_number)
{
    enum { MANY = 600 };
    static struct test_client c[MANY];
    struct test_hub t;

    open_hub(&t, 0, 0);
    for (size_t i = 0; i < MANY; i++)
        open_one(&t, &c[i], "ada", 1);
    for (size_t i = 0; i < MANY; i++)
        test_client_close(&c[i]);
    test_hub_close(&t);
}

TEST(a_stream_that_finds_no_memory_counts_for_nobody)
{
    struct stream_request request = request_of("ada", 1);
    bool all = false;

    for (size_t permitted = 0; !all; permitted++) {
        struct test_hub t;
        struct test_client c = {.read = SSE_CLIENT_EMPTY};
        open_hub(&t, 1, 1);
        fake_sink_init(&c.sink);
        alloc_permit(permitted);
        c.stream = stream_open(t.hub, &request, &c.sink.base, STR_NONE);
        all = !alloc_permit_all();
        assert_int_equal(stream_hub_objection(t.hub, &request) != NULL, c.stream != NULL);
        test_client_close(&c);
        assert_null(stream_hub_objection(t.hub, &request));
        test_hub_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_may_have_so_many),
        cmocka_unit_test(where_everybody_is_one_user_only_the_address_counts),
        cmocka_unit_test(an_address_may_have_so_many),
        cmocka_unit_test(without_a_limit_there_may_be_any_number),
        cmocka_unit_test(a_stream_that_finds_no_memory_counts_for_nobody),
    };

    return RUN_TESTS(tests);
}
