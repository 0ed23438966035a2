#include "base/map.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"

struct item {
    uint64_t hash;
    int key;
    bool present; /* what the naive model says */
};

static bool item_matches(const void *value, const void *key)
{
    return ((const struct item *)value)->key == *(const int *)key;
}

static struct item *find(const struct map *m, const struct item *item)
{
    return map_find(m, item->hash, item_matches, &item->key);
}

TEST(an_empty_map_finds_and_removes_nothing)
{
    struct map m = MAP_EMPTY;
    struct item item = {1, 1, false};

    assert_null(find(&m, &item));
    map_remove(&m, 1, &item);
    assert_int_equal(m.count, 0);
    map_free(&m);
}

TEST(tells_equal_hashes_apart_by_key)
{
    struct item items[40];
    struct map m = MAP_EMPTY;

    for (int i = 0; i < 40; i++) {
        items[i] = (struct item){7, i, true};
        assert_true(map_insert(&m, 7, &items[i]));
    }
    for (int i = 0; i < 40; i += 2)
        map_remove(&m, 7, &items[i]);
    for (int i = 0; i < 40; i++)
        assert_ptr_equal(find(&m, &items[i]), i % 2 == 0 ? NULL : (void *)&items[i]);
    assert_int_equal(m.count, 20);
    map_free(&m);
}

TEST(removes_this_very_value_only)
{
    struct item inside = {5, 1, true};
    struct item twin = {5, 1, false};
    struct map m = MAP_EMPTY;

    assert_true(map_insert(&m, 5, &inside));
    map_remove(&m, 5, &twin);
    assert_int_equal(m.count, 1);
    assert_ptr_equal(find(&m, &twin), &inside);
    map_remove(&m, 5, &inside);
    map_remove(&m, 5, &inside);
    assert_int_equal(m.count, 0);
    map_free(&m);
}

TEST(is_unchanged_when_it_cannot_grow)
{
    struct item items[200];
    struct map m = MAP_EMPTY;
    size_t inserted = 0;

    alloc_permit(2);
    for (int i = 0; i < 200; i++) {
        items[i] = (struct item){(uint64_t)i * 0x9e3779b97f4a7c15u, i, false};
        items[i].present = map_insert(&m, items[i].hash, &items[i]);
        inserted += items[i].present;
    }
    assert_true(alloc_permit_all());
    assert_in_range(inserted, 1, 199);
    assert_int_equal(m.count, inserted);
    for (int i = 0; i < 200; i++)
        assert_ptr_equal(find(&m, &items[i]), items[i].present ? (void *)&items[i] : NULL);
    map_free(&m);
}

TEST(gives_memory_back_when_little_of_it_is_used)
{
    static struct item items[10000];
    struct map m = MAP_EMPTY;

    for (int i = 0; i < 10000; i++) {
        items[i] = (struct item){(uint64_t)i * 0x9e3779b97f4a7c15u, i, true};
        assert_true(map_insert(&m, items[i].hash, &items[i]));
    }
    for (int i = 0; i < 10000; i++) {
        map_remove(&m, items[i].hash, &items[i]);
        assert_true(m.capacity <= MAP_LEAST || m.capacity <= m.count * MAP_SPARSE);
    }
    assert_int_equal(m.capacity, MAP_LEAST);
    map_free(&m);
}

TEST(is_unchanged_when_it_cannot_shrink)
{
    static struct item items[100];
    struct map m = MAP_EMPTY;

    for (int i = 0; i < 100; i++) {
        items[i] = (struct item){(uint64_t)i * 0x9e3779b97f4a7c15u, i, true};
        assert_true(map_insert(&m, items[i].hash, &items[i]));
    }
    alloc_permit(0);
    for (int i = 0; i < 95; i++)
        map_remove(&m, items[i].hash, &items[i]);
    assert_true(alloc_permit_all());
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(find(&m, &items[i]), i < 95 ? NULL : (void *)&items[i]);
    map_free(&m);
}

enum { ITEMS = 300 };

static void compare(const struct map *m, struct item *items)
{
    size_t present = 0;

    for (int i = 0; i < ITEMS; i++) {
        present += items[i].present;
        assert_ptr_equal(find(m, &items[i]), items[i].present ? (void *)&items[i] : NULL);
    }
    assert_int_equal(m->count, present);
}

/*
 * Few distinct hashes, and many that share their low bits, make long runs that wrap around the table's end:
 * where closing a gap after a removal goes wrong, if it does.
 */
static uint64_t draw_hash(struct dice *d)
{
    if (dice_percent(d, 30))
        return dice_roll(d, 5);
    if (dice_percent(d, 50))
        return (uint64_t)dice_roll(d, 4) + 13 + 16 * (uint64_t)dice_roll(d, 1000);
    return ((uint64_t)dice_roll(d, SIZE_MAX) << 8) ^ dice_roll(d, SIZE_MAX);
}

static void random_operations(struct dice *d)
{
    struct item items[ITEMS];
    struct map m = MAP_EMPTY;

    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct item){draw_hash(d), i, false};
    for (int step = 0; step < 4000; step++) {
        /* The share of insertions swings, so that the map fills and empties. */
        bool filling = step / 500 % 2 == 0;
        struct item *item = &items[dice_roll(d, ITEMS)];
        if (dice_percent(d, filling ? 80 : 20)) {
            if (!item->present)
                assert_true(map_insert(&m, item->hash, item));
            item->present = true;
        } else {
            map_remove(&m, item->hash, item);
            item->present = false;
        }
        if (step % 40 == 0)
            compare(&m, items);
    }
    compare(&m, items);
    map_free(&m);
}

TEST(agrees_with_a_naive_model)
{
    dice_for_each_seed(random_operations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_and_removes_nothing),
        cmocka_unit_test(tells_equal_hashes_apart_by_key),
        cmocka_unit_test(removes_this_very_value_only),
        cmocka_unit_test(is_unchanged_when_it_cannot_grow),
        cmocka_unit_test(gives_memory_back_when_little_of_it_is_used),
        cmocka_unit_test(is_unchanged_when_it_cannot_shrink),
        cmocka_unit_test(agrees_with_a_naive_model),
    };

    return RUN_TESTS(tests);
}
