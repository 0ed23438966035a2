# src/broker/script/replay.c, 1 line: a commit of a route with transaction = false leaves no record by itself
s/^    if \(job->replay\.state != REPLAY_RUNS \|\| !changed\)$/    if (true || !changed)/
