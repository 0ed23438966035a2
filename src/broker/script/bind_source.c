/* Loading Lua text from files. */
#include <lauxlib.h>
#include <unistd.h>

#include "script/core.h"
#include "script/sources.h"
#include "script/state.h"

/* As luaL_loadfile does: a byte order mark is none of Lua's, and a first line with '#' is the system's. */
static struct str without_first_comment(struct str text)
{
    if (str_starts_with(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    if (!str_starts_with(text, STR("#")))
        return text;
    const char *end = memchr(text.ptr, '\n', text.len);
    return end == NULL ? STR_NONE : str_from(text, (size_t)(end - text.ptr));
}

static int fail(lua_State *L, const char *message, const char *code)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, code);
    return 3;
}

static int load_text(lua_State *L, const char *path, struct str text)
{
    const char *name = lua_pushfstring(L, "@%s", path);

    text = without_first_comment(text);
    return luaL_loadbufferx(L, text.len == 0 ? "" : text.ptr, text.len, name, "t");
}

/* What nobody has loaded yet is looked for on the disk each time, and remembered once it is there and whole. */
static int load_late(lua_State *L, struct sources *sources, const char *path)
{
    struct str text;

    if (sources_find(sources, path, &text))
        return load_text(L, path, text);
    int status = luaL_loadfilex(L, path, "t");
    if (status == LUA_OK)
        (void)sources_read(sources, path, &text, NULL);
    return status;
}

/*
 * load_source(path [, env]): the chunk, or nil, a message, and "not_found", "unavailable" or "syntax". While the script
 * is loaded, and afterwards for what was loaded then, all states of a program get the same text.
 */
static int source_load(lua_State *L)
{
    struct script_state *s = script_state_of(L);
    const char *path = luaL_checkstring(L, 1);
    bool has_env = lua_gettop(L) > 1;
    struct str text;
    struct error e;

    if (s->job == NULL && !sources_read(s->sources, path, &text, &e))
        return fail(L, e.message, e.code);
    int status = s->job == NULL ? load_text(L, path, text) : load_late(L, s->sources, path);
    if (status == LUA_ERRFILE)
        return fail(L, lua_tostring(L, -1), access(path, F_OK) == 0 ? "unavailable" : "not_found");
    if (status != LUA_OK)
        return fail(L, lua_tostring(L, -1), "syntax");
    if (has_env) {
        lua_pushvalue(L, 2);
        if (lua_setupvalue(L, -2, 1) == NULL)
            lua_pop(L, 1);
    }
    return 1;
}

/* is_loading(): the script itself is being loaded, and no request handled. */
static int source_is_loading(lua_State *L)
{
    lua_pushboolean(L, script_state_of(L)->job == NULL);
    return 1;
}

void bind_source_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"load_source", source_load}, {"is_loading", source_is_loading}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
}
