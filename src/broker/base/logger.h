/*
 * logger.h - one line an occurrence, on standard error: time, level, area, message.
 *
 * A failure is logged once, where it is first seen, with what identifies it. Lines are written with one
 * write(2), so that threads do not mix theirs. Control characters in a message become spaces, except for the
 * newlines of a traceback, which are indented: nothing a client sends can forge a line.
 */
#ifndef PILLAR_BASE_LOGGER_H
#define PILLAR_BASE_LOGGER_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

/* Set once, before threads start. The default is LOG_INFO. */
void logger_set_level(enum log_level level);

void logger_write(enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) logger_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  logger_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  logger_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) logger_write(LOG_ERROR, __VA_ARGS__)

#endif
