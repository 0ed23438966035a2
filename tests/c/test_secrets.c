#include "base/secrets.h"

#include "support/check.h"
#include "support/openssl.h"

#define OLD   "0123456789abcdef0123456789abcdef"
#define NEW   "fedcba9876543210fedcba9876543210"
#define OTHER "00000000000000000000000000000000"

static struct secrets read(const char *list)
{
    struct secrets secrets;
    const char *problem = "";

    assert_that(secrets_read(&secrets, str_of(list), &problem), "%s: %s", list, problem);
    return secrets;
}

TEST(reads_secrets_separated_by_commas)
{
    struct secrets s = read(OLD);

    assert_int_equal(s.count, 1);
    assert_str(s.at[0], OLD);
    s = read(NEW ", " OLD "\t," OTHER);
    assert_int_equal(s.count, 3);
    assert_str(s.at[0], NEW);
    assert_str(s.at[1], OLD);
    assert_str(s.at[2], OTHER);
    assert_int_equal(read("").count, 0);
}

TEST(refuses_short_ones_and_too_many)
{
    static const char *const bad[] = {"short", "0123456789abcdef0123456789abcde",
                                      /* the spaces do not count */
                                      "  0123456789abcdef0123456789abcde  ", ",", OLD ",", "," OLD, OLD ",," NEW,
                                      OLD ",short",
                                      OLD "," OLD "," OLD "," OLD "," OLD "," OLD "," OLD "," OLD "," OLD};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct secrets s = read(NEW);
        const char *problem = NULL;
        assert_that(!secrets_read(&s, str_of(bad[i]), &problem), "accepted: %s", bad[i]);
        assert_non_null(problem);
        assert_int_equal(s.count, 1); /* as it was */
    }
    assert_int_equal(read(OLD "," OLD "," OLD "," OLD "," OLD "," OLD "," OLD "," OLD).count, SECRETS_MAX);
}

TEST(signs_with_the_first_and_believes_all)
{
    struct secrets before = read(OLD);
    struct secrets between = read(NEW "," OLD);
    struct secrets after = read(NEW);
    unsigned char bytes[SIGNATURE_SIZE];
    struct str signature = {(const char *)bytes, sizeof bytes};

    assert_true(secrets_sign(&before, bytes, STR("session"), STR("text")));
    assert_true(secrets_verify(&before, signature, STR("session"), STR("text")));
    assert_true(secrets_verify(&between, signature, STR("session"), STR("text")));
    assert_false(secrets_verify(&after, signature, STR("session"), STR("text")));
    assert_true(secrets_sign(&between, bytes, STR("session"), STR("text")));
    assert_false(secrets_verify(&before, signature, STR("session"), STR("text")));
    assert_true(secrets_verify(&between, signature, STR("session"), STR("text")));
    assert_true(secrets_verify(&after, signature, STR("session"), STR("text")));
}

TEST(a_signature_is_for_one_text_and_one_purpose)
{
    struct secrets s = read(OLD);
    unsigned char bytes[SIGNATURE_SIZE];
    struct str signature = {(const char *)bytes, sizeof bytes};

    assert_true(secrets_sign(&s, bytes, STR("ab"), STR("c")));
    assert_true(secrets_verify(&s, signature, STR("ab"), STR("c")));
    assert_false(secrets_verify(&s, signature, STR("a"), STR("bc")));
    assert_false(secrets_verify(&s, signature, STR("abc"), STR("")));
    assert_false(secrets_verify(&s, signature, STR("ab"), STR("d")));
    for (size_t len = 0; len < sizeof bytes; len++)
        assert_false(secrets_verify(&s, (struct str){(const char *)bytes, len}, STR("ab"), STR("c")));
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(secrets_verify(&s, signature, STR("ab"), STR("c")));
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

TEST(without_a_secret_nothing_is_signed_or_believed)
{
    struct secrets none = read("");
    unsigned char bytes[SIGNATURE_SIZE] = {0};

    assert_false(secrets_sign(&none, bytes, STR("session"), STR("text")));
    assert_false(secrets_verify(&none, (struct str){(const char *)bytes, sizeof bytes}, STR("session"), STR("text")));
    assert_false(secrets_verify(&none, STR_NONE, STR("session"), STR("text")));
}

static bool sign_once(void *context)
{
    const struct secrets *s = context;
    unsigned char bytes[SIGNATURE_SIZE];
    struct str signature = {(const char *)bytes, sizeof bytes};

    return secrets_sign(s, bytes, STR("session"), STR("text")) &&
           secrets_verify(s, signature, STR("session"), STR("text"));
}

TEST(without_memory_it_says_no)
{
    struct secrets s = read(OLD);

    openssl_try_each_allocation(sign_once, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_secrets_separated_by_commas),
        cmocka_unit_test(refuses_short_ones_and_too_many),
        cmocka_unit_test(signs_with_the_first_and_believes_all),
        cmocka_unit_test(a_signature_is_for_one_text_and_one_purpose),
        cmocka_unit_test(without_a_secret_nothing_is_signed_or_believed),
        cmocka_unit_test(without_memory_it_says_no),
    };

    openssl_take_memory();
    return RUN_TESTS(tests);
}
