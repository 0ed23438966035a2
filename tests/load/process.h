/*
 * process.h - the broker as a child process, and the lines that it writes.
 */
#ifndef PILLAR_TESTS_PROCESS_H
#define PILLAR_TESTS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct process {
    pid_t pid;
    int output; /* the reading ends of its standard output and standard error */
    int errors;
    struct buf rest; /* of standard error, behind the last line that was taken */
};

/* Says what went wrong, and ends this program with status 1, and the broker with it. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Starts `binary run script ...`; the words end with NULL. */
void process_start(struct process *p, char *binary, char *const *words);

/* Waits for the line that says where it listens; returns the port. */
uint16_t process_wait_port(struct process *p);

/* Reads what there is of standard error, without waiting. */
void process_read(struct process *p);

/* Takes the next whole line of standard error, without its end. Returns false when there is none. The caller frees it. */
bool process_take_line(struct process *p, char **line);

/* Sends SIGTERM and waits. Ends this program unless the broker's status is 0. */
void process_end(struct process *p);

#endif
