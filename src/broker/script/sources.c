#include "script/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { PIECE = 16 * 1024 };

/* The coarsest time of change that a file system keeps: an edit within it may not show in a stamp. */
static const uint64_t STAMP_GRAIN_MS = 2000;

/* What stat tells of a file. A change that keeps the size and sets the time back still has a new ctime. */
struct stamp {
    uint64_t problem; /* an errno: there is none, say; the rest is 0 */
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    uint64_t modified_ns;
    uint64_t changed_ns;
};

struct source {
    struct source *next;
    struct stamp stamp; /* taken before it was read, so that a change since then shows */
    int problem;        /* the errno of reading it; 0: the text is whole */
    bool watched;
    bool settled; /* a change would show in the stamp */
    struct buf text;
    char path[];
};

struct sources {
    pthread_mutex_t lock; /* guards the rest */
    struct source *first;
    size_t count;
    struct str library;
    size_t size_max;
    uint64_t looked; /* what the last look found, as a number */
    char library_dir[];
};

struct sources *sources_create(const char *library_dir, size_t size_max)
{
    size_t len = strlen(library_dir);
    struct sources *s = calloc(1, sizeof *s + len + 2);

    if (s == NULL)
        return NULL;
    snprintf(s->library_dir, len + 2, "%s/", library_dir);
    s->library = str_of(s->library_dir);
    s->size_max = size_max;
    pthread_mutex_init(&s->lock, NULL); /* with default attributes it has nothing to fail at */
    return s;
}

void sources_free(struct sources *s)
{
    if (s == NULL)
        return;
    while (s->first != NULL) {
        struct source *next = s->first->next;
        buf_free(&s->first->text);
        free(s->first);
        s->first = next;
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- what stat tells --- */

static uint64_t nanoseconds(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct stamp stamp_of(const struct stat *info)
{
    return (struct stamp){.device = (uint64_t)info->st_dev,
                          .inode = (uint64_t)info->st_ino,
                          .size = (uint64_t)info->st_size,
                          .modified_ns = nanoseconds(info->st_mtim),
                          .changed_ns = nanoseconds(info->st_ctim)};
}

static struct stamp look(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? stamp_of(&info) : (struct stamp){.problem = (uint64_t)errno};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->problem == b->problem && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* FNV-1a, by the word. */
static uint64_t mix(uint64_t sum, const struct stamp *stamp)
{
    const uint64_t words[] = {stamp->problem, stamp->device,      stamp->inode,
                              stamp->size,    stamp->modified_ns, stamp->changed_ns};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        sum = (sum ^ words[i]) * 1099511628211u;
    return sum;
}

/* --- reading --- */

/* Returns 0 or an errno. */
static int read_whole(int fd, size_t size_max, struct buf *text)
{
    while (text->len <= size_max) {
        if (!buf_reserve(text, PIECE))
            return ENOMEM;
        ssize_t got = read(fd, text->data + text->len, PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return 0;
        text->len += (size_t)got;
    }
    return EFBIG;
}

static int read_file(const char *path, size_t size_max, struct stamp *stamp, struct buf *text)
{
    struct stat info;

    *stamp = look(path);
    /* A pipe that nobody writes to would keep its reader waiting. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    bool known = fstat(fd, &info) == 0;
    if (known)
        *stamp = stamp_of(&info);
    int problem =
        known && !S_ISREG(info.st_mode) ? (S_ISDIR(info.st_mode) ? EISDIR : EINVAL) : read_whole(fd, size_max, text);
    close(fd);
    if (problem != 0)
        buf_free(text);
    return problem;
}

static struct source *find(const struct sources *s, const char *path)
{
    struct source *f = s->first;

    while (f != NULL && strcmp(f->path, path) != 0)
        f = f->next;
    return f;
}

static struct source *add(struct sources *s, const char *path)
{
    size_t size = strlen(path) + 1;
    struct source *f = calloc(1, sizeof *f + size);

    if (f == NULL)
        return NULL;
    memcpy(f->path, path, size);
    f->problem = read_file(path, s->size_max, &f->stamp, &f->text);
    if (f->problem == ENOMEM) {
        free(f);
        return NULL;
    }
    f->watched = !str_starts_with(str_of(path), s->library);
    f->next = s->first;
    s->first = f;
    s->count++;
    return f;
}

bool sources_read(struct sources *s, const char *path, struct str *text, struct error *e)
{
    pthread_mutex_lock(&s->lock);
    struct source *f = find(s, path);
    bool room = f != NULL || s->count < SOURCES_MAX;
    if (f == NULL && room)
        f = add(s, path);
    pthread_mutex_unlock(&s->lock);
    if (!room)
        return error_set(e, "too_many", "cannot open %s: a script may load from %d files", path, SOURCES_MAX);
    if (f == NULL)
        return error_no_memory(e);
    *text = buf_str(&f->text); /* neither changes any more */
    if (f->problem == 0)
        return true;
    return error_set(e, f->problem == ENOENT ? "not_found" : "unavailable", "cannot open %s: %s", path,
                     strerror(f->problem));
}

bool sources_find(struct sources *s, const char *path, struct str *text)
{
    pthread_mutex_lock(&s->lock);
    struct source *f = find(s, path);
    pthread_mutex_unlock(&s->lock);
    if (f == NULL || f->problem != 0)
        return false;
    *text = buf_str(&f->text);
    return true;
}

/* --- looking for changes --- */

/* An edit so soon after the reading that it left the stamp as it was. */
static bool reads_differently(struct source *f, size_t size_max)
{
    struct buf text = BUF_EMPTY;
    struct stamp stamp;
    uint64_t now_ms = clock_wall_ms();

    int problem = read_file(f->path, size_max, &stamp, &text);
    bool differs = problem != f->problem || !str_eq(buf_str(&text), buf_str(&f->text));
    buf_free(&text);
    f->settled = now_ms > f->stamp.modified_ns / 1000000u + STAMP_GRAIN_MS;
    return differs;
}

static bool has_changed(struct source *f, size_t size_max, const struct stamp *now)
{
    if (!same_stamp(&f->stamp, now))
        return true;
    return f->stamp.problem == 0 && !f->settled && reads_differently(f, size_max);
}

bool sources_changed(struct sources *s)
{
    bool changed = false;
    uint64_t found = 14695981039346656037u;

    pthread_mutex_lock(&s->lock);
    for (struct source *f = s->first; f != NULL; f = f->next) {
        if (!f->watched)
            continue;
        struct stamp now = look(f->path);
        changed = has_changed(f, s->size_max, &now) || changed;
        found = mix(found, &now);
    }
    bool at_rest = found == s->looked;
    s->looked = found;
    pthread_mutex_unlock(&s->lock);
    return changed && at_rest;
}
