#include <stdlib.h>

#include "script/job.h"

bool event_list_add(struct event_list *list, struct event *ev)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : list->room * 2;
        struct event **at = realloc(list->at, room * sizeof(struct event *));
        if (at == NULL)
            return false;
        list->at = at;
        list->room = room;
    }
    list->at[list->count++] = ev;
    return true;
}

void event_list_cut(struct event_list *list, size_t count)
{
    while (list->count > count)
        event_unref(list->at[--list->count]);
}

size_t event_list_settle(struct event_list *list)
{
    size_t changes = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct event *ev = list->at[i];
        if (ev->kind != EVENT_SYNC)
            continue;
        list->at[i] = list->at[changes];
        list->at[changes++] = ev;
    }
    return changes;
}

void event_list_free(struct event_list *list)
{
    event_list_cut(list, 0);
    free(list->at);
    *list = (struct event_list){0};
}
