#include "script/job.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"

static void add(struct event_list *list, struct event *ev)
{
    assert_true(event_list_add(list, ev));
}

TEST(what_is_cut_off_is_released)
{
    struct event_list list = {0};
    struct event *kept = make_event_for("ada", 1);

    add(&list, event_ref(kept));
    for (uint64_t i = 2; i <= 40; i++)
        add(&list, make_event_for("ada", i));
    event_list_cut(&list, 1);
    assert_int_equal(list.count, 1);
    assert_ptr_equal(list.at[0], kept);
    event_list_free(&list);
    assert_int_equal(list.count, 0);
    event_unref(kept);
}

TEST(disconnects_come_last_and_events_stay_in_order)
{
    struct event_list list = {0};

    assert_int_equal(event_list_settle(&list), 0);
    add(&list, make_disconnect("ada", NULL, 9));
    add(&list, make_event_for("ada", 1));
    add(&list, make_event_for("ada", 2));
    add(&list, make_disconnect("grace", NULL, 9));
    add(&list, make_disconnect("linus", NULL, 9));
    add(&list, make_event_for("ada", 3));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(event_list_settle(&list), 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(list.at[i]->position, i + 1);
        for (size_t i = 3; i < 6; i++)
            assert_int_equal(list.at[i]->kind, EVENT_DISCONNECT);
    }
    event_list_free(&list);
}

TEST(without_memory_nothing_is_added)
{
    struct event_list list = {0};
    struct event *ev = make_event_for("ada", 1);

    alloc_permit(0);
    assert_false(event_list_add(&list, ev));
    (void)alloc_permit_all();
    assert_int_equal(list.count, 0);
    event_unref(ev);
    event_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_off_is_released),
        cmocka_unit_test(disconnects_come_last_and_events_stay_in_order),
        cmocka_unit_test(without_memory_nothing_is_added),
    };

    return RUN_TESTS(tests);
}
