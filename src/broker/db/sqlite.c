/* Connections to SQLite. */
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "db/changes.h"
#include "db/db.h"
#include "db/snapshot_gate.h"
#include "db/sqlite_checkpoint.h"
#include "db/sqlite_error.h"
#include "db/sqlite_files.h"
#include "db/sqlite_policy.h"

enum {
    STATEMENTS_MAX = 256,     /* kept, a connection, besides those that run */
    VALUE_MAX = 64 << 20,     /* bytes of one text, blob or row */
    PROGRESS_STEPS = 2000,    /* of SQLite's machine between two looks at the guard */
    BUSY_WAIT_MS = 2,         /* between two attempts at a lock */
    BUSY_ATTEMPTS_MAX = 2500, /* where no guard says stop */
};

struct db_statement {
    struct db *db;
    sqlite3_stmt *handle;
    uint64_t hash;
    uint64_t version;
    struct list node;             /* of db->recent or db->running */
    bool cached;                  /* in db->statements; another run of a statement that is running already is not */
    bool running;                 /* from db_prepare to db_finish: whoever runs it need not fear for it */
    bool internal;                /* prepared for the broker: the same text from a script is another statement */
    bool defines;                 /* a script's, that makes or alters a table */
    char table[CHANGES_NAME_MAX]; /* whose rows it changes; empty: none */
    int64_t changes_before;       /* of the connection, when this run began */
    size_t sql_len;
    char sql[];
};

struct db {
    sqlite3 *handle;
    struct map statements; /* by SQL text */
    size_t statement_count;
    struct list recent; /* the least recently used one is first */
    struct list running;
    uint64_t next_version;
    int depth; /* savepoints that are open */
    /* From db_begin_write to db_commit or db_rollback; how many rows the connection had changed by then; and what made SQLite
     * end that transaction, or the snapshot, by itself ("": it did not, or did not say). */
    bool writing;
    int64_t changes_before;
    char ended_by[ERROR_MESSAGE_MAX];
    bool read_only;
    bool internal;   /* the broker's own statements are being prepared */
    bool read_scope; /* db_begin_read was called */
    bool snapshot;   /* ... and a statement came */
    bool (*stop)(void *context);
    void *stop_context;
    char *target; /* while a statement is compiled: its `table` */
    bool defines; /* ... and its `defines` */
    struct changes changes;
    struct sqlite_files files;
    struct sqlite_checkpoint checkpoint;
    struct snapshot_gate *gate; /* NULL: none */
    uint64_t busy_until_ns;     /* not 0: no lock is waited for longer */
    bool committing;            /* COMMIT is being run */
    bool damaged;               /* a page that makes no sense was read, and may be in the cache */
};

/* --- errors --- */

static bool must_stop(const struct db *db)
{
    return db->stop != NULL && db->stop(db->stop_context);
}

/*
 * SQLite ends a transaction by itself when the disk is full or fails, when memory is short, when a write is interrupted, and
 * for a script that says OR ROLLBACK. It is in autocommit mode then: what comes next would commit on its own, without
 * the rest of its handler. And where it has seen a damaged page it does not commit what was written.
 */
static bool is_ended(const struct db *db)
{
    return ((db->writing || db->snapshot) && sqlite3_get_autocommit(db->handle) != 0) || (db->writing && db->damaged);
}

/* Whoever does not look at errors is stopped here. */
static bool check_not_ended(const struct db *db, struct error *e)
{
    if (!is_ended(db))
        return true;
    return error_set(e, "unavailable", "the database has rolled the transaction back%s%.400s",
                     db->ended_by[0] == '\0' ? "" : ": ", db->ended_by);
}

/* What a COMMIT fails with, SQLite does not note for the connection; the file that it writes to knows. */
static int system_errno(const struct db *db)
{
    sqlite3_file *log = NULL;
    int number = 0;

    if (!db->committing)
        return sqlite3_system_errno(db->handle);
    (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log != NULL && log->pMethods != NULL && log->pMethods->xFileControl != NULL) /* one in memory knows nothing */
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

static void note_end(struct db *db)
{
    bool constraint = (sqlite3_extended_errcode(db->handle) & 0xff) == SQLITE_CONSTRAINT;
    struct error why = {0};

    (void)sqlite_error(db->handle, system_errno(db), &why);
    snprintf(db->ended_by, sizeof db->ended_by, "%.300s%s", why.message,
             constraint ? "; OR ROLLBACK and RAISE(ROLLBACK) take with them what other handlers did, say ABORT" : "");
}

static bool fail(struct db *db, struct error *e)
{
    int code = sqlite3_extended_errcode(db->handle) & 0xff;
    /* The busy handler stops waiting when the guard says so, and SQLite knows no other word for that than busy. */
    bool stopped = code == SQLITE_BUSY && must_stop(db);

    db->damaged = db->damaged || code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    if (is_ended(db) && db->ended_by[0] == '\0')
        note_end(db);
    (void)sqlite_error(db->handle, system_errno(db), e);
    if (stopped && e != NULL)
        e->code = "deadline";
    return false;
}

static int authorize(void *context, int action, const char *first, const char *second, const char *database,
                     const char *trigger)
{
    struct db *db = context;
    bool changes_rows = action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE;

    /* One statement changes the rows of one table, the first that is named; what its triggers and foreign keys do beyond
     * that is not asked. A temporary table is nobody else's. */
    if (changes_rows && trigger == NULL && db->target != NULL && db->target[0] == '\0' &&
        strncmp(first, "sqlite_", 7) != 0 && database != NULL && strcmp(database, "temp") != 0)
        snprintf(db->target, CHANGES_NAME_MAX, "%s", first);
    if (!db->internal && sqlite_defines_table(action))
        db->defines = true;
    /* The broker makes no triggers: one that a statement of its own sets off is a script's. */
    return (db->internal && trigger == NULL) || sqlite_permits(action, first, second) ? SQLITE_OK : SQLITE_DENY;
}

/* --- waiting --- */

static int on_progress(void *context)
{
    return must_stop(context) ? 1 : 0;
}

static int on_busy(void *context, int attempts)
{
    const struct timespec pause = {0, BUSY_WAIT_MS * 1000000L};
    struct db *db = context;

    if (attempts > BUSY_ATTEMPTS_MAX || must_stop(db))
        return 0;
    if (db->busy_until_ns != 0 && clock_monotonic_ns() >= db->busy_until_ns)
        return 0;
    nanosleep(&pause, NULL);
    return 1;
}

/* --- opening --- */

static bool run_own(struct db *db, const char *sql, struct error *e);
static bool run_savepoint(struct db *db, const char *verb, int depth, struct error *e);

/* The last one has SQLite open the -wal and the -shm. */
static bool configure(struct db *db, struct error *e)
{
    static const char *const settings[] = {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                                           "PRAGMA foreign_keys = ON", "PRAGMA cache_size = -8000",
                                           "SELECT 1 FROM sqlite_schema"};
    int ignored;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, on_busy, db);
    sqlite3_progress_handler(db->handle, PROGRESS_STEPS, on_progress, db);
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, &ignored);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &ignored);
    sqlite3_set_authorizer(db->handle, authorize, db);
    sqlite_checkpoint_enable(&db->checkpoint, db->handle);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!run_own(db, settings[i], e))
            return false;
    return true;
}

static bool open_file(struct db *db, const char *path, int flags, struct error *e)
{
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK)
        return fail(db, e);
    /* SQLite is content with reading where it may not write. */
    if (sqlite3_db_readonly(db->handle, "main") == 1)
        return error_set(
            e, "unavailable",
            "the broker may only read it: look at its owner and mode, and at how its file system is mounted");
    return configure(db, e);
}

/*
 * What SQLite is to open. Its own URLs are not for users: in them a path's %, ? and # mean something. Debian's takes a name that
 * begins with "file:" for one, whatever the flags say, so a relative path is said to be one. ":memory:" is no path.
 */
static bool read_url(const char *url, char *path, size_t size, int *flags, struct error *e)
{
    struct str text = str_of(url);
    bool memory = str_starts_with(text, STR("memory:"));
    struct str name = str_from(text, memory ? STR("memory:").len : STR("sqlite:").len);

    if ((!memory && !str_starts_with(text, STR("sqlite:"))) || name.len == 0)
        return error_field(e, "database", "'%s' names no database; write sqlite:PATH", url);
    bool whole = name.ptr[0] == '/' || strcmp(name.ptr, ":memory:") == 0;
    int len = snprintf(path, size, memory ? "file:/%s?vfs=memdb" : whole ? "%s" : "./%s", name.ptr);
    if (len < 0 || (size_t)len >= size)
        return error_field(e, "database", "the path of the database is too long");
    if (memory)
        *flags |= SQLITE_OPEN_URI;
    return true;
}

struct db *db_open(const char *url, struct error *e)
{
    char path[PATH_MAX];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (!read_url(url, path, sizeof path, &flags, e))
        return NULL;
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    list_init(&db->recent);
    list_init(&db->running);
    if (!open_file(db, path, flags, e)) {
        struct error why = e != NULL ? *e : (struct error){0};
        (void)error_set(e, "unavailable", "cannot open the database %.200s: %.260s", path, why.message);
        db_close(db);
        return NULL;
    }
    if ((flags & SQLITE_OPEN_URI) == 0)
        sqlite_files_note(&db->files, db->handle);
    return db;
}

bool db_in_place(const struct db *db, struct error *e)
{
    return sqlite_files_check(&db->files, e);
}

static void free_statement(struct db_statement *s)
{
    sqlite3_finalize(s->handle);
    list_remove(&s->node);
    s->db->statement_count--;
    if (s->cached)
        map_remove(&s->db->statements, s->hash, s);
    free(s);
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    struct list *node;
    db_finish_all(db);
    db_end_read(db);
    while ((node = list_pop(&db->recent)) != NULL)
        free_statement(list_entry(node, struct db_statement, node));
    map_free(&db->statements);
    sqlite3_close(db->handle);
    free(db);
}

void db_set_guard(struct db *db, bool (*stop)(void *context), void *context)
{
    db->stop = stop;
    db->stop_context = context;
}

/* --- the -wal --- */

bool db_join(struct db *db, struct snapshot_gate *gate, uint64_t wal_bytes, struct error *e)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA journal_size_limit = %lld", (long long)wal_bytes);
    if (!run_own(db, sql, e))
        return false;
    db->gate = gate;
    return true;
}

uint64_t db_wal_bytes(const struct db *db)
{
    return db->checkpoint.wal_bytes;
}

void db_measure_wal(struct db *db)
{
    sqlite_checkpoint_measure(&db->checkpoint, db->handle);
}

bool db_empty_wal(struct db *db, uint64_t until_ns)
{
    db->busy_until_ns = until_ns;
    bool ok = sqlite_checkpoint_truncate(&db->checkpoint, db->handle);
    db->busy_until_ns = 0;
    return ok;
}

void db_set_read_only(struct db *db, bool on)
{
    db->read_only = on;
}

/* --- statements --- */

struct statement_key {
    struct str sql;
    bool internal;
};

static bool statement_matches(const void *value, const void *key)
{
    const struct db_statement *s = value;
    const struct statement_key *wanted = key;

    return s->internal == wanted->internal && str_eq((struct str){s->sql, s->sql_len}, wanted->sql);
}

/* Whether another statement follows: white space and comments are none. */
static bool has_more(struct db *db, const char *tail)
{
    while (*tail != '\0') {
        sqlite3_stmt *another = NULL;
        const char *from = tail;
        int result = sqlite3_prepare_v2(db->handle, from, -1, &another, &tail);
        sqlite3_finalize(another);
        if (result != SQLITE_OK || another != NULL)
            return true;
        if (tail == from)
            return false;
    }
    return false;
}

static struct db_statement *compile(struct db *db, struct str sql, uint64_t hash, bool cached, struct error *e)
{
    const char *tail;
    struct db_statement *s = malloc(sizeof *s + sql.len + 1);

    if (s == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    *s = (struct db_statement){
        .db = db, .hash = hash, .version = ++db->next_version, .internal = db->internal, .sql_len = sql.len};
    memcpy(s->sql, sql.ptr, sql.len);
    s->sql[sql.len] = '\0';
    list_init(&s->node);
    db->target = db->internal ? NULL : s->table;
    db->defines = false;
    int result = sqlite3_prepare_v3(db->handle, s->sql, (int)sql.len + 1, SQLITE_PREPARE_PERSISTENT, &s->handle, &tail);
    db->target = NULL;
    s->defines = db->defines && sqlite3_stmt_isexplain(s->handle) == 0;
    if (result != SQLITE_OK) {
        struct error why;
        (void)fail(db, &why);
        (void)error_set(e, why.code, "%s, in: %.200s", why.message, s->sql);
    } else if (s->handle == NULL) {
        (void)error_set(e, "sql", "the SQL text holds no statement");
    } else if (has_more(db, tail)) {
        (void)error_set(e, "sql", "the SQL text holds more than one statement");
    } else if (cached && !map_insert(&db->statements, hash, s)) {
        (void)error_no_memory(e);
    } else {
        s->cached = cached;
        return s;
    }
    sqlite3_finalize(s->handle);
    free(s);
    return NULL;
}

struct db_statement *db_prepare(struct db *db, struct str sql, struct error *e)
{
    uint64_t hash = hash_str(sql);
    struct statement_key key = {sql, db->internal};
    struct db_statement *s = map_find(&db->statements, hash, statement_matches, &key);

    if (sql.len > INT32_MAX - 1 || memchr(sql.ptr, '\0', sql.len) != NULL) {
        (void)error_set(e, "sql", "the SQL text is too long, or holds a NUL");
        return NULL;
    }
    if (s == NULL || s->running) {
        s = compile(db, sql, hash, s == NULL, e);
        if (s == NULL)
            return NULL;
        if (++db->statement_count > STATEMENTS_MAX && !list_empty(&db->recent))
            free_statement(list_entry(db->recent.next, struct db_statement, node));
    }
    list_remove(&s->node);
    list_push(&db->running, &s->node);
    s->running = true;
    s->changes_before = sqlite3_total_changes64(db->handle);
    return s;
}

int db_parameter_count(const struct db_statement *s)
{
    return sqlite3_bind_parameter_count(s->handle);
}

const char *db_parameter_name(const struct db_statement *s, int parameter)
{
    const char *name = sqlite3_bind_parameter_name(s->handle, parameter);

    return name == NULL || name[0] == '?' ? NULL : name + 1;
}

bool db_bind(struct db_statement *s, int parameter, const struct db_value *value, struct error *e)
{
    const char *bytes = value->bytes.len == 0 ? "" : value->bytes.ptr;
    int result = SQLITE_OK;

    switch (value->type) {
    case DB_NULL:
        result = sqlite3_bind_null(s->handle, parameter);
        break;
    case DB_INTEGER:
    case DB_BOOLEAN:
        result = sqlite3_bind_int64(s->handle, parameter, value->integer);
        break;
    case DB_REAL:
        result = sqlite3_bind_double(s->handle, parameter, value->real);
        break;
    case DB_TEXT:
        result = sqlite3_bind_text64(s->handle, parameter, bytes, value->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case DB_BLOB:
        result = sqlite3_bind_blob64(s->handle, parameter, bytes, value->bytes.len, SQLITE_STATIC);
        break;
    }
    return result == SQLITE_OK ? true : fail(s->db, e);
}

struct db_statement *db_prepare_internal(struct db *db, struct str sql, struct error *e)
{
    bool outer = db->internal;

    db->internal = true;
    struct db_statement *s = db_prepare(db, sql, e);
    db->internal = outer;
    return s;
}

/* A step may prepare the statement anew, for a schema that has changed, and then asks what it is allowed again. */
static int run_step(struct db_statement *s)
{
    bool outer = s->db->internal;

    s->db->internal = s->internal;
    int result = sqlite3_step(s->handle);
    s->db->internal = outer;
    return result;
}

static bool run_own(struct db *db, const char *sql, struct error *e)
{
    struct db_statement *s = db_prepare_internal(db, str_of(sql), e);

    if (s == NULL)
        return false;
    int result = run_step(s);
    bool ok = result == SQLITE_DONE || result == SQLITE_ROW ? true : fail(db, e);
    db_finish(s);
    return ok;
}

/* --- statements that define tables --- */

/* With a transaction that cannot be mended nothing of it may be committed. */
static void undo_definition(struct db *db)
{
    if (!run_savepoint(db, "ROLLBACK TO", db->depth + 1, NULL) || !run_savepoint(db, "RELEASE", db->depth + 1, NULL))
        (void)run_own(db, "ROLLBACK", NULL);
}

/*
 * SQLite's authorizer is not told the new name of an ALTER TABLE ... RENAME TO, nor whom a foreign key refers to. So such a
 * statement is run in a savepoint, and undone when it has made a claim on what is the broker's. *claims: those there were before.
 */
static bool begin_definition(struct db *db, int64_t *claims, struct error *e)
{
    if (!run_savepoint(db, "SAVEPOINT", db->depth + 1, e))
        return false;
    if (sqlite_count_claims(db, claims, e))
        return true;
    undo_definition(db);
    return false;
}

static bool check_claims(struct db *db, int64_t before, struct error *e)
{
    int64_t claims;

    if (!sqlite_count_claims(db, &claims, e))
        return false;
    return claims <= before ||
           error_set(e, "refused",
                     "names that begin with pillar_ are the broker's, and no foreign key may refer to them");
}

static bool end_definition(struct db *db, int64_t claims, struct error *e)
{
    if (check_claims(db, claims, e) && run_savepoint(db, "RELEASE", db->depth + 1, e))
        return true;
    undo_definition(db);
    return false;
}

static enum db_step step_definition(struct db_statement *s, struct error *e)
{
    int64_t claims;

    if (!begin_definition(s->db, &claims, e))
        return DB_FAILED;
    if (run_step(s) == SQLITE_DONE)
        return end_definition(s->db, claims, e) ? DB_DONE : DB_FAILED;
    (void)fail(s->db, e);
    sqlite3_reset(s->handle);
    undo_definition(s->db);
    return DB_FAILED;
}

/* The snapshot itself is taken by the statement that follows. */
static bool open_snapshot(struct db *db, struct error *e)
{
    if (db->gate != NULL && !snapshot_gate_enter(db->gate, db->stop, db->stop_context))
        return error_set(e, "deadline", "interrupted");
    db->snapshot = run_own(db, "BEGIN", e);
    if (!db->snapshot && db->gate != NULL)
        snapshot_gate_leave(db->gate);
    return db->snapshot;
}

enum db_step db_step(struct db_statement *s, struct error *e)
{
    struct db *db = s->db;

    if (db->read_only && !sqlite3_stmt_readonly(s->handle)) {
        (void)error_set(
            e, "read_only",
            "this handler may only read the database: a GET, authenticate or targets, or outside of db:transaction");
        return DB_FAILED;
    }
    if (!check_not_ended(db, e))
        return DB_FAILED;
    if (db->read_scope && !db->snapshot && !open_snapshot(db, e))
        return DB_FAILED;
    if (s->defines)
        return step_definition(s, e);
    switch (run_step(s)) {
    case SQLITE_ROW:
        return DB_ROW;
    case SQLITE_DONE:
        if (s->table[0] != '\0' && sqlite3_total_changes64(db->handle) > s->changes_before)
            changes_note(&db->changes, s->table, db->depth);
        return DB_DONE;
    default:
        (void)fail(db, e);
        return DB_FAILED;
    }
}

int db_column_count(const struct db_statement *s)
{
    return sqlite3_column_count(s->handle);
}

const char *db_column_name(const struct db_statement *s, int column)
{
    return sqlite3_column_name(s->handle, column);
}

static bool is_boolean_column(sqlite3_stmt *handle, int column)
{
    const char *declared = sqlite3_column_decltype(handle, column);

    return declared != NULL && (strcasecmp(declared, "BOOLEAN") == 0 || strcasecmp(declared, "BOOL") == 0);
}

struct db_value db_column(struct db_statement *s, int column)
{
    struct db_value v = {.type = DB_NULL};

    switch (sqlite3_column_type(s->handle, column)) {
    case SQLITE_INTEGER:
        v.integer = sqlite3_column_int64(s->handle, column);
        v.type = (v.integer == 0 || v.integer == 1) && is_boolean_column(s->handle, column) ? DB_BOOLEAN : DB_INTEGER;
        break;
    case SQLITE_FLOAT:
        v.type = DB_REAL;
        v.real = sqlite3_column_double(s->handle, column);
        break;
    case SQLITE_TEXT:
        v.type = DB_TEXT;
        v.bytes.ptr = (const char *)sqlite3_column_text(s->handle, column);
        v.bytes.len = (size_t)sqlite3_column_bytes(s->handle, column);
        break;
    case SQLITE_BLOB:
        v.type = DB_BLOB;
        v.bytes.ptr = sqlite3_column_blob(s->handle, column);
        v.bytes.len = (size_t)sqlite3_column_bytes(s->handle, column);
        break;
    default:
        break;
    }
    return v;
}

void db_finish(struct db_statement *s)
{
    sqlite3_reset(s->handle);
    sqlite3_clear_bindings(s->handle);
    list_remove(&s->node);
    list_push(&s->db->recent, &s->node);
    s->running = false;
}

void db_finish_all(struct db *db)
{
    struct list *node;

    while ((node = list_pop(&db->running)) != NULL)
        db_finish(list_entry(node, struct db_statement, node));
}

uint64_t db_statement_version(const struct db_statement *s)
{
    /* A schema change makes SQLite prepare the statement anew, by itself. */
    return s->version << 16 | (uint64_t)(sqlite3_stmt_status(s->handle, SQLITE_STMTSTATUS_REPREPARE, 0) & 0xffff);
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}

/* As fail, with the line of a text of many statements: where SQLite found fault, or the statement at `at` begins. */
static bool fail_at(struct db *db, const char *sql, const char *at, struct error *e)
{
    int offset = sqlite3_error_offset(db->handle);
    unsigned line = 1;
    struct error why;

    (void)fail(db, &why);
    at += offset > 0 ? (size_t)offset : strspn(at, " \t\r\n;");
    for (; sql < at; sql++)
        line += *sql == '\n';
    return error_set(e, why.code, "line %u: %s", line, why.message);
}

/* Runs the first statement of `at`, up to *tail. */
static bool run_first(struct db *db, const char *sql, const char *at, const char **tail, struct error *e)
{
    sqlite3_stmt *statement;
    int64_t claims = 0;

    db->defines = false;
    int result = sqlite3_prepare_v2(db->handle, at, -1, &statement, tail);
    if (result != SQLITE_OK)
        return fail_at(db, sql, at, e);
    bool defines = db->defines && sqlite3_stmt_isexplain(statement) == 0;
    if (defines && !begin_definition(db, &claims, e)) {
        sqlite3_finalize(statement);
        return false;
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
    }
    if (sqlite3_finalize(statement) == SQLITE_OK)
        return !defines || end_definition(db, claims, e);
    (void)fail_at(db, sql, at, e);
    if (defines)
        undo_definition(db);
    return false;
}

bool db_run_script(struct db *db, const char *sql, struct error *e)
{
    if (db->read_only && !db->internal)
        return error_set(e, "read_only", "only single statements can be read");
    for (const char *at = sql; *at != '\0';) {
        const char *tail;
        if (!check_not_ended(db, e) || !run_first(db, sql, at, &tail, e))
            return false;
        at = tail;
    }
    return true;
}

bool db_run_internal(struct db *db, const char *sql, struct error *e)
{
    bool outer = db->internal;

    db->internal = true;
    bool ok = db_run_script(db, sql, e);
    db->internal = outer;
    return ok;
}

/* --- transactions --- */

/* A file that is mended is to be read again. */
static void forget_damage(struct db *db)
{
    if (db->damaged)
        sqlite3_db_release_memory(db->handle);
    db->damaged = false;
}

bool db_begin_write(struct db *db, struct error *e)
{
    db_end_read(db);
    if (!check_not_ended(db, e))
        return false;
    forget_damage(db);
    if (!run_own(db, "BEGIN IMMEDIATE", e))
        return false;
    db->writing = true;
    db->changes_before = sqlite3_total_changes64(db->handle);
    db->ended_by[0] = '\0';
    db->depth = 0;
    return true;
}

void db_begin_read(struct db *db)
{
    db->read_scope = true;
    db->ended_by[0] = '\0';
}

void db_end_read(struct db *db)
{
    if (db->snapshot)
        db_rollback(db);
    if (db->snapshot && db->gate != NULL)
        snapshot_gate_leave(db->gate);
    db->read_scope = false;
    db->snapshot = false;
}

bool db_has_snapshot(const struct db *db)
{
    return db->snapshot;
}

static bool run_commit(struct db *db, struct error *e)
{
    db->committing = true;
    bool ok = run_own(db, "COMMIT", e);
    db->committing = false;
    return ok;
}

bool db_commit(struct db *db, struct error *e)
{
    if (check_not_ended(db, e) && db_in_place(db, e) && run_commit(db, e)) {
        db->writing = false;
        changes_keep(&db->changes, 0, CHANGES_COMMITTED);
        return true;
    }
    db_rollback(db);
    return false;
}

bool db_wrote(const struct db *db)
{
    return sqlite3_total_changes64(db->handle) > db->changes_before;
}

/* The guard must not stop what cleans up after it. */
void db_rollback(struct db *db)
{
    bool (*stop)(void *context) = db->stop;

    db->stop = NULL;
    if (!sqlite3_get_autocommit(db->handle))
        (void)run_own(db, "ROLLBACK", NULL);
    db->stop = stop;
    db->writing = false;
    forget_damage(db);
    changes_undo(&db->changes, 0);
}

static bool run_savepoint(struct db *db, const char *verb, int depth, struct error *e)
{
    bool (*stop)(void *context) = db->stop;
    char sql[48];

    if (!check_not_ended(db, e))
        return false;
    db->stop = NULL;
    snprintf(sql, sizeof sql, "%s pillar_%d", verb, depth);
    bool ok = run_own(db, sql, e);
    db->stop = stop;
    return ok;
}

bool db_savepoint(struct db *db, struct error *e)
{
    if (!run_savepoint(db, "SAVEPOINT", db->depth + 1, e))
        return false;
    db->depth++;
    return true;
}

bool db_release(struct db *db, struct error *e)
{
    int broken = 0;
    int ignored = 0;

    if (db->depth == 1)
        (void)sqlite3_db_status(db->handle, SQLITE_DBSTATUS_DEFERRED_FKS, &broken, &ignored, 0);
    if (broken != 0)
        return error_set(e, "foreign_key", "FOREIGN KEY constraint failed");
    if (!run_savepoint(db, "RELEASE", db->depth, e))
        return false;
    changes_keep(&db->changes, db->depth, db->depth - 1);
    db->depth--;
    return true;
}

bool db_rollback_to(struct db *db, int depth, struct error *e)
{
    if (db->depth <= depth)
        return true;
    db->depth = depth;
    changes_undo(&db->changes, depth + 1);
    return run_savepoint(db, "ROLLBACK TO", depth + 1, e) && run_savepoint(db, "RELEASE", depth + 1, e);
}

int db_depth(const struct db *db)
{
    return db->depth;
}

/* --- which tables were changed --- */

void db_forget_changes(struct db *db)
{
    changes_clear(&db->changes);
}

bool db_append_changed_tables(const struct db *db, struct buf *out)
{
    return changes_append(&db->changes, out);
}

bool db_has_changes(const struct db *db)
{
    return db->changes.count > 0;
}
