# src/broker/bus/event_log.c, 1 line: who comes back gets the last event again
s/middle\)->position <= position\)/middle)->position < position)/
