#include "answers.h"

#include <string.h>

#include "check.h"

struct reader {
    struct str rest;
    bool cut;  /* the output may end anywhere */
    bool over; /* it did */
};

struct head {
    int status;
    bool has_length;
    unsigned long long length;
    bool closes;
    bool keeps;
    bool stream;
    bool date;
};

static bool ends_early(struct reader *r)
{
    CHECK(r->cut, "an incomplete response");
    r->over = true;
    return false;
}

/* Takes a line that ends with CR LF. */
static bool take_line(struct reader *r, struct str *line)
{
    const char *lf = r->rest.len == 0 ? NULL : memchr(r->rest.ptr, '\n', r->rest.len);

    if (lf == NULL)
        return ends_early(r);
    *line = (struct str){r->rest.ptr, (size_t)(lf - r->rest.ptr)};
    r->rest = str_from(r->rest, line->len + 1);
    CHECK(line->len > 0 && line->ptr[line->len - 1] == '\r', "a line without CR");
    line->len--;
    CHECK(line->len == 0 || memchr(line->ptr, '\r', line->len) == NULL, "a CR inside of a line");
    CHECK(line->len == 0 || memchr(line->ptr, '\0', line->len) == NULL, "a NUL inside of a line");
    return true;
}

static void read_status(struct str line, struct head *h)
{
    CHECK(str_starts_with(line, STR("HTTP/1.1 ")) && line.len >= 13 && line.ptr[12] == ' ', "a status line");
    unsigned long long status;
    CHECK(str_to_u64((struct str){line.ptr + 9, 3}, &status) && status >= 100 && status <= 599, "a status");
    h->status = (int)status;
}

static void read_length(struct str value, struct head *h)
{
    CHECK(!h->has_length, "two lengths");
    h->has_length = str_to_u64(value, &h->length);
    CHECK(h->has_length, "a length that is no number");
}

static void read_field(struct str line, struct head *h)
{
    struct str value = line;
    struct str name;

    CHECK(str_split(&value, ':', &name) && value.ptr != NULL && str_is_token(name), "a field without a name");
    value = str_trim(value);
    if (str_eq_nocase(name, STR("content-length")))
        read_length(value, h);
    else if (str_eq_nocase(name, STR("connection")) && str_eq(value, STR("close")))
        h->closes = true;
    else if (str_eq_nocase(name, STR("connection")))
        h->keeps = str_eq(value, STR("keep-alive"));
    else if (str_eq_nocase(name, STR("date")))
        h->date = true;
    else if (str_eq_nocase(name, STR("content-type")) && str_eq(value, STR("text/event-stream")))
        h->stream = true;
    CHECK(!str_eq_nocase(name, STR("transfer-encoding")), "a coding that nobody asked for");
    CHECK(!h->closes || !h->keeps, "a connection that is to be closed and kept");
}

static bool read_head(struct reader *r, struct head *h)
{
    struct str line;

    *h = (struct head){0};
    if (!take_line(r, &line))
        return false;
    read_status(line, h);
    while (take_line(r, &line)) {
        if (line.len == 0)
            return true;
        read_field(line, h);
    }
    return false;
}

static bool skip_body(struct reader *r, const struct head *h, enum method method)
{
    bool none = method == METHOD_HEAD || h->status == 204 || h->status == 304;

    CHECK(h->date, "a response without a date");
    CHECK(h->has_length == (h->status != 204 && h->status != 304), "a length at the wrong place");
    if (none)
        return true;
    if (r->rest.len < h->length)
        return ends_early(r);
    r->rest = str_from(r->rest, (size_t)h->length);
    return true;
}

/* The rest of the output is the stream's: lines of known fields, the last of which may be cut off. */
static void check_stream(struct str rest)
{
    static const struct str fields[] = {{"id: ", 4}, {"event: ", 7}, {"data: ", 6}, {"retry: ", 7}, {":", 1}};
    struct str line;

    while (memchr(rest.len == 0 ? "" : rest.ptr, '\n', rest.len) != NULL && str_split(&rest, '\n', &line)) {
        bool known = line.len == 0;
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            known = known || str_starts_with(line, fields[i]);
        CHECK(known, "a line that is no event's");
        CHECK(line.len == 0 || memchr(line.ptr, '\r', line.len) == NULL, "a CR in a stream");
    }
}

static bool read_answer(struct reader *r, const struct wire *w, size_t index)
{
    struct head h;

    if (!read_head(r, &h))
        return false;
    if (h.status == 100) {
        CHECK(!h.has_length && !h.closes, "a 100 that says more");
        return read_answer(r, w, index);
    }
    CHECK(h.status >= 200, "an interim response that nobody expects");
    CHECK(index < w->due, "more responses than requests");
    if (h.stream && !h.has_length) {
        CHECK(h.closes, "a stream that does not end with its connection");
        check_stream(r->rest);
        r->rest = STR_NONE;
        return true;
    }
    CHECK(!(w->refused && index + 1 == w->due) || h.closes, "a refusal that does not close");
    enum method method = w->methods[index];
    if (w->refused_blindly && index + 1 == w->due && r->rest.len == 0)
        method = METHOD_HEAD;
    if (!skip_body(r, &h, method))
        return false;
    CHECK(!h.closes || r->rest.len == 0, "a response behind the last one");
    return true;
}

/* For whoever looks into a failure. */
static void show(struct str output)
{
    if (getenv("FUZZ_SHOW") != NULL)
        (void)fprintf(stderr, "--- a connection was sent %zu bytes:\n%.*s\n---\n", output.len, STR_ARG(output));
}

void answers_check(const struct wire *w)
{
    struct reader r = {buf_str(&w->output), !w->fin && (w->may_close || w->finished || w->reset), false};
    size_t count = 0;

    show(r.rest);
    while (r.rest.len > 0 && !r.over)
        count += read_answer(&r, w, count);
    CHECK(count == w->due || w->may_lack || w->reset || (w->streaming && w->finished),
          "a request without its response");
}
