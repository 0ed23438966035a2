#include "script/emit_limits.h"

#include "script/worker.h"

size_t emit_bytes(const struct event_fields *f)
{
    return sizeof(struct event) + f->data.len + f->target_count * sizeof *f->targets;
}

bool emit_count(struct job *job, size_t bytes, struct error *e)
{
    const struct script_limits *limits = job->limits;
    bool many = worker_event_count(job->worker) - job->first_event >= limits->events;

    job->event_bytes += bytes;
    if (!many && job->event_bytes <= limits->all_event_bytes)
        return true;
    return error_field(e, "events",
                       many ? "more than %zu events at once (--max-events)"
                            : "events of more than %zu bytes at once (--max-events-bytes)",
                       many ? limits->events : limits->all_event_bytes);
}
