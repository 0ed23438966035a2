/*
 * JSON texts: what json_scan accepts it accepts again once it has rewritten it, with nothing left to rewrite; what
 * json_append_string and json_append_any_string write is JSON; and what json_walk finds in a text is JSON too, and all there is.
 */
#include "base/json.h"
#include "base/json_walk.h"
#include "base/utf8.h"
#include "check.h"

static void check_rewriting(struct str text)
{
    struct str marker = STR("mark:");
    struct buf rewritten = BUF_EMPTY;
    struct buf again = BUF_EMPTY;
    struct error e;

    bool plain = json_scan(text, STR_NONE, NULL, &e);
    bool marked = json_scan(text, marker, &rewritten, &e);
    CHECK(plain == marked, "rewriting changes what is accepted");
    if (marked && rewritten.len > 0) {
        CHECK(json_scan(buf_str(&rewritten), marker, &again, &e), "what was rewritten is not accepted");
        CHECK(again.len == 0, "rewriting leaves something to rewrite");
    }
    buf_free(&again);
    buf_free(&rewritten);
}

static void check_strings(struct str text)
{
    struct buf out = BUF_EMPTY;
    struct error e;

    json_append_any_string(&out, text);
    CHECK(json_scan(buf_str(&out), STR_NONE, NULL, &e), "a string of any bytes is not JSON");
    if (utf8_valid(text)) {
        struct buf exact = BUF_EMPTY;
        json_append_string(&exact, text);
        CHECK(str_eq(buf_str(&exact), buf_str(&out)), "two ways to write one string");
        buf_free(&exact);
    }
    buf_free(&out);
}

static void check_string(struct str value)
{
    struct arena arena = {0};
    struct buf again = BUF_EMPTY;
    struct str text;
    struct error e;

    CHECK(json_string_text(value, &arena, &text), "memory for a test");
    CHECK(utf8_valid(text), "a string of a good text is not UTF-8");
    json_append_string(&again, text);
    CHECK(again.len == json_string_length(text), "a string is as long as it says");
    CHECK(json_scan(buf_str(&again), STR_NONE, NULL, &e), "a string cannot be written again");
    buf_free(&again);
    arena_free(&arena);
}

/* Each part of a value is a value; and with what stands between them they are as long as the whole without its space. */
static void check_value(struct str value)
{
    struct json_walk w;
    struct str key;
    struct str part;
    struct error e;
    size_t length = 2;

    CHECK(json_scan(value, STR_NONE, NULL, &e), "a part of a good text is not JSON");
    if (json_kind_of(value) == JSON_STRING)
        check_string(value);
    if (json_kind_of(value) != JSON_OBJECT && json_kind_of(value) != JSON_LIST)
        return;
    struct buf whole = BUF_EMPTY;
    struct buf compact = BUF_EMPTY;
    json_append_compact(&whole, value);
    w = json_walk_into(value);
    for (size_t i = 0; json_walk_next(&w, &key, &part); i++) {
        if (w.object)
            check_value(key);
        check_value(part);
        compact.len = 0;
        json_append_compact(&compact, part);
        length += compact.len + key.len + (w.object ? 1 : 0) + (i > 0 ? 1 : 0);
    }
    CHECK(length == whole.len, "a part of a value was passed over");
    buf_free(&whole);
    buf_free(&compact);
}

static void check_walk(struct str text)
{
    struct error e;

    if (text.len < 4096 && json_scan(text, STR_NONE, NULL, &e))
        check_value(json_root(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* In memory of its own size, so that reading beyond it is seen. */
    char *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL, "memory for a test");
    for (size_t i = 0; i < size; i++)
        copy[i] = (char)data[i];
    check_rewriting((struct str){copy, size});
    check_strings((struct str){copy, size});
    check_walk((struct str){copy, size});
    free(copy);
    return 0;
}
