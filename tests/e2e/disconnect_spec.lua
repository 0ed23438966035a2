-- pillar.disconnect: streams that a script ends, with its transaction and behind its events.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local script = [[
  local pillar = require "pillar"
  local app = pillar.app()
  app:migrate {
    "CREATE TABLE sessions (token TEXT PRIMARY KEY, userId TEXT NOT NULL)",
    "INSERT INTO sessions VALUES ('a', 'ada'), ('a2', 'ada'), ('g', 'grace'), ('7', 7)",
  }
  app:entity("note")
  app:authenticate(function(req, db)
    local id = db:value("SELECT userId FROM sessions WHERE token = ?", req.query.token or req.cookies.token)
    if req.query.slowly then os.execute("sleep 0.3") end
    if req.query.early then pillar.disconnect { userId = id } end
    return id and { id = id }
  end)

  local function note(action)
    emit_sync_event { entity = "note", action = action, targetUserIds = pillar.everyone, sessionId = false }
  end

  app:post("/fence/:name", { public = true }, function(req)
    emit_sync_event { entity = "note", action = req.params.name, targetUserIds = pillar.everyone, sessionId = false }
  end)
  app:post("/logout", function(req, db)
    pillar.disconnect { userId = req.user.id, sessionId = req.query.sessionId }
    db:delete("sessions", { token = req.query.token })
    note("behind")
  end)
  app:post("/raise", function(req)
    pillar.disconnect { userId = req.user.id }
    note("never")
    error("raised on purpose")
  end)
  app:post("/try", function(req, db)
    local _, problem = db:try(function()
      pillar.disconnect { userId = req.user.id }
      db:insert("sessions", { token = "a", userId = "somebody" })
    end)
    assert(problem.code == "unique")
    pcall(db.transaction, db, function()
      pillar.disconnect { userId = req.user.id }
      error("raised in a part")
    end)
    note("tried")
  end)
  app:post("/free", { transaction = false }, function(req, db)
    if req.query.outside then
      pillar.disconnect { userId = req.user.id }
    end
    pcall(db.transaction, db, function()
      pillar.disconnect { userId = "grace" }
      error("raised in the transaction")
    end)
    db:transaction(function()
      pillar.disconnect { userId = req.user.id }
    end)
  end)
  app:get("/read", function(req) pillar.disconnect { userId = req.user.id } end)
  app:post("/whom", function(req)
    local ok, problem = pcall(function() pillar.disconnect(req:json().whom) end)
    return { ok = ok, problem = problem }
  end)
  app:post("/many", function(req)
    for i = 1, 100000 do
      pillar.disconnect { userId = "user" .. i }
    end
  end)
  return app
]]

for loops = 1, 2 do
  describe(("pillar.disconnect with --loops %d"):format(loops), function()
    local broker

    before_each(function()
      broker = Broker.start { text = script, args = { "--loops", tostring(loops) } }
    end)
    after_each(function()
      Socket.close_all()
      broker:stop()
    end)

    local function open(token, session)
      return broker:stream { query = ("?token=%s&sessionId=%s"):format(token, session or "") }
    end

    local function fence(...)
      for _, stream in ipairs { ... } do
        stream:fence(function(name) broker:request("POST", "/fence/" .. name) end)
      end
    end

    local function actions(stream)
      local list = {}
      for i, data in ipairs(stream:events()) do
        list[i] = data.action
      end
      return list
    end

    it("ends all streams of the user, behind the commit's events, and the client meets 401", function()
      local tabs, grace = {}, open("g")
      for i = 1, 8 do
        tabs[i] = open(i % 2 == 0 and "a" or "a2", "s" .. i)
      end
      assert.equal(204, broker:request("POST", "/logout?token=a").status)
      for _, tab in ipairs(tabs) do
        tab.socket:wait_closed()
        assert.is_nil(tab.socket.failed)
        assert.same({ "behind" }, actions(tab))
        assert.equal(2, tab.retries)
        assert.equal(1, tab.comments)
      end
      assert.equal(401, broker:request("GET", "/api/events?token=a").status)
      assert.equal(8, broker:metric("streams_disconnected_total"))
      assert.equal(1, broker:metric("events_total")) -- the disconnect is none
      fence(grace)
      assert.same({ "behind" }, actions(grace))
      assert.is_false(grace.socket.closed)
      open("a2") -- whose session goes on may come back
    end)

    it("ends one tab's only", function()
      local tabs = { open("a", "s1"), open("a", "s2"), open("a"), open("g", "s1") }
      assert.equal(204, broker:request("POST", "/logout?token=a&sessionId=s1").status)
      tabs[1].socket:wait_closed()
      fence(tabs[2], tabs[3], tabs[4])
    end)

    it("loses nothing for who comes back", function()
      local tab = open("a2", "s1")
      local last = tab:named("ready")[1].id
      broker:request("POST", "/logout?token=a")
      tab.socket:wait_closed()
      broker:request("POST", "/fence/one")
      local back = broker:stream { query = "?token=a2&lastEventId=" .. tab.lastEventId }
      assert.same({ "one" }, (back:wait_events(1) and actions(back)))
      back = broker:stream { query = "?token=a2&lastEventId=" .. last }
      back:wait_events(2)
      assert.same({ "behind", "one" }, actions(back))
      assert.same({}, back:named("resync"))
    end)

    it("vanishes with the handler, or with the part of it, that fails", function()
      local tab = open("a")
      assert.equal(500, broker:request("POST", "/raise?token=a").status)
      assert.equal(204, broker:request("POST", "/try?token=a").status)
      fence(tab)
      assert.same({ "tried" }, actions(tab))
    end)

    it("works in db:transaction, and not outside of a transaction", function()
      local tab, grace = open("a"), open("g")
      assert.equal(500, broker:request("POST", "/free?token=a&outside=1").status)
      assert.equal(500, broker:request("GET", "/read?token=a").status)
      assert.equal(500, broker:request("GET", "/read?token=a&early=1").status)
      fence(tab)
      assert.truthy(broker.log:find("pillar.disconnect in a route with transaction = false works inside", 1, true))
      assert.truthy(broker.log:find("pillar.disconnect works in handlers that may write, not in a GET", 1, true))
      assert.equal(204, broker:request("POST", "/free?token=a").status)
      tab.socket:wait_closed()
      fence(grace)
    end)

    it("names what is wrong with what it is given", function()
      local cases = {
        { whom = {}, names = "userId is missing" },
        { whom = { sessionId = "s1" }, names = "userId is missing" },
        { whom = { userid = "ada" }, names = "unknown field 'userid'; did you mean 'userId'?" },
        { whom = { userId = true }, names = "userId must be a string or an integer" },
        { whom = { userId = "" }, names = "userId is missing" },
        { whom = { userId = ("x"):rep(300) }, names = "userId must be at most 256 bytes" },
        { whom = { userId = "ada", sessionId = "" }, names = "sessionId must be a string that is not empty" },
        { whom = { userId = "ada", sessionId = "a\nb" }, names = "sessionId must be at most 256 bytes" },
        { whom = "ada", names = "pillar.disconnect takes a table" },
      }
      local tab = open("a")
      for _, case in ipairs(cases) do
        local answer = broker:request("POST", "/whom?token=g", { json = { whom = case.whom } }):json()
        assert.is_false(answer.ok)
        assert.truthy(answer.problem:find(case.names, 1, true), answer.problem)
        assert.truthy(answer.problem:find("app.lua:", 1, true), answer.problem)
      end
      fence(tab)
      local seven = open("7")
      assert.same({ ok = true }, broker:request("POST", "/whom?token=g", { json = { whom = { userId = 7 } } }):json())
      seven.socket:wait_closed()
      assert.equal(500, broker:request("POST", "/many?token=g").status)
      assert.truthy(broker.log:find("more than 10000 events at once", 1, true))
    end)

    -- The sign-in is looked at, then the log-out is committed, then the stream would open.
    it("does not let in who was signed in when it was looked at", function()
      local late = broker:start_stream { query = "?token=a&slowly=1" }
      local other = broker:start_stream { query = "?token=g&slowly=1" }
      wait.until_true("both to be looked at", function()
        return broker:metric("jobs_taken_total") - broker:metric("commits_total") >= 2
      end)
      assert.equal(204, broker:request("POST", "/logout?token=a2").status)
      late.socket:wait_closed()
      assert.equal(200, late.status)
      assert.same({}, late.all)
      assert.equal(1, late.retries)
      wait.until_true("the other to open", function() return other:named("ready")[1] or other.socket.closed end)
      assert.equal(1, #other:named("ready"))
    end)
  end)
end

describe("a loop that does not keep up", function()
  it("ends all its streams rather than miss a disconnect", function()
    local broker = Broker.start { text = script, args = { "--inbox-events", "1" } }
    local tabs = { broker:stream { query = "?token=a" }, broker:stream { query = "?token=g" } }
    -- Two events and a disconnect of one commit are more than the inbox takes.
    local pending = {}
    for i = 1, 3 do
      pending[i] = broker:start_request("POST", "/logout?token=7")
    end
    for i = 1, 3 do
      assert.is_true(http.finish(pending[i]).status < 500)
    end
    for _, tab in ipairs(tabs) do
      tab.socket:wait_closed()
      assert.is_nil(tab.socket.failed)
    end
    Socket.close_all()
    broker:stop()
  end)
end)
