/* The records of requests with an Idempotency-Key. */
#include "db/idempotency.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/database.h"

#define assert_ok(call) assert_that(call, "%s", e.message)

enum { NOW = 1000000 };

static struct db *prepared(void **state)
{
    struct db *db = ((struct database *)*state)->db;
    struct error e;

    assert_ok(idempotency_prepare(db, &e));
    return db;
}

/* --- requests --- */

/* "POST", "/a/b?c=d", a content type and a body, as far as they are looked at. */
struct asked {
    const char *user;
    enum method method;
    const char *segments[4];
    struct pair query[4];
    const char *type;
    const char *body;
    const char *key;
};

static struct asked ordinary(void)
{
    return (struct asked){.user = "ada",
                          .method = METHOD_POST,
                          .segments = {"api", "tasks"},
                          .query = {{STR("dry"), STR("no")}},
                          .type = "application/json",
                          .body = "{}",
                          .key = "k1"};
}

static struct idempotency_id identify(const struct asked *a)
{
    struct pair headers[] = {{STR("host"), STR("test")}, {STR("content-type"), str_of(a->type)}};
    struct str segments[4];
    struct request r = {.method = a->method, .segments = segments, .headers = {headers, a->type == NULL ? 1 : 2}};
    struct pair query[4];
    struct idempotency_id id;

    for (; r.segment_count < 4 && a->segments[r.segment_count] != NULL; r.segment_count++)
        segments[r.segment_count] = str_of(a->segments[r.segment_count]);
    memcpy(query, a->query, sizeof query);
    r.query.at = query;
    while (r.query.count < 4 && query[r.query.count].name.len > 0)
        r.query.count++;
    r.body = str_of(a->body);
    assert_true(idempotency_identify(&id, str_of(a->user), &r, str_of(a->key)));
    return id;
}

static bool same_scope(const struct asked *a, const struct asked *b)
{
    struct idempotency_id first = identify(a);
    struct idempotency_id second = identify(b);

    return memcmp(first.scope, second.scope, sizeof first.scope) == 0;
}

static bool same_fingerprint(const struct asked *a, const struct asked *b)
{
    struct idempotency_id first = identify(a);
    struct idempotency_id second = identify(b);

    return memcmp(first.fingerprint, second.fingerprint, sizeof first.fingerprint) == 0;
}

static struct idempotency_id id_of(const char *key)
{
    struct asked a = ordinary();

    a.key = key;
    return identify(&a);
}

TEST(a_scope_is_a_users_a_methods_a_paths_and_a_keys)
{
    struct asked a = ordinary();
    struct asked other[] = {a, a, a, a, a, a, a};

    assert_true(same_scope(&a, &other[0]));
    other[0].user = "grace";
    other[1].user = "";
    other[2].method = METHOD_PUT;
    other[3].key = "k2";
    other[4].segments[1] = "labels";
    other[5].segments[2] = "";
    other[6].segments[0] = "api/tasks"; /* an escaped slash is none between segments */
    other[6].segments[1] = NULL;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_that(!same_scope(&a, &other[i]), "case %zu has the same scope", i);
}

/* The parts must not run into one another, wherever somebody puts the borders. */
TEST(a_scope_keeps_its_parts_apart)
{
    struct asked a = ordinary();
    struct asked b = ordinary();

    a.user = "ada4:POST";
    b.user = "ada";
    assert_false(same_scope(&a, &b));
    a = ordinary();
    b = ordinary();
    a.segments[1] = "tasks";
    a.key = "x";
    b.segments[1] = "task";
    b.key = "sx";
    assert_false(same_scope(&a, &b));
    b = ordinary();
    b.segments[2] = "x"; /* "=1:x" against a segment more */
    b.key = "k1";
    a = ordinary();
    a.key = "1:x=k1";
    assert_false(same_scope(&a, &b));
}

TEST(a_fingerprint_is_that_of_query_content_type_and_body)
{
    struct asked a = ordinary();
    struct asked other[] = {a, a, a, a, a, a};

    assert_true(same_fingerprint(&a, &other[0]));
    other[0].body = "{ }";
    other[1].type = "text/plain";
    other[2].type = NULL;
    other[3].query[0].value = STR("yes");
    other[4].query[1] = (struct pair){STR("more"), STR("")};
    other[5].query[0] = (struct pair){STR("dryno"), STR("")};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_that(!same_fingerprint(&a, &other[i]), "case %zu has the same fingerprint", i);
        assert_that(same_scope(&a, &other[i]), "case %zu has another scope", i);
    }
    struct asked b = ordinary();
    b.user = "grace";
    b.key = "k2";
    assert_true(same_fingerprint(&a, &b));
}

/* --- answers --- */

static void set_answer(struct exchange *ex, int status, struct str body)
{
    response_clear(ex);
    ex->response.status = status;
    buf_append_str(&ex->response.body, body);
    assert_true(response_add_header(ex, STR("Content-Type"), STR("application/json"), NULL));
    assert_true(response_add_header(ex, STR("X-Empty"), STR(""), NULL));
    assert_true(response_add_header(ex, STR("Location"), STR("/a: b\t\xc3\xa9\xff"), NULL));
}

static void release(struct exchange *ex)
{
    response_clear(ex);
    arena_free(&ex->arena);
}

static void add(struct db *db, const char *key, const char *body, uint64_t now_ms)
{
    struct idempotency_id id = id_of(key);
    struct exchange ex = {0};
    struct error e;

    set_answer(&ex, 201, str_of(body));
    assert_ok(idempotency_add(db, &id, &ex.response, now_ms, 0, &e));
    release(&ex);
}

static enum idempotency_finding find(struct db *db, const char *key, uint64_t since_ms)
{
    struct idempotency_id id = id_of(key);
    struct exchange ex = {0};
    struct error e = {0};
    enum idempotency_finding finding = idempotency_find(db, &id, since_ms, &ex, &e);

    assert_that(finding != IDEMPOTENCY_FAILED, "%s", e.message);
    release(&ex);
    return finding;
}

TEST(an_answer_comes_back_as_it_was)
{
    struct db *db = prepared(state);
    struct str body = {"{\"a\":\"\0\xff\"}", 10};
    struct idempotency_id id = id_of("k1");
    struct exchange first = {0};
    struct exchange again = {0};
    struct error e;

    set_answer(&first, 201, body);
    assert_int_equal(idempotency_find(db, &id, 0, &again, &e), IDEMPOTENCY_NEW);
    assert_ok(idempotency_add(db, &id, &first.response, NOW, 0, &e));
    assert_int_equal(idempotency_find(db, &id, 0, &again, &e), IDEMPOTENCY_ANSWERED);
    assert_int_equal(again.response.status, 201);
    assert_bytes(buf_str(&again.response.body), body);
    assert_int_equal(again.response.headers.count, first.response.headers.count);
    for (size_t i = 0; i < first.response.headers.count; i++) {
        assert_bytes(again.response.headers.at[i].name, first.response.headers.at[i].name);
        assert_bytes(again.response.headers.at[i].value, first.response.headers.at[i].value);
    }
    release(&first);
    release(&again);
}

TEST(an_answer_may_be_empty)
{
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct exchange ex = {.response = {.status = 204}};
    struct exchange again = {0};
    struct error e;

    assert_int_equal(idempotency_answer_size(&ex.response), 0);
    assert_ok(idempotency_add(db, &id, &ex.response, NOW, 0, &e));
    assert_int_equal(idempotency_find(db, &id, 0, &again, &e), IDEMPOTENCY_ANSWERED);
    assert_int_equal(again.response.status, 204);
    assert_int_equal(again.response.headers.count, 0);
    assert_int_equal(again.response.body.len, 0);
    release(&again);
}

TEST(the_size_of_an_answer_is_that_of_body_and_headers)
{
    struct exchange ex = {0};

    set_answer(&ex, 200, STR("12345"));
    assert_int_equal(idempotency_answer_size(&ex.response), 5 + (12 + 16 + 3) + (7 + 0 + 3) + (8 + 9 + 3));
    release(&ex);
}

TEST(another_request_with_the_key_is_told)
{
    struct db *db = prepared(state);
    struct asked a = ordinary();
    struct exchange ex = {0};
    struct error e;

    add(db, "k1", "{}", NOW);
    a.body = "{\"other\":1}";
    struct idempotency_id id = identify(&a);
    assert_int_equal(idempotency_find(db, &id, 0, &ex, &e), IDEMPOTENCY_OTHER);
    assert_int_equal(ex.response.status, 0);
    assert_int_equal(find(db, "k2", 0), IDEMPOTENCY_NEW);
}

TEST(a_record_may_get_its_answer_later)
{
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct exchange ex = {0};
    struct error e;

    assert_ok(idempotency_add(db, &id, NULL, NOW, 0, &e));
    assert_int_equal(find(db, "k1", 0), IDEMPOTENCY_UNANSWERED);
    set_answer(&ex, 200, STR("done"));
    assert_ok(idempotency_answer(db, &id, &ex.response, &e));
    assert_int_equal(find(db, "k1", 0), IDEMPOTENCY_ANSWERED);
    release(&ex);
}

TEST(an_answer_is_given_once_and_to_its_own_record)
{
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct idempotency_id other = id;
    struct exchange ex = {0};
    struct error e;

    set_answer(&ex, 200, STR("done"));
    assert_false(idempotency_answer(db, &id, &ex.response, &e));
    assert_error(&e, "unavailable", "");
    add(db, "k1", "first", NOW);
    assert_false(idempotency_answer(db, &id, &ex.response, &e));
    assert_ok(db_run_internal(db, "UPDATE pillar_idempotency SET status = NULL", &e));
    other.fingerprint[0] ^= 1;
    assert_false(idempotency_answer(db, &other, &ex.response, &e));
    assert_ok(idempotency_answer(db, &id, &ex.response, &e));
    release(&ex);
}

TEST(who_comes_second_adds_nothing)
{
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct exchange ex = {0};
    struct error e;

    add(db, "k1", "first", NOW);
    assert_false(idempotency_add(db, &id, NULL, NOW + 1, NOW, &e)); /* it was made at NOW: it still counts */
    assert_error(&e, "busy", "");
    assert_int_equal(idempotency_find(db, &id, 0, &ex, &e), IDEMPOTENCY_ANSWERED);
    assert_bytes(buf_str(&ex.response.body), STR("first"));
    release(&ex);
}

TEST(it_is_a_part_of_the_transaction)
{
    struct db *db = prepared(state);
    struct db *other = database_connect(*state);
    struct error e;

    assert_ok(db_begin_write(db, &e));
    assert_ok(db_savepoint(db, &e));
    add(db, "k1", "{}", NOW);
    assert_int_equal(find(db, "k1", 0), IDEMPOTENCY_ANSWERED); /* the next of the batch sees it */
    assert_int_equal(find(other, "k1", 0), IDEMPOTENCY_NEW);
    assert_ok(db_rollback_to(db, 0, &e));
    assert_int_equal(find(db, "k1", 0), IDEMPOTENCY_NEW);
    add(db, "k1", "{}", NOW);
    assert_ok(db_commit(db, &e));
    assert_int_equal(find(other, "k1", 0), IDEMPOTENCY_ANSWERED);
    db_close(other);
}

/* --- time --- */

TEST(what_has_expired_is_not_there)
{
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct error e;

    add(db, "k1", "first", NOW);
    assert_int_equal(find(db, "k1", NOW), IDEMPOTENCY_ANSWERED);
    assert_int_equal(find(db, "k1", NOW + 1), IDEMPOTENCY_NEW);
    assert_ok(idempotency_add(db, &id, NULL, NOW + 5, NOW + 1, &e));
    assert_int_equal(find(db, "k1", NOW + 5), IDEMPOTENCY_UNANSWERED);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM pillar_idempotency WHERE body IS NULL"), 1);
}

TEST(trimming_takes_the_oldest_that_have_expired_a_few_at_a_time)
{
    struct db *db = prepared(state);
    struct error e;
    char key[8];
    size_t removed;

    for (unsigned i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "k%u", i);
        add(db, key, "x", NOW + (i * 7) % 10); /* not in the order of time */
    }
    assert_ok(idempotency_trim(db, NOW + 6, 4, &removed, &e));
    assert_int_equal(removed, 4);
    assert_int_equal(query_integer(db, "SELECT min(createdAt) FROM pillar_idempotency"), NOW + 4);
    assert_ok(idempotency_trim(db, NOW + 6, 4, &removed, &e));
    assert_int_equal(removed, 2);
    assert_ok(idempotency_trim(db, NOW + 6, 4, NULL, &e));
    assert_int_equal(query_integer(db, "SELECT count(*) FROM pillar_idempotency WHERE createdAt >= 1000006"), 4);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM pillar_idempotency"), 4);
}

/* A clock that was set back leaves records from the future: they keep nobody else. */
TEST(records_from_the_future_are_no_obstacle)
{
    struct db *db = prepared(state);
    struct error e;

    add(db, "future", "x", 10ull * NOW);
    add(db, "past", "x", NOW);
    assert_ok(idempotency_trim(db, NOW + 1, 1, NULL, &e));
    assert_int_equal(find(db, "past", 0), IDEMPOTENCY_NEW);
    assert_int_equal(find(db, "future", 0), IDEMPOTENCY_ANSWERED);
}

TEST(shrinking_takes_the_oldest_until_it_is_enough)
{
    struct error e;
    struct db *db = db_open("memory:test-idempotency", &e);
    enum { SIZE = 8000, LIMIT = 200000 };
    char *body = calloc(1, SIZE + 1);
    char key[8];

    assert_ok(idempotency_prepare(db, &e));
    memset(body, 'x', SIZE);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%u", i);
        add(db, key, body, NOW + i);
        assert_ok(idempotency_shrink(db, LIMIT, &e));
        assert_int_equal(find(db, key, 0), IDEMPOTENCY_ANSWERED);
    }
    int64_t left = query_integer(db, "SELECT count(*) FROM pillar_idempotency");
    assert_that(left >= 10 && left <= LIMIT / SIZE, "%d records", (int)left);
    assert_int_equal(query_integer(db, "SELECT max(createdAt) - min(createdAt) FROM pillar_idempotency"), left - 1);
    assert_ok(idempotency_shrink(db, 1, &e)); /* there is no more to take */
    assert_int_equal(query_integer(db, "SELECT count(*) FROM pillar_idempotency"), 0);
    free(body);
    db_close(db);
}

/* --- what goes wrong --- */

TEST(preparing_twice_changes_nothing)
{
    struct db *db = prepared(state);
    struct error e;

    add(db, "k1", "{}", NOW);
    assert_ok(idempotency_prepare(db, &e));
    assert_int_equal(find(db, "k1", 0), IDEMPOTENCY_ANSWERED);
}

TEST(scripts_cannot_change_it)
{
    struct db *db = prepared(state);

    run_sql_fails(db, "DELETE FROM pillar_idempotency", "refused");
    run_sql_fails(db, "DROP TABLE pillar_idempotency", "refused");
    run_sql_fails(db, "INSERT INTO pillar_idempotency (scope, fingerprint, createdAt) VALUES ('a', 'b', 1)", "refused");
}

TEST(a_table_that_is_not_there_is_an_error)
{
    struct db *db = ((struct database *)*state)->db;
    struct idempotency_id id = id_of("k1");
    struct exchange ex = {0};
    struct error e = {0};

    assert_int_equal(idempotency_find(db, &id, 0, &ex, &e), IDEMPOTENCY_FAILED);
    assert_error(&e, "sql", "");
    assert_false(idempotency_add(db, &id, NULL, NOW, 0, &e));
    assert_false(idempotency_trim(db, NOW, 1, NULL, &e));
}

TEST(a_damaged_answer_is_an_error)
{
    static const char *const damages[] = {"status = 'x'",
                                          "status = 0",
                                          "status = 199",
                                          "status = 400",
                                          "status = -200",
                                          "status = 200.5",
                                          "status = 4294967496",
                                          "status = x'323030'",
                                          "status = 201, headers = 'nonsense'",
                                          "headers = 'a:'",
                                          "headers = 'Content-Length: 7'",
                                          "headers = 'a b: c'"};
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct exchange ex = {0};
    char sql[100];

    add(db, "k1", "{}", NOW);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct error e = {0};
        snprintf(sql, sizeof sql, "UPDATE pillar_idempotency SET %s", damages[i]);
        assert_ok(db_run_internal(db, sql, &e));
        assert_int_equal(idempotency_find(db, &id, 0, &ex, &e), IDEMPOTENCY_FAILED);
        assert_that(e.message[0] != '\0', "case %zu says nothing", i);
        assert_int_equal(ex.response.status, 0);
        assert_int_equal(ex.response.headers.count, 0);
    }
    release(&ex);
}

TEST(without_memory_it_fails_and_keeps_nothing_by_halves)
{
    struct db *db = prepared(state);
    struct idempotency_id id = id_of("k1");
    struct exchange first = {0};
    struct error e;
    bool done = false;

    set_answer(&first, 201, STR("{\"a\":1}"));
    for (size_t permitted = 0; !done; permitted++) {
        alloc_permit(permitted);
        bool ok = idempotency_add(db, &id, &first.response, NOW, 0, &e);
        done = !alloc_permit_all();
        assert_int_equal(ok, done);
        assert_int_equal(query_integer(db, "SELECT count(*) FROM pillar_idempotency"), done ? 1 : 0);
    }
    done = false;
    for (size_t permitted = 0; !done; permitted++) {
        struct exchange again = {0};
        alloc_permit(permitted);
        enum idempotency_finding finding = idempotency_find(db, &id, 0, &again, &e);
        done = !alloc_permit_all();
        assert_int_equal(finding, done ? IDEMPOTENCY_ANSWERED : IDEMPOTENCY_FAILED);
        assert_int_equal(again.response.headers.count, done ? 3 : 0);
        release(&again);
    }
    release(&first);
}

TEST(without_memory_nobody_is_identified)
{
    struct request r = {.method = METHOD_POST};
    struct idempotency_id id;
    bool done = false;

    for (size_t permitted = 0; !done; permitted++) {
        alloc_permit(permitted);
        bool ok = idempotency_identify(&id, STR("ada"), &r, STR("k1"));
        done = !alloc_permit_all();
        assert_int_equal(ok, done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_is_a_users_a_methods_a_paths_and_a_keys),
        cmocka_unit_test(a_scope_keeps_its_parts_apart),
        cmocka_unit_test(a_fingerprint_is_that_of_query_content_type_and_body),
        WITH_DATABASE(an_answer_comes_back_as_it_was),
        WITH_DATABASE(an_answer_may_be_empty),
        cmocka_unit_test(the_size_of_an_answer_is_that_of_body_and_headers),
        WITH_DATABASE(another_request_with_the_key_is_told),
        WITH_DATABASE(a_record_may_get_its_answer_later),
        WITH_DATABASE(an_answer_is_given_once_and_to_its_own_record),
        WITH_DATABASE(who_comes_second_adds_nothing),
        WITH_DATABASE(it_is_a_part_of_the_transaction),
        WITH_DATABASE(what_has_expired_is_not_there),
        WITH_DATABASE(trimming_takes_the_oldest_that_have_expired_a_few_at_a_time),
        WITH_DATABASE(records_from_the_future_are_no_obstacle),
        cmocka_unit_test(shrinking_takes_the_oldest_until_it_is_enough),
        WITH_DATABASE(preparing_twice_changes_nothing),
        WITH_DATABASE(scripts_cannot_change_it),
        WITH_DATABASE(a_table_that_is_not_there_is_an_error),
        WITH_DATABASE(a_damaged_answer_is_an_error),
        WITH_DATABASE(without_memory_it_fails_and_keeps_nothing_by_halves),
        cmocka_unit_test(without_memory_nobody_is_identified),
    };

    return RUN_TESTS(tests);
}
