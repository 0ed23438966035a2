/* The history at the start: whose database it is, what it holds, and what of it clients that come back may ask for. */
#include <string.h>

#include "base/logger.h"
#include "broker_private.h"
#include "db/database_lock.h"

static bool has_file(const char *url)
{
    return str_starts_with(str_of(url), STR("sqlite:"));
}

bool broker_name_database(const struct pillar_broker *b, struct error *e)
{
    struct error why = *e;

    if (strcmp(why.code, "unavailable") == 0 || strcmp(why.code, "busy") == 0)
        (void)error_set(e, why.code, "the database %.200s: %.270s", b->options->values.database, why.message);
    return false;
}

static bool open_and_recall(struct pillar_broker *b, const char *url, const struct journal_reader *reader,
                            struct error *e)
{
    struct db *db = db_open(url, e);

    if (db == NULL)
        return false;
    bool ok = (journal_open(b->journal, db, b->options->values.new_history != 0, e) &&
               journal_recall(b->journal, db, reader, e)) ||
              broker_name_database(b, e);
    db_close(db);
    return ok;
}

bool broker_open_history(struct pillar_broker *b, const struct journal_reader *reader, struct error *e)
{
    const struct settings *s = &b->options->values;

    if (strcmp(s->database, "none") == 0) {
        reader->lost(reader->context, journal_position(b->journal));
        return true;
    }
    if (has_file(s->database)) {
        b->database_lock = database_lock_take(s->database, s->takeover_timeout, e);
        if (b->database_lock < 0)
            return false;
    }
    return open_and_recall(b, s->database, reader, e);
}
