-- What pillar.testing does with requests, errors, time and crashes.

local support = require "support"
local testing = require "pillar.testing"

describe("a request", function()
  local t

  setup(function()
    t = support.load [[
      app:post("/echo/:id", function(req)
        return 201, {
          user = req.user, session = req.sessionId, id = req.params.id, query = req.query.q, body = req.body,
          header = req.headers["X-Thing"], kind = req.headers["Content-Type"],
        }, { ["X-Answer"] = "yes" }
      end)
      app:get("/open", { public = true }, function(req) return { user = req.user or false } end)
      app:post("/json", function(req) return { given = req:json() } end)]]
  end)

  it("has a user, a session, headers, a query and a body", function()
    local answer = t:post("/echo/a%20b?q=1", {
      user = "ada", session = "tab", headers = { ["X-Thing"] = "thing" }, body = "raw",
    })
    assert.equal(201, answer.status)
    assert.equal("yes", answer.headers["x-answer"])
    assert.equal("yes", answer.headers["X-Answer"])
    assert.same({ user = { id = "ada" }, session = "tab", id = "a b", query = "1", body = "raw", header = "thing" },
      answer:json())
    assert.equal("ä&=", t:post("/echo/1", { user = "ada", query = { q = "ä&=" } }):json().query)
  end)

  it("has a body from JSON, in which lists and null stay what they are", function()
    local given = t:post("/json", { user = "ada", json = { list = testing.list {}, null = testing.null, n = 7 } })
    assert.truthy(given.body:find('"list":[]', 1, true))
    assert.truthy(given.body:find('"null":null', 1, true))
    assert.equal("integer", math.type(given:json().given.n))
  end)

  it("may come from a user with more than an id", function()
    assert.equal("admin", t:post("/echo/1", { user = { id = 7, role = "admin" } }):json().user.role)
  end)

  it("asks authenticate when it names no user", function()
    assert.equal(401, t:post("/echo/1").status)
    local user = t:post("/echo/1", { headers = { ["X-User"] = "grace" } }):json().user
    assert.same({ id = "grace", how = "header" }, user)
  end)

  it("asks authenticate with what signIn says", function()
    local with = support.load([[app:get("/me", function(req) return req.user end)]], {
      signIn = function(user) return { ["X-User"] = user } end,
    })
    assert.same({ id = "ada", how = "header" }, with:get("/me", { user = "ada" }):json())
    assert.is_true(with:connect({ user = "ada" }):isOpen())
  end)

  it("is refused by the broker's own guard and dispatcher", function()
    assert.equal(404, t:get("/nowhere", { user = "ada" }).status)
    local wrong = t:get("/echo/1", { user = "ada" })
    assert.same({ 405, "POST, OPTIONS" }, { wrong.status, wrong.headers.allow })
    assert.equal(400, t:get("/a b", { user = "ada" }).status)
    assert.equal(400, t:get("/a/../b", { user = "ada" }).status)
    assert.equal(413, t:post("/json", { user = "ada", body = ("x"):rep(2 << 20) }).status)
    assert.equal(400, t:post("/echo/1", { user = "ada", session = ("x"):rep(300) }).status)
    assert.equal(200, t:get("/healthz").status)
  end)

  it("is held to the rules for pages of other origins", function()
    local shared = support.load [[
      app:cors { origins = { "https://app.example" } }
      app:post("/x", function() return 201 end)]]
    local function from(origin)
      return shared:post("/x", { user = "ada", headers = { Origin = origin } })
    end
    assert.same({ 201, "https://app.example" },
      { from("https://app.example").status, from("https://app.example").headers["Access-Control-Allow-Origin"] })
    assert.same({ 403, nil },
      { from("https://evil.example").status, from("https://evil.example").headers["Access-Control-Allow-Origin"] })
    local large = shared:post("/x", { headers = { Origin = "https://app.example" }, body = ("x"):rep(2 << 20) })
    assert.same({ 413, "https://app.example" }, { large.status, large.headers["Access-Control-Allow-Origin"] })
  end)

  it("comes from a client that need not say who it is each time", function()
    local ada = t:client { user = "ada", session = "tab" }
    assert.equal("tab", ada:post("/echo/1"):json().session)
    assert.equal("grace", ada:post("/echo/1", { user = "grace" }):json().user.id)
    assert.equal(200, ada:request("GET", "/open").status)
    assert.is_true(ada:connect({ entities = { "task" } }):isOpen())
  end)

  it("names an option that does not exist, or has the wrong type, at the test's line", function()
    local function refused(options)
      local problem = support.problem(function()
        local answer = t:get("/open", options)
        return answer
      end)
      assert.truthy(problem:find("^[^ ]*app_spec.lua:%d+: GET /open"), problem)
      return problem
    end
    assert.truthy(refused({ sesion = "x" }):find("did you mean 'session'?", 1, true))
    assert.truthy(refused({ user = true }):find("'user' must be", 1, true))
    assert.truthy(refused({ json = 1, body = "x" }):find("one body", 1, true))
  end)
end)

describe("a script's error", function()
  local body = [[
    app:post("/raise", function() local nothing; return nothing.field end)
    app:post("/emit", function(_, db)
      db:insert("tasks", { title = "a" })
      emit { entity = "tsak" }
    end)
    app:post("/loop", function() while true do end end)
    app:post("/fail", function() pillar.fail(418, "teapot", "short and stout") end)]]
  local t

  before_each(function() t = support.load(body, { settings = { handler_deadline = "50ms" } }) end)

  local function problem_of(path)
    return support.problem(function()
      local answer = t:post(path, { user = "ada" })
      return answer
    end)
  end

  it("fails the test at its line, and names the script's", function()
    local text = problem_of("/raise")
    assert.truthy(text:find("^[^ ]*app_spec.lua:%d+: POST /raise: "), text)
    assert.truthy(text:find(":18: attempt to index a nil value (local 'nothing')", 1, true), text)
    text = problem_of("/emit")
    assert.truthy(text:find("the entity 'tsak' is not declared", 1, true), text)
    assert.equal(0, #t:sql("SELECT * FROM tasks"))
    assert.truthy(problem_of("/loop"):find("ran past its deadline", 1, true))
  end)

  it("names the function of an entity that gave something wrong", function()
    t = support.load [[
      app:entity("note", {
        path = "/notes",
        create = function(req, db)
          return req.query.row and db:insert("tasks", { title = "a" }) or {}
        end,
        targets = function() return nil end,
      })]]
    assert.truthy(problem_of("/notes"):find(":20: 'create' of note must return the row", 1, true))
    assert.truthy(problem_of("/notes?row=1"):find(":23: the targets of note must be a list", 1, true))
  end)

  it("is an answer where it is expected, or meant for the client", function()
    assert.equal(500, t:post("/raise", { user = "ada", expectError = true }).status)
    assert.equal(503, t:post("/loop", { user = "ada", expectError = true }).status)
    assert.equal("teapot", t:post("/fail", { user = "ada" }):json().error.code)
  end)

  it("that keeps it from loading is said at the test's line", function()
    local function problem(text)
      return support.problem(function()
        local app = support.load(text)
        return app
      end)
    end
    assert.truthy(problem("app:gte('/x', print)"):find(":18: there is no app:gte; did you mean app:get?", 1, true))
    assert.truthy(problem("this is no Lua"):find("syntax error", 1, true))
    assert.truthy(problem("app:migrate { 'CREATE TABEL x' }"):find("TABEL", 1, true))
    assert.truthy(support.problem(testing.load, "no/such.lua"):find("no/such.lua", 1, true))
    assert.truthy(support.problem(testing.load, "x", { setings = {} }):find("did you mean 'settings'?", 1, true))
    assert.truthy(support.problem(support.load, "", { settings = { loops = "many" } }):find("loops", 1, true))
  end)
end)

describe("the app under test", function()
  it("is on a fresh database each time", function()
    local path = support.write [[app:post("/x", function(_, db) db:insert("tasks", { title = "a" }) emit {} end)]]
    local one, two = testing.load(path), testing.load(path)
    one:post("/x", { user = "ada" })
    assert.equal(1, #one:sql("SELECT * FROM tasks"))
    assert.equal(0, #two:sql("SELECT * FROM tasks"))
  end)

  it("keeps what a handler leaves in a global from other workers, as a broker does", function()
    local t = support.load [[
      local count = 0
      app:post("/x", function() count = count + 1 return { count = count } end)
      app:get("/x", function() return { count = count } end)]]
    assert.equal(1, t:post("/x", { user = "ada" }):json().count)
    assert.equal(0, t:get("/x", { user = "ada" }):json().count)
  end)

  it("has a clock that stands still, and moves when told", function()
    local t = support.load [[
      app:get("/now", function() return { now = pillar.now(), os = os.time(), date = os.date("!%Y-%m-%d") } end)
      app:get("/ids", function() return { pillar.uuid(), pillar.uuid(), pillar.uuid() } end)]]
    local begun = t:now()
    assert.is_true(math.abs(begun - os.time() * 1000) < 60000)
    local first = t:get("/now", { user = "ada" }):json()
    assert.equal(begun + 1, first.now)
    t:advance("48h")
    local later = t:get("/now", { user = "ada" }):json()
    assert.equal(first.now + 48 * 3600 * 1000 + 1, later.now)
    assert.equal(later.now // 1000, later.os)
    assert.equal(os.date("!%Y-%m-%d", later.now // 1000), later.date)
    t:advance(5)
    assert.equal(later.now + 5, t:now())
    local ids = t:get("/ids", { user = "ada" }):json()
    assert.is_true(ids[1] < ids[2] and ids[2] < ids[3])
    assert.truthy(support.problem(t.advance, t, "soon"):find("a time is", 1, true))
    assert.equal(1700000000000, support.load("", { now = 1700000000000 }):now())
    assert.truthy(support.problem(support.load, "", { now = "today" }):find("'now' must be a number", 1, true))
  end)

  it("tells all that was emitted, with its targets", function()
    local t = support.load [[
      app:post("/x", function()
        emit { targetUserIds = { "zoe", 7, "ada", "7" }, entityId = 1, projectId = "p" }
        emit { entity = "label", targetUserIds = pillar.everyone, sessionId = false }
      end)
      app:post("/failed", function() emit {} return 409, {} end)]]
    t:post("/x", { user = "ada", session = "tab" })
    t:post("/failed", { user = "ada" })
    local events = t:events()
    assert.equal(2, #events)
    assert.same({ "7", "ada", "zoe" }, events[1].targetUserIds)
    assert.same({ "task", "created", "1", "ada", "tab" },
      { events[1].entity, events[1].action, events[1].entityId, events[1].userId, events[1].sessionId })
    assert.is_true(events[2].everyone)
    assert.is_nil(events[2].sessionId)
    t:clear()
    assert.same({}, t:events())
  end)

  it("runs SQL to look and to prepare", function()
    local t = support.load ""
    t:sql("INSERT INTO tasks (id, title) VALUES (?, ?)", 1, "a")
    assert.same({ { id = 1, title = "a" } }, t:sql("SELECT id, title FROM tasks WHERE id = ?", 1))
    assert.truthy(support.problem(t.sql, t, "SELECT ?"):find("1 parameters, and 0 values", 1, true))
    assert.truthy(support.problem(t.sql, t, "SELEKT"):find("SELEKT", 1, true))
    assert.truthy(support.problem(t.sql, t, "SELECT ?", {}):find("value 1 is a table", 1, true))
    assert.same({ { a = 1 } }, t:sql("SELECT ? IS NULL AND ? IS NULL AS a", nil, testing.null))
    assert.same({ { a = 1.5, b = "x" } }, t:sql("SELECT ? AS a, ? AS b", 1.5, "x"))
  end)

  it("may be closed", function()
    local t = support.load ""
    local ada = t:connect { user = "ada" }
    t:close()
    assert.is_false(ada:isOpen())
    assert.truthy(support.problem(t.get, t, "/x"):find("was closed", 1, true))
    ada:messages()
    ada:pause()
    ada:resume()
  end)

  it("serves its files", function()
    local t = testing.load("examples/pillar/app.lua")
    assert.equal("text/html; charset=utf-8", t:get("/").headers["content-type"])
    assert.equal(404, t:get("/none.html").status)
    assert.equal(404, t:get("/.hidden").status)
    assert.equal("", t:request("HEAD", "/").body)
  end)
end)

describe("a process that dies", function()
  local routes = {
    transaction = [[app:post("/x", function(_, db) db:insert("tasks", { title = "a" }) emit {} return 201 end)]],
    free = [[app:post("/x", { transaction = false }, function(_, db)
      db:transaction(function() db:insert("tasks", { title = "a" }) emit {} end)
      return 201
    end)]],
  }

  for kind, route in pairs(routes) do
    it("before a commit leaves neither row nor event: " .. kind, function()
      local t = support.load(route)
      local grace = t:connect { user = "grace" }
      t:crash("before commit")
      assert.is_nil(t:post("/x", { user = "ada" }))
      assert.equal(0, #t:sql("SELECT * FROM tasks"))
      assert.same({}, t:events())
      assert.is_false(grace:isOpen())
      grace:online()
      assert.same({}, grace:events())
      assert.equal(201, t:post("/x", { user = "ada" }).status)
      assert.equal(1, #t:sql("SELECT * FROM tasks"))
      assert.equal(1, #grace:events())
    end)

    it("after a commit leaves row and event, and whoever comes back gets it: " .. kind, function()
      local t = support.load(route)
      local grace = t:connect { user = "grace" }
      t:crash("after commit")
      assert.is_nil(t:post("/x", { user = "ada" }))
      assert.equal(1, #t:sql("SELECT * FROM tasks"))
      grace:online()
      assert.equal(1, #t:events())
      assert.equal(1, #grace:events())
      assert.same({}, grace:messages("resync"))
      assert.equal(201, t:post("/x", { user = "ada" }).status)
      assert.equal(2, #t:sql("SELECT * FROM tasks"))
    end)
  end

  it("does so at a commit, and not when there is nothing to commit", function()
    local t = support.load(routes.transaction .. [[
      app:post("/boom", function() error("boom") end)
      app:post("/no", function() return 409, {} end)]])
    t:crash("before commit")
    assert.truthy(support.problem(t.post, t, "/boom", { user = "ada" }):find("boom", 1, true))
    assert.equal(409, t:post("/no", { user = "ada" }).status)
    assert.equal(404, t:post("/nowhere", { user = "ada" }).status)
    assert.is_nil(t:post("/x", { user = "ada" }))
    assert.equal(0, #t:sql("SELECT * FROM tasks"))
  end)

  it("and cannot be started again is said to be dead", function()
    local path = support.write(routes.transaction)
    local t = testing.load(path)
    local stream = t:connect { user = "ada" }
    local file = assert(io.open(path, "w"))
    file:write("this is no Lua")
    file:close()
    assert.truthy(support.problem(t.crash, t):find("syntax error", 1, true))
    for _, call in ipairs { "get", "advance", "now", "events", "clear", "sql", "crash" } do
      local text = support.problem(t[call], t, call == "advance" and 5000 or "/x")
      assert.truthy(text:find("died, and could not be", 1, true), text)
    end
    assert.is_false(stream:isOpen())
    stream:messages()
    t:close()
  end)

  it("keeps people signed in", function()
    local t = support.load [[
      app:post("/in", { public = true, transaction = false }, function(req)
        return 204, nil, pillar.auth.signIn(req, { id = "ada" })
      end)
      app:get("/session", { public = true }, function(req) return pillar.auth.session(req) or 401 end)]]
    local cookie = { Cookie = t:post("/in").headers["set-cookie"]:match("^[^;]+") }
    t:crash()
    assert.equal("ada", t:get("/session", { headers = cookie }):json().id)
  end)

  it("may do so at once", function()
    local t = support.load(routes.transaction)
    t:post("/x", { user = "ada" })
    t:crash()
    assert.equal(1, #t:sql("SELECT * FROM tasks"))
    assert.equal(201, t:post("/x", { user = "ada" }).status)
    assert.truthy(support.problem(t.crash, t, "sometime"):find("sometime", 1, true))
  end)
end)

describe("a folder of files", function()
  it("may be missing, where the script says so", function()
    local t = support.load [[app:static("/", "nowhere", { missing = "build it with make" })]]
    local answer = t:get("/page.html")
    assert.equal(404, answer.status)
    assert.equal("the files are not there: build it with make", answer:json().error.message)
    local ok, problem = pcall(support.load, [[app:static("/", "nowhere")]])
    assert.is_false(ok)
    assert.truthy(tostring(problem):find("cannot open the directory", 1, true), problem)
  end)
end)
