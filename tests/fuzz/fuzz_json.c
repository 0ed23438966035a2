/*
 * JSON texts: what json_scan accepts it accepts again once it has rewritten it, with nothing left to rewrite; and what
 * json_append_string and json_append_any_string write is JSON.
 */
#include "base/json.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* In memory of its own size, so that reading beyond it is seen. */
    char *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL, "memory for a test");
    for (size_t i = 0; i < size; i++)
        copy[i] = (char)data[i];
    check_rewriting((struct str){copy, size});
    check_strings((struct str){copy, size});
    free(copy);
    return 0;
}
