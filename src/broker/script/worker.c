#include "script/worker.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/outage.h"
#include "script/core.h"
#include "script/emit_api.h"
#include "script/expected_user.h"
#include "script/failure.h"
#include "script/silence.h"
#include "script/state.h"

enum { HOUSE_WAIT_NS = 1000000 };

/* When records that have expired are looked for again, or a database that failed is tried again. */
static const uint64_t HOUSE_AGAIN_NS = 60000000000u;

struct worker {
    const struct worker_config *config;
    const struct app *app;
    struct journal *journal;
    struct script_state *state;
    struct db *db;           /* NULL: none */
    struct db *transactions; /* in which transactions are made: db, or where records are without one */
    struct replays replays;
    struct event_list events; /* drafts of the transaction under way */
    struct exchange *batch;   /* held until the commit, newest first */
    bool batch_open;
    struct error failure; /* why the batch is not open any more, or was not committed */
    struct outage outage; /* of the commits of batches */
    size_t standing;      /* exchanges of the batch that have something to commit */
    bool dead;            /* did not survive a commit (config->survives) */
    struct silence *silence;
    bool recycle; /* a handler passed the memory limit, or has spoiled the state: look whether it is still good */
    uint64_t house_after_ns;   /* not before */
    uint64_t records_after_ns; /* the same for the records of requests */
    struct counters counters;
};

/* --- life --- */

static struct script_state *load_script(const struct worker_config *config, const struct app *app, struct error *e)
{
    struct script_state *state =
        script_state_create(config->memory_limit, config->script_dir, config->library_dir, config->sources, e);

    if (state == NULL)
        return NULL;
    struct app *loaded = app_load(state, config->script, config->load_deadline_ms, false, e);
    const struct route *other = loaded == NULL ? NULL : app_other_route(app, loaded);
    if (other != NULL)
        (void)error_set(e, "script",
                        "%.*s: the script must define the same routes each time it is loaded; %.*s %.*s differs",
                        STR_ARG(other->source), STR_ARG(method_names[other->method]), STR_ARG(other->pattern));
    bool same = loaded != NULL && other == NULL;
    app_free(loaded);
    state->secrets = &config->secrets;
    if (same)
        return state;
    script_state_free(state);
    return NULL;
}

struct worker *worker_create(const struct worker_config *config, const struct app *app, struct journal *journal,
                             struct error *e)
{
    struct worker *w = aligned_alloc(_Alignof(struct worker), sizeof *w);

    if (w == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    memset(w, 0, sizeof *w);
    w->config = config;
    w->app = app;
    w->journal = journal;
    w->silence = silence_create(app, &w->counters);
    if (w->silence == NULL) {
        (void)error_no_memory(e);
        worker_free(w);
        return NULL;
    }
    w->state = load_script(config, app, e);
    if (w->state != NULL && config->database != NULL)
        w->db = db_open(config->database, e);
    if (w->state == NULL || (config->database != NULL && w->db == NULL)) {
        worker_free(w);
        return NULL;
    }
    if (w->db != NULL && !journal_join(journal, w->db, e)) {
        worker_free(w);
        return NULL;
    }
    if (w->db != NULL)
        db_set_guard(w->db, script_state_must_stop, w->state);
    w->transactions = w->db != NULL ? w->db : config->replay.memory;
    w->replays = (struct replays){&config->replay, journal, w->db, &w->counters};
    return w;
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    script_state_free(w->state);
    db_close(w->db);
    event_list_free(&w->events);
    silence_free(w->silence);
    free(w);
}

/* A script that keeps so much that the limit stays near, or a coroutine that cannot be trusted, gets a fresh start. */
static void recycle_state(struct worker *w)
{
    struct error e;

    w->recycle = false;
    script_state_arm(w->state, 0);
    lua_gc(w->state->L, LUA_GCCOLLECT, 0);
    if (!w->state->spoiled && w->state->memory_used < w->config->memory_limit / 2)
        return;
    struct script_state *fresh = load_script(w->config, w->app, &e);
    if (fresh == NULL) {
        log_error("script", "the script cannot be loaded anew: %s", e.message);
        return;
    }
    log_warn("script", "%s; the script's globals start anew",
             w->state->spoiled ? "a coroutine was ended at its deadline" : "the script kept too much memory");
    script_state_free(w->state);
    w->state = fresh;
    if (w->db != NULL)
        db_set_guard(w->db, script_state_must_stop, fresh);
}

struct counters *worker_counters(struct worker *w)
{
    return &w->counters;
}

struct db *worker_db(struct worker *w)
{
    return w->db;
}

size_t worker_event_count(const struct worker *w)
{
    return w->events.count;
}

bool worker_add_event(struct worker *w, struct event *ev)
{
    return event_list_add(&w->events, ev);
}

void worker_cut_events(struct job *job, size_t count)
{
    event_list_cut(&job->worker->events, count > job->first_event ? count : job->first_event);
}

/* --- one handler --- */

static void set_rights(struct job *job, bool writes)
{
    job->in_transaction = writes;
    if (job->worker->db != NULL)
        db_set_read_only(job->worker->db, !writes);
}

static void copy_headers(lua_State *L, struct exchange *ex, int list)
{
    size_t count = lua_rawlen(L, list);
    struct error e;

    for (size_t i = 1; i < count; i += 2) {
        struct str name;
        struct str value;
        lua_rawgeti(L, list, (lua_Integer)i);
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        name.ptr = luaL_checklstring(L, -2, &name.len);
        value.ptr = luaL_checklstring(L, -1, &value.len);
        if (!response_add_header(ex, name, value, &e))
            luaL_error(L, "%s", e.message);
        lua_pop(L, 2);
    }
}

/* The results of a runtime function, from index `first`: status, body, headers. */
static void take_answer(lua_State *L, struct exchange *ex, int first)
{
    ex->response.status = (int)luaL_checkinteger(L, first);
    if (lua_type(L, first + 1) == LUA_TSTRING) {
        size_t len;
        const char *body = lua_tolstring(L, first + 1, &len);
        buf_append(&ex->response.body, body, len);
    }
    if (lua_type(L, first + 2) == LUA_TTABLE)
        copy_headers(L, ex, first + 2);
}

/* Calls runtime.<name>(req, db, route, user); its three results are on the stack, from the returned index. */
static int call_runtime(lua_State *L, const char *name, int runtime, int request, const struct exchange *ex)
{
    int first = lua_gettop(L) + 1;

    lua_getfield(L, runtime, name);
    lua_pushvalue(L, request);
    db_push(L);
    lua_pushinteger(L, (lua_Integer)ex->route + 1);
    if (ex->assumed_user.len > 0)
        lua_pushlstring(L, ex->assumed_user.ptr, ex->assumed_user.len);
    else
        lua_pushnil(L);
    lua_call(L, 4, 3);
    return first;
}

/* True, with the answer, for a user who has asked too often. Where everybody is one user, that is nobody. */
static bool asks_too_often(struct job *job)
{
    struct worker *w = job->worker;

    if (w->config->user_rates == NULL || w->app->anonymous || job->user_id.len == 0)
        return false;
    uint64_t wait_ns = user_rates_take(w->config->user_rates, job->user_id, clock_monotonic_ns());
    if (wait_ns == 0)
        return false;
    counter_add(&w->counters, COUNT_RATE_LIMITS, 1);
    response_set_error_for_now(job->ex, 429, "too_many_requests", "you ask too often; try again later",
                               rate_retry_after(wait_ns));
    return true;
}

/* A handler that may wait for something outside does not keep the snapshot of finding out who asks meanwhile. */
static void drop_snapshot(struct job *job)
{
    if (job->access == JOB_FREE && job->worker->db != NULL) {
        db_end_read(job->worker->db);
        db_begin_read(job->worker->db);
    }
}

/* Who asks, with reading rights only, and then the route's handler. A stream is opened by the loop, once it knows
 * who. */
static int run_in_lua(lua_State *L)
{
    struct job *job = lua_touserdata(L, 1);
    struct exchange *ex = job->ex;
    bool writes = job->in_transaction;
    bool stream = ex->kind == EXCHANGE_STREAM;

    script_state_push_runtime(L);
    int runtime = lua_gettop(L);
    request_push(L, ex);
    int request = lua_gettop(L);
    set_rights(job, false);
    int answer = call_runtime(L, stream ? "identify_stream" : "identify", runtime, request, ex);
    set_rights(job, writes);
    drop_snapshot(job);
    if (lua_isnil(L, answer) && (asks_too_often(job) || !expected_user_admit(job)))
        return 0;
    if (lua_isnil(L, answer) && stream)
        ex->response.status = 200;
    else if (!lua_isnil(L, answer))
        take_answer(L, ex, answer);
    else if (replay_admit(&job->worker->replays, job))
        take_answer(L, ex, call_runtime(L, "handle", runtime, request, ex));
    return 0;
}

static void log_failure(const struct worker *w, struct exchange *ex)
{
    const struct request *r = &ex->request;
    struct str text = buf_str(&w->state->traceback);

    if (text.len == 0 && w->state->trip == TRIP_MEMORY) /* Lua has no traceback where memory ran out */
        text = STR("the memory limit of the script was passed (--script-memory)");
    if (text.len == 0)
        return;
    ex->trouble = arena_copy(&ex->arena, text);
    struct str source = ex->kind == EXCHANGE_ROUTE ? w->app->routes[ex->route].source : STR("stream");
    log_error("script", "%.*s %.*s %.*s (%.*s, user %.*s): %.*s", STR_ARG(r->id), STR_ARG(method_names[r->method]),
              STR_ARG(r->path), STR_ARG(source), STR_ARG(ex->user_id.len == 0 ? STR("-") : ex->user_id), STR_ARG(text));
}

static void set_overload_error(struct exchange *ex, const char *code, const char *message)
{
    response_set_error_for_now(ex, 503, code, message, 1);
}

/* In development the answer to a mistake of the script says which. */
static void tell_developer(const struct worker *w, struct exchange *ex)
{
    struct buf text = BUF_EMPTY;

    if (!w->config->dev || ex->response.status < 500 || w->state->traceback.len == 0)
        return;
    int status = ex->response.status;
    buf_append_str(&text, buf_str(&w->state->traceback));
    buf_append_char(&text, '\0');
    if (!text.failed)
        response_set_error(ex, status, status == 503 ? "deadline_exceeded" : "script_error", text.data, "");
    buf_free(&text);
}

static void respond_to_trip(struct worker *w, struct exchange *ex)
{
    if (w->state->trip == TRIP_DEADLINE) {
        set_overload_error(ex, "deadline_exceeded", "the handler did not finish in time");
    } else {
        w->recycle = true;
        set_overload_error(ex, "memory_exceeded", "the handler needed more memory than it may have");
    }
}

static void count_outcome(struct worker *w, const struct exchange *ex, bool returned)
{
    if (w->state->trip == TRIP_DEADLINE || atomic_load(&ex->state) == EXCHANGE_EXPIRED)
        counter_add(&w->counters, COUNT_HANDLER_DEADLINES, 1);
    else if (w->state->trip == TRIP_MEMORY)
        counter_add(&w->counters, COUNT_HANDLER_MEMORY, 1);
    else if (!returned && w->state->traceback.len > 0)
        counter_add(&w->counters, COUNT_HANDLER_ERRORS, 1);
}

/* Runs the handler of job->ex. Whatever happens, the exchange has a response afterwards. */
static void run_handler(struct worker *w, struct job *job)
{
    struct script_state *state = w->state;
    struct exchange *ex = job->ex;

    counter_add(&w->counters, COUNT_HANDLERS, 1);
    if (w->db != NULL)
        db_forget_changes(w->db);
    state->job = job;
    script_state_arm(state, job->deadline_ns);
    bool returned = script_state_call(state, run_in_lua, job);
    request_sever(state->L);
    if (!returned && state->trip == TRIP_NONE)
        failure_respond(state->L, -1, ex);
    if (!returned)
        lua_pop(state->L, 1);
    count_outcome(w, ex, returned);
    state->job = NULL;
    if (ex->response.body.failed)
        set_overload_error(ex, "out_of_memory", "the server is short of memory");
    if (state->trip != TRIP_NONE)
        respond_to_trip(w, ex);
    if (!returned) {
        log_failure(w, ex);
        tell_developer(w, ex);
    }
    if (w->db != NULL)
        db_finish_all(w->db);
    w->recycle = w->recycle || state->spoiled;
}

static struct job make_job(struct worker *w, struct exchange *ex, enum job_access access)
{
    uint64_t now = clock_monotonic_ns();

    return (struct job){.worker = w,
                        .ex = ex,
                        .limits = &w->config->limits,
                        .access = access,
                        .in_transaction = access == JOB_WRITES,
                        .first_event = w->events.count,
                        .session_id = pairs_get(&ex->request.headers, STR("x-session-id")),
                        .deadline_ns = now + w->config->deadline_ms * 1000000ull};
}

/* --- committing --- */

static bool survives(struct worker *w, enum commit_stage stage, struct error *e)
{
    if (w->config->survives == NULL || (w->batch_open && w->standing == 0) ||
        w->config->survives(w->config->survives_context, stage))
        return true;
    w->dead = true;
    return error_set(e, "unavailable", "the process died");
}

/* Commits and publishes, or rolls back. */
static bool commit(struct worker *w, struct error *e)
{
    size_t changes = event_list_settle(&w->events);
    bool prepared =
        survives(w, BEFORE_COMMIT, e) && journal_prepare(w->journal, w->db, w->events.at, w->events.count, e);
    bool ok = prepared && db_commit(w->transactions, e) && survives(w, AFTER_COMMIT, e);

    if (ok) {
        journal_publish(w->journal, w->events.at, w->events.count);
        counter_add(&w->counters, COUNT_COMMITS, 1);
        counter_add(&w->counters, COUNT_EVENTS, changes);
        return true;
    }
    counter_add(&w->counters, COUNT_COMMIT_FAILURES, 1);
    if (prepared)
        journal_doubt(w->journal);
    db_rollback(w->transactions);
    return false;
}

/* Whether a job has written or emitted anything that was not undone. */
static bool has_changed(const struct worker *w, const struct job *job)
{
    return w->events.count > job->first_event || (w->db != NULL && db_has_changes(w->db));
}

/* --- readers --- */

/* Where what the handler has read stands in the history. One that has read nothing stands where it began, at `before`. */
static void add_position(struct worker *w, struct exchange *ex, uint64_t before)
{
    char text[POSITION_TEXT_MAX];
    uint64_t position = before;
    struct error e;

    script_state_arm(w->state, 0);
    if (w->db != NULL && db_has_snapshot(w->db) && !journal_position_in_snapshot(w->journal, w->db, &position, &e)) {
        log_error("db", "%.*s: the position of a snapshot cannot be read: %s", STR_ARG(ex->request.id), e.message);
        position = before; /* a client hears of some changes that it has seen, and of all that it has not */
    }
    struct str value = position_text(text, journal_generation(w->journal), position);

    (void)response_add_header(ex, STR("Sync-Position"), value, NULL);
}

/* The answer of a route with transaction = false, for who asks again; the request is answered either way. */
static void keep_answer(struct worker *w, struct job *job)
{
    struct error e;

    if (w->dead || !replay_wants_answer(&w->replays, job))
        return;
    job->deadline_ns = clock_monotonic_ns() + w->config->deadline_ms * 1000000ull;
    script_state_arm(w->state, job->deadline_ns);
    if (worker_begin(job, &e) && replay_answer(&w->replays, job, &e) && worker_commit(job, &e))
        return;
    worker_rollback(job);
    if (!w->dead)
        log_error("db", "%.*s: its answer cannot be kept: %s", STR_ARG(job->ex->request.id), e.message);
}

void worker_run_reader(struct worker *w, struct exchange *ex)
{
    bool reads = ex->kind == EXCHANGE_STREAM || w->app->routes[ex->route].mode == ROUTE_READ;
    struct job job = make_job(w, ex, reads ? JOB_READS : JOB_FREE);
    /* Before the snapshot: what the snapshot does not show comes later than this position. */
    uint64_t position = journal_position(w->journal);

    if (!exchange_start(ex, clock_monotonic_ns())) {
        ex->complete(ex);
        return;
    }
    if (w->db != NULL)
        db_begin_read(w->db);
    run_handler(w, &job);
    worker_rollback(&job);
    if (exchange_settle(ex))
        keep_answer(w, &job);
    replay_leave(&w->replays, &job);
    if (w->dead)
        return;
    if (reads && ex->kind == EXCHANGE_ROUTE && ex->response.status < 400)
        add_position(w, ex, position);
    if (w->db != NULL)
        db_end_read(w->db);
    silence_look_at_changes(w->silence, &job, job.told + w->events.count - job.first_event, w->db);
    ex->complete(ex);
    if (w->recycle)
        recycle_state(w);
}

/* --- transactions of routes with transaction = false --- */

static void tend_wal(struct worker *w)
{
    if (w->db != NULL && !w->dead)
        journal_tend_wal(w->journal, w->db);
}

bool worker_begin(struct job *job, struct error *e)
{
    struct worker *w = job->worker;

    if (job->in_transaction)
        return error_set(e, "sql", "db:transaction inside db:transaction");
    /* Who has the lock may wait for snapshots to end. This one is of no use any more: a transaction reads what is new. */
    if (w->db != NULL)
        db_end_read(w->db);
    if (!journal_lock(w->journal, job->deadline_ns)) {
        if (w->db != NULL)
            db_begin_read(w->db);
        return error_set(e, "busy", "another transaction did not end in time");
    }
    job->holds_lock = true;
    if (!db_begin_write(w->transactions, e)) {
        worker_rollback(job);
        return false;
    }
    set_rights(job, true);
    return true;
}

static void end_transaction(struct job *job)
{
    struct worker *w = job->worker;

    event_list_cut(&w->events, 0);
    journal_unlock(w->journal);
    job->holds_lock = false;
    set_rights(job, false);
    if (w->db != NULL)
        db_begin_read(w->db);
}

bool worker_commit(struct job *job, struct error *e)
{
    struct worker *w = job->worker;

    if (!job->holds_lock)
        return error_set(e, "sql", "there is no transaction to commit");
    /* A handler that was given up on has been answered with 503: it commits nothing more. */
    if (atomic_load(&job->ex->state) == EXCHANGE_EXPIRED) {
        worker_rollback(job);
        return error_set(e, "deadline", "the handler ran past its deadline");
    }
    if (w->db != NULL && db_depth(w->db) > 0) {
        worker_rollback(job);
        return error_set(e, "sql", "a db:try or db:transaction inside did not end: a coroutine that was left?");
    }
    silence_look_at_events(w->silence, job, &w->events);
    if (!replay_note(&w->replays, job, has_changed(w, job), e)) {
        replay_settle(job, false);
        worker_rollback(job);
        return false;
    }
    bool ok = commit(w, e);
    replay_settle(job, ok);
    if (ok)
        job->told += w->events.count;
    end_transaction(job);
    journal_wake(w->journal);
    tend_wal(w);
    return ok;
}

void worker_rollback(struct job *job)
{
    if (!job->holds_lock)
        return;
    db_finish_all(job->worker->transactions);
    db_rollback(job->worker->transactions);
    end_transaction(job);
}

/* --- the writer --- */

static void hold(struct worker *w, struct exchange *ex)
{
    ex->next = w->batch;
    w->batch = ex;
}

/* Nobody's part of the batch stands, and nothing more is run in it. */
static void give_up_batch(struct worker *w, const struct error *why)
{
    w->failure = *why;
    w->batch_open = false;
}

void worker_begin_batch(struct worker *w, uint64_t since_ns)
{
    struct error e;

    (void)journal_lock(w->journal, 0);
    w->batch_open = true;
    w->standing = 0;
    /* Another program's lock is waited for as long as a handler may run, counted from when the first began to wait for us:
     * so those behind it do not wait for that time once each. */
    script_state_arm(w->state, since_ns + w->config->deadline_ms * 1000000ull);
    if (!db_begin_write(w->transactions, &e))
        give_up_batch(w, &e);
}

/* The savepoint of a handler that is to leave no trace. */
static void undo(struct worker *w, const struct job *job)
{
    struct error e;

    event_list_cut(&w->events, job->first_event);
    if (w->db != NULL && !db_rollback_to(w->db, 0, &e))
        give_up_batch(w, &e);
}

static bool keep(struct worker *w, struct exchange *ex)
{
    struct error e;

    if (w->db == NULL)
        return true;
    if (db_depth(w->db) > 1) {
        log_error("script", "%.*s: a db:try or db:transaction did not end: a coroutine that was left?",
                  STR_ARG(ex->request.id));
        response_set_error(ex, 500, "internal", "the server made a mistake", "");
        return false;
    }
    if (db_release(w->db, &e))
        return true;
    if (strcmp(e.code, "foreign_key") != 0)
        return false; /* the batch is lost, and undo finds that out */
    log_warn("db", "%.*s: %s", STR_ARG(ex->request.id), e.message);
    response_set_error(ex, 409, e.code, "it refers to something that does not exist, or is still referred to", "");
    return false;
}

/* In the handler's savepoint, so that nothing stands without its record. */
static bool record(struct worker *w, struct job *job)
{
    struct error e;

    if (replay_record(&w->replays, job, has_changed(w, job), &e))
        return true;
    log_error("db", "%.*s: its answer cannot be kept: %s", STR_ARG(job->ex->request.id), e.message);
    set_overload_error(job->ex, "unavailable", "the change could not be stored; try again");
    return false;
}

static void run_emission(struct worker *w, struct exchange *ex)
{
    for (size_t i = 0; i < ex->event_count; i++) {
        if (!worker_add_event(w, event_ref(ex->events[i]))) {
            event_unref(ex->events[i]);
            set_overload_error(ex, "out_of_memory", "the server is short of memory");
            return;
        }
    }
    ex->response.status = 204;
}

static void run_emit_api(struct worker *w, struct job *job)
{
    counter_add(&w->counters, COUNT_HANDLERS, 1);
    if (w->db != NULL)
        db_forget_changes(w->db);
    script_state_arm(w->state, job->deadline_ns);
    if (replay_admit(&w->replays, job))
        emit_api_run(job, w->app);
    if (job->ex->response.body.failed)
        set_overload_error(job->ex, "out_of_memory", "the server is short of memory");
}

bool worker_run_writer(struct worker *w, struct exchange *ex)
{
    struct job job = make_job(w, ex, JOB_WRITES);
    struct error e;

    hold(w, ex);
    if (!w->batch_open || !exchange_start(ex, clock_monotonic_ns()))
        return w->batch_open;
    if (w->db != NULL && !db_savepoint(w->db, &e)) {
        give_up_batch(w, &e);
        return false;
    }
    if (ex->kind == EXCHANGE_EMISSION)
        run_emission(w, ex);
    else if (ex->route == w->app->emit_route)
        run_emit_api(w, &job);
    else
        run_handler(w, &job);
    bool stands = ex->response.status < 400 && exchange_settle(ex);
    if (!stands || !record(w, &job) || !keep(w, ex)) {
        (void)exchange_settle(ex);
        undo(w, &job);
        return w->batch_open;
    }
    w->standing += job.replay.state == REPLAY_REPEATED ? 0 : 1;
    silence_look_at_events(w->silence, &job, &w->events);
    silence_look_at_changes(w->silence, &job, job.told + w->events.count - job.first_event, w->db);
    return true;
}

static void log_batch_failure(struct worker *w)
{
    char text[ERROR_MESSAGE_MAX];

    snprintf(text, sizeof text, "changes are not stored in %.120s, mutations are answered with 503: %.290s",
             w->db == NULL ? "the log" : w->config->database, w->failure.message);
    outage_note(&w->outage, clock_monotonic_ns(), "db", text);
}

static bool commit_batch(struct worker *w)
{
    script_state_arm(w->state, 0); /* a commit is not to be interrupted */
    if (w->batch_open && commit(w, &w->failure)) {
        if (w->db == NULL || db_wrote(w->db)) /* a full disk takes what writes nothing */
            outage_end(&w->outage, clock_monotonic_ns(), "db", "changes are stored again");
        return true;
    }
    if (!w->batch_open) {
        counter_add(&w->counters, COUNT_COMMIT_FAILURES, 1);
        db_rollback(w->transactions);
    }
    if (!w->dead)
        log_batch_failure(w);
    return false;
}

static void set_batch_error(const struct worker *w, struct exchange *ex)
{
    /* A 4xx may have come of what another handler of the batch wrote, so it falls as well. A 503 says what else went wrong. */
    if (ex->response.status == 503)
        return;
    if (strcmp(w->failure.code, "busy") == 0 || strcmp(w->failure.code, "deadline") == 0)
        set_overload_error(ex, "busy", "another program is writing to the database; try again");
    else
        set_overload_error(ex, "unavailable", "the change could not be stored; try again");
}

static struct exchange *oldest_first(struct exchange *list)
{
    struct exchange *reversed = NULL;

    while (list != NULL) {
        struct exchange *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

void worker_end_batch(struct worker *w)
{
    bool committed = commit_batch(w);

    event_list_cut(&w->events, 0);
    journal_unlock(w->journal);
    w->batch_open = false;
    if (w->dead)
        return;
    struct exchange *ex = oldest_first(w->batch);
    w->batch = NULL;
    while (ex != NULL) {
        struct exchange *next = ex->next;
        if (!committed)
            set_batch_error(w, ex);
        ex->complete(ex);
        ex = next;
    }
    journal_wake(w->journal); /* last: a loop that has got an answer has looked at the events as well */
    tend_wal(w);
    if (w->recycle)
        recycle_state(w);
}

/* Whether the history or, now and then, the records of requests are to be looked after. */
static bool has_housework(struct worker *w, uint64_t now)
{
    if (now >= w->records_after_ns)
        return true;
    if (!journal_lock(w->journal, now + HOUSE_WAIT_NS))
        return false;
    bool over = journal_is_over(w->journal);
    journal_unlock(w->journal);
    return over;
}

bool worker_keep_house(struct worker *w)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t age_ns = w->config->replay.age_ms * 1000000u;
    bool more = false;
    struct error e;

    if (w->db == NULL || now < w->house_after_ns || !has_housework(w, now))
        return false;
    worker_begin_batch(w, now);
    if (w->batch_open && !replay_trim(&w->replays, &more, &e))
        give_up_batch(w, &e);
    bool ok = commit_batch(w); /* which drops a slice of the history */
    bool over = journal_is_over(w->journal);
    journal_unlock(w->journal);
    w->batch_open = false;
    tend_wal(w);
    if (!more)
        w->records_after_ns = now + (age_ns < HOUSE_AGAIN_NS ? age_ns : HOUSE_AGAIN_NS);
    if (!ok)
        w->house_after_ns = now + HOUSE_AGAIN_NS;
    return ok && (more || over);
}
