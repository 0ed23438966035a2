/* pillar test: busted in place of the process, by the Lua that scripts run on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker_private.h"
#include "library.h"

static const char interpreter[] = "lua5.4";

/* lua5.4 LIBRARY/pillar/testing/run.lua LIBRARY MODULES ARGUMENTS ...; the caller frees it, and nothing in it. */
static char **command(char *runner, char *library, char *modules, const char *const *arguments)
{
    size_t count = 0;

    while (arguments[count] != NULL)
        count++;
    char **words = calloc(count + 5, sizeof(char *));
    if (words == NULL)
        return NULL;
    words[0] = (char *)interpreter;
    words[1] = runner;
    words[2] = library;
    words[3] = modules;
    if (count > 0)
        memcpy(words + 4, arguments, count * sizeof(char *));
    return words;
}

int pillar_test(const char *const *arguments, pillar_error *error)
{
    struct error e = {.code = "internal"};
    char *library = library_find("", &e);
    char *modules = library == NULL ? NULL : library_find_modules(&e);
    struct buf runner = BUF_EMPTY;
    char **words = NULL;

    if (modules != NULL) {
        buf_printf(&runner, "%s/pillar/testing/run.lua%c", library, '\0');
        words = runner.failed ? NULL : command(runner.data, library, modules, arguments);
        if (words == NULL)
            (void)error_no_memory(&e);
    }
    if (words != NULL) {
        execvp(interpreter, words);
        (void)error_set(&e, "test",
                        "cannot run %s: %s; tests of scripts need it, and busted (on Debian: apt install "
                        "lua5.4 lua-busted)",
                        interpreter, strerror(errno));
    }
    free(words);
    buf_free(&runner);
    free(modules);
    free(library);
    return api_report(error, &e);
}
