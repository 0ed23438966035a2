/*
 * folder.h - a temporary folder with files in it, gone after the test.
 */
#ifndef PILLAR_TESTS_FOLDER_H
#define PILLAR_TESTS_FOLDER_H

#include <stddef.h>

struct folder {
    char dir[256];
    char path[512]; /* of the file that folder_path was last asked for */
};

/* A cmocka setup and teardown: *state is a struct folder. */
int folder_setup(void **state);
int folder_teardown(void **state);
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

/* The whole name of a file in it; valid until the next call. */
const char *folder_path(struct folder *f, const char *name);

/* Writes a file in place; printf's format. */
void folder_write(struct folder *f, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
