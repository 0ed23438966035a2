#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/alloc.h"
#include "support/check.h"

static void sets(struct pillar_options *o, const char *name, const char *value)
{
    struct error e;

    assert_that(options_set(o, SOURCE_FLAG, name, value, &e), "%s = %s: %s", name, value, e.message);
}

static void refuses(const char *name, const char *value)
{
    struct pillar_options *o = pillar_options_create();
    struct settings before = o->values;
    struct error e = {0};

    assert_that(!options_set(o, SOURCE_FLAG, name, value, &e), "accepted: %s = %s", name, value);
    assert_error(&e, "invalid_option", name);
    assert_memory_equal(&o->values, &before, sizeof before);
    assert_false(options_set(o, SOURCE_FLAG, name, value, NULL));
    pillar_options_free(o);
}

/* A fresh set of options for one value, which the member then has. */
#define ACCEPTS(name, text, member, expected)                                                                          \
    do {                                                                                                               \
        struct pillar_options *o = pillar_options_create();                                                            \
        sets(o, name, text);                                                                                           \
        assert_int_equal(o->values.member, expected);                                                                  \
        pillar_options_free(o);                                                                                        \
    } while (0)

/* --- the table --- */

TEST(every_default_is_valid_and_every_name_unique)
{
    struct pillar_options *o = pillar_options_create();
    size_t count = 0;

    assert_non_null(o);
    for (const pillar_option_info *a; (a = pillar_option_get(count)) != NULL; count++) {
        assert_true(a->name[0] != '\0' && a->environment[0] != '\0' && a->help[0] != '\0');
        sets(o, a->name, a->fallback);
        for (size_t i = 0; i < count; i++) {
            assert_string_not_equal(pillar_option_get(i)->name, a->name);
            assert_string_not_equal(pillar_option_get(i)->environment, a->environment);
        }
    }
    assert_true(count > 20);
    assert_null(pillar_option_get(count));
    assert_null(pillar_option_get(SIZE_MAX));
    assert_true(options_check(o, NULL));
    pillar_options_free(o);
    pillar_options_free(NULL);
}

TEST(defaults_are_what_the_design_says)
{
    struct pillar_options *o = pillar_options_create();

    assert_string_equal(o->values.listen, "127.0.0.1:8080");
    assert_string_equal(o->values.events_path, "/api/events");
    assert_string_equal(o->values.emit_key, "");
    assert_string_equal(o->values.openapi_path, "/openapi.json");
    assert_string_equal(o->values.client_path, "/pillar.js");
    assert_int_equal(o->values.heartbeat, 30000);
    assert_int_equal(o->values.dev, 0);
    assert_int_equal(o->values.max_header_bytes, 32 * 1024);
    pillar_options_free(o);
}

TEST(an_underscore_counts_as_a_hyphen)
{
    ACCEPTS("max_body_bytes", "500", max_body_bytes, 500);
    ACCEPTS("max-body-bytes", "500", max_body_bytes, 500);
    ACCEPTS("max-body_bytes", "500", max_body_bytes, 500);
}

TEST(unknown_names_are_refused)
{
    refuses("", "1");
    refuses("max-body-byte", "1");
    refuses("max-body-bytes-", "1");
    refuses("Max-Body-Bytes", "1");
    refuses("max body bytes", "1");
    refuses("listen ", "1");
}

TEST(a_very_long_name_is_refused_as_well)
{
    struct pillar_options *o = pillar_options_create();
    struct error e = {0};
    char name[2000];

    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_false(options_set(o, SOURCE_FLAG, name, "1", &e));
    assert_string_equal(e.code, "invalid_option");
    pillar_options_free(o);
}

/* --- who beats whom --- */

static void check_precedence(enum setting_source first, enum setting_source second, uint64_t expected)
{
    struct pillar_options *o = pillar_options_create();

    assert_true(options_set(o, first, "loops", "2", NULL));
    assert_true(options_set(o, second, "loops", "3", NULL));
    assert_int_equal(o->values.loops, expected);
    pillar_options_free(o);
}

TEST(a_later_source_beats_an_earlier_one_in_any_order)
{
    for (int a = SOURCE_DEFAULT; a <= SOURCE_FLAG; a++)
        for (int b = SOURCE_DEFAULT; b <= SOURCE_FLAG; b++)
            check_precedence((enum setting_source)a, (enum setting_source)b, b >= a ? 3 : 2);
}

TEST(each_setting_remembers_its_own_source)
{
    struct pillar_options *o = pillar_options_create();

    sets(o, "loops", "2");
    assert_true(options_set(o, SOURCE_SCRIPT, "workers", "7", NULL));
    assert_true(options_set(o, SOURCE_ENVIRONMENT, "workers", "8", NULL));
    assert_true(options_set(o, SOURCE_ENVIRONMENT, "loops", "9", NULL));
    assert_int_equal(o->values.loops, 2);
    assert_int_equal(o->values.workers, 8);
    pillar_options_free(o);
}

/* A mistake is a mistake, even where something else is in force. */
TEST(a_value_that_is_beaten_is_checked_all_the_same)
{
    struct pillar_options *o = pillar_options_create();

    sets(o, "loops", "2");
    assert_false(options_set(o, SOURCE_ENVIRONMENT, "loops", "many", NULL));
    assert_int_equal(o->values.loops, 2);
    pillar_options_free(o);
}

TEST(the_environment_is_read_by_its_names)
{
    struct pillar_options *o = pillar_options_create();
    pillar_error error;

    setenv("PILLAR_LOOPS", "5", 1);
    setenv("DATABASE_URL", "sqlite:env.db", 1);
    setenv("PILLAR_WORKERS", "6", 1);
    sets(o, "workers", "2");
    assert_int_equal(pillar_options_read_environment(o, &error), 0);
    assert_int_equal(o->values.loops, 5);
    assert_int_equal(o->values.workers, 2);
    assert_string_equal(o->values.database, "sqlite:env.db");
    setenv("PILLAR_LOOPS", "none", 1);
    assert_int_equal(pillar_options_read_environment(o, &error), -1);
    assert_string_equal(error.code, "invalid_option");
    assert_string_equal(error.field, "loops");
    assert_non_null(strstr(error.message, "PILLAR_LOOPS"));
    assert_int_equal(pillar_options_read_environment(o, NULL), -1);
    unsetenv("PILLAR_LOOPS");
    unsetenv("PILLAR_WORKERS");
    unsetenv("DATABASE_URL");
    pillar_options_free(o);
}

/* --- values --- */

TEST(sizes_have_units)
{
    ACCEPTS("max-body-bytes", "0", max_body_bytes, 0);
    ACCEPTS("max-body-bytes", "500", max_body_bytes, 500);
    ACCEPTS("max-body-bytes", "500b", max_body_bytes, 500);
    ACCEPTS("max-body-bytes", "64KiB", max_body_bytes, 64 * 1024);
    ACCEPTS("max-body-bytes", "64k", max_body_bytes, 64 * 1024);
    ACCEPTS("max-body-bytes", "2MiB", max_body_bytes, 2 * 1024 * 1024);
    ACCEPTS("max-body-bytes", "1GiB", max_body_bytes, 1024 * 1024 * 1024);
    refuses("max-body-bytes", "");
    refuses("max-body-bytes", "KiB");
    refuses("max-body-bytes", "1.5MiB");
    refuses("max-body-bytes", "1 MiB");
    refuses("max-body-bytes", "-1");
    refuses("max-body-bytes", "+1");
    refuses("max-body-bytes", "0x10");
    refuses("max-body-bytes", "1TiB");
    refuses("max-body-bytes", "1s");
    refuses("max-body-bytes", "1KiBx");
}

TEST(times_have_units)
{
    ACCEPTS("idle-timeout", "250ms", idle_timeout, 250);
    ACCEPTS("idle-timeout", "10s", idle_timeout, 10000);
    ACCEPTS("idle-timeout", "10", idle_timeout, 10000);
    ACCEPTS("idle-timeout", "2m", idle_timeout, 120000);
    ACCEPTS("idle-timeout", "2M", idle_timeout, 120000);
    ACCEPTS("idle-timeout", "24h", idle_timeout, 24 * 3600 * 1000);
    ACCEPTS("history-age", "2d", history_age, 2 * 24 * 3600 * 1000);
    refuses("idle-timeout", "");
    refuses("idle-timeout", "s");
    refuses("idle-timeout", "1.5s");
    refuses("idle-timeout", "10 s");
    refuses("idle-timeout", "10us");
    refuses("idle-timeout", "10KiB");
    refuses("idle-timeout", "1m30s");
}

TEST(counts_have_none)
{
    ACCEPTS("workers", "16", workers, 16);
    ACCEPTS("workers", "016", workers, 16);
    refuses("workers", "");
    refuses("workers", "16k");
    refuses("workers", "four");
    refuses("workers", "1e2");
    refuses("workers", "4 ");
}

TEST(switches_are_on_or_off)
{
    static const char *const on[] = {"on", "true", "yes", "1", "", "ON", "True"};
    static const char *const off[] = {"off", "false", "no", "0", "Off"};

    for (size_t i = 0; i < sizeof on / sizeof *on; i++)
        ACCEPTS("dev", on[i], dev, 1);
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        ACCEPTS("dev", off[i], dev, 0);
    refuses("dev", "2");
    refuses("dev", "maybe");
    refuses("dev", "on ");
}

TEST(values_have_their_range)
{
    ACCEPTS("loops", "1", loops, 1);
    ACCEPTS("loops", "64", loops, 64);
    refuses("loops", "0");
    refuses("loops", "65");
    ACCEPTS("heartbeat", "2s", heartbeat, 2000);
    ACCEPTS("heartbeat", "1h", heartbeat, 3600 * 1000);
    refuses("heartbeat", "1999ms");
    refuses("heartbeat", "3601s");
    ACCEPTS("history-bytes", "4KiB", history_bytes, 4096);
    refuses("history-bytes", "4095");
    ACCEPTS("drain-timeout", "0", drain_timeout, 0);
    ACCEPTS("idempotency-age", "2d", idempotency_age, 2 * 24 * 3600 * 1000);
    ACCEPTS("idempotency-bytes", "0", idempotency_bytes, 0);
    ACCEPTS("wal-bytes", "64KiB", wal_bytes, 65536);
    refuses("wal-bytes", "65535");
    ACCEPTS("idempotency-memory", "1MiB", idempotency_memory, 1024 * 1024);
}

TEST(values_that_wrap_around_are_refused)
{
    refuses("max-body-bytes", "18446744073709551616");
    refuses("max-body-bytes", "18014398509481985KiB"); /* 2^64 + 1024 */
    refuses("max-body-bytes", "99999999999999999999999999");
    refuses("idle-timeout", "18446744073709552s");
}

TEST(texts_are_checked)
{
    struct pillar_options *o = pillar_options_create();

    sets(o, "events-path", "/x");
    sets(o, "openapi-path", "/x");
    sets(o, "openapi-path", "none");
    sets(o, "client-path", "/x.js");
    sets(o, "client-path", "none");
    sets(o, "database", "none");
    sets(o, "database", "sqlite:a.db");
    sets(o, "log-level", "debug");
    sets(o, "log-level", "off");
    sets(o, "emit-key", "");
    sets(o, "emit-key", "any thing");
    assert_string_equal(o->values.database, "sqlite:a.db");
    assert_string_equal(o->values.emit_key, "any thing");
    pillar_options_free(o);
    refuses("events-path", "api");
    refuses("events-path", "/");
    refuses("events-path", "");
    refuses("trusted-proxies", "proxy.example");
    refuses("trusted-proxies", "10.0.0.0/33");
    refuses("rate-entries", "0");
    refuses("max-requests-per-user", "1000001");
    refuses("emit-path", "api");
    refuses("openapi-path", "api");
    refuses("openapi-path", "/");
    refuses("openapi-path", "");
    refuses("client-path", "pillar.js");
    refuses("client-path", "/");
    refuses("client-path", "");
    refuses("database", "");
    refuses("database", "sqlite:");
    refuses("database", "sqlite::memory:");
    refuses("database", "postgres://a/b");
    refuses("log-level", "loud");
    refuses("log-level", "DEBUG");
    refuses("listen", "nowhere");
}

TEST(messages_say_what_is_wrong_and_what_would_do)
{
    struct pillar_options *o = pillar_options_create();
    struct error e;

    assert_false(options_set(o, SOURCE_FLAG, "heartbeat", "1999ms", &e));
    assert_string_equal(e.message, "invalid value '1999ms' for heartbeat: it must be from 2000 to 3600000 ms");
    assert_false(options_set(o, SOURCE_FLAG, "loops", "x", &e));
    assert_string_equal(e.message, "invalid value 'x' for loops: it must be a whole number");
    assert_false(options_set(o, SOURCE_FLAG, "max-body-bytes", "x", &e));
    assert_non_null(strstr(e.message, "64KiB"));
    assert_false(options_set(o, SOURCE_FLAG, "idle-timeout", "x", &e));
    assert_non_null(strstr(e.message, "10s"));
    assert_false(options_set(o, SOURCE_FLAG, "no-such-thing", "x", &e));
    assert_non_null(strstr(e.message, "no-such-thing"));
    pillar_options_free(o);
}

TEST(a_secret_is_long_and_never_in_a_message)
{
    struct pillar_options *o = pillar_options_create();
    struct error e;

    sets(o, "secret", "0123456789abcdef0123456789abcdef");
    sets(o, "secret", "0123456789abcdef0123456789abcdef, fedcba9876543210fedcba9876543210");
    sets(o, "secret", "");
    assert_false(options_set(o, SOURCE_FLAG, "secret", "0123456789abcdef0123456789abcde", &e));
    assert_string_equal(e.message, "invalid value '...' for secret: each secret must have at least 32 characters; make "
                                   "one with: openssl rand -hex 32");
    assert_string_equal(o->values.secret, "");
    pillar_options_free(o);
    refuses("secret", "short");
    refuses("secret", "0123456789abcdef0123456789abcdef,short");
    refuses("secret", "0123456789abcdef0123456789abcdef,");
}

TEST(the_retry_range_is_checked_as_a_whole)
{
    struct pillar_options *o = pillar_options_create();
    struct error e = {0};

    sets(o, "retry-min", "5s");
    assert_true(options_check(o, &e));
    sets(o, "retry-min", "5001ms");
    assert_false(options_check(o, &e));
    assert_error(&e, "invalid_option", "retry-min");
    assert_false(options_check(o, NULL));
    sets(o, "retry-min", "5s");
    sets(o, "write-timeout", "60s");
    assert_true(options_check(o, &e));
    sets(o, "write-timeout", "60001ms");
    assert_false(options_check(o, &e));
    assert_error(&e, "invalid_option", "peer-timeout");
    sets(o, "peer-timeout", "0");
    assert_true(options_check(o, &e));
    pillar_options_free(o);
}

/* --- addresses --- */

static void listens(const char *text, const char *host, uint16_t port)
{
    char got[64];
    uint16_t got_port = 7;
    struct error e;

    assert_that(settings_parse_listen(text, got, sizeof got, &got_port, &e), "%s: %s", text, e.message);
    assert_string_equal(got, host);
    assert_int_equal(got_port, port);
}

static void does_not_listen(const char *text)
{
    char got[64];
    uint16_t port;
    struct error e = {0};

    assert_that(!settings_parse_listen(text, got, sizeof got, &port, &e), "accepted: %s", text);
    assert_error(&e, "invalid_option", "");
    assert_false(settings_parse_listen(text, got, sizeof got, &port, NULL));
}

TEST(addresses_have_four_forms)
{
    listens("127.0.0.1:8080", "127.0.0.1", 8080);
    listens("localhost:0", "localhost", 0);
    listens("0.0.0.0:65535", "0.0.0.0", 65535);
    listens("[::1]:8080", "::1", 8080);
    listens("[::]:80", "::", 80);
    listens(":8080", "127.0.0.1", 8080);
    listens("8080", "127.0.0.1", 8080);
    listens("0", "127.0.0.1", 0);
}

TEST(other_addresses_are_refused)
{
    does_not_listen("");
    does_not_listen(":");
    does_not_listen("localhost");
    does_not_listen("localhost:");
    does_not_listen("localhost:http");
    does_not_listen("localhost:65536");
    does_not_listen("localhost:-1");
    does_not_listen("localhost:80 ");
    does_not_listen("::1:8080");
    does_not_listen("::1");
    does_not_listen("[::1]");
    does_not_listen("[::1]8080");
    does_not_listen("[::1:8080");
    does_not_listen("65536");
    does_not_listen("-1");
}

TEST(an_address_without_a_host_in_its_brackets_is_refused)
{
    does_not_listen("[]:8080");
}

TEST(a_host_that_does_not_fit_is_refused)
{
    char host[10];
    uint16_t port;

    assert_true(settings_parse_listen("123456789:1", host, sizeof host, &port, NULL));
    assert_false(settings_parse_listen("1234567890:1", host, sizeof host, &port, NULL));
}

/* --- copies --- */

TEST(a_copy_stands_alone)
{
    struct pillar_options *o = pillar_options_create();

    sets(o, "loops", "3");
    sets(o, "emit-key", "one");
    struct pillar_options *copy = options_copy(o);
    sets(o, "emit-key", "two");
    pillar_options_free(o);
    assert_int_equal(copy->values.loops, 3);
    assert_string_equal(copy->values.emit_key, "one");
    /* The sources come along: a flag still beats the environment. */
    assert_true(options_set(copy, SOURCE_ENVIRONMENT, "loops", "9", NULL));
    assert_int_equal(copy->values.loops, 3);
    pillar_options_free(copy);
}

TEST(options_are_made_and_copied_whole_or_not_at_all)
{
    struct pillar_options *original = pillar_options_create();
    bool done = false;

    for (size_t permitted = 0; !done; permitted++) {
        alloc_permit(permitted);
        struct pillar_options *o = pillar_options_create();
        struct pillar_options *copy = o == NULL ? NULL : options_copy(original);
        done = !alloc_permit_all();
        assert_int_equal(copy != NULL, done);
        pillar_options_free(o);
        pillar_options_free(copy);
    }
    pillar_options_free(original);
}

TEST(a_text_that_finds_no_memory_leaves_the_old_one)
{
    struct pillar_options *o = pillar_options_create();
    struct error e = {0};

    sets(o, "emit-key", "old");
    alloc_permit(0);
    bool ok = options_set(o, SOURCE_FLAG, "emit-key", "new", &e);
    (void)alloc_permit_all();
    assert_false(ok);
    assert_error(&e, "out_of_memory", "");
    assert_string_equal(o->values.emit_key, "old");
    pillar_options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_valid_and_every_name_unique),
        cmocka_unit_test(defaults_are_what_the_design_says),
        cmocka_unit_test(an_underscore_counts_as_a_hyphen),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(a_very_long_name_is_refused_as_well),
        cmocka_unit_test(a_later_source_beats_an_earlier_one_in_any_order),
        cmocka_unit_test(each_setting_remembers_its_own_source),
        cmocka_unit_test(a_value_that_is_beaten_is_checked_all_the_same),
        cmocka_unit_test(the_environment_is_read_by_its_names),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(counts_have_none),
        cmocka_unit_test(switches_are_on_or_off),
        cmocka_unit_test(values_have_their_range),
        cmocka_unit_test(values_that_wrap_around_are_refused),
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(messages_say_what_is_wrong_and_what_would_do),
        cmocka_unit_test(a_secret_is_long_and_never_in_a_message),
        cmocka_unit_test(the_retry_range_is_checked_as_a_whole),
        cmocka_unit_test(addresses_have_four_forms),
        cmocka_unit_test(other_addresses_are_refused),
        cmocka_unit_test(an_address_without_a_host_in_its_brackets_is_refused),
        cmocka_unit_test(a_host_that_does_not_fit_is_refused),
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(options_are_made_and_copied_whole_or_not_at_all),
        cmocka_unit_test(a_text_that_finds_no_memory_leaves_the_old_one),
    };

    return RUN_TESTS(tests);
}
