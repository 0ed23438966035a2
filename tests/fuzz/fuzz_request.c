/*
 * The way of a request through http/: bytes in, in pieces; guard, parser, handler; responses and streams out, as far
 * as the client takes them.
 *
 * The input is what clients send, with what happens meanwhile written into it: '^' and a letter, see act() below.
 * Each input runs twice, as it says and one byte at a time: how the bytes are cut must make no difference.
 */
#include "alloc.h"
#include "answers.h"
#include "check.h"
#include "world.h"

enum { INPUT_MAX = 64 * 1024 };

struct script {
    const uint8_t *at;
    const uint8_t *end;
    bool by_bytes; /* deliver each byte by itself, whatever the script says */
    uint8_t last;  /* what was said last */
};

static unsigned take_digit(struct script *s)
{
    if (s->at == s->end || *s->at < '0' || *s->at > '9')
        return 0;
    return (unsigned)(*s->at++ - '0');
}

static void say(struct world *w, struct script *s, uint8_t byte)
{
    wire_say(w->current, &byte, 1);
    s->last = byte;
}

/* Says the last byte 4^n times more. */
static void repeat(struct world *w, struct script *s)
{
    unsigned n = take_digit(s);

    for (unsigned left = 1u << 2 * (n > 6 ? 6 : n); left > 0 && w->current->input.len < INPUT_MAX; left--)
        say(w, s, s->last);
}

static void set_window(struct wire *wire, unsigned n)
{
    wire->window = n == 9 ? SIZE_MAX : n == 0 ? 0 : (size_t)1 << 2 * (n - 1);
}

static void next_client(struct world *w)
{
    w->current = &w->wires[(size_t)(w->current - w->wires + 1) % w->wire_count];
}

static void act(struct world *w, struct script *s, uint8_t what)
{
    unsigned n;

    world_settle(w);
    switch (what) {
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        w->current->piece = s->by_bytes ? 1 : (size_t)(what - '0'); /* bytes a read; 0: all that there are */
        break;
    case '*':
        repeat(w, s);
        break;
    case 'c':
        world_complete(w, false);
        break;
    case 'C':
        world_complete(w, true);
        break;
    case 'e':
        w->current->finished = true;
        break;
    case 'x':
        w->current->reset = true;
        break;
    case 't':
        world_expire(w);
        break;
    case 'g':
        world_give_up(w);
        break;
    case 'n':
        world_connect(w);
        w->current->piece = s->by_bytes ? 1 : 0;
        break;
    case 'f':
        w->refuse_next = 1;
        break;
    case '>':
        next_client(w);
        break;
    case 'w':
        set_window(w->current, take_digit(s));
        break;
    case 'd':
        wire_drain(w->current);
        break;
    case 'p':
        world_publish(w);
        break;
    case 'T':
        world_pass_time(w);
        break;
    case 'q':
        world_drain(w);
        break;
    case 'm':
        n = take_digit(s);
        alloc_fail_at(n + 1);
        break;
    default: /* '|' and all others: only a boundary */
        break;
    }
}

struct outcome {
    size_t delivered[WORLD_WIRES];
    uint64_t digest[WORLD_WIRES];
    bool refused[WORLD_WIRES];
    bool disturbed;
};

static void run(const uint8_t *data, size_t size, bool by_bytes, struct outcome *outcome)
{
    static struct world w; /* too large for a stack */
    struct script s = {data, data + size, by_bytes, 'x'};

    world_begin(&w);
    world_connect(&w);
    w.current->piece = by_bytes ? 1 : 0;
    while (s.at < s.end) {
        uint8_t byte = *s.at++;
        if (byte != '^' || s.at == s.end || *s.at == '^') {
            say(&w, &s, byte);
            s.at += byte == '^' && s.at < s.end;
        } else {
            act(&w, &s, *s.at++);
        }
    }
    world_end(&w);
    *outcome = (struct outcome){.disturbed = w.disturbed};
    for (size_t i = 0; i < w.wire_count; i++) {
        answers_check(&w.wires[i]);
        outcome->disturbed |= w.wires[i].short_of_room;
        outcome->delivered[i] = w.wires[i].delivered;
        outcome->digest[i] = w.wires[i].digest;
        outcome->refused[i] = w.wires[i].refused;
        wire_free(&w.wires[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole;
    struct outcome bytes;

    run(data, size, false, &whole);
    run(data, size, true, &bytes);
    if (whole.disturbed || bytes.disturbed)
        return 0;
    for (size_t i = 0; i < WORLD_WIRES; i++) {
        CHECK(whole.delivered[i] == bytes.delivered[i], "the number of requests depends on how they are cut");
        CHECK(whole.digest[i] == bytes.digest[i], "what a request is depends on how it is cut");
        CHECK(whole.refused[i] == bytes.refused[i], "whether a request is refused depends on how it is cut");
    }
    return 0;
}
