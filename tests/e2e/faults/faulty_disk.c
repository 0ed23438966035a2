/*
 * A disk that fails when it is told to, for the broker to be run with (LD_PRELOAD). The environment variable FAULTY_DISK names
 * a file that is read at each operation, so that a test may change its mind; while it is not there, nothing fails. A line is
 *
 *     OPERATION SUFFIX ERROR [FROM [COUNT]]
 *
 * as in "fdatasync -wal EIO 2 1": of the calls for files whose name ends with SUFFIX, since the text has changed, COUNT
 * (all) fail from number FROM (1) on. Operations: pread64, pwrite64, fdatasync (fsync too), ftruncate64.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { RULES_MAX = 8, WORDS_MAX = 5, TEXT_MAX = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char current[TEXT_MAX];
static unsigned long seen[RULES_MAX];

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EDQUOT", EDQUOT}};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].number;
    fprintf(stderr, "faulty_disk: unknown error %s\n", name);
    abort();
}

static void read_rules(void)
{
    const char *path = getenv("FAULTY_DISK");
    char text[TEXT_MAX] = {0};
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!read(fd, text, sizeof text - 1);
        close(fd);
    }
    if (strcmp(text, current) == 0)
        return;
    memcpy(current, text, sizeof current);
    memset(seen, 0, sizeof seen);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t text_len = strlen(text);
    size_t suffix_len = strlen(suffix);

    return text_len >= suffix_len && strcmp(text + text_len - suffix_len, suffix) == 0;
}

static bool concerns(int fd, const char *suffix)
{
    char link[64];
    char name[4096];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, name, sizeof name - 1);
    name[len < 0 ? 0 : len] = '\0';
    return ends_with(name, suffix);
}

/* The words of a line; those that are missing are empty. */
static void split(char *line, const char *words[WORDS_MAX])
{
    for (int i = 0; i < WORDS_MAX; i++)
        words[i] = line == NULL ? "" : strsep(&line, " ");
}

static unsigned long number_of(const char *word, unsigned long fallback)
{
    return word[0] == '\0' ? fallback : strtoul(word, NULL, 10);
}

static int judge(const char *operation, int fd)
{
    char text[TEXT_MAX];
    char *rest = text;
    char *line;

    memcpy(text, current, sizeof text);
    for (int i = 0; i < RULES_MAX && (line = strsep(&rest, "\n")) != NULL; i++) {
        const char *words[WORDS_MAX];
        split(line, words);
        if (strcmp(words[0], operation) != 0 || !concerns(fd, words[1]))
            continue;
        unsigned long from = number_of(words[3], 1);
        unsigned long number = ++seen[i];
        if (number >= from && number - from < number_of(words[4], ULONG_MAX))
            return error_number(words[2]);
    }
    return 0;
}

/* True, with errno, when the operation is to fail. */
static bool fails(const char *operation, int fd)
{
    pthread_mutex_lock(&lock);
    read_rules();
    int number = judge(operation, fd);
    pthread_mutex_unlock(&lock);
    errno = number != 0 ? number : errno;
    return number != 0;
}

static void *real(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL)
        abort();
    return symbol;
}

/* ISO C knows no conversion from an object's pointer to a function's; POSIX has it (dlsym). */
#define REAL(type, name) (*(type *)(void *)&(void *){real(name)})

/* What stands in for the C library's functions, by their names for the linker. */
ssize_t faulty_pread(int fd, void *data, size_t len, off64_t offset) __asm__("pread64");
ssize_t faulty_pwrite(int fd, const void *data, size_t len, off64_t offset) __asm__("pwrite64");
int faulty_fdatasync(int fd) __asm__("fdatasync");
int faulty_fsync(int fd) __asm__("fsync");
int faulty_ftruncate(int fd, off64_t len) __asm__("ftruncate64");

ssize_t faulty_pread(int fd, void *data, size_t len, off64_t offset)
{
    typedef ssize_t function(int, void *, size_t, off64_t);

    return fails("pread64", fd) ? -1 : REAL(function *, "pread64")(fd, data, len, offset);
}

ssize_t faulty_pwrite(int fd, const void *data, size_t len, off64_t offset)
{
    typedef ssize_t function(int, const void *, size_t, off64_t);

    return fails("pwrite64", fd) ? -1 : REAL(function *, "pwrite64")(fd, data, len, offset);
}

int faulty_fdatasync(int fd)
{
    typedef int function(int);

    return fails("fdatasync", fd) ? -1 : REAL(function *, "fdatasync")(fd);
}

int faulty_fsync(int fd)
{
    typedef int function(int);

    return fails("fdatasync", fd) ? -1 : REAL(function *, "fsync")(fd);
}

int faulty_ftruncate(int fd, off64_t len)
{
    typedef int function(int, off64_t);

    return fails("ftruncate64", fd) ? -1 : REAL(function *, "ftruncate64")(fd, len);
}
