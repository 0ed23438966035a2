#include "base/hash.h"

#include <stdio.h>

#include "support/check.h"

TEST(equal_keys_have_equal_hashes)
{
    char bytes[200];

    memset(bytes, 'k', sizeof bytes);
    for (size_t len = 0; len <= 100; len++) {
        uint64_t first = hash_str((struct str){bytes, len});
        /* Another place, and another alignment. */
        for (size_t offset = 1; offset < 9; offset++)
            assert_true(hash_str((struct str){bytes + offset, len}) == first);
    }
}

TEST(an_absent_key_is_an_empty_one)
{
    assert_true(hash_str(STR_NONE) == hash_str(STR("")));
}

TEST(every_byte_and_the_length_count)
{
    char bytes[24] = {0};
    uint64_t seen[200];
    size_t count = 0;

    for (size_t len = 0; len <= sizeof bytes; len++)
        seen[count++] = hash_str((struct str){bytes, len});
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 1;
        seen[count++] = hash_str((struct str){bytes, sizeof bytes});
        bytes[i] = (char)0x80;
        seen[count++] = hash_str((struct str){bytes, sizeof bytes});
        bytes[i] = 0;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_that(seen[i] != seen[j], "keys %zu and %zu have the same hash", i, j);
}

/*
 * Neighbouring ids, as a database numbers its users, must not crowd into few places of a table. With 64 keys
 * a bucket on average, a bucket of a random function holds 8 more or less; 20 to 130 is far outside of
 * chance.
 */
static void check_spread(unsigned shift)
{
    unsigned buckets[256] = {0};
    char key[32];

    for (int i = 0; i < 256 * 64; i++) {
        int len = snprintf(key, sizeof key, "user-%d", i);
        buckets[hash_str((struct str){key, (size_t)len}) >> shift & 0xff]++;
    }
    for (int i = 0; i < 256; i++)
        assert_that(buckets[i] >= 20 && buckets[i] <= 130, "bits %u: %u of 64 expected keys in bucket %d", shift,
                    buckets[i], i);
}

TEST(neighbouring_keys_spread)
{
    for (unsigned shift = 0; shift < 64; shift += 8)
        check_spread(shift);
}

TEST(one_bit_of_the_key_changes_half_of_the_hash)
{
    unsigned changed = 0;
    char bytes[16] = "0123456789abcde";

    uint64_t before = hash_str((struct str){bytes, sizeof bytes});
    for (unsigned bit = 0; bit < 128; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        changed += (unsigned)__builtin_popcountll(hash_str((struct str){bytes, sizeof bytes}) ^ before);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    /* 4096 of 8192 bits expected; a deviation of 500 is eleven times the standard one. */
    assert_in_range(changed, 3596, 4596);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_keys_have_equal_hashes),  cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(neighbouring_keys_spread),      cmocka_unit_test(one_bit_of_the_key_changes_half_of_the_hash),
        cmocka_unit_test(an_absent_key_is_an_empty_one),
    };

    return RUN_TESTS(tests);
}
