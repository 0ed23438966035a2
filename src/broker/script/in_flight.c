#include "script/in_flight.h"

#include <pthread.h>
#include <stdlib.h>

struct in_flight {
    pthread_mutex_t lock; /* guards the list */
    struct list entries;
};

struct in_flight *in_flight_create(void)
{
    struct in_flight *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    list_init(&f->entries);
    pthread_mutex_init(&f->lock, NULL); /* with default attributes it has nothing to fail at */
    return f;
}

void in_flight_free(struct in_flight *f)
{
    if (f == NULL)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static bool has(const struct in_flight *f, const unsigned char *scope)
{
    for (const struct list *node = f->entries.next; node != &f->entries; node = node->next)
        if (memcmp(list_entry(node, const struct in_flight_entry, node)->scope, scope, SHA256_SIZE) == 0)
            return true;
    return false;
}

bool in_flight_enter(struct in_flight *f, struct in_flight_entry *entry, const struct idempotency_id *id)
{
    pthread_mutex_lock(&f->lock);
    bool first = !has(f, id->scope);
    if (first) {
        entry->scope = id->scope;
        list_push(&f->entries, &entry->node);
    }
    pthread_mutex_unlock(&f->lock);
    return first;
}

bool in_flight_has(struct in_flight *f, const struct idempotency_id *id)
{
    pthread_mutex_lock(&f->lock);
    bool found = has(f, id->scope);
    pthread_mutex_unlock(&f->lock);
    return found;
}

void in_flight_leave(struct in_flight *f, struct in_flight_entry *entry)
{
    if (entry->scope == NULL)
        return;
    pthread_mutex_lock(&f->lock);
    list_remove(&entry->node);
    pthread_mutex_unlock(&f->lock);
    entry->scope = NULL;
}
