local core = require "pillar.core"
local pillar = require "pillar"

local old_secret, new_secret = ("o"):rep(32), ("n"):rep(32)
local month = 30 * 24 * 3600

describe("pillar.auth sessions", function()
  local real_now = core.now
  local now

  before_each(function()
    core.use_secrets(old_secret)
    now = 1700000000000
    core.now = function() return now end
  end)
  after_each(function() core.now = real_now end)

  local function request(cookies, headers)
    return { cookies = cookies or {}, headers = headers or {} }
  end

  --- Signs in and returns the cookie's value, its name, and the whole header.
  local function sign_in(user, options, headers)
    local cookie = pillar.auth.signIn(request({}, headers), user, options)["Set-Cookie"]
    local name, value = cookie:match("^([^=]+)=([^;]*);")
    return value, name, cookie
  end

  local function session(value)
    return pillar.auth.session(request { pillar_session = value })
  end

  it("give the user back, with expiresAt", function()
    local user = { id = "ada", name = "Ada \u{1F980}", roles = { "admin" }, level = 7, empty = pillar.list {} }
    local value, name = sign_in(user)
    assert.equal("pillar_session", name)
    local back = session(value)
    assert.equal(now + month * 1000, back.expiresAt)
    back.expiresAt = nil
    assert.same(user, back)
    assert.equal("integer", math.type(back.level))
    assert.same({ id = 42, expiresAt = now + month * 1000 }, session(sign_in { id = 42 }))
  end)

  it("say whatever a browser needs to know of the cookie", function()
    local function attributes(options, headers)
      return (select(3, sign_in({ id = "ada" }, options, headers)):match("; (.*)$"))
    end
    local http, https = {}, { ["x-forwarded-proto"] = "https" }
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", attributes(nil, http))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure", attributes(nil, https))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure",
      attributes(nil, { ["x-forwarded-proto"] = "HTTPS, http" }))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax",
      attributes(nil, { ["x-forwarded-proto"] = "http, https" }))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax",
      attributes(nil, { ["x-forwarded-proto"] = "httpsx" }))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", attributes({ secure = false }, https))
    assert.equal("Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure",
      attributes({ secure = true, sameSite = "Strict", maxAge = 60 }, http))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=None; Secure", attributes({ sameSite = "None" }, http))
    assert.equal("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure", attributes({ cookie = "__Host-s" }, http))
  end)

  it("are taken away by a cookie that is empty and over", function()
    assert.same({ ["Set-Cookie"] = "pillar_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" },
      pillar.auth.signOut(request()))
    assert.same({ ["Set-Cookie"] = "s=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure" },
      pillar.auth.signOut(request(), { cookie = "s", sameSite = "Strict", secure = true }))
    assert.is_nil(session(""))
  end)

  it("end at their time", function()
    local value = sign_in({ id = "ada" }, { maxAge = 10 })
    now = now + 9999
    assert.equal("ada", session(value).id)
    now = now + 1
    assert.is_nil(session(value))
  end)

  it("are renewed by signing in what they gave", function()
    local user = session(sign_in({ id = "ada" }, { maxAge = 10 }))
    now = now + 5000
    local value = sign_in(user, { maxAge = 10 })
    assert.equal(now + 10000, session(value).expiresAt)
    assert.equal(#sign_in({ id = "ada" }, { maxAge = 10 }), #value) -- the old time is not kept beside the new one
  end)

  it("do not believe a cookie that was changed anywhere", function()
    local value = sign_in { id = "ada" }
    assert.equal("ada", session(value).id)
    for i = 1, #value do
      local c = value:sub(i, i)
      for _, other in ipairs { c == "A" and "B" or "A", ".", "=", "" } do
        if other ~= c then
          assert.is_nil(session(value:sub(1, i - 1) .. other .. value:sub(i + 1)), i)
        end
      end
    end
    for length = 0, #value - 1 do
      assert.is_nil(session(value:sub(1, length)), length)
    end
    for _, more in ipairs { "A", ".", "=", " ", "." .. value } do
      assert.is_nil(session(value .. more), more)
    end
  end)

  it("do not believe what they have not signed", function()
    local payload = core.base64url_encode(pillar.json.encode { user = { id = "ada" }, expiresAt = now + 1000 })
    for _, bad in ipairs { "", ".", "..", "a.b", payload, payload .. ".", payload .. "." .. ("A"):rep(43),
      "." .. payload, ("x"):rep(100000), ("x"):rep(4000) .. "." .. ("A"):rep(43), "\0.\0", "a.b.c",
      payload .. "." .. core.base64url_encode(core.sign("other", "pillar_session=" .. payload)) } do
      assert.is_nil(session(bad), bad)
    end
    -- The same by hand is believed, so that each of those was refused for what is wrong with it.
    local function by_hand(text)
      local body = core.base64url_encode(text)
      return body .. "." .. core.base64url_encode(core.sign("session cookie 1", "pillar_session=" .. body))
    end
    assert.equal("ada", session(by_hand(pillar.json.encode { user = { id = "ada" }, expiresAt = now + 1000 })).id)
    assert.is_nil(session(by_hand(pillar.json.encode { user = { id = ("x"):rep(4096) }, expiresAt = now + 1000 })))
  end)

  it("are for one cookie name", function()
    local value = sign_in({ id = "ada" }, { cookie = "admin" })
    assert.is_nil(session(value))
    assert.equal("ada", pillar.auth.session(request { admin = value }, { cookie = "admin" }).id)
    assert.is_nil(pillar.auth.session(request { other = value }, { cookie = "other" }))
    assert.is_nil(pillar.auth.session(request { admin = value }))
  end)

  it("outlive a change of the secret, while the old one counts", function()
    local before = sign_in { id = "ada" }
    core.use_secrets(new_secret .. "," .. old_secret)
    assert.equal("ada", session(before).id)
    local between = sign_in { id = "grace" }
    core.use_secrets(new_secret)
    assert.is_nil(session(before))
    assert.equal("grace", session(between).id)
    core.use_secrets(old_secret)
    assert.is_nil(session(between))
  end)

  it("need a secret", function()
    core.use_secrets("")
    assert.has_error(function() sign_in { id = "ada" } end)
    assert.has_error(function() session("AAAA." .. ("A"):rep(43)) end)
    assert.is_nil(session(nil))
  end)

  it("leave out what is null, and what was never there", function()
    assert.same({ id = "ada", expiresAt = now + month * 1000 }, session(sign_in { id = "ada", phone = pillar.null }))
  end)

  it("leave the user as it was", function()
    local user = { id = "ada", expiresAt = 1 }
    sign_in(user)
    assert.same({ id = "ada", expiresAt = 1 }, user)
  end)

  it("are fit for app:authenticate, which gives the database too", function()
    local value = sign_in { id = "ada" }
    local db = core.key_from_secret(("x"):rep(32)) -- some userdata
    assert.equal("ada", pillar.auth.session(request { pillar_session = value }, db).id)
  end)

  local function fails(what, f)
    local ok, problem = pcall(f)
    assert.is_false(ok)
    assert.truthy(tostring(problem):find(what, 1, true), problem)
    return problem
  end

  it("want a user with an id", function()
    for _, user in ipairs { {}, { id = "" }, { id = 1.5 }, { id = true }, { id = ("x"):rep(257) }, { id = "a\nb" },
      { id = "\xff" }, { id = pillar.null }, "ada", 7, print } do
      fails("the user must be a table with an id", function() sign_in(user) end)
    end
    fails("the user must be a table with an id", function() sign_in(nil) end)
  end)

  it("hold what JSON can hold, in 4096 bytes", function()
    fails("user.f is a function", function() sign_in { id = "ada", f = print } end)
    fails("not UTF-8", function() sign_in { id = "ada", name = "\xff" } end)
    fails("browsers take 4096", function() sign_in { id = "ada", text = ("x"):rep(3000) } end)
    -- To the byte: three of the payload are four of the cookie.
    local size = 2900
    local _, _, cookie = sign_in { id = "ada", text = ("x"):rep(size) }
    while #cookie <= 4092 do
      size = size + 1
      _, _, cookie = sign_in { id = "ada", text = ("x"):rep(size) }
    end
    assert.truthy(#cookie <= 4096)
    assert.equal(size, #session(cookie:match("=([^;]+)")).text)
    fails("browsers take 4096", function() sign_in { id = "ada", text = ("x"):rep(size + 3) } end)
  end)

  it("take no password's hash", function()
    local problem = fails("'passwordHash' is a password hash", function()
      sign_in { id = "ada", passwordHash = pillar.auth.hashPassword("secret") }
    end)
    assert.truthy(problem:find("session_spec.lua:", 1, true))
  end)

  it("check their options", function()
    for what, options in pairs {
      ["did you mean 'maxAge'"] = { maxage = 1 },
      ["'maxAge' must be a whole number"] = { maxAge = 0 },
      ["'maxAge' must be a whole number of"] = { maxAge = 1.5 },
      ["from 1 to 34560000"] = { maxAge = 400 * 24 * 3600 + 1 },
      ["'sameSite' must be"] = { sameSite = "lax" },
      ["'cookie' must be a name"] = { cookie = "a=b" },
      ["'cookie' must be a"] = { cookie = "" },
      ["must be a name of 1 to 64"] = { cookie = ("x"):rep(65) },
      ["'secure' must be a boolean"] = { secure = 1 },
      ["only when it is secure"] = { secure = false, sameSite = "None" },
      ["browsers take this cookie"] = { secure = false, cookie = "__Secure-s" },
      ["must be a table, not a string"] = "s",
    } do
      for _, f in ipairs {
        function() return pillar.auth.signIn(request(), { id = "ada" }, options) end,
        function() return pillar.auth.signOut(request(), options) end,
        function() return pillar.auth.session(request(), options) end,
      } do
        fails(what, f)
      end
    end
    fails("session_spec.lua:", function() local _ = pillar.auth.session(request(), { maxage = 1 }) end)
    fails("must be a table, not a userdata", function() pillar.auth.session(request(), pillar.null) end)
    fails("the first argument must be the request", function() pillar.auth.signIn({ id = "ada" }) end)
    fails("the first argument must be the request", function() pillar.auth.session() end)
  end)
end)
