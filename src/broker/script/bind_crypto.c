/*
 * What lua/pillar/auth.lua stands on: base64url, keys that verify, the broker's own signatures, password hashes.
 *
 * A key is a userdata that a script never gets its hands on. Its memory outside of Lua is about KEY_WEIGHT, and as much
 * is put into the userdata, so that the collector and the memory limit know of it. The broker's secrets stay on this
 * side.
 */
#include <lauxlib.h>

#include "base/base64.h"
#include "base/password.h"
#include "base/secrets.h"
#include "base/verify_key.h"
#include "script/core.h"
#include "script/state.h"
#include "script/stdlib.h"

enum { KEY_WEIGHT = 8 * 1024 };

static const char key_type[] = "pillar.key";

static struct str check_str(lua_State *L, int index)
{
    struct str s;

    s.ptr = luaL_checklstring(L, index, &s.len);
    return s;
}

/* --- base64url --- */

static int base64url_encode(lua_State *L)
{
    struct str bytes = check_str(L, 1);
    size_t len = base64_encoded_len(bytes.len);
    luaL_Buffer out;

    base64_encode(luaL_buffinitsize(L, &out, len), BASE64_URL, bytes);
    luaL_pushresultsize(&out, len);
    return 1;
}

/* base64url_decode(text): the bytes, or nil for what is not base64url. */
static int base64url_decode(lua_State *L)
{
    struct str text = check_str(L, 1);
    size_t len = base64_decoded_len(text.len);
    luaL_Buffer out;

    if (!base64_decode((unsigned char *)luaL_buffinitsize(L, &out, len), BASE64_URL, text)) {
        lua_pushnil(L);
        return 1;
    }
    luaL_pushresultsize(&out, len);
    return 1;
}

/* --- keys --- */

struct key_box {
    struct verify_key *key; /* owned; NULL until it is loaded */
    char weight[KEY_WEIGHT];
};

static struct key_box *push_box(lua_State *L)
{
    struct key_box *box = lua_newuserdatauv(L, sizeof *box, 0);

    box->key = NULL;
    luaL_setmetatable(L, key_type);
    return box;
}

static int free_key(lua_State *L)
{
    struct key_box *box = luaL_checkudata(L, 1, key_type);

    verify_key_free(box->key);
    box->key = NULL;
    return 0;
}

static const struct verify_key *check_key(lua_State *L, int index)
{
    const struct key_box *box = luaL_checkudata(L, index, key_type);

    luaL_argcheck(L, box->key != NULL, index, "there is no key in it");
    return box->key;
}

/* The results of the functions that load: the box on the stack's top; or nil and what is wrong. */
static int return_key(lua_State *L, const struct key_box *box, const struct error *e)
{
    if (box->key != NULL)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, e->message);
    return 2;
}

/* key_from_pem(text) */
static int key_from_pem(lua_State *L)
{
    struct str text = check_str(L, 1);
    struct key_box *box = push_box(L);
    struct error e;

    box->key = verify_key_from_pem(text, &e);
    return return_key(L, box, &e);
}

/* key_from_secret(text) */
static int key_from_secret(lua_State *L)
{
    struct str text = check_str(L, 1);
    struct key_box *box = push_box(L);
    struct error e;

    box->key = verify_key_from_secret(text, &e);
    return return_key(L, box, &e);
}

/* A member of the table at 1; it stays on the stack, and so alive. What is no string counts as missing. */
static struct str member(lua_State *L, const char *name)
{
    struct str s = STR_NONE;

    lua_pushstring(L, name);
    if (lua_rawget(L, 1) == LUA_TSTRING)
        s.ptr = lua_tolstring(L, -1, &s.len);
    return s;
}

/* key_from_jwk(members) */
static int key_from_jwk(lua_State *L)
{
    struct error e;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, 12, NULL);
    const struct jwk jwk = {.kty = member(L, "kty"),
                            .crv = member(L, "crv"),
                            .n = member(L, "n"),
                            .e = member(L, "e"),
                            .x = member(L, "x"),
                            .y = member(L, "y"),
                            .k = member(L, "k"),
                            .d = member(L, "d")};
    struct key_box *box = push_box(L);
    box->key = verify_key_from_jwk(&jwk, &e);
    return return_key(L, box, &e);
}

/* key_algorithm(key): the one that it verifies with, "RS256" or so. */
static int key_algorithm(lua_State *L)
{
    lua_pushstring(L, verify_key_algorithm(check_key(L, 1)));
    return 1;
}

/* key_verify(key, message, signature) */
static int key_verify(lua_State *L)
{
    const struct verify_key *key = check_key(L, 1);

    lua_pushboolean(L, verify_key_verify(key, check_str(L, 2), check_str(L, 3)));
    return 1;
}

/* --- the broker's own signatures --- */

static const struct secrets *check_secrets(lua_State *L)
{
    const struct secrets *secrets = script_state_of(L)->secrets;

    if (secrets == NULL || secrets->count == 0)
        (void)luaL_error(L, "there are no sessions while the script is loaded; ask for them in a handler");
    return secrets;
}

/* sign(purpose, text): the signature's bytes. */
static int sign(lua_State *L)
{
    unsigned char signature[SIGNATURE_SIZE];
    struct str purpose = check_str(L, 1);
    struct str text = check_str(L, 2);

    if (!secrets_sign(check_secrets(L), signature, purpose, text))
        return luaL_error(L, "out of memory");
    lua_pushlstring(L, (const char *)signature, sizeof signature);
    return 1;
}

/* verify(purpose, text, signature) */
static int verify(lua_State *L)
{
    struct str purpose = check_str(L, 1);
    struct str text = check_str(L, 2);
    struct str signature = check_str(L, 3);

    lua_pushboolean(L, secrets_verify(check_secrets(L), signature, purpose, text));
    return 1;
}

/* --- passwords --- */

/* Lua looks at the deadline now and then only, and a loop that hashes would take that long a time for each step. */
static void check_deadline(lua_State *L)
{
    if (script_state_must_stop(script_state_of(L)))
        (void)script_state_raise_trip(L);
}

/* hash_password(password): 1 to PASSWORD_MAX bytes. */
static int hash_password(lua_State *L)
{
    char hash[PASSWORD_HASH_MAX];
    struct str password = check_str(L, 1);

    luaL_argcheck(L, password.len >= 1 && password.len <= PASSWORD_MAX, 1, "1 to 1024 bytes");
    check_deadline(L);
    if (!password_hash(hash, password))
        return luaL_error(L, "out of memory");
    lua_pushstring(L, hash);
    return 1;
}

/* verify_password(password, hash) */
static int verify_password(lua_State *L)
{
    struct str password = check_str(L, 1);
    struct str hash = check_str(L, 2);

    check_deadline(L);
    lua_pushboolean(L, password_verify(password, hash));
    return 1;
}

/* --- set-up --- */

void bind_crypto_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"base64url_encode", base64url_encode},
                                         {"base64url_decode", base64url_decode},
                                         {"key_from_pem", key_from_pem},
                                         {"key_from_secret", key_from_secret},
                                         {"key_from_jwk", key_from_jwk},
                                         {"key_algorithm", key_algorithm},
                                         {"key_verify", key_verify},
                                         {"sign", sign},
                                         {"verify", verify},
                                         {"hash_password", hash_password},
                                         {"verify_password", verify_password},
                                         {NULL, NULL}};

    luaL_newmetatable(L, key_type);
    stdlib_protect_metatable(L);
    lua_pushcfunction(L, free_key);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    lua_pushinteger(L, PASSWORD_MAX);
    lua_setfield(L, -2, "password_max");
}
