#include "base/address.h"

#include "support/alloc.h"
#include "support/check.h"

static void reads(const char *text, const char *expected)
{
    char out[ADDRESS_TEXT_MAX];
    struct address a;

    assert_that(address_read(str_of(text), &a), "refused: %s", text);
    assert_str(address_text(&a, out), expected);
}

TEST(addresses_are_read_as_proxies_write_them)
{
    reads("192.0.2.1", "192.0.2.1");
    reads("192.0.2.1:4711", "192.0.2.1");
    reads("::ffff:192.0.2.1", "192.0.2.1");
    reads("2001:DB8:0::1", "2001:db8::1");
    reads("[2001:db8::1]", "2001:db8::1");
    reads("[2001:db8::1]:65535", "2001:db8::1");
    reads("::", "::");
}

TEST(nothing_else_is_one)
{
    static const char *const texts[] = {"",
                                        "unknown",
                                        "_hidden",
                                        "192.0.2",
                                        "192.0.2.256",
                                        "192.0.2.1:",
                                        "192.0.2.1:65536",
                                        "192.0.2.1:x",
                                        "[192.0.2.1]",
                                        "[::1",
                                        "[::1]x",
                                        "[::1]:",
                                        "fe80::1%lo",
                                        "192.0.2.1 ",
                                        "1:2",
                                        "[]",
                                        "::1]",
                                        "localhost",
                                        "192.0.2.1, ::1"};
    struct address a;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_that(!address_read(str_of(texts[i]), &a), "accepted: %s", texts[i]);
    assert_false(address_read(STR("192.0.2.1\0"), &a));
    char longer[100];
    memset(longer, '1', sizeof longer);
    assert_false(address_read((struct str){longer, sizeof longer}, &a));
}

static bool same(const char *a, const char *b)
{
    return address_key(str_of(a)) == address_key(str_of(b));
}

TEST(an_ipv4_address_counts_whole_and_an_ipv6_address_by_its_64)
{
    assert_true(same("192.0.2.1", "192.0.2.1:80"));
    assert_true(same("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(same("192.0.2.1", "192.0.2.2"));
    assert_true(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::"));
    assert_false(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_true(same("somebody", "somebody"));
    assert_false(same("somebody", "else"));
}

static void check_inside(const char *list, const char *address, bool inside)
{
    struct networks networks;
    const char *problem;
    struct address a;

    assert_true(address_read(str_of(address), &a));
    assert_that(networks_read(str_of(list), &networks, &problem), "%s: %s", list, problem);
    assert_that(networks_contain(&networks, &a) == inside, "%s in %s", address, list);
    networks_free(&networks);
}

TEST(networks_hold_what_begins_as_they_do)
{
    check_inside("", "192.0.2.1", false);
    check_inside(" ", "192.0.2.1", false);
    check_inside("192.0.2.1", "192.0.2.1", true);
    check_inside("192.0.2.1", "192.0.2.2", false);
    check_inside("10.0.0.0/8", "10.255.0.1", true);
    check_inside("10.0.0.0/8", "11.0.0.1", false);
    check_inside("10.0.0.0/8", "::ffff:10.0.0.1", true);
    check_inside("192.0.2.128/25", "192.0.2.255", true);
    check_inside("192.0.2.128/25", "192.0.2.127", false);
    check_inside("10.1.2.3/8", "10.9.9.9", true);
    check_inside("0.0.0.0/0", "203.0.113.9", true);
    check_inside("0.0.0.0/0", "::1", false);
    check_inside("::/0", "203.0.113.9", true);
    check_inside("2001:db8::/32, 127.0.0.1,::1", "::1", true);
    check_inside("2001:db8::/32, 127.0.0.1,::1", "2001:db8:ffff::", true);
    check_inside("2001:db8::/32, 127.0.0.1,::1", "2001:db9::", false);
    check_inside("::ffff:10.0.0.0/104", "10.0.0.1", true);
}

TEST(a_list_with_anything_else_is_refused)
{
    static const char *const lists[] = {"10.0.0.0/33", "::/129",    "10.0.0.0/",  "10.0.0.0/x",   "/8",
                                        "proxy",       "10.0.0.1,", ",10.0.0.1",  "10.0.0.1 ::1", "10.0.0.0/8/8",
                                        "10.0.0.1:80", "[::1]",     "10.0.0.0/-1"};
    struct networks networks;
    const char *problem;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_that(!networks_read(str_of(lists[i]), &networks, &problem), "accepted: %s", lists[i]);
        networks_free(&networks);
    }
    alloc_permit(0);
    assert_false(networks_read(STR("::1"), &networks, &problem));
    (void)alloc_permit_all();
    networks_free(&networks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_as_proxies_write_them),
        cmocka_unit_test(nothing_else_is_one),
        cmocka_unit_test(an_ipv4_address_counts_whole_and_an_ipv6_address_by_its_64),
        cmocka_unit_test(networks_hold_what_begins_as_they_do),
        cmocka_unit_test(a_list_with_anything_else_is_refused),
    };

    return RUN_TESTS(tests);
}
