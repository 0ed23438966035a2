# src/broker/db/journal_table.c, 1 line: one event more is deleted than the floor says
s/DELETE FROM main.pillar_events WHERE position <= \?/DELETE FROM main.pillar_events WHERE position <= ? + 1/
