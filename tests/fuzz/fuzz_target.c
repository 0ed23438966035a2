/*
 * Request targets: what the guard lets pass either is refused by target_parse or becomes a path and a query that,
 * encoded anew byte by byte, become the same again.
 */
#include "check.h"
#include "http/guard.h"
#include "http/target.h"

static const struct guard_limits limits = {
    .header_bytes = 65536, .header_count = 8, .target_bytes = 32768, .body_bytes = 0};

static void append_encoded(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_printf(out, "%%%02x", (unsigned)(unsigned char)s.ptr[i]);
}

static void encode(const struct request *r, struct buf *out)
{
    for (size_t i = 0; i < r->segment_count; i++) {
        buf_append_char(out, '/');
        append_encoded(out, r->segments[i]);
    }
    for (size_t i = 0; i < r->query.count; i++) {
        buf_append_char(out, i == 0 ? '?' : '&');
        append_encoded(out, r->query.at[i].name);
        buf_append_char(out, '=');
        append_encoded(out, r->query.at[i].value);
    }
}

static void check_same(const struct request *a, const struct request *b)
{
    CHECK(str_eq(a->path, b->path) && a->segment_count == b->segment_count, "another path");
    for (size_t i = 0; i < a->segment_count; i++)
        CHECK(str_eq(a->segments[i], b->segments[i]), "another segment");
    CHECK(a->query.count == b->query.count, "another query");
    for (size_t i = 0; i < a->query.count; i++)
        CHECK(str_eq(a->query.at[i].name, b->query.at[i].name) && str_eq(a->query.at[i].value, b->query.at[i].value),
              "another parameter");
}

static void check_again(const struct request *first)
{
    struct arena arena = ARENA_EMPTY;
    struct request second = {0};
    struct buf target = BUF_EMPTY;
    struct refusal why = {0};

    encode(first, &target);
    second.target = buf_str(&target);
    if (second.target.len > 0) {
        CHECK(target_parse(&second, &arena, &why), "what was decoded is refused once it is encoded");
        check_same(first, &second);
    }
    buf_free(&target);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_EMPTY;
    struct request request = {0};
    struct buf head = BUF_EMPTY;
    struct head_scan scan = {0};
    struct head_verdict verdict;
    struct refusal why = {0};
    size_t len;

    buf_append_str(&head, STR("OPTIONS "));
    buf_append(&head, data, size);
    buf_append_str(&head, STR(" HTTP/1.1\r\nHost: a\r\n\r\n"));
    if (guard_find_head(buf_str(&head), &scan, &limits, &len, &why) == HEAD_COMPLETE) {
        guard_check_head((struct str){head.data, len}, &limits, &verdict);
        if (verdict.refusal.status == 0) {
            request.target = arena_copy(&arena, verdict.target);
            why = (struct refusal){0};
            if (target_parse(&request, &arena, &why))
                check_again(&request);
            else
                CHECK(why.status == 400, "a target is refused without a reason");
        }
    }
    buf_free(&head);
    arena_free(&arena);
    return 0;
}
