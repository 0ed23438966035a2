/* The reload of the script as a C program sees it, with events emitted from C meanwhile. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "broker_private.h"
#include "retirement.h"
#include "script/sources.h"
#include "support/alloc.h"
#include "support/check.h"
#include "support/folder.h"

static const char script[] = "local pillar = require 'pillar'\n"
                             "local app = pillar.app()\n"
                             "app:anonymous()\n"
                             "app:entity('task')\n"
                             "app:get('/version/%d', function() end)\n"
                             "return app\n";

static void set(pillar_options *options, const char *name, const char *value)
{
    pillar_error error;

    assert_that(pillar_options_set(options, name, value, &error) == 0, "%s", error.message);
}

/* A broker that has not started, with one reader and the script's version 1. */
static pillar_broker *make_broker(struct folder *f)
{
    pillar_options *options = pillar_options_create();
    pillar_error error;
    char database[600];

    assert_non_null(options);
    snprintf(database, sizeof database, "sqlite:%s", folder_path(f, "app.db"));
    set(options, "database", database);
    set(options, "listen", "127.0.0.1:0");
    set(options, "library", PILLAR_LUA_SOURCE);
    set(options, "workers", "1");
    set(options, "log-level", "off");
    folder_write(f, "app.lua", script, 1);
    pillar_broker *b = pillar_broker_create(folder_path(f, "app.lua"), options, &error);
    assert_that(b != NULL, "%s", error.message);
    pillar_options_free(options);
    return b;
}

static pillar_broker *start_broker(struct folder *f)
{
    pillar_error error;
    pillar_broker *b = make_broker(f);

    assert_that(pillar_broker_start(b, &error) == 0, "%s", error.message);
    return b;
}

static void reload(pillar_broker *b)
{
    pillar_error error;

    assert_that(pillar_broker_reload(b, &error) == 0, "%s", error.message);
}

static void refuses(pillar_broker *b, const char *code, const char *message)
{
    pillar_error error;
    const struct program *before = b->program;

    assert_int_equal(pillar_broker_reload(b, &error), -1);
    assert_string_equal(error.code, code);
    assert_that(strstr(error.message, message) != NULL, "%s", error.message);
    assert_ptr_equal(b->program, before);
    assert_int_equal(pillar_broker_reload(b, NULL), -1);
}

static bool emit(pillar_broker *b, pillar_error *error)
{
    static const char *const target = "ada";
    const pillar_event event = {.entity = "task", .action = "made", .target_user_ids = &target, .target_user_count = 1};

    return pillar_broker_emit(b, &event, 1, error) == 0;
}

static void wait_until_all_are_retired(pillar_broker *b)
{
    retirement_wait_for_all(b);
    assert_null(b->retiring);
}

static uint64_t count(pillar_broker *b, enum counter which)
{
    uint64_t sums[COUNTER_COUNT];

    memcpy(sums, b->counted, sizeof sums);
    metrics_add_pool(b->program->pool, sums);
    return sums[which];
}

TEST(a_new_script_takes_the_place_of_the_old_one)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);

    for (int version = 2; version < 6; version++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "/version/%d", version);
        folder_write(f, "app.lua", script, version);
        reload(b);
        assert_str(b->program->app->routes[0].pattern, pattern);
    }
    wait_until_all_are_retired(b);
    assert_int_equal(b->program->references, 1);
    pillar_broker_destroy(b);
}

TEST(one_that_fails_leaves_the_old_one)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);

    folder_write(f, "app.lua", "\nlocal x = = 1");
    refuses(b, "script", "app.lua:2: unexpected symbol near '='");
    folder_write(f, "app.lua", "require 'nowhere'");
    refuses(b, "script", "module 'nowhere' not found: no field"); /* in one line */
    assert_int_equal(unlink(folder_path(f, "app.lua")), 0);
    refuses(b, "script", "app.lua: No such file or directory");
    assert_true(emit(b, NULL));
    assert_null(b->retiring);
    assert_int_equal(count(b, COUNT_RELOAD_FAILURES), 6);
    pillar_broker_destroy(b);
}

TEST(there_is_a_time_for_it)
{
    struct folder *f = *state;
    pillar_broker *b = make_broker(f);

    refuses(b, "not_started", "has not started");
    assert_int_equal(pillar_broker_start(b, NULL), 0);
    reload(b);
    pillar_broker_drain(b);
    refuses(b, "draining", "going away");
    pillar_broker_destroy(b);
}

struct emitter {
    pillar_broker *broker;
    pthread_t thread;
    size_t emitted;
    _Atomic bool enough;
    bool failed;
};

static void *emit_on_and_on(void *arg)
{
    struct emitter *m = arg;

    while (!atomic_load(&m->enough) && !m->failed) {
        m->failed = !emit(m->broker, NULL);
        m->emitted++;
    }
    return NULL;
}

/* Nothing is refused or lost while one program hands over to the next, and what the workers counted stays. */
TEST(events_from_c_do_not_notice_it)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);
    struct emitter emitters[3];
    size_t emitted = 0;

    for (size_t i = 0; i < 3; i++) {
        emitters[i] = (struct emitter){.broker = b};
        assert_int_equal(pthread_create(&emitters[i].thread, NULL, emit_on_and_on, &emitters[i]), 0);
    }
    for (int version = 2; version < 32; version++) {
        folder_write(f, "app.lua", script, version);
        reload(b);
    }
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&emitters[i].enough, true);
        pthread_join(emitters[i].thread, NULL);
        assert_false(emitters[i].failed);
        assert_true(emitters[i].emitted > 0);
        emitted += emitters[i].emitted;
    }
    wait_until_all_are_retired(b);
    assert_int_equal(journal_position(b->journal), emitted);
    assert_int_equal(count(b, COUNT_EVENTS), emitted);
    assert_int_equal(count(b, COUNT_RELOADS), 30);
    pillar_broker_destroy(b);
}

/* An error if another state loads it at the same time. */
static const char script_that_is_alone[] = "local mark = '%s'\n"
                                           "assert(not io.open(mark), 'another reload is under way')\n"
                                           "assert(io.open(mark, 'w')):close()\n"
                                           "for _ = 1, 100000 do end\n"
                                           "os.remove(mark)\n"
                                           "local app = require('pillar').app()\n"
                                           "app:anonymous()\n"
                                           "return app\n";

static void *reload_often(void *arg)
{
    for (int i = 0; i < 10; i++)
        reload(arg);
    return NULL;
}

TEST(two_at_once_wait_for_one_another)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);
    pthread_t other;
    char mark[512];

    snprintf(mark, sizeof mark, "%s", folder_path(f, "loading"));
    folder_write(f, "app.lua", script_that_is_alone, mark);
    assert_int_equal(pthread_create(&other, NULL, reload_often, b), 0);
    (void)reload_often(b);
    pthread_join(other, NULL);
    wait_until_all_are_retired(b);
    assert_int_equal(count(b, COUNT_RELOADS), 20);
    pillar_broker_destroy(b);
}

/* Whoever holds a program may hand requests to its pool, however long that takes. */
TEST(a_program_that_somebody_holds_goes_on)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);
    struct program *held = broker_program(b);

    reload(b);
    reload(b);
    while (retirement_reap(b) > 1)
        sched_yield();
    assert_int_equal(held->references, 2);
    assert_int_equal(pool_depth(held->pool), 0);
    program_unref(held);
    wait_until_all_are_retired(b);
    pillar_broker_destroy(b);
}

TEST(changes_are_those_since_the_last_attempt)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);

    assert_int_equal(pillar_broker_watches(b), 0);
    assert_int_equal(pillar_broker_script_changed(b), 0);
    assert_int_equal(pillar_broker_script_changed(b), 0);
    folder_write(f, "app.lua", "return {}");
    assert_int_equal(pillar_broker_script_changed(b), 0); /* not at rest yet */
    assert_int_equal(pillar_broker_script_changed(b), 1);
    refuses(b, "script", "must end with: return app");
    assert_int_equal(pillar_broker_script_changed(b), 0);
    assert_int_equal(pillar_broker_script_changed(b), 0);
    folder_write(f, "app.lua", script, 22);
    assert_int_equal(pillar_broker_script_changed(b), 0);
    assert_int_equal(pillar_broker_script_changed(b), 1);
    reload(b);
    assert_int_equal(pillar_broker_script_changed(b), 0);
    assert_int_equal(pillar_broker_script_changed(b), 0);
    pillar_broker_destroy(b);
}

/* With ever more memory, until it does; closely at first, since that is where most of what is ours is. */
TEST(it_bears_a_lack_of_memory)
{
    struct folder *f = *state;
    pillar_broker *b = start_broker(f);
    bool ok = false;

    for (size_t permitted = 0; !ok; permitted += 1 + permitted / 20) {
        pillar_error error;
        const struct program *before = b->program;
        alloc_permit(permitted);
        ok = pillar_broker_reload(b, &error) == 0;
        (void)alloc_permit_all();
        assert_that(ok == (b->program != before), "after %zu allocations", permitted);
        assert_true(emit(b, NULL));
    }
    wait_until_all_are_retired(b);
    pillar_broker_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_new_script_takes_the_place_of_the_old_one),
        WITH_FOLDER(one_that_fails_leaves_the_old_one),
        WITH_FOLDER(there_is_a_time_for_it),
        WITH_FOLDER(events_from_c_do_not_notice_it),
        WITH_FOLDER(two_at_once_wait_for_one_another),
        WITH_FOLDER(a_program_that_somebody_holds_goes_on),
        WITH_FOLDER(changes_are_those_since_the_last_attempt),
        WITH_FOLDER(it_bears_a_lack_of_memory),
    };

    return RUN_TESTS(tests);
}
