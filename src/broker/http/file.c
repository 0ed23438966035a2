/*
 * Files below a mounted directory: conditional requests and ranges (RFC 9110 sections 13 and 14), read by
 * libuv's thread pool, so that a slow disk holds up no loop. A file never leaves its directory: the kernel
 * resolves the path beneath it, and names that begin with a dot do not exist.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "http/beneath.h"
#include "http/h1_private.h"
#include "http/mime.h"

enum { FILE_PIECE = 64 * 1024 };

struct h1_file {
    struct h1 *conn;        /* NULL once the connection is gone */
    struct h1_exchange *ex; /* until the head is sent */
    const struct static_mount *mount;
    char *path; /* owned, NUL-terminated, relative to the mount */
    struct str url;
    uv_work_t open;
    uv_fs_t read;
    bool reading;
    int fd;
    int error;          /* of opening: an errno, or 0 */
    bool slash;         /* the request's path ends with one */
    bool directory;     /* `path` is a directory that was asked for without it */
    const char *served; /* the path that was opened: path or the fallback */
    struct stat info;
    uint64_t offset;
    uint64_t left;
    char buffer[FILE_PIECE];
};

/* --- opening, on a thread of the pool --- */

static void try_open(struct h1_file *f, const char *path)
{
    f->error = 0;
    f->served = path;
    f->fd = beneath_hidden(path) ? -1 : beneath_open(f->mount->root, path);
    if (f->fd < 0) {
        f->error = beneath_hidden(path) ? ENOENT : errno;
        return;
    }
    if (fstat(f->fd, &f->info) != 0)
        f->error = errno;
    else if (!S_ISREG(f->info.st_mode) && !S_ISDIR(f->info.st_mode))
        f->error = ENOENT;
}

static void close_file(struct h1_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

/* A directory is answered with its index.html, once its URL ends with a slash, so that relative links work. */
static void open_index(struct h1_file *f)
{
    size_t len = strlen(f->path);

    close_file(f);
    if (!f->slash) {
        f->directory = true;
        return;
    }
    memcpy(f->path + len, "index.html", sizeof "index.html"); /* make_file left room */
    try_open(f, f->path);
    if (f->error == 0 && S_ISDIR(f->info.st_mode))
        f->error = ENOENT;
}

static void open_work(uv_work_t *work)
{
    struct h1_file *f = work->data;

    try_open(f, f->path);
    if (f->error == 0 && S_ISDIR(f->info.st_mode))
        open_index(f);
    if ((f->error == ENOENT || f->error == ENOTDIR) && f->mount->fallback != NULL) {
        close_file(f);
        try_open(f, f->mount->fallback);
    }
    if (f->error != 0)
        close_file(f);
}

/* --- deciding, on the loop --- */

static void free_file(struct h1_file *f)
{
    close_file(f);
    free(f->path);
    free(f);
}

static void http_date(char out[32], time_t when)
{
    struct tm parts;

    gmtime_r(&when, &parts);
    strftime(out, 32, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static void entity_tag(char out[64], const struct stat *info)
{
    snprintf(out, 64, "\"%llx-%llx-%llx\"", (unsigned long long)info->st_size, (unsigned long long)info->st_mtim.tv_sec,
             (unsigned long long)info->st_mtim.tv_nsec);
}

/* If-None-Match is a list of tags, or "*"; the comparison is the weak one (RFC 9110 section 13.1.2). */
static bool lists_tag(struct str list, struct str tag)
{
    struct str part;

    while (str_split(&list, ',', &part)) {
        part = str_trim(part);
        if (str_starts_with(part, STR("W/")))
            part = str_from(part, 2);
        if (str_eq(part, tag) || str_eq(part, STR("*")))
            return true;
    }
    return false;
}

static bool not_modified(const struct request *r, struct str tag, struct str modified)
{
    struct str tags = pairs_get(&r->headers, STR("if-none-match"));
    struct str since = pairs_get(&r->headers, STR("if-modified-since"));

    if (tags.len > 0)
        return lists_tag(tags, tag);
    /* The date that we sent comes back as we sent it; another one is not worth parsing. */
    return since.len > 0 && str_eq(since, modified);
}

enum range_verdict { RANGE_WHOLE, RANGE_PART, RANGE_UNSATISFIABLE };

/* One range of bytes. Several at once, like anything we do not read, are answered with the whole file, as RFC 9110
 * section 14.2 allows. */
static enum range_verdict read_range(struct str value, uint64_t size, uint64_t *from, uint64_t *len)
{
    struct str first;
    unsigned long long a;
    unsigned long long b;

    if (!str_starts_with(value, STR("bytes=")) || memchr(value.ptr, ',', value.len) != NULL)
        return RANGE_WHOLE;
    struct str last = str_from(value, 6);
    if (!str_split(&last, '-', &first) || last.ptr == NULL)
        return RANGE_WHOLE;
    if (first.len == 0) {
        if (!str_to_u64(last, &b))
            return RANGE_WHOLE;
        if (b == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        *len = b < size ? b : size;
        *from = size - *len;
        return RANGE_PART;
    }
    if (!str_to_u64(first, &a) || (last.len > 0 && (!str_to_u64(last, &b) || b < a)))
        return RANGE_WHOLE;
    if (a >= size)
        return RANGE_UNSATISFIABLE;
    uint64_t end = last.len == 0 || b >= size ? size - 1 : b;
    *from = a;
    *len = end - a + 1;
    return RANGE_PART;
}

static bool add(struct exchange *ex, const char *name, const char *value)
{
    return response_add_header(ex, str_of(name), str_of(value), NULL);
}

/* The fallback has many names, and none of them is its own. */
static const char *cache_control(const struct h1_file *f)
{
    const char *folder = f->mount->immutable;
    bool lasts = folder != NULL && f->served != f->mount->fallback && strncmp(f->served, folder, strlen(folder)) == 0;

    return lasts ? "public, max-age=31536000, immutable" : "no-cache";
}

/* The headers, status and extent of the answer. Returns false when memory is short. */
static bool prepare(struct h1_file *f)
{
    struct exchange *ex = &f->ex->base;
    const struct request *r = &ex->request;
    uint64_t size = (uint64_t)f->info.st_size;
    char modified[32];
    char tag[64];
    char range[80];

    http_date(modified, f->info.st_mtim.tv_sec);
    entity_tag(tag, &f->info);
    f->left = size;
    ex->response.status = 200;
    bool ok =
        add(ex, "ETag", tag) && add(ex, "Last-Modified", modified) && add(ex, "X-Content-Type-Options", "nosniff");
    if (not_modified(r, str_of(tag), str_of(modified))) {
        ex->response.status = 304;
        return ok && add(ex, "Cache-Control", cache_control(f));
    }
    ok = ok && add(ex, "Accept-Ranges", "bytes");
    struct str wanted = pairs_get(&r->headers, STR("range"));
    struct str condition = pairs_get(&r->headers, STR("if-range"));
    enum range_verdict verdict = RANGE_WHOLE;
    if (wanted.len > 0 && r->method == METHOD_GET &&
        (condition.len == 0 || str_eq(condition, str_of(tag)) || str_eq(condition, str_of(modified))))
        verdict = read_range(wanted, size, &f->offset, &f->left);
    if (verdict == RANGE_UNSATISFIABLE) {
        response_set_error(ex, 416, "range_not_satisfiable", "the range lies outside of the file", "");
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)size);
        return ok && add(ex, "Content-Range", range) && add(ex, "Cache-Control", "no-cache");
    }
    if (verdict == RANGE_PART) {
        ex->response.status = 206;
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)f->offset,
                 (unsigned long long)(f->offset + f->left - 1), (unsigned long long)size);
        ok = ok && add(ex, "Content-Range", range);
    }
    return ok && add(ex, "Cache-Control", cache_control(f)) && add(ex, "Content-Type", mime_type(f->served));
}

static void redirect_to_slash(struct h1_file *f)
{
    struct exchange *ex = &f->ex->base;
    struct buf location = BUF_EMPTY;
    struct str target = ex->request.target;
    struct str path;

    (void)str_split(&target, '?', &path);
    buf_append_str(&location, path);
    buf_append_char(&location, '/');
    if (target.ptr != NULL) {
        buf_append_char(&location, '?');
        buf_append_str(&location, target);
    }
    ex->response.status = 308;
    if (location.failed || !response_add_header(ex, STR("Location"), buf_str(&location), NULL))
        ex->response.status = 500;
    buf_free(&location);
    h1_respond(ex);
}

static void answer_error(struct h1_file *f)
{
    struct exchange *ex = &f->ex->base;

    if (f->error == EMFILE || f->error == ENFILE || f->error == ENOMEM)
        response_set_error(ex, 503, "overloaded", "the server is short of resources", "");
    else
        response_set_error(ex, 404, "not_found", "there is no such file", "");
    h1_respond(ex);
}

static void after_open(uv_work_t *work, int status)
{
    struct h1_file *f = work->data;
    struct exchange *ex = &f->ex->base;
    struct h1 *c = f->ex->conn;

    if (c == NULL || status != 0)
        h1_release_exchange(f->ex);
    else if (f->directory)
        redirect_to_slash(f);
    else if (f->error != 0)
        answer_error(f);
    else if (!prepare(f))
        http_respond_error(ex, 503, "overloaded", "the server is short of memory", "");
    else if (ex->response.status == 304 || ex->response.status == 416)
        h1_respond(ex);
    else {
        if (ex->request.method == METHOD_HEAD)
            f->offset = f->left; /* the length is told, and nothing follows */
        f->conn = c;
        c->message->file = f;
        c->state = H1_WRITING;
        uint64_t length = f->left;
        if (ex->request.method == METHOD_HEAD)
            f->left = 0;
        h1_begin_body(c, ex, length);
        return;
    }
    free_file(f);
}

/* --- sending, on the loop --- */

static void on_read(uv_fs_t *request)
{
    struct h1_file *f = request->data;
    ssize_t got = request->result;

    uv_fs_req_cleanup(request);
    f->reading = false;
    if (f->conn == NULL) {
        free_file(f);
        return;
    }
    if (got <= 0) { /* it cannot be read, or has shrunk: the promised length cannot be kept */
        h1_close(f->conn);
        return;
    }
    f->offset += (uint64_t)got;
    f->left -= (uint64_t)got;
    h1_send_piece(f->conn, (struct str){f->buffer, (size_t)got});
}

void h1_file_written(struct h1 *c)
{
    struct h1_file *f = c->message->file;

    if (f->left == 0) {
        c->message->file = NULL;
        free_file(f);
        h1_finish_body(c);
        return;
    }
    uv_buf_t into = uv_buf_init(f->buffer, (unsigned)(f->left < FILE_PIECE ? f->left : FILE_PIECE));
    f->read.data = f;
    if (uv_fs_read(&h1_loop(c)->uv, &f->read, f->fd, &into, 1, (int64_t)f->offset, on_read) == 0)
        f->reading = true;
    else
        h1_close(c);
}

void h1_file_gone(struct h1 *c)
{
    struct h1_file *f = c->message->file;

    c->message->file = NULL;
    f->conn = NULL;
    if (!f->reading)
        free_file(f);
}

static struct h1_file *make_file(struct exchange *ex, const struct static_mount *mount, struct str path)
{
    struct h1_file *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->fd = -1;
    f->ex = (struct h1_exchange *)ex;
    f->mount = mount;
    f->path = malloc(path.len + sizeof "index.html");
    if (f->path == NULL) {
        free(f);
        return NULL;
    }
    if (path.len > 0)
        memcpy(f->path, path.ptr, path.len);
    f->path[path.len] = '\0';
    f->slash = ex->request.path.ptr[ex->request.path.len - 1] == '/';
    f->open.data = f;
    return f;
}

void h1_respond_file(struct exchange *ex, const struct static_mount *mount, struct str path)
{
    struct h1_exchange *mine = (struct h1_exchange *)ex;
    struct h1_file *f = make_file(ex, mount, path);

    if (f != NULL && uv_queue_work(&mine->loop->uv, &f->open, open_work, after_open) == 0)
        return;
    if (f != NULL)
        free_file(f);
    http_respond_error(ex, 503, "overloaded", "the server is short of memory", "");
}
