/*
 * db.h - one connection to the application's database, as scripts and the journal use it.
 *
 * A connection belongs to one thread. SQL errors are reported with these codes, the same for every database:
 *
 *   unique, foreign_key,
 *   check, not_null         a constraint; error.field names the columns where the database tells them
 *   busy                    somebody else holds the database's lock
 *   unavailable             disk full, I/O error, corrupt, read-only, deleted or replaced file
 *   deadline                the guard said stop
 *   read_only               a write where only reading is allowed
 *   refused                 what the broker keeps for itself: BEGIN, COMMIT, ATTACH, pillar_* tables, ...
 *   sql                     anything else: the statement is wrong
 */
#ifndef PILLAR_DB_DB_H
#define PILLAR_DB_DB_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

struct db;
struct db_statement;
struct snapshot_gate;

enum db_type { DB_NULL, DB_INTEGER, DB_REAL, DB_BOOLEAN, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_type type;
    int64_t integer; /* also for DB_BOOLEAN: 0 or 1 */
    double real;
    struct str bytes; /* for DB_TEXT and DB_BLOB; may hold NUL */
};

/*
 * Opens what `url` names: "sqlite:PATH" creates the file if need be; "memory:NAME" is a database in memory, which the
 * process's connections of that name share, and which is gone with the last of them (for tests, on one thread). NULL
 * with "unavailable", or "invalid_field" for a URL that names no database.
 */
struct db *db_open(const char *url, struct error *e);

/* Rolls back what is open. Accepts NULL. */
void db_close(struct db *db);

/*
 * False with "unavailable" when the files that were opened are no longer those at their path: somebody has deleted or replaced
 * them, and whatever is written would be lost. Safe on any thread while the connection is open.
 */
bool db_in_place(const struct db *db, struct error *e);

/*
 * `stop` is asked now and then while a statement runs or waits for a lock; true ends it with "deadline".
 */
void db_set_guard(struct db *db, bool (*stop)(void *context), void *context);

/* While it is on, only statements that read are run. Off at first. */
void db_set_read_only(struct db *db, bool on);

/*
 * Snapshots of this connection pass the gate from now on, which outlives it; a statement that would open one waits there
 * while it is closed, and fails with "deadline" when the guard says so. A -wal that begins anew is cut to `wal_bytes`.
 */
bool db_join(struct db *db, struct snapshot_gate *gate, uint64_t wal_bytes, struct error *e);

/* Size of the -wal behind the last commit of this connection, or when it was measured last. 0: there is none. */
uint64_t db_wal_bytes(const struct db *db);
void db_measure_wal(struct db *db);

/*
 * Writes the -wal back into the database and empties it. Outside of transactions and snapshots. Others who read or write are
 * waited for until `until_ns` (monotonic); false if they do not end by then, or the disk fails.
 */
bool db_empty_wal(struct db *db, uint64_t until_ns);

/*
 * --- transactions ---
 *
 * A database may end a transaction by itself: the disk is full or fails, memory is short, a write is interrupted, a script
 * says OR ROLLBACK. From then on every statement, savepoint and commit is refused with "unavailable" and a message that tells
 * the cause, until db_commit (which fails), db_rollback or db_end_read has ended the transaction for the caller too.
 */

/* Starts a transaction that may write: takes the database's write lock now. */
bool db_begin_write(struct db *db, struct error *e);

/* From the next statement on, everything is read from one snapshot, until db_end_read. Costs nothing if none comes. */
void db_begin_read(struct db *db);
void db_end_read(struct db *db);
/* True when a statement came since db_begin_read, so that the snapshot stands. */
bool db_has_snapshot(const struct db *db);

/* Durable when it returns true. When it fails, as it does where db_in_place does, the transaction is rolled back. */
bool db_commit(struct db *db, struct error *e);
void db_rollback(struct db *db);

/* Whether the transaction that db_commit has committed last changed a row. */
bool db_wrote(const struct db *db);

/* Savepoints nest like brackets inside a write transaction. */
bool db_savepoint(struct db *db, struct error *e);
/*
 * Keeps what was done since the savepoint. The outermost one is refused with "foreign_key", and stays, while
 * a deferred foreign key is broken: the commit would fail, and with it everybody else's part of the transaction.
 */
bool db_release(struct db *db, struct error *e);
/* Undoes what was done since there were `depth` savepoints open; those opened since are gone. */
bool db_rollback_to(struct db *db, int depth, struct error *e);
/* How many savepoints are open. */
int db_depth(const struct db *db);

/* --- statements --- */

/*
 * Finds or prepares one statement. It stays the connection's, and is valid until db_finish, whatever is prepared
 * meanwhile. A text with more than one statement, or none, is an error.
 */
struct db_statement *db_prepare(struct db *db, struct str sql, struct error *e);
/* The same for the broker's own statements. */
struct db_statement *db_prepare_internal(struct db *db, struct str sql, struct error *e);

int db_parameter_count(const struct db_statement *s);
/* Without its prefix; NULL for a positional one. Parameters are counted from 1. */
const char *db_parameter_name(const struct db_statement *s, int parameter);
/* The value's bytes must stay in place until db_finish. */
bool db_bind(struct db_statement *s, int parameter, const struct db_value *value, struct error *e);

enum db_step { DB_ROW, DB_DONE, DB_FAILED };
enum db_step db_step(struct db_statement *s, struct error *e);

int db_column_count(const struct db_statement *s);
const char *db_column_name(const struct db_statement *s, int column); /* columns are counted from 0 */
/* Bytes are valid until the next step. Columns declared BOOLEAN give DB_BOOLEAN. */
struct db_value db_column(struct db_statement *s, int column);

/* Ends the run of a statement, bindings too. Who wants to run it again prepares it again. */
void db_finish(struct db_statement *s);

/* The same for every statement that was not finished, whoever prepared it. */
void db_finish_all(struct db *db);

/* A number that changes when the statement was prepared anew: what depends on its columns must be built again. */
uint64_t db_statement_version(const struct db_statement *s);

/* Rows changed by the last statement that changes any. */
int64_t db_changes(const struct db *db);

/* --- which tables were changed --- */

/* From here on. */
void db_forget_changes(struct db *db);

/* Appends the names of the tables whose rows scripts' statements changed since, but for what was rolled back: "tasks,
 * labels". Of many tables a few. Returns false, and appends nothing, when there are none. */
bool db_append_changed_tables(const struct db *db, struct buf *out);

/* Whether there are any. */
bool db_has_changes(const struct db *db);

/* Runs a text of any number of statements without parameters; what the broker keeps for itself is refused. Not for
 * reading: with db_set_read_only it is "read_only". */
bool db_run_script(struct db *db, const char *sql, struct error *e);

/* The same for the broker's own statements. */
bool db_run_internal(struct db *db, const char *sql, struct error *e);

#endif
