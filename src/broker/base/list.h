/*
 * list.h - an intrusive doubly linked list; the node sits in what is listed.
 */
#ifndef PILLAR_BASE_LIST_H
#define PILLAR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next; /* a node outside of any list, and an empty head, points at itself */
    struct list *prev;
};

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Adds a node that is in no list at the end. */
static inline void list_push(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* The first node, removed from the list, or NULL. */
static inline struct list *list_pop(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node); /* NOLINT(clang-analyzer-unix.Malloc): it does not see that a removed node is gone from
                          the list */
    return node;
}

#endif
