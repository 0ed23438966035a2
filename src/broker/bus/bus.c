#include "bus/bus.h"

#include <pthread.h>
#include <stdlib.h>

struct bus {
    pthread_mutex_t lock; /* guards outlets, and the order of deliveries */
    struct bus_outlet *outlets;
};

struct bus *bus_create(void)
{
    struct bus *bus = calloc(1, sizeof *bus);

    if (bus != NULL)
        pthread_mutex_init(&bus->lock, NULL); /* with default attributes it has nothing to fail at */
    return bus;
}

void bus_free(struct bus *bus)
{
    if (bus == NULL)
        return;
    pthread_mutex_destroy(&bus->lock);
    free(bus);
}

void bus_attach(struct bus *bus, struct bus_outlet *outlet)
{
    pthread_mutex_lock(&bus->lock);
    outlet->next = bus->outlets;
    bus->outlets = outlet;
    pthread_mutex_unlock(&bus->lock);
}

void bus_detach(struct bus *bus, struct bus_outlet *outlet)
{
    pthread_mutex_lock(&bus->lock);
    for (struct bus_outlet **at = &bus->outlets; *at != NULL; at = &(*at)->next) {
        if (*at == outlet) {
            *at = outlet->next;
            break;
        }
    }
    pthread_mutex_unlock(&bus->lock);
}

void bus_publish(struct bus *bus, struct event *const *events, size_t count)
{
    pthread_mutex_lock(&bus->lock);
    for (struct bus_outlet *outlet = bus->outlets; outlet != NULL; outlet = outlet->next)
        outlet->deliver(outlet, events, count);
    pthread_mutex_unlock(&bus->lock);
}

void bus_wake(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    for (struct bus_outlet *outlet = bus->outlets; outlet != NULL; outlet = outlet->next)
        if (outlet->wake != NULL)
            outlet->wake(outlet);
    pthread_mutex_unlock(&bus->lock);
}
