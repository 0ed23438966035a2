#include "host_limits.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "http/http.h"
#include "support/capture.h"
#include "support/check.h"
#include "support/folder.h"

static void make_folder(struct folder *f, const char *name)
{
    assert_int_equal(mkdir(folder_path(f, name), 0700), 0);
}

static void write_proc(struct folder *f, const char *somaxconn, const char *file_max, const char *available_kib)
{
    make_folder(f, "sys");
    make_folder(f, "sys/net");
    make_folder(f, "sys/net/core");
    make_folder(f, "sys/fs");
    folder_write(f, "sys/net/core/somaxconn", "%s", somaxconn);
    folder_write(f, "sys/fs/file-max", "%s", file_max);
    folder_write(f, "meminfo", "MemTotal:  99999999 kB\nMemFree:  1 kB\nMemAvailable:   %s kB\n", available_kib);
}

static struct str warnings(const struct folder *f, size_t connections)
{
    static struct capture c;

    capture_begin(&c);
    host_limits_check(f->dir, connections);
    return capture_end(&c);
}

static bool says(struct str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

TEST(a_roomy_system_is_not_spoken_of)
{
    struct folder *f = *state;

    write_proc(f, "4096\n", "1000000\n", "8000000");
    assert_int_equal(warnings(f, 100000).len, 0);
}

TEST(each_limit_that_is_too_low_is_named)
{
    struct folder *f = *state;

    write_proc(f, "128\n", "65536\n", "102400");
    struct str said = warnings(f, 100000);
    assert_true(says(said, "net.core.somaxconn is 128"));
    assert_true(says(said, "sysctl net.core.somaxconn=4096"));
    assert_true(says(said, "fs.file-max is 65536"));
    assert_true(says(said, "sysctl fs.file-max=200000"));
    assert_true(says(said, "100 MiB of memory are available: idle, 100000 connections take"));
}

TEST(a_limit_that_is_never_reached_is_not_spoken_of)
{
    struct folder *f = *state;

    write_proc(f, "128\n", "65536\n", "102400");
    assert_int_equal(warnings(f, 100).len, 0);
}

TEST(what_cannot_be_read_is_passed_over)
{
    const struct folder *f = *state;

    assert_int_equal(warnings(f, 100000).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_roomy_system_is_not_spoken_of),
        WITH_FOLDER(each_limit_that_is_too_low_is_named),
        WITH_FOLDER(a_limit_that_is_never_reached_is_not_spoken_of),
        WITH_FOLDER(what_cannot_be_read_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
