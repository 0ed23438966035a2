-- X-User-Id: a request that was made on behalf of one user is not carried out for another. Cookies that change
-- meanwhile are in tests/e2e/expected_user_spec.lua.

local support = require "support"
local testing = require "pillar.testing"

local app = [[
calls = 0
local function create(_, db)
  calls = calls + 1
  local task = db:insert("tasks", { title = "Ship" })
  emit { entityId = task.id }
  return 201, task, { ["X-Calls"] = tostring(calls) }
end
app:post("/tasks", create)
app:post("/public", { public = true }, create)
app:post("/free", { transaction = false }, function(req, db)
  return db:transaction(function() return create(req, db) end)
end)
app:get("/me", function(req)
  calls = calls + 1
  return 200, { id = req.user.id }, { ["X-Calls"] = tostring(calls) }
end)
]]

describe("X-User-Id", function()
  local t

  before_each(function()
    t = support.load(app)
  end)
  after_each(function() t:close() end)

  local function ask(method, path, user, expected, headers)
    headers = headers or {}
    headers["X-User-Id"] = expected
    return t:request(method, path, { user = user, headers = headers })
  end

  local function count(of)
    return t:sql("SELECT count(*) AS n FROM " .. of)[1].n
  end

  local function refused(answer, status, code)
    assert.equal(status, answer.status, answer.body)
    local problem = answer:json().error
    assert.equal(code, problem.code)
    assert.equal("X-User-Id", problem.field)
    return answer
  end

  for _, path in ipairs { "/tasks", "/free" } do
    it("keeps a mutation from being made for another: " .. path, function()
      local stream, key = t:connect { user = "ada" }, { ["Idempotency-Key"] = "k1" }
      local answer = refused(ask("POST", path, "grace", "ada", key), 401, "other_user")
      assert.equal("Bearer", answer.headers["WWW-Authenticate"])
      assert.same({ 0, 0, 0 }, { count "tasks", count "pillar_idempotency", #t:events() })
      assert.same({}, stream:events())

      for nth, user in ipairs { "ada", "grace" } do -- neither has had the key
        local first = ask("POST", path, user, user, key)
        assert.equal(201, first.status)
        assert.equal(tostring(nth), first.headers["X-Calls"])
        assert.is_nil(first.headers["Idempotency-Replayed"])
      end
      assert.same({ 2, 2 }, { count "tasks", count "pillar_idempotency" })
      assert.equal("true", ask("POST", path, "ada", "ada", key).headers["Idempotency-Replayed"])
      refused(ask("POST", path, "grace", "ada", key), 401, "other_user") -- an answer is not given to another either
      assert.equal(2, count "tasks")
    end)
  end

  it("keeps what is read, and a stream, from another", function()
    refused(ask("GET", "/me", "grace", "ada"), 401, "other_user")
    refused(ask("GET", "/api/events", "grace", "ada"), 401, "other_user")
    local answer = ask("GET", "/me", "ada", "ada")
    assert.equal("ada", answer:json().id)
    assert.equal("1", answer.headers["X-Calls"])
    local stream = t:connect { user = "ada", headers = { ["X-User-Id"] = "ada" } }
    assert.equal("ada", stream:messages()[1].data.userId)
  end)

  it("need not be there", function()
    assert.equal(200, t:get("/me", { user = "grace" }).status)
    assert.equal(201, t:post("/tasks", { user = "grace" }).status)
  end)

  it("is of use once somebody is signed in", function()
    for _, expected in ipairs { "ada", "%" } do
      local answer = t:post("/tasks", { headers = { ["X-User-Id"] = expected } })
      assert.equal(401, answer.status)
      assert.equal("unauthorized", answer:json().error.code)
    end
  end)

  it("is no concern of public routes", function()
    for _, expected in ipairs { "ada", "%", "" } do
      assert.equal(201, ask("POST", "/public", "grace", expected).status, expected)
    end
  end)

  it("is percent-encoded UTF-8", function()
    local ids = {
      ["Ada Lovelace"] = "Ada%20Lovelace",
      ["org/ada"] = "org%2Fada",
      ["J\u{fc}rgen \u{1f680}"] = "J%C3%BCrgen%20%f0%9F%9a%80",
      ["100%"] = "100%25",
      ["%41"] = "%2541",
      ["a+b"] = "a%2Bb",
      ["(it's)*!~"] = "(it's)*!~", -- which encodeURIComponent leaves
      ["ada@example.org"] = "ada@example.org",
      [("\u{fc}"):rep(128)] = ("%C3%BC"):rep(128),
    }
    for id, encoded in pairs(ids) do
      assert.equal(200, ask("GET", "/me", id, encoded).status, id)
      refused(ask("GET", "/me", "ada", encoded), 401, "other_user")
    end
    assert.equal(200, ask("GET", "/me", "a+b", "a+b").status)
    refused(ask("GET", "/me", "a b", "a+b"), 401, "other_user") -- no form: a plus is a plus
  end)

  it("is compared byte by byte, whole", function()
    for _, expected in ipairs { "Ada", "ad", "adaa", "ada%20", "ad%C3%A4" } do
      refused(ask("GET", "/me", "ada", expected), 401, "other_user")
    end
    refused(ask("GET", "/me", "\u{fc}", "u%CC%88"), 401, "other_user") -- the same to the eye
  end)

  it("is the decimal text of an integer", function()
    assert.equal(200, ask("GET", "/me", 42, "42").status)
    assert.equal(200, ask("GET", "/me", -7, "-7").status)
    for _, expected in ipairs { "7", "042", "42.0", "+42", "0x2a" } do
      refused(ask("GET", "/me", 42, expected), 401, "other_user")
    end
  end)

  it("is one header with one id", function()
    local malformed = { "", "%", "%4", "%zz", "ada%", "%FF", "%C3", "%ED%A0%80", "%00", "a%0Ab", "%7F", "a b",
      "J\u{fc}rgen", ("x"):rep(257), ("%61"):rep(257) }
    for _, expected in ipairs(malformed) do
      refused(ask("POST", "/tasks", "ada", expected), 400, "invalid_field")
      refused(ask("GET", "/api/events", "ada", expected), 400, "invalid_field")
    end
    refused(ask("GET", "/me", "ada", "ada", { ["x-user-id"] = "ada" }), 400, "invalid_field")
    assert.equal(0, count "tasks")
    for _, expected in ipairs { ("x"):rep(256), ("%61"):rep(256) } do
      refused(ask("GET", "/me", "ada", expected), 401, "other_user")
    end
  end)

  it("is \"anonymous\" where everybody is", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
      local app = require("pillar").app()
      app:anonymous()
      app:get("/me", function(req) return { id = req.user.id } end)
      return app
    ]]
    file:close()
    t:close()
    t = testing.load(path)
    os.remove(path)
    assert.equal(200, t:get("/me", { headers = { ["X-User-Id"] = "anonymous" } }).status)
    refused(t:get("/me", { headers = { ["X-User-Id"] = "ada" } }), 401, "other_user")
  end)
end)
