# src/broker/script/replay.c, 1 line: the record of an Idempotency-Key is not written
s/^    if \(job->replay\.state != REPLAY_RUNS \|\| \(!keeps && !changed\)\)$/    if (true || keeps || changed)/
