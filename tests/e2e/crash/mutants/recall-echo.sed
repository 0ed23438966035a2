# src/broker/db/journal_table.c, 1 line: the session of an event is not stored, so it echoes after a start
s/text\(ev->session_id\),/text(STR_NONE),/
