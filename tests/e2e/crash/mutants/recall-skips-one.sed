# src/broker/db/journal_table.c, 1 line: the oldest event that should be remembered is not read at the start
s/FROM main.pillar_events WHERE position > \? ORDER BY position/FROM main.pillar_events WHERE position > ? + 1 ORDER BY position/
