# src/broker/db/journal_table.c, 2 lines: a hole at the beginning goes unnoticed, so the history seems to begin earlier
s/^        if \(position != expected\)$/        if (position != expected \&\& expected != after + 1)/
s/FROM main.pillar_events WHERE position > \? ORDER BY position/FROM main.pillar_events WHERE position > ? + 1 ORDER BY position/
