#include "http/guard.h"

#include "base/exchange.h"

/* Room in a request line beside its target: a method, two spaces, a version, CR LF. */
enum { REQUEST_LINE_REST = 32, CHUNK_SIZE_DIGITS = 15 };

static bool refuse(struct refusal *why, int status, const char *code, const char *message)
{
    *why = (struct refusal){status, code, message};
    return false;
}

static bool bad(struct refusal *why, const char *message)
{
    return refuse(why, 400, "bad_request", message);
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* --- the head: its extent --- */

/* How far a head may reach, and what is said of one that reaches further. The request line has a bound of its own. */
static size_t extent(const struct head_scan *scan, const struct guard_limits *limits)
{
    size_t line = limits->target_bytes + REQUEST_LINE_REST;

    return scan->lines == 0 && line < limits->header_bytes ? line : limits->header_bytes;
}

static bool too_far(const struct head_scan *scan, const struct guard_limits *limits, struct refusal *why)
{
    if (extent(scan, limits) < limits->header_bytes)
        return refuse(why, 414, "target_too_long", "the request target is longer than this server accepts");
    return refuse(why, 431, "headers_too_large", "the request head is larger than this server accepts");
}

/* A line ended whose text is `len` bytes long. *end tells that it ends the head. */
static bool on_line_end(struct head_scan *scan, const struct guard_limits *limits, size_t len, size_t next, bool *end,
                        struct refusal *why)
{
    bool first = scan->line == 0;

    *end = len == 0 && scan->lines > 0;
    scan->line = next;
    if (len > 0)
        scan->lines++;
    else if (!*end && !first) /* RFC 9112 section 2.2: one empty line before the request line is forgiven */
        return bad(why, "empty lines where a request line should be");
    if (scan->lines > limits->header_count + 1)
        return refuse(why, 431, "too_many_headers", "the request has more header fields than this server accepts");
    return true;
}

static bool on_head_byte(struct str data, struct head_scan *scan, const struct guard_limits *limits, bool *end,
                         struct refusal *why)
{
    size_t i = scan->scanned;
    char c = data.ptr[i];
    bool after_cr = i > scan->line && data.ptr[i - 1] == '\r';

    if (c == '\n')
        return after_cr ? on_line_end(scan, limits, i - 1 - scan->line, i + 1, end, why)
                        : bad(why, "a line that ends with LF alone");
    if (after_cr)
        return bad(why, "a CR that no LF follows");
    if (c != '\r' && is_control(c))
        return bad(why, "a control character in the request head");
    return true;
}

/* Nearly all of a head are bytes within a line, of which only the count matters: goes to the next that is another. */
static void skip_within_line(struct str data, struct head_scan *scan, const struct guard_limits *limits)
{
    size_t most = extent(scan, limits);
    size_t at = scan->scanned;

    if (most > data.len)
        most = data.len;
    if (at > 0 && data.ptr[at - 1] == '\r')
        return;
    while (at < most && !is_control(data.ptr[at]))
        at++;
    scan->scanned = at;
}

/* The verdict depends on the bytes alone, in their order, and not on how they came in pieces. */
enum head_progress guard_find_head(struct str data, struct head_scan *scan, const struct guard_limits *limits,
                                   size_t *len, struct refusal *why)
{
    bool end = false;

    skip_within_line(data, scan, limits);
    while (scan->scanned < data.len && !end) {
        if (scan->scanned >= extent(scan, limits)) {
            (void)too_far(scan, limits, why);
            return HEAD_REFUSED;
        }
        if (!on_head_byte(data, scan, limits, &end, why))
            return HEAD_REFUSED;
        scan->scanned++;
        if (!end)
            skip_within_line(data, scan, limits);
    }
    *len = scan->scanned;
    return end ? HEAD_COMPLETE : HEAD_PARTIAL;
}

/* --- the head: the request line --- */

static bool check_method(struct str method, struct refusal *why)
{
    if (!str_is_token(method))
        return bad(why, "the request line does not begin with a method");
    for (int i = 0; i < METHOD_COUNT; i++)
        if (str_eq(method, method_names[i]))
            return true;
    return refuse(why, 501, "not_implemented", "this server does not implement the method");
}

static bool check_version(struct str version, bool *http_1_0, struct refusal *why)
{
    *http_1_0 = str_eq(version, STR("HTTP/1.0"));
    if (*http_1_0 || str_eq(version, STR("HTTP/1.1")))
        return true;
    bool digits = version.len == 8 && str_starts_with(version, STR("HTTP/")) && version.ptr[5] >= '0' &&
                  version.ptr[5] <= '9' && version.ptr[6] == '.' && version.ptr[7] >= '0' && version.ptr[7] <= '9';
    if (!digits)
        return bad(why, "the request line does not end with an HTTP version");
    return refuse(why, 505, "version_not_supported", "this server speaks HTTP/1.0 and HTTP/1.1");
}

/* RFC 9112 section 3.2: origin-form, absolute-form, and asterisk-form for OPTIONS. */
static bool check_target(struct str method, struct str target, struct refusal *why)
{
    if (target.len == 0)
        return bad(why, "the request target is empty");
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\' || c == '"' || c == '<' || c == '>')
            return bad(why, "a character in the request target that must be percent-encoded");
    }
    if (str_eq(target, STR("*")))
        return str_eq(method, STR("OPTIONS")) ? true : bad(why, "the target * goes with OPTIONS only");
    if (str_starts_with(target, STR("//")))
        return bad(why, "the request target begins with //");
    if (target.ptr[0] == '/')
        return true;
    struct str scheme = STR("http://");
    if (target.len > scheme.len && str_eq_nocase((struct str){target.ptr, scheme.len}, scheme))
        return true;
    return bad(why, "the request target is neither a path nor an http URL");
}

static bool check_request_line(struct str line, const struct guard_limits *limits, struct head_verdict *v)
{
    struct str rest = line;
    struct str version;

    if (!str_split(&rest, ' ', &v->method) || !str_split(&rest, ' ', &v->target) || !str_split(&rest, ' ', &version) ||
        rest.ptr != NULL)
        return bad(&v->refusal, "the request line is not: method, target and version with one space between");
    if (!check_method(v->method, &v->refusal) || !check_version(version, &v->http_1_0, &v->refusal))
        return false;
    if (v->target.len > limits->target_bytes)
        return refuse(&v->refusal, 414, "target_too_long", "the request target is longer than this server accepts");
    return check_target(v->method, v->target, &v->refusal);
}

/* --- the head: its fields --- */

struct seen {
    bool host;
    bool length;
    bool coding;
    bool content_type;
};

static bool check_length(struct str value, const struct guard_limits *limits, struct seen *seen, struct head_verdict *v)
{
    if (seen->length)
        return bad(&v->refusal, "more than one Content-Length");
    seen->length = true;
    if (value.len == 0)
        return bad(&v->refusal, "Content-Length is not a number");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return bad(&v->refusal, "Content-Length is not a number");
    unsigned long long length;
    bool number = str_to_u64(value, &length) && length <= INT64_MAX; /* http-parser has a limit near 2^64 */
    v->content_length = number ? length : 0;
    if (number && length <= limits->body_bytes)
        return true;
    (void)refuse(&v->refusal, 413, "body_too_large", "the body is larger than this server accepts");
    return number;
}

static bool check_coding(struct str value, struct seen *seen, struct head_verdict *v)
{
    if (seen->coding)
        return bad(&v->refusal, "more than one Transfer-Encoding");
    seen->coding = true;
    if (v->http_1_0)
        return bad(&v->refusal, "Transfer-Encoding in an HTTP/1.0 request");
    if (!str_eq(value, STR("chunked")))
        return refuse(&v->refusal, 501, "not_implemented",
                      "the only Transfer-Encoding this server implements is chunked");
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* RFC 3986 section 3.2.2. */
static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
                     (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL);
        bool escape = c == '%' && s.len - i > 2 && is_hex(s.ptr[i + 1]) && is_hex(s.ptr[i + 2]);
        if (!plain && !escape)
            return false;
    }
    return s.len > 0;
}

/* What stands between the brackets: an IPv6 address by its characters. */
static bool is_ip_literal(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_hex(s.ptr[i]) && s.ptr[i] != ':' && s.ptr[i] != '.')
            return false;
    return s.len > 0;
}

static bool is_port(struct str s)
{
    unsigned long long port = 0;

    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len == 0 || (str_to_u64(s, &port) && port <= 65535);
}

/* RFC 9110 section 7.2: uri-host [ ":" port ], and http wants the host not to be empty (section 4.2.1). */
static bool is_authority(struct str s)
{
    struct str host;

    if (!str_starts_with(s, STR("[")))
        return str_split(&s, ':', &host) && is_name(host) && is_port(s);
    s = str_from(s, 1);
    if (!str_split(&s, ']', &host) || s.ptr == NULL || !is_ip_literal(host))
        return false;
    return s.len == 0 || (s.ptr[0] == ':' && is_port(str_from(s, 1)));
}

static bool check_host(struct str value, struct seen *seen, struct head_verdict *v)
{
    if (seen->host)
        return bad(&v->refusal, "more than one Host");
    seen->host = true;
    if (!is_authority(value))
        return bad(&v->refusal, "Host is not a host name with an optional port");
    v->authority = value;
    return true;
}

static bool check_expect(struct str value, struct head_verdict *v)
{
    if (!str_eq_nocase(value, STR("100-continue")))
        return refuse(&v->refusal, 417, "expectation_failed", "the only expectation this server meets is 100-continue");
    v->expect_continue = !v->http_1_0; /* RFC 9110 section 10.1.1: ignored in HTTP/1.0 */
    return true;
}

static bool check_content_coding(struct str value, struct head_verdict *v)
{
    if (str_eq_nocase(value, STR("identity")))
        return true;
    return refuse(&v->refusal, 415, "unsupported_content_encoding",
                  "this server accepts no Content-Encoding in requests");
}

static bool check_field(struct str line, const struct guard_limits *limits, struct seen *seen, struct head_verdict *v)
{
    struct str value = line;
    struct str name;

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return bad(&v->refusal, "a folded header field");
    if (!str_split(&value, ':', &name) || value.ptr == NULL)
        return bad(&v->refusal, "a header field without a colon");
    if (!str_is_token(name))
        return bad(&v->refusal, "a header field whose name is not a token, or has a space before its colon");
    value = str_trim(value);
    if (str_eq_nocase(name, STR("content-length")))
        return check_length(value, limits, seen, v);
    if (str_eq_nocase(name, STR("transfer-encoding")))
        return check_coding(value, seen, v);
    /* http-parser takes "Transfer-Encoding-Of-Mine" for the real one. */
    struct str start = {name.ptr, STR("transfer-encoding").len};
    if (name.len > start.len && str_eq_nocase(start, STR("transfer-encoding")))
        return bad(&v->refusal, "a header field whose name only begins with Transfer-Encoding");
    if (str_eq_nocase(name, STR("host")))
        return check_host(value, seen, v);
    if (str_eq_nocase(name, STR("expect")))
        return check_expect(value, v);
    if (str_eq_nocase(name, STR("content-encoding")))
        return check_content_coding(value, v);
    if (str_eq_nocase(name, STR("content-type")))
        seen->content_type = true;
    return true;
}

static bool carries_content(struct str method)
{
    return str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) || str_eq(method, STR("PATCH"));
}

/* Where the fields contradict each other, or the request leaves open where its body ends. */
static bool check_framing(const struct seen *seen, struct head_verdict *v)
{
    if (seen->coding && seen->length)
        return bad(&v->refusal, "both Content-Length and Transfer-Encoding");
    if (!seen->host && !v->http_1_0)
        return bad(&v->refusal, "an HTTP/1.1 request without a Host");
    /* RFC 1945 section 8.3 wants a length on every HTTP/1.0 POST; RFC 9110 section 15.5.12 lets us want one where a
     * Content-Type announces a body, whose bytes would otherwise be read as the next request. */
    if (!seen->coding && !seen->length && carries_content(v->method) && (v->http_1_0 || seen->content_type))
        return refuse(&v->refusal, 411, "length_required", "the request needs a Content-Length");
    v->framing = seen->coding ? BODY_CHUNKED : v->content_length > 0 ? BODY_LENGTH : BODY_NONE;
    return true;
}

/* RFC 9112 section 3.2.2: the authority of an absolute target goes before Host. */
static bool check_absolute_target(struct head_verdict *v)
{
    struct str rest = v->target;

    if (rest.ptr[0] == '/' || rest.ptr[0] == '*')
        return true;
    rest = str_from(rest, STR("http://").len);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    v->authority = (struct str){rest.ptr, end};
    return is_authority(v->authority) ? true : bad(&v->refusal, "the request target's host is malformed");
}

static struct str next_line(struct str *rest)
{
    const char *cr = memchr(rest->ptr, '\r', rest->len);
    struct str line = {rest->ptr, (size_t)(cr - rest->ptr)};

    *rest = str_from(*rest, line.len + 2);
    return line;
}

void guard_check_head(struct str head, const struct guard_limits *limits, struct head_verdict *v)
{
    struct str rest = head;
    struct seen seen = {0};

    *v = (struct head_verdict){0};
    if (str_starts_with(rest, STR("\r\n")))
        rest = str_from(rest, 2);
    if (!check_request_line(next_line(&rest), limits, v))
        return;
    for (;;) {
        struct str line = next_line(&rest);
        if (line.len == 0)
            break;
        v->header_count++;
        if (!check_field(line, limits, &seen, v))
            return;
    }
    v->sound = check_framing(&seen, v) && check_absolute_target(v);
}

/* --- a chunked body (RFC 9112 section 7.1) --- */

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF
};

static int hex_value(char c)
{
    char lower = ascii_lower(c);

    if (lower >= '0' && lower <= '9')
        return lower - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool on_size_byte(struct chunk_guard *g, char c, struct refusal *why)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        if (++g->size_digits > CHUNK_SIZE_DIGITS)
            return refuse(why, 413, "body_too_large", "the body is larger than this server accepts");
        g->chunk_left = g->chunk_left * 16 + (uint64_t)digit;
        return true;
    }
    if (g->size_digits == 0)
        return bad(why, "a chunk that does not begin with its size");
    if (c == ';')
        g->state = CHUNK_EXTENSION;
    else if (c == '\r')
        g->state = CHUNK_SIZE_LF;
    else
        return bad(why, "a chunk size that is not hexadecimal");
    return true;
}

static bool on_size_end(struct chunk_guard *g, const struct guard_limits *limits, struct refusal *why)
{
    if (g->chunk_left > limits->body_bytes - g->body_bytes)
        return refuse(why, 413, "body_too_large", "the body is larger than this server accepts");
    g->body_bytes += (size_t)g->chunk_left;
    g->size_digits = 0;
    g->line_bytes = 0;
    g->state = g->chunk_left > 0 ? CHUNK_DATA : CHUNK_TRAILER_NAME;
    return true;
}

/* RFC 9110 section 6.5.1: what frames a message cannot come behind it; http-parser would believe it. */
static bool is_framing_field(const struct chunk_guard *g)
{
    struct str start = {g->line_start, g->line_bytes < sizeof g->line_start ? g->line_bytes : sizeof g->line_start};

    return str_eq(start, STR("content-length")) || str_starts_with(start, STR("transfer-encoding"));
}

static bool on_trailer_byte(struct chunk_guard *g, char c, const struct guard_limits *limits, struct refusal *why)
{
    if (c == '\r') {
        if (g->state == CHUNK_TRAILER_NAME && g->line_bytes > 0)
            return bad(why, "a trailer field without a colon");
        g->state = g->line_bytes == 0 ? CHUNK_LAST_LF : CHUNK_TRAILER_LF;
        return true;
    }
    if (is_control(c))
        return bad(why, "a control character in a trailer field");
    if (g->state == CHUNK_TRAILER_NAME) {
        if (c == ':' && is_framing_field(g))
            return bad(why, "Content-Length or Transfer-Encoding as a trailer field");
        if (c == ':' && g->line_bytes > 0)
            g->state = CHUNK_TRAILER_VALUE;
        else if (!str_is_token((struct str){&c, 1}))
            return bad(why, "a trailer field whose name is not a token");
        if (g->line_bytes < sizeof g->line_start)
            g->line_start[g->line_bytes] = ascii_lower(c);
    }
    if (g->line_bytes++ == 0 && ++g->trailers > limits->header_count)
        return refuse(why, 431, "too_many_headers", "the request has more trailer fields than this server accepts");
    return true;
}

static bool expect_lf(struct chunk_guard *g, char c, int next, struct refusal *why)
{
    if (c != '\n')
        return bad(why, "a CR that no LF follows in a chunked body");
    g->state = next;
    return true;
}

static bool on_framing_byte(struct chunk_guard *g, char c, const struct guard_limits *limits, struct refusal *why)
{
    /* Tiny chunks cost more to frame than they carry: a quarter of the body's limit is plenty for honest ones. */
    if (++g->framing_bytes > limits->header_bytes + limits->body_bytes / 4)
        return refuse(why, 431, "headers_too_large", "a chunked body with more framing than this server accepts");
    switch (g->state) {
    case CHUNK_SIZE:
        return on_size_byte(g, c, why);
    case CHUNK_EXTENSION:
        if (c == '\r')
            g->state = CHUNK_SIZE_LF;
        else if (is_control(c))
            return bad(why, "a control character in a chunk extension");
        else if (++g->line_bytes > 256)
            return bad(why, "a chunk extension longer than 256 bytes");
        return true;
    case CHUNK_SIZE_LF:
        return expect_lf(g, c, CHUNK_DATA, why) && on_size_end(g, limits, why);
    case CHUNK_DATA_CR:
        g->state = CHUNK_DATA_LF;
        return c == '\r' ? true : bad(why, "a chunk that is longer than its size");
    case CHUNK_DATA_LF:
        return expect_lf(g, c, CHUNK_SIZE, why);
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        return on_trailer_byte(g, c, limits, why);
    case CHUNK_TRAILER_LF:
        g->line_bytes = 0;
        return expect_lf(g, c, CHUNK_TRAILER_NAME, why);
    default:
        return expect_lf(g, c, CHUNK_LAST_LF, why);
    }
}

enum chunk_progress guard_chunked(struct chunk_guard *g, const struct guard_limits *limits, struct str data,
                                  size_t *used, struct refusal *why)
{
    *used = 0;
    while (*used < data.len) {
        if (g->state == CHUNK_DATA) {
            size_t left = data.len - *used;
            size_t part = g->chunk_left < left ? (size_t)g->chunk_left : left;
            g->chunk_left -= part;
            *used += part;
            if (g->chunk_left == 0)
                g->state = CHUNK_DATA_CR;
            continue;
        }
        bool last = g->state == CHUNK_LAST_LF;
        if (!on_framing_byte(g, data.ptr[(*used)++], limits, why))
            return CHUNK_REFUSED;
        if (last)
            return CHUNK_END;
    }
    return CHUNK_MORE;
}
