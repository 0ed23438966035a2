#include "base/password.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "support/check.h"
#include "support/openssl.h"

static bool matches(const char *password, const char *hash)
{
    return password_verify(str_of(password), str_of(hash));
}

/* A hash of "pass" with the salt "saltsalt" at another cost. */
static void make_hash(char *out, size_t size, struct scrypt_cost cost, size_t len)
{
    unsigned char hash[64];
    char text[100] = "";

    assert_true(scrypt(hash, len, STR("pass"), STR("saltsalt"), cost));
    base64_encode(text, BASE64_STANDARD, (struct str){(const char *)hash, len});
    snprintf(out, size, "$scrypt$ln=%u,r=%u,p=%u$c2FsdHNhbHQ$%s", cost.log2_n, cost.r, cost.p, text);
}

TEST(a_hash_is_of_its_password_alone)
{
    char hash[PASSWORD_HASH_MAX];

    assert_true(password_hash(hash, STR("correct horse")));
    assert_int_equal(strlen(hash), strlen("$scrypt$ln=14,r=8,p=5$") + 22 + 1 + 43);
    assert_memory_equal(hash, "$scrypt$ln=14,r=8,p=5$", 22);
    assert_true(matches("correct horse", hash));
    assert_false(matches("correct horsf", hash));
    assert_false(matches("correct hors", hash));
    assert_false(matches("", hash));
}

TEST(each_hash_has_a_salt_of_its_own)
{
    char a[PASSWORD_HASH_MAX];
    char b[PASSWORD_HASH_MAX];

    assert_true(password_hash(a, STR("same")));
    assert_true(password_hash(b, STR("same")));
    assert_string_not_equal(a, b);
}

TEST(all_bytes_of_a_password_count)
{
    char text[PASSWORD_MAX + 1];
    char hash[PASSWORD_HASH_MAX];
    struct str password = {text, PASSWORD_MAX};

    memset(text, 'x', sizeof text);
    text[5] = '\0';
    assert_true(password_hash(hash, password));
    assert_true(password_verify(password, str_of(hash)));
    text[PASSWORD_MAX - 1] = 'y';
    assert_false(password_verify(password, str_of(hash)));
}

TEST(a_password_has_a_length)
{
    char text[PASSWORD_MAX + 1];
    char hash[PASSWORD_HASH_MAX] = "untouched";

    memset(text, 'x', sizeof text);
    assert_false(password_hash(hash, (struct str){text, sizeof text}));
    assert_false(password_hash(hash, STR_NONE));
    assert_string_equal(hash, "untouched");
    make_hash(hash, sizeof hash, (struct scrypt_cost){4, 1, 1}, 32);
    assert_false(password_verify((struct str){text, sizeof text}, str_of(hash)));
}

TEST(hashes_of_other_costs_count_too)
{
    static const struct scrypt_cost costs[] = {{1, 1, 1}, {10, 32, 16}, {13, 8, 10}, {16, 8, 2}, {17, 8, 1}};
    char hash[PASSWORD_HASH_MAX];

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        make_hash(hash, sizeof hash, costs[i], 32);
        assert_that(matches("pass", hash), "%s", hash);
        assert_that(!matches("past", hash), "%s", hash);
    }
    make_hash(hash, sizeof hash, costs[0], 64);
    assert_true(matches("pass", hash));
}

/* Each would be right, were it not too dear: what is stored may not eat memory or time. */
TEST(too_dear_a_hash_matches_nothing)
{
    static const struct scrypt_cost costs[] = {{17, 8, 2}, {18, 4, 2}, {14, 33, 1}, {10, 1, 17}, {15, 32, 2}};
    char hash[PASSWORD_HASH_MAX];

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        make_hash(hash, sizeof hash, costs[i], 32);
        assert_that(!matches("pass", hash), "%s", hash);
    }
}

TEST(a_malformed_hash_matches_nothing)
{
    char good[PASSWORD_HASH_MAX];
    char bad[PASSWORD_HASH_MAX + 1];

    make_hash(good, sizeof good, (struct scrypt_cost){4, 1, 1}, 32);
    assert_true(matches("pass", good));
    for (size_t len = 0; len < strlen(good); len++)
        assert_that(!password_verify(STR("pass"), (struct str){good, len}), "%.*s", (int)len, good);
    for (size_t i = 0; i <= strlen(good); i++) {
        snprintf(bad, sizeof bad, "%.*s$%s", (int)i, good, good + i);
        assert_that(!matches("pass", bad), "%s", bad);
    }
}

TEST(parameters_are_read_strictly)
{
    static const char *const starts[] = {"$scrypt$ln=04,r=1,p=1$",
                                         "$scrypt$ln=4,r=01,p=1$",
                                         "$scrypt$ln=4,r=1,p=1 $",
                                         "$scrypt$ln=+4,r=1,p=1$",
                                         "$scrypt$r=1,ln=4,p=1$",
                                         "$scrypt$ln=4,r=1,p=1,$",
                                         "$scrypt$ln=4,r=1$",
                                         "$scrypt$ln=4,r=1,p=$",
                                         "$scrypt$ln=4,r=1,p=1,x$",
                                         "$scrypt$N=16,r=1,p=1$",
                                         "$SCRYPT$ln=4,r=1,p=1$",
                                         "$scrypt$v=1$ln=4,r=1,p=1$",
                                         "scrypt$ln=4,r=1,p=1$",
                                         "$argon2$ln=4,r=1,p=1$",
                                         "$scrypt$ln=0,r=1,p=1$",
                                         "$scrypt$ln=4,r=0,p=1$",
                                         "$scrypt$ln=4,r=1,p=0$",
                                         "$scrypt$ln=260,r=1,p=1$",
                                         "$scrypt$ln=4,r=4294967297,p=1$",
                                         "$scrypt$ln=4,r=1,p=99999999999999999999999$"};
    char good[PASSWORD_HASH_MAX];
    char bad[PASSWORD_HASH_MAX + 64];

    make_hash(good, sizeof good, (struct scrypt_cost){4, 1, 1}, 32);
    const char *rest = good + strlen("$scrypt$ln=4,r=1,p=1$");
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        snprintf(bad, sizeof bad, "%s%s", starts[i], rest);
        assert_that(!matches("pass", bad), "%s", bad);
    }
}

TEST(a_salt_or_hash_that_is_too_short_or_long_matches_nothing)
{
    char hash[4 * PASSWORD_HASH_MAX];

    make_hash(hash, sizeof hash, (struct scrypt_cost){4, 1, 1}, 31);
    assert_false(matches("pass", hash));
    assert_false(matches("pass", "$scrypt$ln=4,r=1,p=1$c2FsdHNhbHQ$"));
    assert_false(matches("pass", "$scrypt$ln=4,r=1,p=1$$"));
    snprintf(hash, sizeof hash, "$scrypt$ln=4,r=1,p=1$c2FsdHNhbHQ$%0200d", 0);
    assert_false(matches("pass", hash));
    snprintf(hash, sizeof hash, "$scrypt$ln=4,r=1,p=1$%0200d$%043d", 0, 0);
    assert_false(matches("pass", hash));
}

struct pair {
    char hash[PASSWORD_HASH_MAX];
};

static bool verify_once(void *context)
{
    const struct pair *p = context;

    return matches("pass", p->hash);
}

TEST(without_memory_nothing_matches)
{
    struct pair p;

    make_hash(p.hash, sizeof p.hash, (struct scrypt_cost){4, 1, 1}, 32);
    openssl_try_each_allocation(verify_once, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_of_its_password_alone),
        cmocka_unit_test(each_hash_has_a_salt_of_its_own),
        cmocka_unit_test(all_bytes_of_a_password_count),
        cmocka_unit_test(a_password_has_a_length),
        cmocka_unit_test(hashes_of_other_costs_count_too),
        cmocka_unit_test(too_dear_a_hash_matches_nothing),
        cmocka_unit_test(a_malformed_hash_matches_nothing),
        cmocka_unit_test(parameters_are_read_strictly),
        cmocka_unit_test(a_salt_or_hash_that_is_too_short_or_long_matches_nothing),
        cmocka_unit_test(without_memory_nothing_matches),
    };

    openssl_take_memory();
    return RUN_TESTS(tests);
}
