-- Input rules, over the wire: what is refused reaches no handler, and what a handler gets is what the rules say.

local Broker = require "support.broker"

local script = [[
local pillar = require "pillar"
local app = pillar.app()

app:migrate { "CREATE TABLE notes (id TEXT PRIMARY KEY, title TEXT NOT NULL, stars INTEGER, due TEXT)" }

app:authenticate(function(req)
  local name = req.headers["X-User"]
  return name and { id = name }
end)

app:entity("note", {
  path = "/notes",
  input = { title = "string 1..10 trimmed", stars = "integer 0..5 default 3", due = "date nullable default null" },
  query = { limit = "integer 1..100 default 50", tag = pillar.input.list("one of a, b", "optional") },
  list = function(req) return req.input end,
  find = function(db, id) return db:row("SELECT * FROM notes WHERE id = ?", id) end,
  get = function(_, _, note) return note end,
  create = function(req, db)
    local note = req.input
    note.id = pillar.uuid()
    return db:insert("notes", note)
  end,
  update = function(req, db, note) return db:update("notes", note.id, req.input) end,
  replace = function(req, db, note) return db:update("notes", note.id, req.input) end,
  targets = function() return pillar.everyone end,
})

app:post("/echo", { input = {
  id = "id optional",
  tasks = pillar.input.list({ order = "number" }, "..3 optional"),
  any = "any optional nullable",
} }, function(req)
  return 200, req.input
end)

app:post("/free", { transaction = false, input = { n = "integer" } }, function(req)
  return 200, { n = req.input.n + 1 }
end)

app:get("/search", { input = { n = "integer optional" } }, function(req)
  return 200, { n = math.type(req.input.n) }
end)

app:post("/none", function(req)
  return 200, { input = req.input == nil }
end)

return app
]]

describe("input rules", function()
  local broker

  setup(function() broker = Broker.start { text = script } end)
  teardown(function() broker:stop() end)

  local function ask(method, path, body, headers)
    headers = headers or { ["X-User"] = "ada" }
    return broker:request(method, path, type(body) == "string" and { body = body, headers = headers }
      or { json = body, headers = headers })
  end

  it("refuse a body with everything that is wrong in it, and nothing comes of it", function()
    local answer = ask("POST", "/notes", { stars = 6, due = "tomorrow", colour = "red" })
    assert.equal(400, answer.status)
    assert.equal("application/json", answer.headers["content-type"])
    assert.same({
      code = "invalid_field",
      message = "title is missing; colour is not a known field; due must be a date such as 2026-12-31; "
        .. "stars must be from 0 to 5",
      field = "title",
      fields = {
        { field = "title", message = "is missing" },
        { field = "colour", message = "is not a known field" },
        { field = "due", message = "must be a date such as 2026-12-31" },
        { field = "stars", message = "must be from 0 to 5" },
      },
    }, answer:json().error)
    assert.equal("0", broker:sql("SELECT count(*) FROM notes"))
    assert.equal(0, broker:metric("events_total"))
    local nested = ask("POST", "/echo", { tasks = { { order = 1 }, { order = "2" } } })
    assert.equal("tasks[1].order", nested:json().error.field)
  end)

  it("fill in defaults for what is created and replaced, and for nothing that is changed", function()
    local note = ask("POST", "/notes", { title = "  Milk " })
    assert.equal(201, note.status, note.body)
    note = note:json()
    local null = require("cjson").null
    assert.same({ id = note.id, title = "Milk", stars = 3, due = null }, note)
    local path = "/notes/" .. note.id
    assert.same({ id = note.id, title = "Milk", stars = 5, due = "2026-12-31" },
      ask("PATCH", path, { stars = 5, due = "2026-12-31" }):json())
    for _, empty in ipairs { "{}", "" } do
      local answer = ask("PATCH", path, empty, { ["X-User"] = "ada", ["Content-Type"] = "application/json" })
      assert.equal(200, answer.status, answer.body)
      assert.equal(5, answer:json().stars)
    end
    assert.equal(null, ask("PATCH", path, { due = null }):json().due)
    assert.equal("title", ask("PATCH", path, { title = "   " }):json().error.field)
    assert.equal("title", ask("PUT", path, { stars = 1 }):json().error.field)
    assert.same({ id = note.id, title = "Eggs", stars = 3, due = null }, ask("PUT", path, { title = "Eggs" }):json())
  end)

  it("read the query of a GET", function()
    assert.same({ limit = 50 }, ask("GET", "/notes"):json())
    assert.same({ limit = 7, tag = { "a", "b" } }, ask("GET", "/notes?limit=7&tag=a&tag=b"):json())
    local answer = ask("GET", "/notes?limit=many&tag=c&sort=up")
    assert.equal(400, answer.status)
    assert.equal("sort is not a known field; limit must be an integer; tag[0] must be one of a, b",
      answer:json().error.message)
    assert.same({ n = "integer" }, ask("GET", "/search?n=7"):json())
    assert.equal("n must be an integer", ask("GET", "/search?n="):json().error.message)
    assert.equal("limit is there more than once", ask("GET", "/notes?limit=1&limit=2"):json().error.message)
  end)

  it("make ids strings, and give lists and null as they came", function()
    assert.equal('{"id":"7"}', ask("POST", "/echo", '{"id":7}',
      { ["X-User"] = "ada", ["Content-Type"] = "application/json" }).body)
    assert.equal('{"any":[]}', ask("POST", "/echo", '{"any":[]}',
      { ["X-User"] = "ada", ["Content-Type"] = "application/json" }).body)
    assert.equal('{"any":null}', ask("POST", "/echo", '{"any":null}',
      { ["X-User"] = "ada", ["Content-Type"] = "application/json" }).body)
  end)

  it("hold where a handler waits for something outside", function()
    assert.same({ n = 8 }, ask("POST", "/free", { n = 7 }):json())
    assert.equal("n", ask("POST", "/free", { n = "7" }):json().error.field)
  end)

  it("leave it to the handler where there are none", function()
    assert.is_true(ask("POST", "/none", { a = 1 }):json().input)
  end)

  it("come behind the question who asks, and whether the body is a JSON object", function()
    assert.equal(401, ask("POST", "/notes", { stars = 6 }, {}).status)
    assert.equal(415, ask("POST", "/notes", "title=x").status)
    for _, body in ipairs { "[]", '"text"', "{", "7" } do
      local answer = ask("POST", "/notes", body, { ["X-User"] = "ada", ["Content-Type"] = "application/json" })
      assert.equal(400, answer.status)
      assert.equal("invalid_json", answer:json().error.code)
    end
  end)

  it("answer hostile bodies shortly", function()
    for _, body in ipairs {
      '{"' .. ("x"):rep(500000) .. '":1}',
      '{"title":"' .. ("x"):rep(500000) .. '"}',
      '{"tasks":[' .. ('{"order":"1"},'):rep(50000) .. "{}]}",
      '{"title":' .. ("["):rep(90) .. ("]"):rep(90) .. "}",
    } do
      local answer = ask("POST", "/notes", body, { ["X-User"] = "ada", ["Content-Type"] = "application/json" })
      assert.equal(400, answer.status)
      assert.truthy(#answer.body < 2000, #answer.body)
    end
  end)
end)
