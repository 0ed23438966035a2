#include "script/replay.h"

#include "base/clock.h"
#include "base/logger.h"

enum {
    KEY_MAX = 255,
    TRIM_STEP = 4, /* expired records removed for each new one: more than come, and few enough to be no wait */
    TRIM_SLICE = 8 /* the same while there is nothing else to do */
};

static const struct str header_name = {"idempotency-key", 15};

bool replay_key_valid(const struct request *r)
{
    size_t count = 0;

    for (size_t i = 0; i < r->headers.count; i++) {
        struct str value = r->headers.at[i].value;
        if (!str_eq(r->headers.at[i].name, header_name))
            continue;
        if (++count > 1 || value.len == 0 || value.len > KEY_MAX)
            return false;
        for (size_t j = 0; j < value.len; j++)
            if (value.ptr[j] < '!' || value.ptr[j] > '~')
                return false;
    }
    return true;
}

/* --- before the handler --- */

static struct db *records_of(const struct replays *rs)
{
    return rs->db != NULL ? rs->db : rs->config->memory;
}

/* What was recorded before has expired. */
static uint64_t since(const struct replays *rs, uint64_t now_ms)
{
    return now_ms > rs->config->age_ms ? now_ms - rs->config->age_ms : 0;
}

/* In the state of now. A handler that is about to run may have a snapshot already, from finding out who asks: it is older
 * than the entry in flight, and would not show what another request with the key has done before that. */
static enum idempotency_finding find_now(const struct replays *rs, struct job *job, struct error *e)
{
    uint64_t since_ms = since(rs, clock_wall_ms());
    bool locks = job->access == JOB_FREE && rs->db == NULL;

    if (locks && !journal_lock(rs->journal, job->deadline_ns)) {
        (void)error_set(e, "busy", "another transaction did not end in time");
        return IDEMPOTENCY_FAILED;
    }
    if (job->access == JOB_FREE && rs->db != NULL) {
        db_end_read(rs->db);
        db_begin_read(rs->db);
    }
    enum idempotency_finding finding = idempotency_find(records_of(rs), &job->replay.id, since_ms, job->ex, e);
    if (locks)
        journal_unlock(rs->journal);
    return finding;
}

/* A route may have been one with transaction = false until a reload, so the writer looks as well. */
static bool is_in_flight(const struct replays *rs, struct job *job)
{
    struct replay *replay = &job->replay;

    if (job->access == JOB_FREE)
        return !in_flight_enter(rs->config->in_flight, &replay->entry, &replay->id);
    return in_flight_has(rs->config->in_flight, &replay->id);
}

static void repeat(const struct replays *rs, struct job *job)
{
    if (!response_add_header(job->ex, STR("Idempotency-Replayed"), STR("true"), NULL)) {
        response_set_error_for_now(job->ex, 503, "out_of_memory", "the server is short of memory", 1);
        return;
    }
    job->replay.state = REPLAY_REPEATED;
    counter_add(rs->counters, COUNT_IDEMPOTENCY_REPLAYS, 1);
}

static void respond(const struct replays *rs, struct job *job, enum idempotency_finding finding, const struct error *e)
{
    switch (finding) {
    case IDEMPOTENCY_ANSWERED:
        repeat(rs, job);
        return;
    case IDEMPOTENCY_UNANSWERED:
        response_set_error(
            job->ex, 409, "idempotency_incomplete",
            "an earlier request with this Idempotency-Key changed something, and its answer is not known", "");
        break;
    case IDEMPOTENCY_OTHER:
        response_set_error(job->ex, 422, "idempotency_key_reused",
                           "this Idempotency-Key came with another body, content type or query before",
                           "Idempotency-Key");
        break;
    default:
        log_error("db", "%.*s: cannot look for an Idempotency-Key: %s", STR_ARG(job->ex->request.id), e->message);
        response_set_error_for_now(job->ex, 503, "unavailable", "the server cannot do this right now", 1);
        return;
    }
    counter_add(rs->counters, COUNT_IDEMPOTENCY_CONFLICTS, 1);
}

bool replay_admit(const struct replays *rs, struct job *job)
{
    const struct request *r = &job->ex->request;
    struct str key = pairs_get(&r->headers, header_name);
    struct error e = {.message = "out of memory"};

    if (key.len == 0 || job->access == JOB_READS)
        return true;
    if (!idempotency_identify(&job->replay.id, job->user_id, r, key)) {
        respond(rs, job, IDEMPOTENCY_FAILED, &e);
        return false;
    }
    if (is_in_flight(rs, job)) {
        response_set_error_for_now(job->ex, 409, "idempotency_in_progress",
                                   "a request with this Idempotency-Key is being carried out; try again later", 1);
        counter_add(rs->counters, COUNT_IDEMPOTENCY_CONFLICTS, 1);
        return false;
    }
    enum idempotency_finding finding = find_now(rs, job, &e);
    if (finding == IDEMPOTENCY_NEW) {
        job->replay.state = REPLAY_RUNS;
        return true;
    }
    respond(rs, job, finding, &e);
    return false;
}

/* --- records --- */

/* Some of the room that the new record takes comes from those that have expired. */
static bool make_room(const struct replays *rs, uint64_t now_ms, struct error *e)
{
    struct db *db = records_of(rs);

    return idempotency_trim(db, since(rs, now_ms), TRIM_STEP, NULL, e) &&
           (rs->db != NULL || idempotency_shrink(db, rs->config->memory_bytes, e));
}

static bool add(const struct replays *rs, struct job *job, const struct response *answer, struct error *e)
{
    uint64_t now_ms = clock_wall_ms();

    return idempotency_add(records_of(rs), &job->replay.id, answer, now_ms, since(rs, now_ms), e) &&
           make_room(rs, now_ms, e);
}

static bool may_be_kept(const struct replays *rs, const struct response *answer)
{
    for (size_t i = 0; i < answer->headers.count; i++)
        if (str_eq_nocase(answer->headers.at[i].name, STR("set-cookie")))
            return false;
    return idempotency_answer_size(answer) <= rs->config->answer_bytes;
}

bool replay_record(const struct replays *rs, struct job *job, bool changed, struct error *e)
{
    const struct response *answer = &job->ex->response;
    bool keeps = may_be_kept(rs, answer);

    if (job->replay.state != REPLAY_RUNS || (!keeps && !changed))
        return true;
    return add(rs, job, keeps ? answer : NULL, e);
}

bool replay_trim(const struct replays *rs, bool *more, struct error *e)
{
    size_t removed = 0;
    bool ok = idempotency_trim(rs->db, since(rs, clock_wall_ms()), TRIM_SLICE, &removed, e);

    *more = removed == TRIM_SLICE;
    return ok;
}

bool replay_note(const struct replays *rs, struct job *job, bool changed, struct error *e)
{
    if (job->replay.state != REPLAY_RUNS || !changed)
        return true;
    job->replay.state = REPLAY_NOTING;
    return add(rs, job, NULL, e);
}

void replay_settle(struct job *job, bool committed)
{
    if (job->replay.state == REPLAY_NOTING)
        job->replay.state = committed ? REPLAY_NOTED : REPLAY_RUNS;
}

bool replay_wants_answer(const struct replays *rs, const struct job *job)
{
    enum replay_state state = job->replay.state;

    return job->access == JOB_FREE && (state == REPLAY_RUNS || state == REPLAY_NOTED) &&
           job->ex->response.status < 400 && may_be_kept(rs, &job->ex->response);
}

bool replay_answer(const struct replays *rs, struct job *job, struct error *e)
{
    const struct response *answer = &job->ex->response;
    bool noted = job->replay.state == REPLAY_NOTED;

    job->replay.state = REPLAY_OFF;
    return noted ? idempotency_answer(records_of(rs), &job->replay.id, answer, e) : add(rs, job, answer, e);
}

void replay_leave(const struct replays *rs, struct job *job)
{
    in_flight_leave(rs->config->in_flight, &job->replay.entry);
}
