# src/broker/bus/event_log.c, 1 line: who comes back from before the history is told nothing of what was trimmed
s/position < log->floor \|\| position > log->head/position > log->head/
