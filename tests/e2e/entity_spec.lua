-- app:entity: which events a change makes, when those whom it concerns change with it.

local Broker = require "support.broker"
local Socket = require "support.socket"

local script = [[
local pillar = require "pillar"
local app = pillar.app()

app:migrate { "CREATE TABLE docs (id INTEGER PRIMARY KEY, readers TEXT NOT NULL, title TEXT, projectId TEXT)" }

app:authenticate(function(req)
  local name = req.headers["X-User"] or req.query.user
  return name and { id = name }
end)

app:entity("doc", {
  path = "/docs",
  list = function(_, db) return db:rows("SELECT * FROM docs") end,
  find = function(db, id) return db:row("SELECT * FROM docs WHERE id = ?", id) end,
  get = function(_, _, doc) return doc end,
  create = function(req, db)
    local body = req:json()
    if body.title == "taken" then
      return 409, { error = { code = "taken", message = "taken" } }
    elseif body.title == "later" then
      return 202, db:insert("docs", body), { ["X-Later"] = "yes" }
    elseif body.title == "nothing" then
      return nil
    end
    return db:insert("docs", body)
  end,
  update = function(req, db, doc)
    doc.readers = "changed in place, to no effect" -- the targets before were asked before
    return db:update("docs", req.params.id, req:json())
  end,
  replace = function(req, db, doc) return db:update("docs", doc.id, req:json()) end,
  delete = function(_, db, doc)
    db:delete("docs", doc.id)
    if doc.title == "row" then
      return doc
    end
  end,
  targets = function(_, doc)
    if doc.readers == "everyone" then
      return pillar.everyone
    end
    local ids = {}
    for id in doc.readers:gmatch("%w+") do
      ids[#ids + 1] = id == "asRow" and { userId = "row" } or tonumber(id) or id
    end
    return ids
  end,
})
app:entity("fence")

app:post("/fence", function()
  emit_sync_event { entity = "fence", action = "end", targetUserIds = pillar.everyone, sessionId = false }
end)

return app
]]

describe("an entity", function()
  local broker, streams
  local users = { "ada", "grace", "linus", "7", "row" }

  setup(function() broker = Broker.start { text = script } end)
  before_each(function()
    streams = {}
    for _, user in ipairs(users) do
      streams[user] = broker:stream { query = "?user=" .. user }
    end
  end)
  after_each(function() Socket.close_all() end)
  teardown(function() broker:stop() end)

  local function ask(method, path, body)
    return broker:request(method, path, { headers = { ["X-User"] = "ada", ["X-Session-Id"] = "s" }, json = body })
  end

  --- What each user got since the last look: "created", "removed", ...; users who got nothing are left out.
  local function received()
    broker:request("POST", "/fence", { headers = { ["X-User"] = "ada" } })
    local found = {}
    for user, stream in pairs(streams) do
      stream:wait_events(1)
      require("support.wait").until_true("the fence", function()
        local events = stream:events()
        return events[#events] and events[#events].entity == "fence"
      end)
      local actions = {}
      for _, event in ipairs(stream:events()) do
        actions[#actions + 1] = event.entity == "doc" and event.action .. (event.data and "" or " without data") or nil
      end
      stream.all = {}
      found[user] = actions[1] and table.concat(actions, ", ") or nil
    end
    return found
  end

  local function create(readers, title)
    local answer = ask("POST", "/docs", { readers = readers, title = title })
    assert.equal(201, answer.status, answer.body)
    return "/docs/" .. answer:json().id, answer:json()
  end

  it("tells those whom a new row concerns, by string, number or row", function()
    create("grace,7,asRow,grace")
    assert.same({ grace = "created", ["7"] = "created", row = "created" }, received())
    create("everyone")
    assert.same({ ada = "created", grace = "created", linus = "created", ["7"] = "created", row = "created" },
      received())
    create("")
    assert.same({}, received())
  end)

  for method, what in pairs { PATCH = "an update", PUT = "a replacement" } do
    it(("tells who loses and who gains sight of a row by %s"):format(what), function()
      local path = create("ada,grace")
      received()
      assert.equal(200, ask(method, path, { readers = "grace,linus" }).status)
      assert.same({ ada = "removed without data", grace = "updated", linus = "created" }, received())
      ask(method, path, { readers = "everyone" })
      assert.same({ ada = "updated", grace = "updated", linus = "updated", ["7"] = "updated", row = "updated" },
        received())
      ask(method, path, { readers = "linus" })
      local removed = "removed without data"
      assert.same({ ada = removed, grace = removed, linus = removed .. ", created", ["7"] = removed, row = removed },
        received())
      ask(method, path, { title = "same readers" })
      assert.same({ linus = "updated" }, received())
    end)
  end

  it("tells those whom a deleted row concerned", function()
    local path = create("ada,grace")
    received()
    local answer = ask("DELETE", path)
    assert.equal(204, answer.status)
    assert.equal("", answer.body)
    assert.same({ ada = "deleted without data", grace = "deleted without data" }, received())
    assert.equal(404, ask("DELETE", path).status)
    local with_row = create("grace", "row")
    assert.equal(200, ask("DELETE", with_row).status)
  end)

  it("carries the row's id and project", function()
    ask("POST", "/docs", { readers = "grace", projectId = "p1" })
    streams.grace:wait_events(1)
    local event = streams.grace:events()[1]
    assert.equal("p1", event.projectId)
    assert.equal(("%d"):format(event.data.id), event.entityId)
    assert.equal("ada", event.userId)
    assert.equal("s", event.sessionId)
  end)

  it("lets a handler answer for itself", function()
    local taken = ask("POST", "/docs", { readers = "grace", title = "taken" })
    assert.equal(409, taken.status)
    assert.equal("taken", taken:json().error.code)
    local later = ask("POST", "/docs", { readers = "grace", title = "later" })
    assert.equal(202, later.status)
    assert.equal("yes", later.headers["x-later"])
    assert.same({ grace = "created" }, received())
  end)

  it("takes a handler that forgets its row for a mistake", function()
    local answer = ask("POST", "/docs", { title = "nothing" })
    assert.equal(500, answer.status)
    require("support.wait").until_true("the log", function()
      return broker.log:find("'create' of doc must return the row, with its id", 1, true)
    end)
    assert.same({}, received())
  end)

  it("answers 404 for a row that is not there", function()
    for _, method in ipairs { "GET", "PATCH", "PUT", "DELETE" } do
      local answer = ask(method, "/docs/12345", method ~= "GET" and { title = "x" } or nil)
      assert.equal(404, answer.status)
      assert.equal("not_found", answer:json().error.code)
    end
  end)
end)
