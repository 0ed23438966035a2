#include "script/user_rates.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"

struct user_rates {
    pthread_mutex_t lock; /* guards table */
    struct rate *table;
};

struct user_rates *user_rates_create(uint64_t per_second, size_t most)
{
    struct user_rates *u = calloc(1, sizeof *u);

    if (u == NULL)
        return NULL;
    u->table = rate_create(per_second, most);
    if (u->table == NULL) {
        free(u);
        return NULL;
    }
    pthread_mutex_init(&u->lock, NULL); /* with default attributes it has nothing to fail at */
    return u;
}

void user_rates_free(struct user_rates *u)
{
    if (u == NULL)
        return;
    pthread_mutex_destroy(&u->lock);
    rate_free(u->table);
    free(u);
}

uint64_t user_rates_take(struct user_rates *u, struct str user_id, uint64_t now_ns)
{
    uint64_t key = hash_str(user_id);

    pthread_mutex_lock(&u->lock);
    uint64_t wait_ns = rate_take(u->table, key, now_ns);
    pthread_mutex_unlock(&u->lock);
    return wait_ns;
}
