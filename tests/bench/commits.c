/*
 * commits - what one durable commit costs on this disk: single inserts into SQLite, each in a transaction of its own, with
 * the write-ahead log and synchronous=FULL, from a loop in C.
 *
 *   commits FILE SECONDS
 *
 * It prints one line of JSON: how many a second, and the median time of one.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TIMES_MAX = 1000000 };

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void check(sqlite3 *db, int result)
{
    if (result == SQLITE_OK || result == SQLITE_DONE)
        return;
    fprintf(stderr, "commits: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static uint64_t times[TIMES_MAX];
    size_t count = 0;
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;

    if (argc != 3) {
        fputs("usage: commits FILE SECONDS\n", stderr);
        return 2;
    }
    check(db, sqlite3_open(argv[1], &db));
    check(db, sqlite3_exec(db,
                           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           "CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, title TEXT NOT NULL);",
                           NULL, NULL, NULL));
    check(db, sqlite3_prepare_v2(db, "INSERT INTO tasks VALUES (hex(randomblob(16)), hex(randomblob(50)))", -1, &insert,
                                 NULL));
    uint64_t start = now_ns();
    uint64_t end = start + (uint64_t)(strtod(argv[2], NULL) * 1e9);
    uint64_t now = start;
    while (now < end && count < TIMES_MAX) {
        check(db, sqlite3_step(insert));
        check(db, sqlite3_reset(insert));
        uint64_t after = now_ns();
        times[count++] = after - now;
        now = after;
    }
    qsort(times, count, sizeof *times, compare);
    uint64_t median = times[count / 2];
    printf("{\"commits_per_second\":%.1f,\"commit_p50_us\":%.1f}\n", (double)count * 1e9 / (double)(now - start),
           (double)median / 1000.0);
    sqlite3_finalize(insert);
    check(NULL, sqlite3_close(db));
    return 0;
}
