/* Events that a C program emits: they go to the writer like a handler's, and are committed and published as those
 * are. */
#include <pthread.h>
#include <stdlib.h>

#include "base/json.h"
#include "broker_private.h"

struct emission {
    struct exchange exchange; /* first */
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
};

static void finish_emission(struct exchange *ex)
{
    struct emission *emission = (struct emission *)ex;

    pthread_mutex_lock(&emission->lock);
    emission->finished = true;
    pthread_cond_signal(&emission->done);
    pthread_mutex_unlock(&emission->lock);
}

static struct event *make_event(const struct pillar_broker *b, const struct app *app, const pillar_event *from,
                                struct error *e)
{
    const struct settings *s = &b->options->values;
    struct str data = str_of(from->data);

    if (!app_has_entity(app, str_of(from->entity))) {
        (void)error_field(e, "entity", "the entity '%s' is not declared", from->entity == NULL ? "" : from->entity);
        return NULL;
    }
    if (from->target_user_count > s->max_event_targets || data.len > s->max_event_bytes) {
        (void)error_field(e, data.len > s->max_event_bytes ? "data" : "targetUserIds", "more than an event may hold");
        return NULL;
    }
    if (data.len > 0 && !json_scan(data, STR_NONE, NULL, e)) {
        struct error why = *e;
        (void)error_field(e, "data", "%s", why.message);
        return NULL;
    }
    struct str *targets = calloc(from->target_user_count + 1, sizeof *targets);
    if (targets == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    for (size_t i = 0; i < from->target_user_count; i++)
        targets[i] = str_of(from->target_user_ids[i]);
    struct event_fields fields = {.entity = str_of(from->entity),
                                  .action = str_of(from->action),
                                  .entity_id = str_of(from->entity_id),
                                  .project_id = str_of(from->project_id),
                                  .user_id = str_of(from->user_id),
                                  .session_id = str_of(from->session_id),
                                  .data = data,
                                  .everyone = from->everyone != 0,
                                  .targets = targets,
                                  .target_count = from->everyone != 0 ? 0 : from->target_user_count};
    struct event *ev = event_create(&fields, e);
    free(targets);
    return ev;
}

/* Waits for the writer, which treats the events as a handler's. */
static bool commit_events(struct program *program, struct event *const *events, size_t count, struct error *e)
{
    struct emission emission = {
        .exchange = {.kind = EXCHANGE_EMISSION, .events = events, .event_count = count, .complete = finish_emission}};

    pthread_mutex_init(&emission.lock, NULL);
    pthread_cond_init(&emission.done, NULL);
    bool ok = pool_submit(program->pool, &emission.exchange);
    if (!ok)
        (void)error_set(e, "overloaded", "the request queue is full");
    pthread_mutex_lock(&emission.lock);
    while (ok && !emission.finished)
        pthread_cond_wait(&emission.done, &emission.lock);
    pthread_mutex_unlock(&emission.lock);
    if (ok && emission.exchange.response.status >= 400)
        ok = error_set(e, "unavailable", "the events could not be committed");
    response_clear(&emission.exchange);
    arena_free(&emission.exchange.arena);
    pthread_cond_destroy(&emission.done);
    pthread_mutex_destroy(&emission.lock);
    return ok;
}

int pillar_broker_emit(struct pillar_broker *b, const pillar_event *events, size_t count, pillar_error *error)
{
    struct event **made = calloc(count + 1, sizeof(struct event *));
    struct error e = {.code = "internal"};
    size_t ready = 0;

    if (made == NULL) {
        (void)error_no_memory(&e);
        return api_report(error, &e);
    }
    struct program *program = broker_program(b);
    bool ok = true;
    while (ok && ready < count) {
        made[ready] = make_event(b, program->app, &events[ready], &e);
        ok = made[ready] != NULL;
        ready += ok ? 1 : 0;
    }
    ok = ok && commit_events(program, made, count, &e);
    for (size_t i = 0; i < ready; i++)
        event_unref(made[i]);
    free(made);
    program_unref(program);
    return ok ? 0 : api_report(error, &e);
}
