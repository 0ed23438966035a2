-- Together or not at all: what a handler writes, emits and answers.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local function as(user, session)
  return { ["X-User"] = user, ["X-Session-Id"] = session }
end

describe("a mutation", function()
  local broker, stream
  local names = 0

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  before_each(function() stream = broker:stream { query = "?user=ada" } end)
  after_each(function() Socket.close_all() end)
  teardown(function() broker:stop() end)

  local function post(path, body)
    names = names + 1
    body = body or "note " .. names
    return broker:request("POST", path, { headers = as("ada", "other"), json = { body = body } }), body
  end

  local function rows(body)
    return broker:sql(("SELECT count(*) FROM notes WHERE body = '%s'"):format(body))
  end

  local function events()
    stream:fence(function(name) broker:request("POST", "/fence/" .. name, { headers = as("fence") }) end)
    local summary = stream:summary()
    stream.all = {}
    return summary
  end

  it("that returns leaves its row and its event", function()
    local answer, body = post("/notes")
    assert.equal(201, answer.status)
    assert.equal("1", rows(body))
    assert.same({ "note created " .. answer:json().id }, events())
  end)

  for path, status in pairs { ["/raise"] = 500, ["/conflict"] = 409, ["/fail"] = 422 } do
    it(("that ends with %d on %s leaves nothing"):format(status, path), function()
      local answer, body = post(path)
      assert.equal(status, answer.status)
      assert.equal("0", rows(body))
      assert.same({}, events())
      assert.is_string(answer:json().error.code)
    end)
  end

  it("that raises tells the client nothing, and the log file and line", function()
    local answer = post("/raise")
    assert.same({ error = { code = "internal", message = "the server made a mistake" } }, answer:json())
    wait.until_true("the log", function() return broker.log:find("raised on purpose", 1, true) end)
    assert.truthy(broker.log:find("apps/lab%.lua:%d+: raised on purpose"))
    assert.truthy(broker.log:find("stack traceback", 1, true))
    assert.truthy(broker.log:find(answer.headers["x-request-id"], 1, true))
    assert.truthy(broker.log:find("POST /raise %(%S+/apps/lab.lua:%d+, user ada%)"))
  end)

  it("that breaks a constraint is answered with 409, naming the field", function()
    local first, body = post("/notes")
    assert.equal(201, first.status)
    events()
    local second = post("/notes", body)
    assert.equal(409, second.status)
    assert.same({ code = "unique", field = "owner,body", message = "owner,body: this combination is taken already" },
      second:json().error)
    assert.same({}, events())
  end)

  it("shares a commit with others, and fails alone", function()
    local pending, bodies = {}, {}
    for i = 1, 90 do
      bodies[i] = "batch " .. i
      local path = i % 3 == 0 and "/raise" or i % 3 == 1 and "/conflict" or "/notes"
      pending[i] = broker:start_request("POST", path, { headers = as("ada", "other"), json = { body = bodies[i] } })
    end
    local expected = {}
    for i = 1, 90 do
      local answer = http.finish(pending[i])
      local good = i % 3 == 2
      assert.equal(good and 201 or i % 3 == 0 and 500 or 409, answer.status)
      if good then
        expected[#expected + 1] = "note created " .. answer:json().id
      end
    end
    for i = 1, 90 do
      assert.equal(i % 3 == 2 and "1" or "0", rows(bodies[i]))
    end
    local got = events()
    table.sort(got)
    table.sort(expected)
    assert.same(expected, got)
    assert.is_true(broker:metric("commits_total") < broker:metric("handlers_total"))
  end)

  it("that is answered is on the disk", function()
    local other = Broker.start { script = "tests/e2e/apps/lab.lua" }
    local answer = other:request("POST", "/notes", { headers = as("ada"), json = { body = "kept" } })
    other:signal("sigkill")
    other:wait_exit()
    assert.equal(201, answer.status)
    assert.equal("1", other:sql("SELECT count(*) FROM notes WHERE body = 'kept'"))
    os.execute("rm -rf '" .. other.dir .. "'")
  end)

  it("can neither be ended nor evaded by SQL of its own", function()
    for _, sql in ipairs { "COMMIT", "ROLLBACK", "BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT x", "RELEASE pillar_1",
      "ROLLBACK TO pillar_1", "ATTACH ':memory:' AS other", "PRAGMA synchronous = OFF", "DELETE FROM pillar_migrations",
      "DROP TABLE pillar_migrations", "CREATE TABLE pillar_x (y)", "SELECT load_extension('x')" } do
      local answer = broker:request("POST", "/sql", { headers = as("ada"), json = { sql = sql } })
      assert.equal(500, answer.status, sql)
    end
    local _, body = post("/notes")
    assert.equal("1", rows(body))
  end)

  it("keeps its event, whatever a script calls its tables", function()
    local shadow = "CREATE TEMP TABLE IF NOT EXISTS shadow (a)"
    for _, sql in ipairs { "ALTER TABLE shadow RENAME TO pillar_events", "ALTER TABLE notes RENAME TO pillar_notes",
      "CREATE TABLE refs (p REFERENCES pillar_events (position) ON DELETE CASCADE)" } do
      broker:request("POST", "/sql", { headers = as("ada"), json = { sql = shadow } })
      broker.log = ""
      local answer = broker:request("POST", "/sql", { headers = as("ada"), json = { sql = sql } })
      assert.equal(500, answer.status, sql)
      wait.until_true("the log to say why", function() return broker.log:find("pillar_ are the broker's", 1, true) end)
    end
    local stored = tonumber(broker:sql("SELECT count(*) FROM pillar_events"))
    local _, body = post("/notes")
    assert.equal("1", rows(body))
    assert.equal(stored + 1, tonumber(broker:sql("SELECT count(*) FROM pillar_events")))
  end)

  it("names what is wrong with its event", function()
    local cases = {
      { "entity is missing", { action = "created", targetUserIds = { "ada" } } },
      { "the entity 'nonsense' is not declared", { entity = "nonsense", action = "x", targetUserIds = { "ada" } } },
      { "action is missing", { entity = "note", targetUserIds = { "ada" } } },
      { "action must be a letter", { entity = "note", action = "two words", targetUserIds = { "ada" } } },
      { "targetUserIds is missing", { entity = "note", action = "created" } },
      { "targetUserIds must be a list", { entity = "note", action = "created", targetUserIds = "ada" } },
      { "targetUserIds must be a list", { entity = "note", action = "created", targetUserIds = { ada = true } } },
      { "targetUserIds must hold user ids", { entity = "note", action = "created", targetUserIds = { { "ada" } } } },
      { "targetUserIds%[1%] must be a user id", { entity = "note", action = "created", targetUserIds = { "" } } },
      { "enttiyId is not a field", { entity = "note", action = "created", targetUserIds = { "a" }, enttiyId = "1" } },
      { "sessionId must be", { entity = "note", action = "created", targetUserIds = { "a" }, sessionId = true } },
      { "entityId must be at most", { entity = "note", action = "x", targetUserIds = { "a" }, entityId = "a\nb" } },
    }
    for _, case in ipairs(cases) do
      broker.log = ""
      local answer = broker:request("POST", "/emit", { headers = as("ada"), json = case[2] })
      assert.equal(500, answer.status, case[1])
      wait.until_true("the log to say: " .. case[1], function() return broker.log:find(case[1]) end)
      assert.truthy(broker.log:find("apps/lab%.lua:%d+: emit_sync_event: "))
    end
    assert.same({}, events())
  end)

  describe("with transaction = false", function()
    it("commits what db:transaction wraps", function()
      local answer, body = post("/free/plain")
      assert.equal(201, answer.status)
      assert.equal("1", rows(body))
      assert.same({ "note created " .. answer:json().id }, events())
    end)

    it("rolls back what raises inside of it", function()
      local answer, body = post("/free/raise")
      assert.equal(500, answer.status)
      assert.equal("0", rows(body))
      assert.same({}, events())
    end)

    it("keeps what was committed when it raises later", function()
      local answer, body = post("/free/after")
      assert.equal(500, answer.status)
      assert.equal("1", rows(body))
      assert.equal(1, #events())
    end)

    it("can neither write nor emit outside of it", function()
      local _, body = post("/notes")
      events()
      assert.equal(500, post("/free/outside").status)
      assert.equal("1", rows(body))
      assert.equal(500, post("/free/emit").status)
      assert.same({}, events())
    end)

    it("goes well together with ordinary mutations", function()
      local pending = {}
      for i = 1, 60 do
        pending[i] = broker:start_request("POST", i % 2 == 0 and "/free/plain" or "/notes",
          { headers = as("ada", "other"), json = { body = "mixed " .. i } })
      end
      for i = 1, 60 do
        assert.equal(201, http.finish(pending[i]).status)
      end
      assert.equal(60, #events())
    end)
  end)
end)

describe("a commit that fails", function()
  -- The file system takes no more of the database's log, as when the disk is full.
  local full = { "sh", "-c", 'ulimit -f 800; exec "$@"', "sh" }
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua", prefix = full } end)
  teardown(function() broker:stop() end)

  it("is told to all whose handlers it held, and leaves no row and no event", function()
    local stream = broker:stream { query = "?user=ada" }
    local stored, failed = {}, 0
    for round = 1, 10 do
      local pending = {}
      for i = 1, 4 do
        pending[i] = broker:start_request("POST", "/notes",
          { headers = as("ada", "other"), json = { body = ("x"):rep(20000) .. round .. i } })
      end
      for i = 1, 4 do
        local answer = http.finish(pending[i])
        if answer.status == 201 then
          stored[#stored + 1] = "note created " .. answer:json().id
        else
          assert.equal(503, answer.status)
          assert.equal("unavailable", answer:json().error.code)
          assert.equal("1", answer.headers["retry-after"])
          failed = failed + 1
        end
      end
    end
    assert.is_true(#stored > 0 and failed > 0, ("%d stored, %d failed"):format(#stored, failed))
    stream:fence(function(name) broker:request("POST", "/fence/" .. name, { headers = as("fence") }) end)
    local told = stream:summary()
    table.sort(told)
    table.sort(stored)
    assert.same(stored, told)
    assert.equal(tostring(#stored), broker:sql("SELECT count(*) FROM notes"))
    assert.equal(200, broker:request("GET", "/notes", { headers = as("ada") }).status)
  end)
end)

describe("a GET", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  teardown(function() broker:stop() end)

  it("cannot write, and cannot emit", function()
    broker:request("POST", "/notes", { headers = as("ada"), json = { body = "stays" } })
    assert.equal(500, broker:request("GET", "/writes", { headers = as("ada") }).status)
    assert.equal("1", broker:sql("SELECT count(*) FROM notes"))
    assert.equal(500, broker:request("GET", "/emits", { headers = as("ada") }).status)
  end)
end)

describe("--dev", function()
  it("puts the error and its traceback into the answer", function()
    local broker = Broker.start { script = "tests/e2e/apps/lab.lua", args = { "--dev" } }
    local answer = broker:request("POST", "/raise", { headers = as("ada"), json = { body = "x" } })
    broker:stop()
    assert.equal(500, answer.status)
    assert.truthy(answer:json().error.message:find("raised on purpose", 1, true))
    assert.truthy(answer:json().error.message:find("stack traceback", 1, true))
  end)
end)
