#include "db/idempotency.h"

enum { SHRINK_STEP = 8 /* records removed between two looks at the size */ };

static const char table[] = "CREATE TABLE IF NOT EXISTS main.pillar_idempotency ("
                            " number INTEGER PRIMARY KEY,"
                            " scope BLOB NOT NULL UNIQUE,"
                            " fingerprint BLOB NOT NULL,"
                            " createdAt INTEGER NOT NULL," /* in milliseconds since 1970 */
                            " status INTEGER,"             /* NULL: there is no answer */
                            " headers TEXT,"               /* "name: value", a line each */
                            " body BLOB);"
                            "CREATE INDEX IF NOT EXISTS main.pillar_idempotency_age ON pillar_idempotency (createdAt)";

bool idempotency_prepare(struct db *db, struct error *e)
{
    return db_run_internal(db, table, e);
}

/* --- who asks for what --- */

/* With its length, so that no two lists of parts look alike. */
static void append_part(struct buf *out, struct str part)
{
    buf_append_u64(out, part.len);
    buf_append_char(out, ':');
    buf_append_str(out, part);
}

static bool digest(unsigned char out[SHA256_SIZE], struct buf *parts, struct str last)
{
    struct str both[] = {buf_str(parts), last};
    bool ok = !parts->failed && sha256(out, both, 2);

    buf_free(parts);
    return ok;
}

/* The path by its segments: how a client has escaped them says nothing, but a slash in one is not one between two. */
static bool make_scope(struct idempotency_id *id, struct str user_id, const struct request *r, struct str key)
{
    struct buf parts = BUF_EMPTY;

    append_part(&parts, user_id);
    append_part(&parts, method_names[r->method]);
    for (size_t i = 0; i < r->segment_count; i++)
        append_part(&parts, r->segments[i]);
    buf_append_char(&parts, '=');
    return digest(id->scope, &parts, key);
}

/* Not the session, nor any other header: a page that was loaded anew asks again in another session. */
static bool make_fingerprint(struct idempotency_id *id, const struct request *r)
{
    struct buf parts = BUF_EMPTY;

    append_part(&parts, pairs_get(&r->headers, STR("content-type")));
    for (size_t i = 0; i < r->query.count; i++) {
        append_part(&parts, r->query.at[i].name);
        append_part(&parts, r->query.at[i].value);
    }
    buf_append_char(&parts, '=');
    return digest(id->fingerprint, &parts, r->body);
}

bool idempotency_identify(struct idempotency_id *id, struct str user_id, const struct request *r, struct str key)
{
    return make_scope(id, user_id, r, key) && make_fingerprint(id, r);
}

/* --- statements --- */

static struct db_value of_integer(uint64_t value)
{
    return (struct db_value){.type = DB_INTEGER, .integer = (int64_t)value};
}

static struct db_value of_digest(const unsigned char bytes[SHA256_SIZE])
{
    return (struct db_value){.type = DB_BLOB, .bytes = {(const char *)bytes, SHA256_SIZE}};
}

/* Prepares and binds. The values' bytes stay in place until db_finish. */
static struct db_statement *start(struct db *db, struct str sql, const struct db_value *values, int count,
                                  struct error *e)
{
    struct db_statement *s = db_prepare_internal(db, sql, e);

    for (int i = 0; s != NULL && i < count; i++) {
        if (db_bind(s, i + 1, &values[i], e))
            continue;
        db_finish(s);
        return NULL;
    }
    return s;
}

/* Runs one that changes rows; *changed: how many. */
static bool run(struct db *db, struct str sql, const struct db_value *values, int count, int64_t *changed,
                struct error *e)
{
    struct db_statement *s = start(db, sql, values, count, e);

    if (s == NULL)
        return false;
    bool ok = db_step(s, e) == DB_DONE;
    *changed = db_changes(db);
    db_finish(s);
    return ok;
}

/* --- answers --- */

static void append_headers(struct buf *out, const struct pairs *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        buf_append_str(out, headers->at[i].name);
        buf_append(out, ": ", 2);
        buf_append_str(out, headers->at[i].value);
        buf_append_char(out, '\n'); /* no value holds one: response_add_header has seen to it */
    }
}

static bool read_headers(struct exchange *ex, struct str text, struct error *e)
{
    struct str line;

    while (str_split(&text, '\n', &line) && line.len > 0) {
        struct str value = line;
        struct str name;
        if (!str_split(&value, ':', &name) || value.len == 0)
            return error_set(e, "unavailable", "a stored answer is damaged");
        if (!response_add_header(ex, name, str_from(value, 1), e))
            return false;
    }
    return true;
}

size_t idempotency_answer_size(const struct response *answer)
{
    size_t size = answer->body.len;

    for (size_t i = 0; i < answer->headers.count; i++)
        size += answer->headers.at[i].name.len + answer->headers.at[i].value.len + 3;
    return size;
}

/* status, headers and body, as three values; the headers' text is the caller's to free. */
static bool answer_values(const struct response *answer, struct db_value values[3], struct buf *headers,
                          struct error *e)
{
    for (int i = 0; i < 3; i++)
        values[i] = (struct db_value){.type = DB_NULL};
    if (answer == NULL)
        return true;
    append_headers(headers, &answer->headers);
    if (headers->failed)
        return error_no_memory(e);
    values[0] = of_integer((uint64_t)answer->status);
    values[1] = (struct db_value){.type = DB_TEXT, .bytes = buf_str(headers)};
    values[2] = (struct db_value){.type = DB_BLOB, .bytes = buf_str(&answer->body)};
    return true;
}

/* --- records --- */

static enum idempotency_finding take_record(struct db_statement *s, const struct idempotency_id *id,
                                            struct exchange *ex, struct error *e)
{
    struct db_value fingerprint = db_column(s, 0);
    struct db_value status = db_column(s, 1);

    if (!str_eq(fingerprint.bytes, of_digest(id->fingerprint).bytes))
        return IDEMPOTENCY_OTHER;
    if (status.type == DB_NULL)
        return IDEMPOTENCY_UNANSWERED;
    if (status.type != DB_INTEGER || status.integer < 200 || status.integer > 399) {
        (void)error_set(e, "unavailable", "a stored answer is damaged");
        return IDEMPOTENCY_FAILED;
    }
    ex->response.status = (int)status.integer;
    buf_append_str(&ex->response.body, db_column(s, 3).bytes);
    if (ex->response.body.failed)
        (void)error_no_memory(e);
    else if (read_headers(ex, db_column(s, 2).bytes, e))
        return IDEMPOTENCY_ANSWERED;
    response_clear(ex);
    return IDEMPOTENCY_FAILED;
}

enum idempotency_finding idempotency_find(struct db *db, const struct idempotency_id *id, uint64_t since_ms,
                                          struct exchange *ex, struct error *e)
{
    const struct db_value values[] = {of_digest(id->scope), of_integer(since_ms)};
    struct db_statement *s = start(db,
                                   STR("SELECT fingerprint, status, headers, body FROM main.pillar_idempotency"
                                       " WHERE scope = ? AND createdAt >= ?"),
                                   values, 2, e);
    enum idempotency_finding finding = IDEMPOTENCY_FAILED;

    if (s == NULL)
        return finding;
    enum db_step step = db_step(s, e);
    if (step == DB_ROW)
        finding = take_record(s, id, ex, e);
    else if (step == DB_DONE)
        finding = IDEMPOTENCY_NEW;
    db_finish(s);
    return finding;
}

bool idempotency_add(struct db *db, const struct idempotency_id *id, const struct response *answer, uint64_t now_ms,
                     uint64_t since_ms, struct error *e)
{
    struct db_value values[] = {of_digest(id->scope),      of_digest(id->fingerprint), of_integer(now_ms),
                                {DB_NULL, 0, 0, STR_NONE}, {DB_NULL, 0, 0, STR_NONE},  {DB_NULL, 0, 0, STR_NONE},
                                of_integer(since_ms)};
    struct buf headers = BUF_EMPTY;
    int64_t changed = 0;

    bool ok = answer_values(answer, &values[3], &headers, e) &&
              run(db,
                  STR("INSERT INTO main.pillar_idempotency (scope, fingerprint, createdAt, status, headers, body)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                      " ON CONFLICT (scope) DO UPDATE SET fingerprint = excluded.fingerprint,"
                      " createdAt = excluded.createdAt, status = excluded.status, headers = excluded.headers,"
                      " body = excluded.body WHERE pillar_idempotency.createdAt < ?7"),
                  values, 7, &changed, e);
    buf_free(&headers);
    if (ok && changed == 0)
        return error_set(e, "busy", "another request with this Idempotency-Key was first");
    return ok;
}

bool idempotency_answer(struct db *db, const struct idempotency_id *id, const struct response *answer, struct error *e)
{
    struct db_value values[5] = {of_digest(id->scope), of_digest(id->fingerprint)};
    struct buf headers = BUF_EMPTY;
    int64_t changed = 0;

    bool ok = answer_values(answer, &values[2], &headers, e) &&
              run(db,
                  STR("UPDATE main.pillar_idempotency SET status = ?3, headers = ?4, body = ?5"
                      " WHERE scope = ?1 AND fingerprint = ?2 AND status IS NULL"),
                  values, 5, &changed, e);
    buf_free(&headers);
    if (ok && changed == 0)
        return error_set(e, "unavailable", "the record that is to get an answer is gone");
    return ok;
}

/* --- making room --- */

bool idempotency_trim(struct db *db, uint64_t since_ms, size_t most, size_t *removed, struct error *e)
{
    const struct db_value values[] = {of_integer(since_ms), of_integer(most)};
    int64_t changed = 0;

    bool ok = run(db,
                  STR("DELETE FROM main.pillar_idempotency WHERE number IN (SELECT number FROM main.pillar_idempotency"
                      " WHERE createdAt < ? ORDER BY createdAt LIMIT ?)"),
                  values, 2, &changed, e);
    if (removed != NULL)
        *removed = ok ? (size_t)changed : 0;
    return ok;
}

static bool read_size(struct db *db, size_t *bytes, struct error *e)
{
    struct db_statement *s = start(db,
                                   STR("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
                                       " pragma_freelist_count, pragma_page_size"),
                                   NULL, 0, e);

    if (s == NULL)
        return false;
    bool ok = db_step(s, e) == DB_ROW;
    *bytes = ok ? (size_t)db_column(s, 0).integer : 0;
    db_finish(s);
    return ok;
}

bool idempotency_shrink(struct db *db, size_t bytes, struct error *e)
{
    size_t size;
    size_t removed = SHRINK_STEP;

    while (removed > 0) {
        if (!read_size(db, &size, e))
            return false;
        if (size <= bytes)
            return true;
        if (!idempotency_trim(db, INT64_MAX, SHRINK_STEP, &removed, e))
            return false;
    }
    return true;
}
