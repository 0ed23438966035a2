/*
 * The tree of routes: one level a path segment. At each level a literal goes before a parameter, and that
 * before a rest; a branch that leads nowhere is left again, so /a/:x/c is found even though /a/b exists.
 */
#include <string.h>

#include "script/app.h"

struct route_node {
    struct str literal;      /* what the segment must be; unused for a parameter */
    struct route_node *next; /* the next sibling among the literals */
    struct route_node *literals;
    struct route_node *parameter;
    size_t here[METHOD_COUNT]; /* route number + 1; 0: none */
    size_t rest[METHOD_COUNT]; /* the same for a *rest below this node */
};

static struct route_node *find_literal(const struct route_node *node, struct str literal)
{
    for (struct route_node *child = node->literals; child != NULL; child = child->next)
        if (str_eq(child->literal, literal))
            return child;
    return NULL;
}

static struct route_node *step_into(struct app *app, struct route_node *node, struct str segment)
{
    bool parameter = segment.len > 0 && segment.ptr[0] == ':';
    struct route_node *child = parameter ? node->parameter : find_literal(node, segment);

    if (child != NULL)
        return child;
    child = arena_alloc(&app->arena, sizeof *child);
    if (child == NULL)
        return NULL;
    child->literal = segment;
    if (parameter) {
        node->parameter = child;
    } else {
        child->next = node->literals;
        node->literals = child;
    }
    return child;
}

static bool take_place(const struct app *app, size_t *place, size_t number, struct error *e)
{
    const struct route *r = &app->routes[number];

    if (*place == 0) {
        *place = number + 1;
        return true;
    }
    const struct route *first = &app->routes[*place - 1];
    return error_set(e, "script", "%.*s: the route %.*s %.*s is the same as %.*s, defined at %.*s", STR_ARG(r->source),
                     STR_ARG(method_names[r->method]), STR_ARG(r->pattern), STR_ARG(first->pattern),
                     STR_ARG(first->source));
}

static bool add_route(struct app *app, size_t number, struct error *e)
{
    const struct route *r = &app->routes[number];
    struct route_node *node = app->root;
    struct str rest = str_from(r->pattern, 1);
    struct str segment;

    while (str_split(&rest, '/', &segment)) {
        if (segment.len > 0 && segment.ptr[0] == '*')
            return take_place(app, &node->rest[r->method], number, e);
        node = step_into(app, node, segment);
        if (node == NULL)
            return error_no_memory(e);
    }
    return take_place(app, &node->here[r->method], number, e);
}

bool app_build_routes(struct app *app, struct error *e)
{
    app->root = arena_alloc(&app->arena, sizeof *app->root);
    if (app->root == NULL)
        return error_no_memory(e);
    for (size_t i = 0; i < app->route_count; i++)
        if (app->routes[i].pattern.len > 0 && !add_route(app, i, e))
            return false;
    return true;
}

struct search {
    const struct request *request;
    enum method method;
    size_t found; /* route number + 1 */
    unsigned allowed;
};

static bool look_at(struct search *s, const size_t *places)
{
    for (int i = 0; i < METHOD_COUNT; i++)
        if (places[i] != 0)
            s->allowed |= 1u << i;
    s->found = places[s->method];
    return s->found != 0;
}

/* Recursion is bounded by the number of segments, which target.c bounds. */
static bool search_from(struct search *s, const struct route_node *node, size_t at)
{
    if (at == s->request->segment_count) {
        if (look_at(s, node->here))
            return true;
    } else {
        struct str segment = s->request->segments[at];
        const struct route_node *child = find_literal(node, segment);
        if (child != NULL && search_from(s, child, at + 1))
            return true;
        if (node->parameter != NULL && segment.len > 0 && search_from(s, node->parameter, at + 1))
            return true;
        if (look_at(s, node->rest))
            return true;
    }
    return false;
}

static bool fill_params(struct exchange *ex, const struct route *r)
{
    struct request *q = &ex->request;
    struct str rest = str_from(r->pattern, 1);
    struct str segment;
    size_t at = 0;

    q->params.at = arena_alloc(&ex->arena, (q->segment_count + 1) * sizeof *q->params.at);
    if (q->params.at == NULL)
        return false;
    q->params.count = 0;
    for (; str_split(&rest, '/', &segment); at++) {
        if (segment.len == 0 || (segment.ptr[0] != ':' && segment.ptr[0] != '*'))
            continue;
        struct pair *p = &q->params.at[q->params.count++];
        p->name = str_from(segment, 1);
        p->value = q->segments[at];
        if (segment.ptr[0] == '*') /* the decoded segments lie side by side in the path */
            p->value.len = (size_t)(q->path.ptr + q->path.len - p->value.ptr);
    }
    return true;
}

enum route_match app_route(const struct app *app, struct exchange *ex, size_t *route, unsigned *allowed)
{
    enum method method = ex->request.method == METHOD_HEAD ? METHOD_GET : ex->request.method;
    struct search s = {.request = &ex->request, .method = method};

    if (ex->request.segment_count == 0 || !search_from(&s, app->root, 0)) {
        *allowed = s.allowed;
        return s.allowed == 0 ? ROUTE_NOT_FOUND : ROUTE_WRONG_METHOD;
    }
    *route = s.found - 1;
    return fill_params(ex, &app->routes[*route]) ? ROUTE_FOUND : ROUTE_NOT_FOUND;
}
