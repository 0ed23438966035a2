-- pillar check: each kind of finding with a script that has it, and with one that has not quite.

local uv = require "luv"
local Broker = require "support.broker"
local wait = require "support.wait"

local dir

local function write(name, text)
  local file = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

--- Checks a script of these lines between the first, which makes the app, and the last, which returns it; `modules` are
--- further files. Returns the findings, the notes, and the process.
local function check(body, modules, args)
  os.execute("rm -rf '" .. dir .. "'/*")
  uv.fs_mkdir(dir .. "/public", 493)
  uv.fs_mkdir(dir .. "/parts", 493)
  local first = 'local pillar = require "pillar" local app = pillar.app() app:anonymous()\n'
  write("app.lua", first .. body .. "\nreturn app\n")
  for name, text in pairs(modules or {}) do
    write(name, text)
  end
  local process = Broker.spawn({ "check", dir .. "/app.lua", table.unpack(args or {}) }, { dir = "/" })
  wait.until_true("the command to end", function() return process.exit end)
  for _ = 1, 10 do
    uv.run("nowait")
  end
  local findings, notes = {}, {}
  for line in process.output:gmatch("[^\n]+") do
    local place, text = line:match("^" .. dir:gsub("%p", "%%%0") .. "/(%S+:%d+): (.*)$")
    if place and text:find("^note: ") then
      notes[#notes + 1] = place .. " " .. text:sub(7)
    elseif place then
      findings[#findings + 1] = place .. " " .. text
    end
  end
  return findings, notes, process
end

--- Nothing is found, and said with the status.
local function clean(...)
  local findings, _, process = check(...)
  assert.same({}, findings)
  assert.equal("", process.log)
  assert.equal(0, process.exit.code)
end

--- One thing is found: at `place`, with a text that begins with `text`.
local function finds(place, text, ...)
  local findings, _, process = check(...)
  assert.equal(1, #findings, process.output .. process.log)
  assert.equal(place .. " " .. text, findings[1]:sub(1, #place + 1 + #text))
  assert.equal(1, process.exit.code)
  assert.equal(("pillar: %s/app.lua: 1 finding\n"):format(dir), process.log)
end

describe("pillar check", function()
  local temporary

  -- A long path, which Lua itself would shorten.
  setup(function()
    temporary = uv.fs_mkdtemp("/tmp/pillar-XXXXXX")
    dir = temporary .. "/" .. ("long-"):rep(20)
    uv.fs_mkdir(dir, 493)
  end)
  teardown(function() os.execute("rm -rf '" .. temporary .. "'") end)

  it("finds nothing in the examples", function()
    for _, name in ipairs { "pillar", "quickstart" } do
      local process = Broker.spawn { "check", ("%s/examples/%s/app.lua"):format(Broker.source, name) }
      wait.until_true("the command to end", function() return process.exit end)
      assert.equal(0, process.exit.code)
      assert.is_nil(process.output:find("note:", 1, true))
    end
  end)

  it("counts and sorts what it finds", function()
    local findings, _, process = check [[
app:entity("one")
app:entity("two")
app:post("/a", function()
  emit_sync_event { entity = "three", action = "x", targetUserIds = {} }
end)]]
    assert.equal(3, #findings)
    assert.same({ "app.lua:2", "app.lua:3", "app.lua:5" },
      { findings[1]:match("^%S+"), findings[2]:match("^%S+"), findings[3]:match("^%S+") })
    assert.equal(("pillar: %s/app.lua: 3 findings\n"):format(dir), process.log)
  end)

  it("finds an entity that nothing is done with", function()
    local idle = "nothing emits events of the entity 'task', and it has no routes;"
    finds("app.lua:2", idle, [[app:entity("task")]])
    finds("app.lua:2", idle, [[app:entity("task") -- emit_sync_event { entity = "task" }]])
    finds("app.lua:2", idle, [==[app:entity("task") local text = [[ emit_sync_event { entity = "task" } ]] ]==])
    finds("app.lua:2", idle, [[
app:entity("task")
app:entity("label")
app:post("/a", function(req) emit_sync_event { entity = req.params.x and "label" or "label" } end)]])
    finds("app.lua:2", idle, [[
app:entity("task")
app:entity("label")
app:post("/a", function() emit_sync_event { entity = "label", action = "task" } end)]])
    finds("app.lua:2", idle, [[
app:entity "task"
app:post("/a", function(req) emit_sync_event { entity = req.query.entity } end)]])

    clean [[app:entity("task", { external = true })]]
    clean [[app:entity("task", { targets = function() return {} end })]]
    clean [[app:entity("task", { path = "/a", list = function() return {} end })]]
    clean [[app:entity("task") app:post("/a", function() emit_sync_event { action = "x", entity = "task" } end)]]
    clean [[app:entity("task") app:post("/a", function() emit_sync_event({ entity = 'task' }) end)]]
    clean [[
app:entity("task")
local function emit(kind) emit_sync_event { entity = kind, action = "x" } end
app:post("/a", function() emit("task") end)]]
    clean [[
app:entity "big_task"
app:post("/a", function(req) emit_sync_event { entity = req.query.size .. "_task" } end)]]
    clean([[app:entity("task") require "parts.emit"(app)]],
      { ["parts/emit.lua"] = [[return function(app)
        app:post("/a", function() emit_sync_event { entity = "task" } end) end]] })
    clean([[app:entity("task") require("parts." .. "emit")]],
      { ["parts/emit.lua"] = [[function Later() emit_sync_event { entity = "task" } end]] })
    clean([[app:entity("task") app:post("/a", function() require("parts.later")() end)]],
      { ["parts/later.lua"] = [[return function() emit_sync_event { entity = "task" } end]] })
    clean([[app:entity("task") dofile("]] .. dir .. [[/parts/file.lua")]],
      { ["parts/file.lua"] = [[function Later() emit_sync_event { entity = "task" } end]] })
  end)

  it("finds an event of an entity that is not declared", function()
    local declare = [[app:entity("task", { external = true }) ]]
    finds("app.lua:4", "emit_sync_event names the entity 'tsak', which is not declared; did you mean 'task'?",
      declare .. [[app:post("/a", function()
  emit_sync_event {
    entity = "tsak", action = "x", targetUserIds = {} }
end)]])
    finds("parts/emit.lua:2", "emit_sync_event names the entity 'zebra', which is not declared; declare it with",
      declare .. [[require "parts.emit"]], { ["parts/emit.lua"] = [[
local function emit()
  emit_sync_event({ action = "x", entity = "zebra", })
end
return emit]] })
    clean(declare .. [[
app:post("/a", function()
  emit_sync_event { data = { entity = "other" }, action = f "entity", entity = "task" }
  local entity = "other"
  emit_sync_event { entity = entity }
  emit_sync_event { entity = "other" .. entity }
  print "emit_sync_event { entity = 'other' }"
end)]])
  end)

  it("finds input rules of an entity that has no use for them", function()
    local rest = [[path = "/a", find = print, list = function() return {} end, targets = print, ]]
    finds("app.lua:2", "the input rules of the entity 'task' are for create, update and replace",
      ([[app:entity("task", { %s input = { a = "string" } })]]):format(rest))
    finds("app.lua:2", "the input rules of the entity 'task' are for create, update and replace",
      [[app:entity("task", { path = "/a", list = function() return {} end, input = { a = "string" } })]])
    finds("app.lua:2", "the query rules of the entity 'task' are for list", [[
app:entity("task", { path = "/a", find = print, get = print, query = { a = "string" } })]])
    finds("app.lua:2", "no handler of the entity 'task' looks at req.input",
      ([[app:entity("task", { %s input = { a = "string" },
        create = function(req, db) return db:insert("x", req:json()) end,
        targets = function() return {} end, find = function() end })]]):format(
        [[path = "/a", list = print,]]))
    finds("app.lua:2", "'list' of the entity 'task' does not look at req.input",
      [[app:entity("task", { path = "/a", query = { a = "string" }, list = function(req) return req.query.a end })]])

    for _, create in ipairs { "function(req) return req.input end", "function(req) return make(req) end", "print" } do
      clean(([[app:entity("task", { path = "/a", input = { a = "string" }, query = { a = "string" },
        list = function(req) return req.input.a end,
        create = %s, targets = function() return {} end })]]):format(create))
    end
    clean [[app:entity("task", { path = "/a", input = { a = "string" },
      create = function(req) return { id = 1 } end,
      targets = function(_, _, req) return { req.input.a } end })]]
  end)

  it("finds input rules that a handler never looks at", function()
    local function route(handler, before)
      return ("%s\napp:post('/a', { input = { a = 'string' } }, %s)"):format(before or "", handler)
    end
    for _, handler in ipairs {
      "function() return 1 end",
      "function(_, db) return db:rows('SELECT 1') end",
      "function(req) return req:json().a end",
      "function(req) return { req.user.input, req.query['input'], input = 1 } end",
      "function(req) local a = { x = function() return req.body end } return a end",
      "function(request) local req = {} return req.input end",
      "function(req) local t = req.user return t.req end",
      "function(req)\nif req.user then\nfor i = 1, 2 do\nrepeat\nlocal x = 1\nuntil x end end\nreturn 1\nend",
    } do
      finds("app.lua:3", "the handler of POST /a has input rules, and does not look at req.input", route(handler))
    end
    for _, handler in ipairs {
      "function(req) return req.input.a end",
      "function(r) return r . input end",
      "function(req) return req['in' .. 'put'] end",
      "function(req) return helper(req) end",
      "function(req) local r = req return r.input end",
      "function(...) return (...).input end",
      "function(req) return (function() return req end)().input end",
      "function(req) if req.user then for i = 1, 2 do repeat local x = req.input until x end end end",
      "print",
      "require 'parts.handler'",
      "load('return function() end')()",
    } do
      clean(route(handler), { ["parts/handler.lua"] = "return function(req, db) return req.input end" })
    end
    finds("app.lua:3", "the handler of POST /a has input rules", route("require 'parts.handler'"),
      { ["parts/handler.lua"] = "return function(req, db) return db:rows(req.body) end" })
    finds("app.lua:4", "the handler of POST /a", [[
local a, b = function(req) return req.input end, function()
  return 1 end
app:post("/a", { input = { a = "string" } }, b)]])
    finds("app.lua:4", "the handler of POST /a", [[
local function outer(req)
  return req.input, function() return 1 end end
app:post("/a", { input = { a = "string" } }, (select(2, outer {})))]])
    -- Lines that cannot tell two functions apart.
    for _, handler in ipairs { "a", "b" } do
      clean(route(handler, "local a, b = function() return 1 end, function(req) return req.input end"))
      finds("app.lua:3", "the handler of POST /a", route(handler, "local a, b = function() end, function(req) end"))
    end
  end)

  it("finds a route that the broker answers by itself once it has a key", function()
    finds("app.lua:2", "the broker itself answers /api/emit as soon as it has an emit key",
      [[app:post("/api/emit", function() end)]])
    clean([[app:post("/api/emit", function() end)]], nil, { "--emit-path", "/elsewhere" })
    finds("app.lua:2", "the broker itself answers /api/events/explain as soon as it has an emit key; choose another "
      .. "path, or set --events-path", [[app:get("/api/events/explain", function() end)]])
    clean([[app:get("/api/events/explain", function() end)]], nil, { "--events-path", "/elsewhere" })
  end)

  it("finds files that a route hides", function()
    local function mount(prefix, route)
      return ([[app:static(%q, "public")
%s]]):format(prefix, route)
    end
    finds("app.lua:2", ('no file of app:static("/") is ever served: GET /*rest (%s/app.lua:3) goes'):format(dir),
      mount("/", [[app:get("/*rest", print)]]))
    finds("app.lua:2", "no file of app:static(\"/files/x\")", mount("/files/x", [[app:post("/files/*rest", print)]]))
    finds("app.lua:2", "no file of app:static(\"/files/x\")", mount("/files/x", [[app:get("/:any/*rest", print)]]))
    clean(mount("/", [[app:get("/api/*rest", print)]]))
    clean(mount("/files", [[app:get("/files/x/*rest", print)]]))
    clean(mount("/files", [[app:get("/file/*rest", print)]]))
    clean(mount("/files", [[app:get("/:any", print)]]))
  end)

  it("notes what goes before a parameter", function()
    local findings, notes, process = check [[
app:get("/tasks/:id", print)
app:get("/tasks/late", print)
app:post("/tasks/other", print)
app:get("/tasks/:id/x", print)
app:get("/:name/late", print)]]
    assert.same({}, findings)
    assert.equal(0, process.exit.code)
    assert.same({
      ("app.lua:3 GET /tasks/late goes before GET /:name/late (%s/app.lua:6), which never sees 'tasks'"):format(dir),
      ("app.lua:3 GET /tasks/late goes before GET /tasks/:id (%s/app.lua:2), which never sees 'late'"):format(dir),
    }, notes)
    notes = select(2, check [[app:static("/", "nowhere", { missing = "build it with make" })]])
    assert.same({ ("app.lua:2 the directory %s/nowhere is not there: build it with make"):format(dir) }, notes)
    assert.same({}, select(2, check [[app:static("/", ".", { missing = "build it with make" })]]))
    notes = select(2, check([[app:get("/:page", print)]], nil, { "--events-path", "/events" }))
    assert.same({ "app.lua:2 GET /:page never sees /healthz, /readyz, /metrics, /events, /openapi.json, /pillar.js, "
      .. "which the broker itself answers" }, notes)
    notes = select(2, check([[app:get("/:page", print)]], nil, { "--openapi-path", "none", "--client-path", "none" }))
    assert.same({ "app.lua:2 GET /:page never sees /healthz, /readyz, /metrics, which the broker itself answers" },
      notes)
  end)

  it("fails for a script that does not load, and prints no more than why", function()
    local _, _, process = check [[app:post("/a", { input = { title = "strin" } }, print)]]
    assert.equal("", process.output)
    assert.equal(1, process.exit.code)
    assert.truthy(process.log:find("app.lua:2: app:post(/a): input: the rule of 'title': 'strin' is not a type; "
      .. "did you mean 'string'?", 1, true), process.log)
  end)
end)
