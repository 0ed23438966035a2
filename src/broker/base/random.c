#include "base/random.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

static const char hex_digits[] = "0123456789abcdef";

void random_bytes(void *bytes, size_t len)
{
    unsigned char *at = bytes;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* a kernel without getrandom(2) cannot give anybody a safe session */
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

uint64_t random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof value);
    return value;
}

static void to_hex(char *out, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

void random_hex(char *out, size_t len)
{
    unsigned char bytes[64];

    out[0] = '\0';
    for (size_t done = 0; done < len; done += sizeof bytes) {
        size_t part = len - done < sizeof bytes ? len - done : sizeof bytes;
        random_bytes(bytes, part);
        to_hex(out + 2 * done, bytes, part);
    }
}

/* The time and the counter of the thread's next UUID: the counter has twelve bits, and begins at a random place in its
 * lower half, so that it seldom runs over into the time. */
static unsigned next_counter(uint64_t *wall_ms)
{
    enum { COUNTER_END = 0x1000, CLOCK_SLACK_MS = 10000 };
    static _Thread_local uint64_t last_ms;
    static _Thread_local unsigned counter;
    bool same = *wall_ms <= last_ms && last_ms - *wall_ms < CLOCK_SLACK_MS;

    if (same && ++counter < COUNTER_END) {
        *wall_ms = last_ms;
        return counter;
    }
    last_ms = same ? last_ms + 1 : *wall_ms;
    *wall_ms = last_ms;
    counter = (unsigned)(random_u64() % (COUNTER_END / 2));
    return counter;
}

void random_uuid7(char out[37], uint64_t wall_ms)
{
    unsigned char bytes[16];
    char hex[33];

    unsigned counter = next_counter(&wall_ms);
    random_bytes(bytes + 8, 8);
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(wall_ms >> (8 * (5 - i)));
    bytes[6] = (unsigned char)(0x70 | counter >> 8);
    bytes[7] = (unsigned char)(counter & 0xff);
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
    to_hex(hex, bytes, sizeof bytes);
    for (int i = 0, o = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[o++] = '-';
        out[o++] = hex[i];
    }
    out[36] = '\0';
}

uint64_t random_between(uint64_t *state, uint64_t low, uint64_t high)
{
    /* xorshift64*: spread is all that jitter asks for. Zero is its one fixed point. */
    uint64_t x = *state == 0 ? 0x9e3779b97f4a7c15u : *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return low + (x * 0x2545f4914f6cdd1du >> 11) % (high - low + 1);
}
