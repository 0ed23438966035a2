/* Runs a fuzz target over files, without a fuzzer: each argument is a file, or a directory of files. */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

static unsigned count;

static void replay_file(const char *path, size_t size)
{
    /* In memory of its own size, so that reading beyond it is seen. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    FILE *file = fopen(path, "rb");

    CHECK(data != NULL && file != NULL, path);
    CHECK(fread(data, 1, size, file) == size, path);
    (void)fclose(file);
    (void)fprintf(stderr, "%s\n", path); /* before it runs: the last one is the one that ends the process */
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    count++;
}

static void replay(const char *path);

static void replay_directory(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char child[PATH_MAX];

    CHECK(dir != NULL, path);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        CHECK(len > 0 && (size_t)len < sizeof child, path);
        replay(child);
    }
    (void)closedir(dir);
}

static void replay(const char *path)
{
    struct stat info;

    CHECK(stat(path, &info) == 0, path);
    if (S_ISDIR(info.st_mode))
        replay_directory(path);
    else
        replay_file(path, (size_t)info.st_size);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs\n", count);
    return count == 0; /* a corpus that is not where it is looked for is a mistake */
}
