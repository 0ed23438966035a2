-- X-User-Id over real sockets: a cookie changes hands while a page still sends what its user has left behind. What else
-- it means is in tests/testing/expected_user_spec.lua.

local Broker = require "support.broker"
local Socket = require "support.socket"
local cjson = require "cjson"
local wait = require "support.wait"

local script = [[
local pillar = require "pillar"
local app = pillar.app()
app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY, owner TEXT)" }
app:entity("note")
app:authenticate(function(req) return pillar.auth.session(req) end)
app:post("/sign-in", { public = true }, function(req)
  local user = req:json()
  return 200, user, pillar.auth.signIn(req, user)
end)
app:get("/me", function(req) return { id = req.user.id } end)
local function create(req, db)
  local note = db:insert("notes", { owner = tostring(req.user.id) })
  emit_sync_event { entity = "note", action = "created", targetUserIds = pillar.everyone, data = note }
  return 201, note
end
app:post("/notes", create)
app:post("/free", { transaction = false }, function(req, db)
  return db:transaction(function() return create(req, db) end)
end)
return app
]]

describe("X-User-Id", function()
  local broker

  local function start(...)
    broker = Broker.start { text = script, env = { PILLAR_SECRET = ("0123456789abcdef"):rep(2) }, args = { ... } }
  end

  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  local function sign_in(id)
    local answer = broker:request("POST", "/sign-in", { json = { id = id } })
    assert.equal(200, answer.status)
    return answer.headers["set-cookie"]:match("^[^;]+")
  end

  local function with(cookie, expected, key)
    return { headers = { Cookie = cookie, ["X-User-Id"] = expected, ["Idempotency-Key"] = key } }
  end

  local function refused(answer, status, code)
    assert.equal(status, answer.status, answer.body)
    local problem = cjson.decode(answer.body).error
    assert.equal(code, problem.code)
    assert.equal("X-User-Id", problem.field)
  end

  for _, path in ipairs { "/notes", "/free" } do
    it("keeps a change from being made by who has signed in since: " .. path, function()
      start()
      local ada, grace, key = sign_in("ada"), sign_in("grace"), "key-of-" .. path
      local stream = broker:stream { headers = { Cookie = ada } }
      local before = broker:sql("SELECT count(*) FROM notes")
      local records = broker:sql("SELECT count(*) FROM pillar_idempotency")
      refused(broker:request("POST", path, with(grace, "ada", key)), 401, "other_user")
      assert.equal(before, broker:sql("SELECT count(*) FROM notes"))
      assert.equal(records, broker:sql("SELECT count(*) FROM pillar_idempotency"))

      local answer = broker:request("POST", path, with(ada, "ada", key))
      assert.equal(201, answer.status)
      assert.is_nil(answer.headers["idempotency-replayed"])
      local again = broker:request("POST", path, with(ada, "ada", key))
      assert.equal("true", again.headers["idempotency-replayed"])
      refused(broker:request("POST", path, with(grace, "ada", key)), 401, "other_user")
      assert.equal(201, broker:request("POST", path, with(grace, nil, key)).status)
      local owners = {}
      wait.until_true("the last event", function()
        owners = {}
        for _, event in ipairs(stream.all) do
          owners[#owners + 1] = event.event == "sync" and event.data.data.owner or nil
        end
        return owners[#owners] == "grace"
      end)
      assert.same({ "ada", "grace" }, owners)
    end)
  end

  it("names whoever may be signed in", function()
    start()
    local ids = {
      ["Ada Lovelace"] = "Ada%20Lovelace", ["org/ada"] = "org%2Fada", ["J\u{fc}rgen"] = "J%C3%BCrgen", [42] = "42",
    }
    for id, encoded in pairs(ids) do
      local cookie = sign_in(id)
      assert.equal(200, broker:request("GET", "/me", with(cookie, encoded)).status, id)
      assert.equal(200, broker:request("HEAD", "/me", with(cookie, encoded)).status, id)
      refused(broker:request("GET", "/me", with(sign_in "ada", encoded)), 401, "other_user")
      assert.equal(401, broker:request("HEAD", "/me", with(sign_in "ada", encoded)).status)
    end
  end)

  it("is refused when it is malformed", function()
    start()
    local ada = sign_in("ada")
    for _, expected in ipairs { "", "%", "%C3", "%00", "J\u{fc}rgen", "\u{fc}" } do
      refused(broker:request("POST", "/notes", with(ada, expected)), 400, "invalid_field")
    end
    local public = broker:request("POST", "/sign-in", { json = { id = "x" }, headers = { ["X-User-Id"] = "%" } })
    assert.equal(200, public.status)
  end)

  it("goes for streams too", function()
    start()
    local ada = sign_in("ada")
    for expected, status in pairs { ["grace"] = 401, ["%"] = 400, ["ada"] = 200 } do
      local stream = broker:start_stream(with(ada, expected))
      wait.until_true("an answer", function() return stream.status end)
      assert.equal(status, stream.status)
    end
  end)

  it("counts as a request of who asked", function()
    start("--max-requests-per-user", "1")
    local grace = sign_in("grace")
    wait.until_true("a refusal", function()
      local answer = broker:request("POST", "/notes", with(grace, "ada"))
      assert.truthy(answer.status == 401 or answer.status == 429)
      return answer.status == 429
    end)
  end)
end)
