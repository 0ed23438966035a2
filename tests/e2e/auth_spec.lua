-- Sign-in by sessions and by tokens: who is let in, on requests and on the stream, and who is not.

local cjson = require "cjson"
local uv = require "luv"
local Broker = require "support.broker"
local Issuer = require "support.issuer"
local Socket = require "support.socket"
local wait = require "support.wait"

local algorithms = { "HS256", "RS256", "ES256", "EdDSA" }
local secret, next_secret = ("0123456789abcdef"):rep(2), ("fedcba9876543210"):rep(2)

local function copy(from, to)
  local file = assert(io.open(from))
  local text = file:read("a")
  file:close()
  file = assert(io.open(to, "w"))
  file:write(text)
  file:close()
end

describe("sign-in", function()
  local dir, issuers, stranger, claims

  setup(function()
    dir = assert(uv.fs_mkdtemp("/tmp/pillar-XXXXXX"))
    issuers = {}
    local keys = {}
    for _, algorithm in ipairs(algorithms) do
      issuers[algorithm] = Issuer.new(algorithm)
      keys[#keys + 1] = issuers[algorithm]:jwk(algorithm)
    end
    stranger = Issuer.new("RS256")
    copy(Broker.source .. "/tests/e2e/apps/auth.lua", dir .. "/auth.lua")
    assert(uv.fs_mkdir(dir .. "/keys", 448))
    local file = assert(io.open(dir .. "/keys/set.json", "w"))
    file:write(cjson.encode { keys = keys })
    file:close()
    claims = { sub = "ada", iss = "https://issuer.example", aud = "api", exp = os.time() + 3600 }
  end)
  teardown(function()
    for _, issuer in pairs(issuers) do
      issuer:close()
    end
    stranger:close()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  --- A broker over the copy of the app; the database is the folder's, so that it outlives the broker.
  local function start(env, args)
    local broker = Broker.spawn({ "run", dir .. "/auth.lua", "--listen", "127.0.0.1:0", "--log-level", "debug",
      "--database", "sqlite:" .. dir .. "/app.db", table.unpack(args or {}) }, { env = env, dir = dir })
    wait.until_true("the broker to start", function()
      broker.port = tonumber(broker.output:match("listening on http://127%.0%.0%.1:(%d+)"))
      return broker.port or broker.exit
    end)
    return broker
  end

  local function with(changes)
    local result = {}
    for name, value in pairs(claims) do
      result[name] = value
    end
    for name, value in pairs(changes) do
      result[name] = value
    end
    return result
  end

  local function sign_in(broker, user)
    local answer = broker:request("POST", "/sign-in", { json = user })
    assert.equal(200, answer.status, answer.body)
    return answer.headers["set-cookie"]:match("^[^;]+"), answer.headers["set-cookie"]
  end

  local function me(broker, cookie)
    return broker:request("GET", "/me", { headers = { Cookie = cookie } })
  end

  describe("by token", function()
    local broker

    setup(function() broker = start { PILLAR_SECRET = secret } end)
    after_each(function() Socket.close_all() end)
    teardown(function() broker:stop() end)

    local function calls()
      return tonumber(broker:sql("SELECT count(*) FROM calls"))
    end

    local function refuses(token, why)
      local before = calls()
      local authorization = { Authorization = "Bearer " .. token }
      local answer = broker:request("POST", "/call", { headers = authorization })
      assert.equal(401, answer.status, why)
      assert.equal("unauthorized", answer:json().error.code)
      assert.equal("Bearer", answer.headers["www-authenticate"])
      assert.equal(401, broker:request("GET", "/me", { headers = authorization }).status, why)
      for _, options in ipairs { { headers = authorization }, { query = "?token=" .. token } } do
        local stream = broker:start_stream(options)
        wait.until_true("an answer", function() return stream.status end)
        assert.equal(401, stream.status, why)
      end
      assert.equal(before, calls(), why)
      wait.until_true(why, function() return broker.log:find("a token is refused: " .. why, 1, true) end)
    end

    it("lets in who has a good one, by each algorithm", function()
      for _, algorithm in ipairs(algorithms) do
        local token = issuers[algorithm]:token(claims, { kid = algorithm })
        local before = calls()
        local answer = broker:request("GET", "/me", { headers = { Authorization = "Bearer " .. token } })
        assert.equal(200, answer.status)
        assert.same({ id = "ada", claims = claims, expiresAt = claims.exp * 1000 }, answer:json())
        assert.equal(200, broker:request("POST", "/call", { headers = { Authorization = "Bearer " .. token } }).status)
        assert.equal(before + 1, calls())
        broker:stream { headers = { Authorization = "Bearer " .. token } }
        broker:stream { query = "?token=" .. token }
      end
    end)

    it("sends away who has another, and says why in the log alone", function()
      local now = os.time()
      local good = issuers.ES256:token(claims, { kid = "ES256" })
      local head, body, signature = good:match("^(.-)%.(.-)%.(.-)$")
      local encode = function(value) return Issuer.base64url(cjson.encode(value)) end
      local with_pem = Issuer.new("HS256", issuers.RS256.pem)
      local empty = Issuer.new("HS256", "\0")
      refuses(stranger:token(claims, { kid = "RS256" }), "its signature is wrong")
      refuses(with_pem:token(claims, { kid = "RS256" }), "no key is known for it")
      refuses(with_pem:token(claims), "its signature is wrong")
      refuses(empty:token(claims), "its signature is wrong")
      refuses(encode { alg = "none" } .. "." .. body .. ".", "it does not have three parts of base64url")
      refuses(encode { alg = "none" } .. "." .. body .. ".AAAA", "its algorithm is not one of those allowed")
      refuses(encode { alg = "EdDSA" } .. "." .. body .. "." .. signature, "its signature is wrong")
      refuses(head .. "." .. encode(with { sub = "grace" }) .. "." .. signature, "its signature is wrong")
      refuses(issuers.ES256:token(claims, { kid = "unknown" }), "no key is known for it")
      refuses(issuers.ES256:token(claims, { crit = { "exp" } }), "its header wants something to be understood (crit)")
      refuses(issuers.ES256:token(with { exp = now - 1 }), "it has expired")
      refuses(issuers.ES256:token(with { nbf = now + 3600 }), "it is not valid yet")
      refuses(issuers.ES256:token(with { aud = "other" }), "it is for another audience")
      refuses(issuers.ES256:token(with { iss = "https://other.example" }), "it is of another issuer")
      refuses(issuers.ES256:token(with { exp = "never" }), "its exp is no time")
      refuses(issuers.ES256:token(with { sub = "a\nb" }), "it names no user")
      refuses(good:sub(1, -2), "its signature is not base64url")
      refuses(good .. "." .. signature, "it does not have three parts of base64url")
      with_pem:close()
      empty:close()
      for part in good:gmatch("[^.]+") do
        assert.is_nil(broker.log:find(part, 1, true))
      end
    end)

    it("sends away long ones", function()
      local long = issuers.HS256:token(with { text = ("x"):rep(15 * 1024) })
      assert.truthy(#long > 16 * 1024)
      assert.equal(401, broker:request("GET", "/me", { headers = { Authorization = "Bearer " .. long } }).status)
      wait.until_true("the reason", function() return broker.log:find("refused: it is too long", 1, true) end)
      local longer = ("x"):rep(100 * 1024)
      assert.equal(431, broker:request("GET", "/me", { headers = { Authorization = "Bearer " .. longer } }).status)
    end)
  end)

  describe("by session", function()
    it("lasts from signing in to signing out", function()
      local broker = start { PILLAR_SECRET = secret }
      local cookie, whole = sign_in(broker, { id = "ada", name = "Ada" })
      assert.equal("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", whole:sub(#cookie + 1))
      local user = me(broker, cookie):json()
      assert.truthy(math.abs(user.expiresAt - (os.time() + 2592000) * 1000) < 60000)
      user.expiresAt = nil
      assert.same({ id = "ada", name = "Ada" }, user)
      assert.equal(200, broker:request("POST", "/call", { headers = { Cookie = cookie } }).status)
      broker:stream { headers = { Cookie = cookie } }

      assert.equal(401, me(broker, nil).status)
      local at = #cookie // 2
      local changed = cookie:sub(1, at - 1) .. (cookie:sub(at, at) == "A" and "B" or "A") .. cookie:sub(at + 1)
      assert.equal(401, me(broker, changed).status)
      assert.equal(401, me(broker, (cookie:gsub("^pillar_session", "other"))).status)
      local stream = broker:start_stream { headers = { Cookie = changed } }
      wait.until_true("an answer", function() return stream.status end)
      assert.equal(401, stream.status)

      local out = broker:request("POST", "/sign-out", { headers = { Cookie = cookie } })
      assert.equal(204, out.status)
      assert.equal("pillar_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", out.headers["set-cookie"])
      assert.equal(401, me(broker, out.headers["set-cookie"]:match("^[^;]+")).status)
      Socket.close_all()
      broker:stop()
      assert.is_nil(broker.log:find("PILLAR_SECRET", 1, true))
      assert.is_nil(broker.log:find(secret, 1, true))
    end)

    it("is secure behind a proxy that speaks https", function()
      local broker = start { PILLAR_SECRET = secret }
      local answer = broker:request("POST", "/sign-in",
        { json = { id = "ada" }, headers = { ["X-Forwarded-Proto"] = "https" } })
      assert.truthy(answer.headers["set-cookie"]:find("; Secure$"))
      broker:stop()
    end)

    it("is known to all workers, and to the next broker with the secret", function()
      local broker = start({ PILLAR_SECRET = secret }, { "--workers", "4" })
      local cookie = sign_in(broker, { id = "ada" })
      local pending = {}
      for i = 1, 32 do
        pending[i] = broker:start_request("GET", "/me", { headers = { Cookie = cookie } })
      end
      for _, one in ipairs(pending) do
        wait.until_true("an answer", function() return one.response end)
        assert.equal(200, one.response.status)
      end
      broker:stop()

      broker = start { PILLAR_SECRET = next_secret .. "," .. secret }
      assert.equal("ada", me(broker, cookie):json().id)
      local renewed = sign_in(broker, { id = "ada" })
      broker:stop()

      broker = start { PILLAR_SECRET = next_secret }
      assert.equal(401, me(broker, cookie).status)
      assert.equal(200, me(broker, renewed).status)
      broker:stop()
    end)

    it("ends with a broker that has no secret, which says so", function()
      for _, env in ipairs { {}, { PILLAR_SECRET = "" } } do
        local broker = start(env)
        local cookie = sign_in(broker, { id = "ada" })
        assert.equal(200, me(broker, cookie).status)
        broker:stop()
        assert.truthy(broker.log:find("info +auth: PILLAR_SECRET is not set: sessions end with this process"),
          broker.log)
        broker = start(env)
        assert.equal(401, me(broker, cookie).status)
        broker:stop()
      end
    end)

    it("is not begun with a secret that is too short", function()
      for _, short in ipairs { "short", ("x"):rep(31), secret .. ",short", secret .. "," } do
        local broker = start { PILLAR_SECRET = short }
        assert.is_nil(broker.port)
        assert.equal(1, broker:wait_exit().code)
        uv.run("nowait")
        assert.equal("pillar: the environment variable PILLAR_SECRET: invalid value '...' for secret: each secret must "
          .. "have at least 32 characters; make one with: openssl rand -hex 32\n", broker.log)
      end
    end)

    it("has a secret that no script reads", function()
      local broker = start { PILLAR_SECRET = secret, PILLAR_EMIT_KEY = "k3y" }
      local seen = broker:request("GET", "/environment"):json()
      broker:stop()
      assert.is_nil(seen.secret)
      assert.truthy(seen.home)
      for _, text in ipairs { seen.own, seen.child } do
        assert.truthy(text:find("HOME=", 1, true))
        assert.is_nil(text:find(secret, 1, true))
        assert.is_nil(text:find("k3y", 1, true))
      end
    end)

    it("cannot be had while the script is loaded", function()
      local path = dir .. "/early.lua"
      local file = assert(io.open(path, "w"))
      file:write([[
        local pillar = require "pillar"
        pillar.auth.signIn({ headers = {}, cookies = {} }, { id = "ada" })
      ]])
      file:close()
      local check = Broker.spawn({ "check", path }, { env = { PILLAR_SECRET = secret } })
      assert.equal(1, check:wait_exit().code)
      wait.until_true("the reason", function()
        return check.log:find("there are no sessions while the script is loaded", 1, true)
      end)
    end)
  end)

  describe("by password", function()
    local broker

    setup(function()
      broker = start({ PILLAR_SECRET = secret },
        { "--handler-deadline", "1s", "--workers", "1", "--queue-timeout", "3s" })
    end)
    teardown(function() broker:stop() end)

    it("answers 400 to what is none", function()
      for _, bad in ipairs { "", ("x"):rep(1025), 7 } do
        local answer = broker:request("POST", "/hash", { json = { password = bad } })
        assert.equal(400, answer.status)
        assert.equal("password", answer:json().error.field)
      end
      local good = broker:request("POST", "/hash", { json = { password = "correct horse" } })
      assert.equal(200, good.status)
      assert.truthy(good:json().hash:find("^%$scrypt%$"))
    end)

    it("does not hash beyond the deadline", function()
      assert.equal(503, broker:request("GET", "/hash-for-ever").status)
      -- The one worker is free again: its loop has ended, and not only the wait for it.
      assert.equal(401, broker:request("GET", "/me").status)
    end)
  end)
end)
