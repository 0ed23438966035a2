#include "http/target.h"

#include "base/percent.h"
#include "base/utf8.h"

static bool bad(struct refusal *why, const char *message)
{
    *why = (struct refusal){400, "bad_request", message};
    return false;
}

static bool no_memory(struct refusal *why)
{
    *why = (struct refusal){500, "out_of_memory", "out of memory"};
    return false;
}

static size_t count_char(struct str s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == c;
    return n;
}

static bool is_dots(struct str s)
{
    return str_eq(s, STR(".")) || str_eq(s, STR(".."));
}

/* Splits before it decodes, so that an encoded slash stays inside its segment. */
static bool parse_path(struct request *r, struct str raw, struct arena *arena, struct refusal *why)
{
    size_t count = count_char(raw, '/');

    if (count > TARGET_SEGMENTS_MAX)
        return bad(why, "the path has too many segments");
    char *path = arena_alloc(arena, raw.len);
    r->segments = arena_alloc(arena, count * sizeof *r->segments);
    if (path == NULL || r->segments == NULL)
        return no_memory(why);
    size_t at = 0;
    struct str rest = str_from(raw, 1);
    struct str part;
    while (str_split(&rest, '/', &part)) {
        size_t len;
        path[at++] = '/';
        if (!percent_decode(part, false, path + at, &len))
            return bad(why, "a malformed percent escape in the path");
        struct str segment = {path + at, len};
        if (!utf8_valid(segment))
            return bad(why, "the path is not UTF-8");
        if (is_dots(segment))
            return bad(why, "the path has a segment . or ..");
        r->segments[r->segment_count++] = segment;
        at += len;
    }
    r->path = (struct str){path, at};
    return true;
}

static bool decode_part(struct str raw, struct arena *arena, struct str *out, struct refusal *why)
{
    size_t len;
    struct str copy = arena_copy(arena, raw);

    if (copy.ptr == NULL)
        return no_memory(why);
    if (!percent_decode(raw, true, (char *)copy.ptr, &len))
        return bad(why, "a malformed percent escape in the query");
    *out = (struct str){copy.ptr, len};
    return utf8_valid(*out) ? true : bad(why, "the query is not UTF-8");
}

static bool parse_query(struct request *r, struct str raw, struct arena *arena, struct refusal *why)
{
    struct str part;
    size_t most = count_char(raw, '&') + 1;

    if (raw.len == 0)
        return true;
    if (most > TARGET_QUERY_MAX)
        return bad(why, "the query has too many parameters");
    r->query.at = arena_alloc(arena, most * sizeof *r->query.at);
    if (r->query.at == NULL)
        return no_memory(why);
    while (str_split(&raw, '&', &part)) {
        struct str name;
        struct pair *p = &r->query.at[r->query.count];
        if (part.len == 0)
            continue;
        (void)str_split(&part, '=', &name);
        if (!decode_part(name, arena, &p->name, why) || !decode_part(part, arena, &p->value, why))
            return false;
        r->query.count++;
    }
    return true;
}

/* An absolute target's path and query; "/" stands for an empty path (RFC 9112 section 3.2.1). */
static struct str without_authority(struct str target)
{
    struct str scheme = STR("http://");

    if (target.ptr[0] == '/' || target.ptr[0] == '*')
        return target;
    target = str_from(target, scheme.len);
    while (target.len > 0 && target.ptr[0] != '/' && target.ptr[0] != '?')
        target = str_from(target, 1);
    return target;
}

bool target_parse(struct request *r, struct arena *arena, struct refusal *why)
{
    struct str query = without_authority(r->target);
    struct str path = STR_NONE;

    (void)str_split(&query, '?', &path);
    if (str_eq(path, STR("*"))) {
        r->path = path;
        return true;
    }
    if (path.len == 0)
        path = STR("/");
    return parse_path(r, path, arena, why) && parse_query(r, query, arena, why);
}
