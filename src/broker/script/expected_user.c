#include "script/expected_user.h"

#include "base/percent.h"

enum { ENCODED_MAX = 3 * EVENT_ID_MAX };

static const struct str header_name = {"x-user-id", 9};

static bool is_visible_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '!' || s.ptr[i] > '~')
            return false;
    return true;
}

/* `out` has room for ENCODED_MAX bytes. */
static bool decode(struct str text, char *out, struct str *id)
{
    *id = (struct str){out, 0};
    return text.len <= ENCODED_MAX && is_visible_ascii(text) && percent_decode(text, false, out, &id->len) &&
           event_id_valid(*id);
}

static size_t find(const struct pairs *headers, struct str *value)
{
    size_t count = 0;

    for (size_t i = 0; i < headers->count; i++) {
        if (!str_eq(headers->at[i].name, header_name))
            continue;
        *value = headers->at[i].value;
        count++;
    }
    return count;
}

bool expected_user_admit(struct job *job)
{
    struct exchange *ex = job->ex;
    struct str text = STR_NONE;
    struct str id;
    char decoded[ENCODED_MAX];
    size_t count = find(&ex->request.headers, &text);

    if (count == 0 || job->user_id.len == 0)
        return true;
    if (count > 1 || !decode(text, decoded, &id)) {
        response_set_error(ex, 400, "invalid_field",
                           "X-User-Id must be one header: a user id, in UTF-8 and percent-encoded", "X-User-Id");
        return false;
    }
    if (str_eq(id, job->user_id))
        return true;
    response_set_error(ex, 401, "other_user", "this was asked on behalf of somebody else than who is signed in",
                       "X-User-Id");
    (void)response_add_header(ex, STR("WWW-Authenticate"), STR("Bearer"), NULL); /* RFC 9110 section 15.5.2 */
    return false;
}
