# src/broker/script/worker.c, 1 line: Sync-Position is where the history is when the answer is made
s/&& !journal_position_in_snapshot\(w->journal, w->db, &position, &e\)\)/\&\& (position = journal_position(w->journal), e.code = "", false))/
