#include "library.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool holds(const char *dir, const char *file)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof path, "%s/%s", dir, file) < (int)sizeof path && access(path, R_OK) == 0;
}

/* The first of the places that holds the file; those that begin with no slash are relative to the binary. */
static char *find(const char *const *places, const char *file)
{
    char binary[PATH_MAX];
    char dir[PATH_MAX];

    ssize_t len = readlink("/proc/self/exe", binary, sizeof binary - 1);
    binary[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(binary, '/');
    for (; *places != NULL; places++) {
        if ((*places)[0] == '/')
            snprintf(dir, sizeof dir, "%s", *places);
        else if (slash == NULL ||
                 snprintf(dir, sizeof dir, "%.*s/%s", (int)(slash - binary), binary, *places) >= (int)sizeof dir)
            continue;
        if (holds(dir, file))
            return strdup(dir);
    }
    return NULL;
}

char *library_find(const char *setting, struct error *e)
{
    static const char *const places[] = {"lua", "../share/lua/5.4", PILLAR_LUA_DIR, NULL};
    static const char file[] = "pillar/runtime.lua";

    if (setting[0] != '\0') {
        if (holds(setting, file))
            return strdup(setting);
        (void)error_set(e, "library", "there is no Pillar library in %s (option library)", setting);
        return NULL;
    }
    char *dir = find(places, file);
    if (dir == NULL)
        (void)error_set(e, "library", "cannot find the Lua library; say where it is with --library DIR");
    return dir;
}

char *library_find_client(void)
{
    static const char *const places[] = {"client", "../share/pillar/client", PILLAR_CLIENT_DIR, NULL};

    return find(places, LIBRARY_CLIENT_FILE);
}

char *library_find_modules(struct error *e)
{
    static const char *const places[] = {"cmodules", "../lib/lua/5.4", PILLAR_LUA_CMODULE_DIR, NULL};
    char *dir = find(places, "pillar/harness.so");

    if (dir == NULL)
        (void)error_set(e, "library",
                        "cannot find pillar/harness.so, which tests of scripts are run on; is Pillar "
                        "installed whole?");
    return dir;
}
