local core = require "pillar.core"
local pillar = require "pillar"

describe("pillar.auth", function()
  it("says so when there is no such function", function()
    assert.has_error(function() return pillar.auth.sigIn end)
  end)
end)

describe("pillar.auth passwords", function()
  it("are known by their hash", function()
    local hash = pillar.auth.hashPassword("correct horse")
    assert.truthy(hash:find("^%$scrypt%$ln=14,r=8,p=5%$[%w+/]+%$[%w+/]+$"), hash)
    assert.is_true(pillar.auth.verifyPassword("correct horse", hash))
    assert.is_false(pillar.auth.verifyPassword("correct hors", hash))
    assert.is_false(pillar.auth.verifyPassword("Correct horse", hash))
    assert.are_not.equal(hash, pillar.auth.hashPassword("correct horse"))
  end)

  it("are known by the hashes of others", function() -- this one is Python's
    local hash = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$1idRgu6ns74sljt005o5BblTKV7Jul0HPGT6aXWnXKY"
    assert.is_true(pillar.auth.verifyPassword("correct horse", hash))
    assert.is_false(pillar.auth.verifyPassword("correct horsf", hash))
  end)

  it("of each kind of character are taken whole", function()
    local password = "\0 p\u{e4}ss\n" .. ("x"):rep(1000)
    local hash = pillar.auth.hashPassword(password)
    assert.is_true(pillar.auth.verifyPassword(password, hash))
    assert.is_false(pillar.auth.verifyPassword(password .. "x", hash))
    assert.is_false(pillar.auth.verifyPassword("", hash))
  end)

  it("match no hash that is malformed, or too dear", function()
    local hash = pillar.auth.hashPassword("p")
    for _, bad in ipairs { "", "p", "$scrypt$", hash:sub(1, -2), hash .. "A", hash:gsub("p=5", "p=16"),
      hash:gsub("ln=14", "ln=31"), hash:gsub("scrypt", "argon2id"), "$2b$10$abc", ("$"):rep(100000) } do
      assert.is_false(pillar.auth.verifyPassword("p", bad), bad)
    end
    for _, bad in pairs { 7, true, {}, print, pillar.null } do
      assert.is_false(pillar.auth.verifyPassword("p", bad))
    end
  end)

  it("take their time without a hash", function()
    local calls = {}
    local real = core.verify_password
    core.verify_password = function(password, hash)
      calls[#calls + 1] = hash
      return real(password, hash)
    end
    assert.is_false(pillar.auth.verifyPassword("p", nil))
    core.verify_password = real
    assert.equal(1, #calls)
    -- A hash that is well formed and as dear as ours, so that it is computed.
    local cost = pillar.auth.hashPassword("p"):match("^%$scrypt%$[^$]+%$")
    assert.equal(cost, calls[1]:sub(1, #cost))
    assert.equal(#pillar.auth.hashPassword("p"), #calls[1])
  end)

  it("have from 1 to 1024 bytes", function()
    for _, bad in ipairs { "", ("x"):rep(1025), 7, {}, true } do
      local ok, problem = pcall(pillar.auth.hashPassword, bad)
      assert.is_false(ok)
      assert.equal(400, problem.status)
      assert.equal("password", problem.field)
      assert.is_false(pillar.auth.verifyPassword(bad, "x"))
    end
    local long = ("x"):rep(1024)
    assert.is_true(pillar.auth.verifyPassword(long, pillar.auth.hashPassword(long)))
    assert.is_false(pcall(pillar.auth.hashPassword))
    assert.is_false(pillar.auth.verifyPassword(nil, "x"))
  end)
end)

--- Scripts do not get at these; yet whoever does cannot break the process with them.
describe("the bindings behind pillar.auth", function()
  local functions = { "base64url_encode", "base64url_decode", "key_from_pem", "key_from_secret", "key_from_jwk",
    "key_algorithm", "key_verify", "sign", "verify", "hash_password", "verify_password" }

  it("refuse what is of a wrong type", function()
    local values = { false, 7, 1.5, {}, print, coroutine.create(print), io.stdout, pillar.null }
    for _, name in ipairs(functions) do
      assert.is_false(pcall(core[name]), name)
      for _, value in pairs(values) do
        pcall(core[name], value)
        pcall(core[name], value, value, value)
        pcall(core[name], "x", value, value)
      end
    end
    for _, value in pairs(values) do
      assert.is_false(pcall(core.key_verify, value, "m", "s"))
      assert.is_false(pcall(core.key_algorithm, value))
    end
  end)

  it("keep a key's metatable to themselves", function()
    local key = core.key_from_secret(("s"):rep(32))
    assert.equal("userdata", type(key))
    assert.is_false(getmetatable(key))
    assert.is_false(pcall(setmetatable, key, {}))
    assert.is_false(pcall(function() return key.__gc end))
    assert.equal("HS256", core.key_algorithm(key))
  end)

  it("free keys that nobody needs, and know what they weigh", function()
    -- What has a finalizer is gone after the second time.
    local function used()
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = used()
    for _ = 1, 20000 do
      core.key_from_secret(("s"):rep(4096))
    end
    assert.truthy(used() - before < 100)
    local kept = {}
    for i = 1, 100 do
      kept[i] = core.key_from_secret(("s"):rep(32))
    end
    assert.truthy(used() - before > 100 * 8)
    assert.equal(100, #kept)
  end)

  it("bear arguments of each size", function()
    local huge = ("x"):rep(8 * 1024 * 1024)
    assert.equal(huge, core.base64url_decode(core.base64url_encode(huge)))
    assert.is_nil(core.base64url_decode(huge .. "="))
    assert.is_nil((core.key_from_secret(huge)))
    assert.is_nil((core.key_from_pem("-----BEGIN PUBLIC KEY-----" .. huge)))
    assert.is_nil((core.key_from_jwk { kty = "RSA", n = huge, e = huge }))
    local key = core.key_from_secret(("s"):rep(32))
    assert.is_false(core.key_verify(key, huge, huge))
    assert.is_false(core.verify_password(huge, huge))
    assert.is_false(pcall(core.hash_password, huge))
    assert.equal("", core.base64url_encode(""))
    assert.equal("", core.base64url_decode(""))
  end)

  it("read the members of a JWK, whatever they are", function()
    for _, value in pairs { 7, {}, true, pillar.null, print } do
      local key, problem = core.key_from_jwk { kty = "EC", crv = value, x = value, y = value, n = value, d = value }
      assert.is_nil(key)
      assert.equal("string", type(problem))
    end
    local trap = setmetatable({}, { __index = function() error("a trap") end })
    assert.is_nil((core.key_from_jwk(trap)))
  end)
end)
