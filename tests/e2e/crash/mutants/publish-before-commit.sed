# src/broker/script/worker.c, 2 lines: events are published before the COMMIT that makes them true
s/db_commit\(w->transactions, e\) && survives\(w, AFTER_COMMIT, e\);/(journal_publish(w->journal, w->events.at, w->events.count), true) \&\& &/
/^static bool commit\(/,/^}/ s/^        journal_publish\(.*$//
