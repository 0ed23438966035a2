#include "support/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"

int folder_setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/pillar-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

int folder_teardown(void **state)
{
    struct folder *f = *state;
    int result = nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);

    free(f);
    return result;
}

const char *folder_path(struct folder *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, name);
    return f->path;
}

void folder_write(struct folder *f, const char *name, const char *format, ...)
{
    FILE *file = fopen(folder_path(f, name), "w");
    va_list args;

    assert_non_null(file);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    assert_int_equal(fclose(file), 0);
}
