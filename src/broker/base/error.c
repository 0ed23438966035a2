#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *e, const char *code, const char *format, ...)
{
    if (e != NULL) {
        va_list args;
        e->code = code;
        e->field[0] = '\0';
        va_start(args, format);
        vsnprintf(e->message, sizeof e->message, format, args);
        va_end(args);
    }
    return false;
}

bool error_field(struct error *e, const char *field, const char *format, ...)
{
    if (e != NULL) {
        va_list args;
        e->code = "invalid_field";
        snprintf(e->field, sizeof e->field, "%s", field);
        va_start(args, format);
        vsnprintf(e->message, sizeof e->message, format, args);
        va_end(args);
    }
    return false;
}

bool error_no_memory(struct error *e)
{
    return error_set(e, "out_of_memory", "out of memory");
}
