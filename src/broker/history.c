/* The history at the start: whose database it is, what it holds, and what of it clients that come back may ask for. */
#include <string.h>

#include "base/logger.h"
#include "broker_private.h"
#include "db/database_lock.h"

bool broker_take_database(struct pillar_broker *b, struct error *e)
{
    const struct settings *s = &b->options->values;

    if (!str_starts_with(str_of(s->database), STR("sqlite:")))
        return true;
    b->database_lock = database_lock_take(s->database, s->takeover_timeout, e);
    return b->database_lock >= 0;
}

bool broker_name_database(const struct pillar_broker *b, struct error *e)
{
    struct error why = *e;

    if (strcmp(why.code, "unavailable") == 0 || strcmp(why.code, "busy") == 0)
        (void)error_set(e, why.code, "the database %.200s: %.270s", b->options->values.database, why.message);
    return false;
}

/* Clients know positions that the database has not come to: their numbers will be given to other events. */
static bool is_older_than_clients_know(const struct pillar_broker *b)
{
    struct generation known;
    uint64_t position;

    if (b->database_lock < 0 || !database_lock_noted(b->database_lock, &known, &position) ||
        strcmp(known.text, journal_generation(b->journal)->text) != 0 || position <= journal_position(b->journal))
        return false;
    log_warn("db",
             "%s ends at event %llu, and clients know event %llu: it was restored from a backup, or its disk has lost "
             "what it had stored",
             b->options->values.database, (unsigned long long)journal_position(b->journal),
             (unsigned long long)position);
    return true;
}

static bool open_history(struct pillar_broker *b, struct db *db, struct error *e)
{
    if (!journal_open(b->journal, db, false, e))
        return false;
    if (b->options->values.new_history != 0 || is_older_than_clients_know(b)) {
        if (!journal_open(b->journal, db, true, e))
            return false;
        log_info("db", "a new history begins: clients that come back are told to refetch");
    }
    if (b->database_lock >= 0)
        journal_note_in(b->journal, b->database_lock);
    return true;
}

bool broker_open_history(struct pillar_broker *b, const struct journal_reader *reader, struct error *e)
{
    const char *url = b->options->values.database;

    if (strcmp(url, "none") == 0) {
        reader->lost(reader->context, journal_position(b->journal));
        return true;
    }
    struct db *db = db_open(url, e);
    if (db == NULL)
        return false;
    bool ok = (open_history(b, db, e) && journal_recall(b->journal, db, reader, e)) || broker_name_database(b, e);
    db_close(db);
    return ok;
}
