/* The files of a script: read once, remembered, and looked at for changes. */
#include "script/sources.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/folder.h"

/* The linker puts these in place of the C library's: all files were changed at one and the same time, this one. */
static bool clock_stands;

int __real_stat(const char *path, struct stat *info);
int __real_fstat(int fd, struct stat *info);
int __wrap_stat(const char *path, struct stat *info);
int __wrap_fstat(int fd, struct stat *info);

static int stop_clock(int result, struct stat *info)
{
    static struct timespec now;

    if (now.tv_sec == 0)
        clock_gettime(CLOCK_REALTIME, &now);
    if (clock_stands && result == 0)
        info->st_mtim = info->st_ctim = now;
    return result;
}

int __wrap_stat(const char *path, struct stat *info)
{
    return stop_clock(__real_stat(path, info), info);
}

int __wrap_fstat(int fd, struct stat *info)
{
    return stop_clock(__real_fstat(fd, info), info);
}

static struct sources *make(struct folder *f)
{
    struct sources *s = sources_create(folder_path(f, "library"), 1000);

    assert_non_null(s);
    return s;
}

static void reads(struct sources *s, struct folder *f, const char *name, const char *expected)
{
    struct str text;
    struct error e;

    assert_that(sources_read(s, folder_path(f, name), &text, &e), "%s: %s", name, e.message);
    assert_str(text, expected);
}

static void fails(struct sources *s, struct folder *f, const char *name, const char *code)
{
    struct str text;
    struct error e;

    assert_false(sources_read(s, folder_path(f, name), &text, &e));
    assert_error(&e, code, "");
    assert_that(strstr(e.message, f->path) != NULL, "%s", e.message);
    assert_false(sources_read(s, folder_path(f, name), &text, NULL));
}

static void settles(struct sources *s, bool changed)
{
    assert_false(sources_changed(s)); /* whatever it has found, it was not the same before */
    assert_int_equal(sources_changed(s), changed);
}

TEST(a_file_is_read_once)
{
    struct folder *f = *state;
    struct sources *s = make(f);
    struct str text;

    folder_write(f, "a", "one");
    folder_write(f, "empty", "%s", "");
    assert_false(sources_find(s, folder_path(f, "a"), &text));
    reads(s, f, "a", "one");
    reads(s, f, "empty", "");
    folder_write(f, "a", "two");
    reads(s, f, "a", "one");
    assert_true(sources_find(s, folder_path(f, "a"), &text));
    assert_str(text, "one");
    assert_int_equal(unlink(f->path), 0);
    reads(s, f, "a", "one");
    sources_free(s);
    sources_free(NULL);
}

TEST(what_cannot_be_read_is_remembered_too)
{
    struct folder *f = *state;
    struct sources *s = make(f);
    struct str text;

    fails(s, f, "absent", "not_found");
    assert_int_equal(mkdir(folder_path(f, "dir"), 0700), 0);
    fails(s, f, "dir", "unavailable");
    folder_write(f, "big", "%1001s", "");
    fails(s, f, "big", "unavailable");
    folder_write(f, "full", "%1000s", "");
    assert_true(sources_read(s, folder_path(f, "full"), &text, NULL));
    assert_int_equal(text.len, 1000);
    folder_write(f, "absent", "there");
    fails(s, f, "absent", "not_found");
    assert_false(sources_find(s, folder_path(f, "absent"), &text));
    sources_free(s);
}

TEST(there_is_an_end_to_the_number_of_files)
{
    struct folder *f = *state;
    struct sources *s = make(f);
    char name[32];

    folder_write(f, "a", "one");
    reads(s, f, "a", "one");
    for (int i = 1; i < SOURCES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        fails(s, f, name, "not_found");
    }
    fails(s, f, "beyond", "too_many");
    reads(s, f, "a", "one");
    sources_free(s);
}

TEST(a_change_is_told_once_it_is_at_rest)
{
    struct folder *f = *state;
    struct sources *s = make(f);

    folder_write(f, "a", "one");
    reads(s, f, "a", "one");
    settles(s, false);
    assert_false(sources_changed(s));
    folder_write(f, "a", "one and");
    assert_false(sources_changed(s));
    folder_write(f, "a", "one and two");
    assert_false(sources_changed(s));
    assert_true(sources_changed(s));
    assert_true(sources_changed(s)); /* until somebody loads it */
    sources_free(s);
}

static void make_absent(const char *path)
{
    assert_int_equal(remove(path), 0);
}

static void make_dir(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_other_inode(const char *path)
{
    char other[600];

    snprintf(other, sizeof other, "%s.new", path);
    assert_int_equal(link(path, other), 0); /* keeps the inode number from being used again */
    make_absent(path);
    make_dir(path);
}

static void touch(const char *path)
{
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
}

/* A file is "text", unless `before` has made something else of it; `change` is noticed. */
static void notices(struct folder *f, const char *name, void (*before)(const char *path),
                    void (*change)(const char *path))
{
    struct sources *s = make(f);
    struct str text;

    folder_write(f, name, "text");
    if (before != NULL) {
        make_absent(f->path);
        before(f->path);
    }
    (void)sources_read(s, f->path, &text, NULL);
    settles(s, false);
    change(f->path);
    (void)sources_changed(s);
    assert_that(sources_changed(s), "not noticed: %s", name);
    sources_free(s);
}

static void leave(const char *path)
{
    (void)path;
}

static void rename_over(const char *path)
{
    char other[600];

    snprintf(other, sizeof other, "%s.new", path);
    int fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "text", 4), 4);
    close(fd);
    assert_int_equal(rename(other, path), 0);
}

TEST(a_change_of_every_kind_is_noticed)
{
    struct folder *f = *state;

    notices(f, "a file that is touched", NULL, touch);
    notices(f, "a file that is gone", NULL, make_absent);
    notices(f, "a file that another one replaces", NULL, rename_over);
    notices(f, "a file that becomes a folder", NULL, make_other_inode);
    notices(f, "a file that comes", leave, rename_over);
    notices(f, "a folder that comes", leave, make_dir);
    notices(f, "a folder that goes", make_dir, make_absent);
}

/* Within the grain of the file system's clock a second edit leaves no trace but the text. */
TEST(an_edit_of_the_same_length_and_time_is_noticed)
{
    struct folder *f = *state;
    struct sources *s = make(f);

    clock_stands = true;
    folder_write(f, "a", "one");
    reads(s, f, "a", "one");
    settles(s, false);
    folder_write(f, "a", "two");
    assert_true(sources_changed(s));
    clock_stands = false;
    sources_free(s);
}

TEST(the_library_is_not_looked_at)
{
    struct folder *f = *state;
    struct sources *s = make(f);

    assert_int_equal(mkdir(folder_path(f, "library"), 0700), 0);
    folder_write(f, "library/a", "one");
    folder_write(f, "library-of-mine", "one");
    reads(s, f, "library/a", "one");
    folder_write(f, "library/a", "changed");
    settles(s, false);
    reads(s, f, "library/a", "one");
    reads(s, f, "library-of-mine", "one");
    folder_write(f, "library-of-mine", "changed");
    settles(s, true);
    sources_free(s);
}

TEST(it_bears_a_lack_of_memory)
{
    struct folder *f = *state;
    struct sources *s = make(f);
    struct str text;
    struct error e;

    alloc_permit(0);
    assert_null(sources_create("library", 1000));
    assert_true(alloc_permit_all());
    folder_write(f, "a", "one");
    for (size_t permitted = 0;; permitted++) {
        alloc_permit(permitted);
        bool ok = sources_read(s, folder_path(f, "a"), &text, &e);
        if (!alloc_permit_all())
            break;
        assert_false(ok);
        assert_error(&e, "out_of_memory", "");
    }
    assert_str(text, "one");
    sources_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_file_is_read_once),
        WITH_FOLDER(what_cannot_be_read_is_remembered_too),
        WITH_FOLDER(there_is_an_end_to_the_number_of_files),
        WITH_FOLDER(a_change_is_told_once_it_is_at_rest),
        WITH_FOLDER(a_change_of_every_kind_is_noticed),
        WITH_FOLDER(an_edit_of_the_same_length_and_time_is_noticed),
        WITH_FOLDER(the_library_is_not_looked_at),
        WITH_FOLDER(it_bears_a_lack_of_memory),
    };

    return RUN_TESTS(tests);
}
