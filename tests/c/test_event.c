#include "bus/event.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"
#include "support/events.h"
#include "support/sse_client.h"

static const struct str ada[] = {{"ada", 3}};

static struct event_fields valid_fields(void)
{
    return (struct event_fields){.entity = STR("task"), .action = STR("updated"), .targets = ada, .target_count = 1};
}

static void accepts(struct event_fields fields)
{
    struct error e;
    struct event *ev = event_create(&fields, &e);

    assert_that(ev != NULL, "refused: %s", e.message);
    event_unref(ev);
}

static void refuses(struct event_fields fields, const char *field)
{
    struct error e = {0};
    struct event *ev = event_create(&fields, &e);

    assert_that(ev == NULL, "accepted, with %s wrong", field);
    assert_error(&e, "invalid_field", field);
    assert_null(event_create(&fields, NULL));
}

/* Runs the rest with one field of the valid ones replaced. */
#define ACCEPTS(member, ...)       CHECK_WITH(accepts(fields), member, __VA_ARGS__)
#define REFUSES(member, name, ...) CHECK_WITH(refuses(fields, name), member, __VA_ARGS__)
#define CHECK_WITH(check, member, ...)                                                                                 \
    do {                                                                                                               \
        struct event_fields fields = valid_fields();                                                                   \
        fields.member = __VA_ARGS__;                                                                                   \
        check;                                                                                                         \
    } while (0)

/* --- what is valid --- */

TEST(names_are_a_letter_and_what_may_follow_it)
{
    char longest[EVENT_NAME_MAX + 1];

    memset(longest, 'a', sizeof longest);
    ACCEPTS(entity, STR("a"));
    ACCEPTS(entity, STR("Task_2.sub-task"));
    ACCEPTS(action, STR("Z"));
    ACCEPTS(action, (struct str){longest, EVENT_NAME_MAX});
}

TEST(names_are_nothing_else)
{
    char longest[EVENT_NAME_MAX + 1];

    memset(longest, 'a', sizeof longest);
    REFUSES(entity, "entity", STR_NONE);
    REFUSES(entity, "entity", STR(""));
    REFUSES(action, "action", STR_NONE);
    REFUSES(entity, "entity", (struct str){longest, EVENT_NAME_MAX + 1});
    REFUSES(action, "action", (struct str){longest, EVENT_NAME_MAX + 1});
    REFUSES(entity, "entity", STR("2a"));
    REFUSES(entity, "entity", STR("_a"));
    REFUSES(entity, "entity", STR("a b"));
    REFUSES(entity, "entity", STR("a,b")); /* ?entities= separates by commas */
    REFUSES(action, "action", STR("a\n"));
    REFUSES(action, "action", STR("a\0"));
    REFUSES(action, "action", STR("\xc3\xa4"));
}

TEST(ids_are_text_without_control_characters)
{
    char longest[EVENT_ID_MAX + 1];

    memset(longest, '7', sizeof longest);
    ACCEPTS(entity_id, STR("4711"));
    ACCEPTS(entity_id, STR_NONE);
    ACCEPTS(project_id, STR("a b/c?\xc3\xa4\xf0\x9f\x98\x80\"\\"));
    ACCEPTS(user_id, (struct str){longest, EVENT_ID_MAX});
    REFUSES(entity_id, "entityId", (struct str){longest, EVENT_ID_MAX + 1});
    REFUSES(project_id, "projectId", STR("a\nb"));
    REFUSES(user_id, "userId", STR("\x7f"));
    REFUSES(session_id, "sessionId", STR("a\0b"));
    REFUSES(session_id, "sessionId", STR("\xff"));
    REFUSES(entity_id, "entityId", STR("\xed\xa0\x80"));
    assert_true(event_id_valid(STR("x")));
    assert_false(event_id_valid(STR_NONE));
    assert_false(event_id_valid(STR("\r")));
    assert_true(event_name_valid(STR("x")));
    assert_false(event_name_valid(STR_NONE));
}

TEST(each_target_is_a_user_id)
{
    struct str targets[] = {STR("ada"), STR(""), STR("grace")};
    struct event_fields fields = valid_fields();

    fields.targets = targets;
    fields.target_count = 3;
    refuses(fields, "targetUserIds");
    targets[1] = STR("a\nb");
    refuses(fields, "targetUserIds");
    targets[1] = STR("\xff");
    refuses(fields, "targetUserIds");
    targets[1] = STR("b");
    accepts(fields);
}

TEST(an_event_may_be_meant_for_nobody)
{
    struct event_fields fields = valid_fields();

    fields.target_count = 0;
    fields.targets = NULL;
    struct event *ev = event_create(&fields, NULL);
    assert_non_null(ev);
    assert_false(ev->everyone);
    assert_false(event_concerns(ev, ada[0], hash_str(ada[0])));
    event_unref(ev);
}

TEST(an_event_for_everyone_names_nobody)
{
    struct event_fields fields = valid_fields();

    fields.everyone = true;
    struct event *ev = event_create(&fields, NULL);
    assert_true(ev->everyone);
    assert_int_equal(ev->target_count, 0);
    event_unref(ev);
    /* They are not looked at. */
    fields.targets = (const struct str[]){STR("not\nvalid")};
    accepts(fields);
}

TEST(a_draft_holds_copies)
{
    char text[] = "ada task updated 1 p s";
    struct str target = {text, 3};
    struct event_fields fields = {.entity = {text + 4, 4},
                                  .action = {text + 9, 7},
                                  .entity_id = {text + 17, 1},
                                  .project_id = {text + 19, 1},
                                  .user_id = {text, 3},
                                  .session_id = {text + 21, 1},
                                  .data = {text, 3},
                                  .targets = &target,
                                  .target_count = 1};
    struct event *ev = event_create(&fields, NULL);

    memset(text, 'x', sizeof text);
    assert_str(ev->entity, "task");
    assert_str(ev->action, "updated");
    assert_str(ev->entity_id, "1");
    assert_str(ev->project_id, "p");
    assert_str(ev->user_id, "ada");
    assert_str(ev->session_id, "s");
    assert_str(ev->targets[0].user_id, "ada");
    assert_int_equal(ev->position, 0);
    assert_null(ev->frame);
    event_unref(ev);
}

/* --- whom it concerns --- */

static bool concerns(const struct event *ev, const char *user)
{
    return event_concerns(ev, str_of(user), hash_str(str_of(user)));
}

TEST(targets_are_a_set)
{
    struct event *ev = make_event_for("ada grace ada ada linus grace", 1);

    assert_int_equal(ev->target_count, 3);
    for (size_t i = 1; i < ev->target_count; i++)
        assert_true(ev->targets[i - 1].hash <= ev->targets[i].hash);
    assert_true(concerns(ev, "ada"));
    assert_true(concerns(ev, "grace"));
    assert_true(concerns(ev, "linus"));
    assert_false(concerns(ev, "ad"));
    assert_false(concerns(ev, "adaa"));
    assert_false(concerns(ev, ""));
    event_unref(ev);
}

/* A list that names somebody again and again takes no more memory than one that does not. */
TEST(a_target_that_is_named_again_takes_no_memory)
{
    size_t none = alloc_held();
    struct event *once = make_event_for("ada grace", 1);
    size_t one = alloc_held() - none;
    struct event *often = make_event_for("ada grace ada ada ada grace grace ada ada ada ada ada grace ada", 1);

    assert_int_equal(often->size, once->size);
    assert_int_equal(alloc_held() - none, 2 * one);
    event_unref(once);
    event_unref(often);
    assert_int_equal(alloc_held(), none);
}

/* A log keeps many of them for long. */
TEST(an_event_takes_no_more_memory_than_it_needs)
{
    size_t none = alloc_held();
    struct event *ev = make_event_for("ada grace", 1);

    assert_in_range(alloc_held() - none, ev->size + ev->frame_len, ev->size + ev->frame_len + 48);
    event_unref(ev);
}

TEST(an_event_for_everyone_concerns_everyone)
{
    struct event *ev = make_event_for("*", 1);

    assert_true(concerns(ev, "ada"));
    assert_true(concerns(ev, ""));
    event_unref(ev);
}

TEST(an_event_for_many_concerns_exactly_them)
{
    enum { USERS = 1000 };
    char names[USERS][8];
    struct str targets[USERS];
    struct event_fields fields = valid_fields();

    for (int i = 0; i < USERS; i++)
        targets[i] = (struct str){names[i], (size_t)snprintf(names[i], sizeof names[i], "u%d", i * 2)};
    fields.targets = targets;
    fields.target_count = USERS;
    struct event *ev = event_create(&fields, NULL);
    assert_int_equal(ev->target_count, USERS);
    for (int i = 0; i < 2 * USERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "u%d", i);
        assert_int_equal(concerns(ev, name), i % 2 == 0);
    }
    event_unref(ev);
}

static bool is_echo(const char *user, const char *session, const char *stream_user, const char *stream_session)
{
    struct event_fields fields = valid_fields();

    fields.user_id = str_of(user);
    fields.session_id = str_of(session);
    struct event *ev = event_create(&fields, NULL);
    bool echo = event_is_echo(ev, str_of(stream_user), str_of(stream_session));
    event_unref(ev);
    return echo;
}

TEST(an_echo_is_of_this_user_and_this_session)
{
    assert_true(is_echo("ada", "laptop", "ada", "laptop"));
    assert_false(is_echo("ada", "laptop", "ada", "phone"));
    /* Nobody hides a change from another by naming that other's session. */
    assert_false(is_echo("mallory", "laptop", "ada", "laptop"));
    assert_false(is_echo("ada", "laptop", "ad", "laptop"));
    assert_false(is_echo("ada", "Laptop", "ada", "laptop"));
    assert_false(is_echo("", "laptop", "ada", "laptop"));
}

TEST(an_empty_session_matches_nothing)
{
    assert_false(is_echo("ada", "", "ada", ""));
    assert_false(is_echo("ada", "", "ada", "laptop"));
    assert_false(is_echo("ada", "laptop", "ada", ""));
    assert_false(is_echo("ada", NULL, "ada", NULL));
}

/* --- sealing --- */

TEST(sealing_builds_the_frame)
{
    struct event_fields fields = valid_fields();

    fields.entity_id = STR("42");
    fields.project_id = STR("p\"1");
    fields.user_id = STR("ada");
    fields.session_id = STR("s1");
    fields.data = STR("{\"title\":\"a\"}");
    struct event *ev = make_event(&fields, 17, 1700000000123);
    assert_bytes(((struct str){ev->frame, ev->frame_len}),
                 STR("id: 0123456789ab-17\nevent: sync\ndata: "
                     "{\"entity\":\"task\",\"action\":\"updated\",\"entityId\":\"42\","
                     "\"projectId\":\"p\\\"1\",\"userId\":\"ada\",\"sessionId\":\"s1\",\"timestamp\":1700000000123,"
                     "\"data\":{\"title\":\"a\"}}\n\n"));
    assert_int_equal(ev->position, 17);
    assert_int_equal(ev->timestamp_ms, 1700000000123);
    assert_str(((struct str){ev->data, ev->data_len}), "{\"title\":\"a\"}");
    event_drop_data(ev);
    assert_null(ev->data);
    event_drop_data(ev);
    event_unref(ev);
}

TEST(a_frame_leaves_out_what_is_absent_and_the_targets)
{
    struct event *ev = make_event_for("secret-target", 3);

    assert_bytes(((struct str){ev->frame, ev->frame_len}),
                 STR("id: 0123456789ab-3\nevent: sync\n"
                     "data: {\"entity\":\"task\",\"action\":\"updated\",\"timestamp\":3}\n\n"));
    event_unref(ev);
}

TEST(a_client_reads_a_sealed_event_back)
{
    struct event_fields fields = valid_fields();
    struct sse_client client = SSE_CLIENT_EMPTY;

    /* Line breaks are white space in JSON; on the wire each begins a new data line. */
    fields.data = STR("{\r\n\"a\":\r1,\n\"b\":\"x\\ny\"}");
    struct event *ev = make_event(&fields, 5, 6);
    sse_client_read(&client, (struct str){ev->frame, ev->frame_len});
    assert_int_equal(client.count, 1);
    assert_str(buf_str(&client.messages[0].id), "0123456789ab-5");
    assert_str(buf_str(&client.messages[0].name), "sync");
    assert_str(buf_str(&client.messages[0].data), "{\"entity\":\"task\",\"action\":\"updated\",\"timestamp\":6,"
                                                  "\"data\":{\n\"a\":\n1,\n\"b\":\"x\\ny\"}}");
    sse_client_free(&client);
    event_unref(ev);
}

TEST(references_keep_an_event)
{
    struct event *ev = make_event_for("ada", 1);

    assert_ptr_equal(event_ref(ev), ev);
    event_unref(ev);
    assert_str(ev->entity, "task"); /* AddressSanitizer would object */
    event_unref(ev);
    event_unref(NULL);
}

/* --- short of memory --- */

TEST(an_event_is_made_whole_or_not_at_all)
{
    struct event_fields fields = valid_fields();
    bool done = false;

    fields.data = STR("{\"title\":\"a\"}");
    for (size_t permitted = 0; !done; permitted++) {
        struct error e = {0};
        alloc_permit(permitted);
        struct event *ev = event_create(&fields, &e);
        done = !alloc_permit_all();
        assert_that((ev != NULL) == done, "with %zu allocations", permitted);
        if (ev == NULL)
            assert_error(&e, "out_of_memory", "");
        event_unref(ev);
    }
}

TEST(an_event_that_could_not_be_sealed_is_still_a_draft)
{
    struct event_fields fields = valid_fields();
    char data[700];
    bool done = false;

    memset(data, '1', sizeof data);
    fields.data = (struct str){data, sizeof data};
    struct event *ev = event_create(&fields, NULL);
    for (size_t permitted = 0; !done; permitted++) {
        struct error e = {0};
        alloc_permit(permitted);
        bool sealed = event_seal(ev, &test_generation, 9, 9, &e);
        done = !alloc_permit_all();
        assert_that(sealed == done, "with %zu allocations", permitted);
        if (sealed)
            break;
        assert_error(&e, "out_of_memory", "");
        assert_int_equal(ev->position, 0);
        assert_null(ev->frame);
        assert_int_equal(ev->data_len, sizeof data);
    }
    assert_int_equal(ev->position, 9);
    assert_memory_equal(ev->frame, "id: 0123456789ab-9\n", 19);
    event_unref(ev);
}

/* --- the word to disconnect --- */

TEST(a_disconnect_names_a_user_and_perhaps_a_session)
{
    struct error e = {0};
    char long_id[EVENT_ID_MAX + 1];

    memset(long_id, 'x', sizeof long_id);
    struct event *ev = event_create_disconnect(STR("ada"), STR("tab"), &e);
    assert_non_null(ev);
    assert_int_equal(ev->kind, EVENT_DISCONNECT);
    assert_str(ev->user_id, "ada");
    assert_str(ev->session_id, "tab");
    assert_true(event_seal(ev, &test_generation, 7, 8, &e));
    assert_int_equal(ev->position, 7);
    assert_null(ev->frame);
    event_unref(ev);
    assert_null(event_create_disconnect(STR_NONE, STR("tab"), &e));
    assert_error(&e, "invalid_field", "userId");
    assert_null(event_create_disconnect(STR("a\n"), STR_NONE, &e));
    assert_error(&e, "invalid_field", "userId");
    assert_null(event_create_disconnect(STR("ada"), (struct str){long_id, sizeof long_id}, &e));
    assert_error(&e, "invalid_field", "sessionId");
    alloc_permit(0);
    assert_null(event_create_disconnect(STR("ada"), STR_NONE, &e));
    (void)alloc_permit_all();
    assert_error(&e, "out_of_memory", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_a_letter_and_what_may_follow_it),
        cmocka_unit_test(names_are_nothing_else),
        cmocka_unit_test(ids_are_text_without_control_characters),
        cmocka_unit_test(each_target_is_a_user_id),
        cmocka_unit_test(an_event_may_be_meant_for_nobody),
        cmocka_unit_test(an_event_for_everyone_names_nobody),
        cmocka_unit_test(a_draft_holds_copies),
        cmocka_unit_test(targets_are_a_set),
        cmocka_unit_test(a_target_that_is_named_again_takes_no_memory),
        cmocka_unit_test(an_event_takes_no_more_memory_than_it_needs),
        cmocka_unit_test(an_event_for_everyone_concerns_everyone),
        cmocka_unit_test(an_event_for_many_concerns_exactly_them),
        cmocka_unit_test(an_echo_is_of_this_user_and_this_session),
        cmocka_unit_test(an_empty_session_matches_nothing),
        cmocka_unit_test(sealing_builds_the_frame),
        cmocka_unit_test(a_frame_leaves_out_what_is_absent_and_the_targets),
        cmocka_unit_test(a_client_reads_a_sealed_event_back),
        cmocka_unit_test(references_keep_an_event),
        cmocka_unit_test(an_event_is_made_whole_or_not_at_all),
        cmocka_unit_test(an_event_that_could_not_be_sealed_is_still_a_draft),
        cmocka_unit_test(a_disconnect_names_a_user_and_perhaps_a_session),
    };

    return RUN_TESTS(tests);
}
