#include "origin.h"

static struct str header(const struct request *r, struct str name)
{
    return pairs_get(&r->headers, name);
}

static bool is_listed(const struct cors *cors, struct str origin)
{
    for (size_t i = 0; i < cors->origin_count; i++)
        if (str_eq(cors->origins[i], origin))
            return true;
    return false;
}

/* --- CORS --- */

bool origin_set_headers(const struct cors *cors, const struct request *request, struct exchange *ex)
{
    enum { MOST = 4 };
    struct str origin = header(request, STR("origin"));
    bool listed = origin.len > 0 && is_listed(cors, origin);
    size_t count = 0;

    if (!cors->on)
        return true;
    struct pair *at = arena_alloc(&ex->arena, MOST * sizeof *at);
    if (at == NULL)
        return false;
    /* A cache must know that the answer to another origin is another; to all origins it is one. */
    if (!cors->any)
        at[count++] = (struct pair){STR("Vary"), STR("Origin")};
    if (cors->any || listed) {
        at[count++] = (struct pair){STR("Access-Control-Allow-Origin"), cors->any ? STR("*") : origin};
        at[count++] = (struct pair){STR("Access-Control-Expose-Headers"), cors->exposed};
    }
    if (listed && cors->credentials)
        at[count++] = (struct pair){STR("Access-Control-Allow-Credentials"), STR("true")};
    ex->always = (struct pairs){at, count};
    return true;
}

bool origin_answer_preflight(const struct cors *cors, struct exchange *ex, struct str methods)
{
    const struct request *r = &ex->request;
    struct str origin = header(r, STR("origin"));
    struct str headers = cors->headers.len > 0 ? cors->headers : header(r, STR("access-control-request-headers"));

    if (!cors->on || origin.len == 0 || header(r, STR("access-control-request-method")).len == 0)
        return true;
    if (!cors->any && !is_listed(cors, origin))
        return true;
    return response_add_header(ex, STR("Access-Control-Allow-Methods"), methods, NULL) &&
           (headers.len == 0 || response_add_header(ex, STR("Access-Control-Allow-Headers"), headers, NULL)) &&
           response_add_header(ex, STR("Access-Control-Max-Age"), cors->max_age, NULL);
}

/* --- requests for pages of other sites --- */

/* Splits "host:port"; without a port it is `fallback`. */
static void split_port(struct str authority, struct str fallback, struct str *host, struct str *port)
{
    size_t at = authority.len;

    while (at > 0 && authority.ptr[at - 1] >= '0' && authority.ptr[at - 1] <= '9')
        at--;
    bool has_port = at > 0 && authority.ptr[at - 1] == ':';
    *host = has_port ? (struct str){authority.ptr, at - 1} : authority;
    *port = has_port && at < authority.len ? str_from(authority, at) : fallback;
}

/* Whether an origin is the host that the request was sent to. Who we are is known from there alone, and the scheme is not:
 * it may end at a proxy. */
static bool is_own(struct str origin, struct str host)
{
    struct str https = STR("https://");
    struct str http = STR("http://");
    bool secure = str_starts_with(origin, https);
    struct str port = secure ? STR("443") : STR("80");
    struct str names[2];
    struct str ports[2];

    if (host.len == 0 || (!secure && !str_starts_with(origin, http)))
        return false;
    split_port(str_from(origin, secure ? https.len : http.len), port, &names[0], &ports[0]);
    split_port(host, port, &names[1], &ports[1]);
    return str_eq_nocase(names[0], names[1]) && str_eq(ports[0], ports[1]);
}

/* What a browser adds by itself, also for a page that it does not trust. */
static bool has_ambient_credentials(const struct request *r)
{
    static const struct str schemes[] = {{"Basic", 5}, {"Digest", 6}, {"Negotiate", 9}, {"NTLM", 4}};
    struct str authorization = header(r, STR("authorization"));
    struct str scheme = STR_NONE;

    if (header(r, STR("cookie")).len > 0)
        return true;
    if (authorization.len > 0)
        (void)str_split(&authorization, ' ', &scheme);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (str_eq_nocase(scheme, schemes[i]))
            return true;
    return false;
}

bool origin_is_foreign(const struct cors *cors, const struct request *r)
{
    struct str site = header(r, STR("sec-fetch-site"));
    struct str origin = header(r, STR("origin"));
    bool own = true;

    if (site.len > 0)
        own = str_eq(site, STR("same-origin")) || str_eq(site, STR("none"));
    else if (origin.len > 0)
        own = is_own(origin, header(r, STR("host")));
    if (own)
        return false;
    /* Every origin may ask as anybody, but none as whoever happens to be signed in. */
    return cors->any ? has_ambient_credentials(r) : origin.len == 0 || !is_listed(cors, origin);
}
