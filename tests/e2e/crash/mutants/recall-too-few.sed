# src/broker/db/journal.c, 1 line: one event fewer than the limit is read at the start
s/from = j->stored\.head - j->limits\.max_events;/from = j->stored.head - j->limits.max_events + 1;/
