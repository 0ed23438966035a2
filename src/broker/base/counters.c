#include "base/counters.h"

const struct counter_info counter_infos[COUNTER_COUNT] = {
#define X(symbol, name, help) [symbol] = {name, help},
    COUNTERS(X)
#undef X
};
