#include "db/journal_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/logger.h"
#include "bus/event_log.h"

enum {
    TABLES_VERSION = 1,
    TRIM_EVENTS = 256,   /* a slice of trimming: so many events, */
    TRIM_BYTES = 4 << 20 /* and so many bytes, since large events are freed page by page */
};

static const char tables[] = "CREATE TABLE IF NOT EXISTS main.pillar_history ("
                             " version INTEGER NOT NULL,"
                             " generation TEXT NOT NULL,"
                             " floor INTEGER NOT NULL);"
                             "CREATE TABLE IF NOT EXISTS main.pillar_events ("
                             " position INTEGER PRIMARY KEY,"
                             " timestamp INTEGER NOT NULL,"
                             " entity TEXT NOT NULL,"
                             " action TEXT NOT NULL,"
                             " entityId TEXT,"
                             " projectId TEXT,"
                             " userId TEXT,"
                             " sessionId TEXT,"
                             " targets TEXT,"
                             " data TEXT,"
                             " bytes INTEGER NOT NULL)";

/* --- statements in a few words --- */

static struct db_value integer(uint64_t number)
{
    return (struct db_value){.type = DB_INTEGER, .integer = (int64_t)number};
}

/* Empty text is stored as NULL: in an event, too, it stands for what is not there. */
static struct db_value text(struct str s)
{
    return (struct db_value){.type = s.len == 0 ? DB_NULL : DB_TEXT, .bytes = s};
}

static bool bind_all(struct db_statement *s, const struct db_value *values, int count, struct error *e)
{
    for (int i = 0; i < count; i++)
        if (!db_bind(s, i + 1, &values[i], e))
            return false;
    return true;
}

static bool run(struct db *db, struct str sql, const struct db_value *values, int count, struct error *e)
{
    struct db_statement *s = db_prepare_internal(db, sql, e);

    if (s == NULL)
        return false;
    bool ok = bind_all(s, values, count, e) && db_step(s, e) == DB_DONE;
    db_finish(s);
    return ok;
}

/* The one row of a query, all of integers. */
static bool read_integers(struct db *db, struct str sql, uint64_t *out, int count, struct error *e)
{
    struct db_statement *s = db_prepare_internal(db, sql, e);

    if (s == NULL)
        return false;
    enum db_step step = db_step(s, e);
    for (int i = 0; step == DB_ROW && i < count; i++)
        out[i] = (uint64_t)db_column(s, i).integer;
    db_finish(s);
    return step == DB_ROW || (step == DB_DONE && error_set(e, "history", "the table pillar_history is empty"));
}

/* --- the whole --- */

static bool begin_anew(struct db *db, struct generation *g, struct error *e)
{
    *g = generation_new();
    struct db_value values[] = {integer(TABLES_VERSION), text((struct str){g->text, GENERATION_LEN})};

    return db_run_internal(db, "DELETE FROM main.pillar_history; DELETE FROM main.pillar_events", e) &&
           run(db, STR("INSERT INTO main.pillar_history (version, generation, floor) VALUES (?, ?, 0)"), values, 2, e);
}

static bool copy_generation(struct generation *g, struct str from)
{
    if (from.len != GENERATION_LEN)
        return false;
    memcpy(g->text, from.ptr, GENERATION_LEN);
    g->text[GENERATION_LEN] = '\0';
    return generation_valid(g);
}

/* What nobody but a hand that edits the tables can make of it: positions that leave no room for others, or none. */
static bool is_sound(struct db *db, bool *sound, struct error *e)
{
    uint64_t out[2];

    if (!read_integers(
            db,
            STR("SELECT count(*), ifnull(min(floor >= 0 AND floor < 1 << 62), 0)"
                " AND NOT EXISTS (SELECT 1 FROM main.pillar_events WHERE position < 1 OR position >= 1 << 62)"
                " FROM main.pillar_history"),
            out, 2, e))
        return false;
    *sound = out[0] == 1 && out[1] == 1;
    return true;
}

bool journal_table_open(struct db *db, bool anew, struct generation *g, struct error *e)
{
    if (!db_run_internal(db, tables, e))
        return false;
    struct db_statement *s = db_prepare_internal(db, STR("SELECT version, generation FROM main.pillar_history"), e);
    if (s == NULL)
        return false;
    enum db_step step = db_step(s, e);
    bool known = step == DB_ROW;
    int64_t version = known ? db_column(s, 0).integer : TABLES_VERSION;
    bool sound = known && copy_generation(g, db_column(s, 1).bytes);
    db_finish(s);
    if (step == DB_FAILED)
        return false;
    if (version != TABLES_VERSION)
        return error_set(e, "history",
                         "the history in the database has version %lld, and this broker knows version %d: "
                         "it was written by another version of pillar",
                         (long long)version, TABLES_VERSION);
    if (sound && !is_sound(db, &sound, e))
        return false;
    if (known && !sound)
        log_warn("db", "the history in the database is damaged, and a new one begins");
    return (sound && !anew) || begin_anew(db, g, e);
}

bool journal_table_measure(struct db *db, struct journal_extent *extent, struct error *e)
{
    uint64_t out[4];

    if (!read_integers(db,
                       STR("SELECT floor, ifnull(max(position), floor), ifnull(sum(bytes), 0),"
                           " ifnull((SELECT timestamp FROM main.pillar_events ORDER BY position LIMIT 1), 0)"
                           " FROM main.pillar_history LEFT JOIN main.pillar_events"),
                       out, 4, e))
        return false;
    *extent = (struct journal_extent){.floor = out[0], .head = out[1], .bytes = out[2], .oldest_ms = out[3]};
    return true;
}

bool journal_table_head(struct db *db, uint64_t *head, struct error *e)
{
    return read_integers(
        db, STR("SELECT ifnull((SELECT max(position) FROM main.pillar_events), floor) FROM main.pillar_history"), head,
        1, e);
}

/* --- one event --- */

/* One a line: a user id has no control characters. */
static void append_targets(struct buf *out, const struct event *ev)
{
    for (size_t i = 0; i < ev->target_count; i++) {
        if (i > 0)
            buf_append_char(out, '\n');
        buf_append_str(out, ev->targets[i].user_id);
    }
}

bool journal_table_add(struct db *db, const struct event *ev, struct error *e)
{
    struct buf targets = BUF_EMPTY;

    append_targets(&targets, ev);
    struct db_value values[] = {integer(ev->position),
                                integer(ev->timestamp_ms),
                                text(ev->entity),
                                text(ev->action),
                                text(ev->entity_id),
                                text(ev->project_id),
                                text(ev->user_id),
                                text(ev->session_id),
                                {.type = ev->everyone ? DB_NULL : DB_TEXT, .bytes = buf_str(&targets)},
                                text((struct str){ev->data, ev->data == NULL ? 0 : ev->data_len}),
                                integer(event_weight(ev))};
    bool ok = targets.failed ? error_no_memory(e)
                             : run(db,
                                   STR("INSERT INTO main.pillar_events (position, timestamp, entity, action, entityId,"
                                       " projectId, userId, sessionId, targets, data, bytes)"
                                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
                                   values, sizeof values / sizeof *values, e);
    buf_free(&targets);
    return ok;
}

static struct str *split_lines(struct str lines, size_t *count)
{
    size_t room = 1;
    struct str line;

    for (size_t i = 0; i < lines.len; i++)
        room += lines.ptr[i] == '\n' ? 1 : 0;
    struct str *out = calloc(room, sizeof *out);
    *count = 0;
    while (out != NULL && lines.len > 0 && str_split(&lines, '\n', &line))
        out[(*count)++] = line;
    return out;
}

/* The event of the row at hand, sealed. */
static struct event *make_event(struct db_statement *s, const struct generation *g, struct error *e)
{
    struct db_value targets = db_column(s, 8);
    struct event_fields fields = {.entity = db_column(s, 2).bytes,
                                  .action = db_column(s, 3).bytes,
                                  .entity_id = db_column(s, 4).bytes,
                                  .project_id = db_column(s, 5).bytes,
                                  .user_id = db_column(s, 6).bytes,
                                  .session_id = db_column(s, 7).bytes,
                                  .data = db_column(s, 9).bytes,
                                  .everyone = targets.type == DB_NULL};
    struct str *users = split_lines(targets.bytes, &fields.target_count);

    fields.targets = users;
    bool sound = fields.data.len == 0 || json_scan(fields.data, STR_NONE, NULL, e);
    struct event *ev = !sound || users == NULL ? NULL : event_create(&fields, e);
    free(users);
    if (ev == NULL)
        return NULL;
    if (event_seal(ev, g, (uint64_t)db_column(s, 0).integer, (uint64_t)db_column(s, 1).integer, e)) {
        event_drop_data(ev);
        return ev;
    }
    event_unref(ev);
    return NULL;
}

/* Hands out the events of a statement that has its parameters. */
static bool read_rows(struct db_statement *s, const struct generation *g, uint64_t after,
                      const struct journal_reader *reader, struct error *e)
{
    uint64_t expected = after + 1;
    enum db_step step;

    while ((step = db_step(s, e)) == DB_ROW) {
        uint64_t position = (uint64_t)db_column(s, 0).integer;
        struct error why = {.code = "out_of_memory", .message = "out of memory"};
        struct event *ev = make_event(s, g, &why);
        if (ev == NULL && strcmp(why.code, "out_of_memory") == 0)
            return error_no_memory(e);
        if (position != expected)
            reader->lost(reader->context, position - 1);
        if (ev != NULL) {
            reader->take(reader->context, ev);
        } else {
            log_error("db", "event %llu of the history cannot be read: %s", (unsigned long long)position, why.message);
            reader->lost(reader->context, position);
        }
        event_unref(ev);
        expected = position + 1;
    }
    return step == DB_DONE;
}

bool journal_table_read(struct db *db, const struct generation *g, uint64_t after, const struct journal_reader *reader,
                        struct error *e)
{
    struct db_value from = integer(after);
    struct db_statement *s =
        db_prepare_internal(db,
                            STR("SELECT position, timestamp, entity, action, entityId, projectId, userId, sessionId,"
                                " targets, data FROM main.pillar_events WHERE position > ? ORDER BY position"),
                            e);

    if (s == NULL)
        return false;
    bool ok = db_bind(s, 1, &from, e) && read_rows(s, g, after, reader, e);
    db_finish(s);
    return ok;
}

/* --- trimming --- */

bool journal_extent_is_over(const struct journal_extent *extent, const struct journal_limits *limits, uint64_t now_ms)
{
    if (extent->head == extent->floor)
        return false;
    return extent->head - extent->floor > limits->max_events || extent->bytes > limits->max_bytes ||
           (now_ms > extent->oldest_ms && now_ms - extent->oldest_ms > limits->max_age_ms);
}

/* Finds out how far *extent can be cut. */
static bool find_cut(struct db_statement *s, const struct journal_limits *limits, uint64_t now_ms, uint64_t most_bytes,
                     struct journal_extent *extent, struct error *e)
{
    uint64_t before = extent->bytes;
    enum db_step step;

    while ((step = db_step(s, e)) == DB_ROW) {
        uint64_t bytes = (uint64_t)db_column(s, 2).integer;
        extent->oldest_ms = (uint64_t)db_column(s, 1).integer;
        if (!journal_extent_is_over(extent, limits, now_ms) || before - extent->bytes > most_bytes)
            return true;
        extent->floor = (uint64_t)db_column(s, 0).integer;
        extent->bytes -= bytes < extent->bytes ? bytes : extent->bytes;
    }
    return step == DB_DONE;
}

bool journal_table_trim(struct db *db, const struct journal_limits *limits, uint64_t now_ms, size_t events,
                        uint64_t bytes, struct journal_extent *extent, struct error *e)
{
    struct journal_extent cut = *extent;
    /* One more: the first that stays tells how old the oldest is. */
    struct db_value count = integer(TRIM_EVENTS + 2 * events + 1);

    if (!journal_extent_is_over(extent, limits, now_ms))
        return true;
    struct db_statement *s = db_prepare_internal(
        db, STR("SELECT position, timestamp, bytes FROM main.pillar_events ORDER BY position LIMIT ?"), e);
    if (s == NULL)
        return false;
    bool ok = db_bind(s, 1, &count, e) && find_cut(s, limits, now_ms, TRIM_BYTES + 2 * bytes, &cut, e);
    db_finish(s);
    struct db_value floor = integer(cut.floor);
    ok = ok && (cut.floor == extent->floor ||
                (run(db, STR("DELETE FROM main.pillar_events WHERE position <= ?"), &floor, 1, e) &&
                 run(db, STR("UPDATE main.pillar_history SET floor = ?"), &floor, 1, e)));
    if (ok)
        *extent = cut;
    return ok;
}
