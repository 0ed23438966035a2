# src/broker/db/journal_table.c, 1 line: the targets of an event are not stored, so it is everybody's after a start
s/\{\.type = ev->everyone \? DB_NULL : DB_TEXT,/{.type = DB_NULL,/
