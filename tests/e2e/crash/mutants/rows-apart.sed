# src/broker/script/worker.c, 1 line: the journal's rows are written behind the handler's transaction, in another one
/^static bool commit\(/,/^}/ s/survives\(w, BEFORE_COMMIT, e\) && /&db_commit(w->transactions, e) \&\& db_begin_write(w->transactions, e) \&\& /
