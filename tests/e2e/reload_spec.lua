-- The script is loaded anew while the broker runs: on SIGHUP, and with --watch when a file of it changes.

local uv = require "luv"
local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local reloaded = "SIGHUP: the script was reloaded"

local function as(user, session)
  return { ["X-User"] = user, ["X-Session-Id"] = session }
end

--- A script that says its version everywhere. A slow handler ends when there is a file of its name. `more` is Lua text.
local function app(version, more)
  return ([[
    local pillar = require "pillar"
    local version = %q
    local settings, steps = {}, {
      "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL, version TEXT NOT NULL)" }
    local app
    local function define()
      app = pillar.app(settings)
      app:authenticate(function(req)
        local name = req.headers["X-User"] or req.query.user
        return name and { id = name }
      end)
      app:entity("note")
      app:migrate(steps)
    end
    local function wait_for(name)
      os.execute("while [ ! -e " .. name .. " ] && kill -0 $PPID; do sleep 0.02; done")
      return { version = version }
    end
    local function add(req, db)
      local note = db:insert("notes", { body = req:json().body, version = version })
      emit_sync_event { entity = "note", action = "created", entityId = note.id, data = note,
        targetUserIds = pillar.everyone }
      return note
    end
    local function routes()
      app:get("/version", function() return { version = version } end)
      app:get("/slow/:name", function(req) return wait_for(req.params.name) end)
      app:post("/notes", add)
      app:post("/slow/:name", function(req, db)
        local note = add(req, db)
        wait_for(req.params.name)
        return note
      end)
      app:get("/notes", function(_, db) return db:rows("SELECT * FROM notes ORDER BY id") end)
    end
    %s
    if not app then
      define()
    end
    routes()
    return app
  ]]):format(version, more or "")
end

--- A module's text in place of the routes; `define()` has made the app before.
local function with(version, more)
  return app(version, "define()\n" .. more)
end

describe("a reload", function()
  local broker

  local function start(options)
    options = options or {}
    local args = { "--handler-deadline", "60s", "--queue-timeout", "60s", table.unpack(options.args or {}) }
    broker = Broker.start { text = options.text or app("one"), args = args, env = options.env }
    return broker
  end

  after_each(function()
    Socket.close_all()
    if broker then
      broker:stop()
      broker = nil
    end
  end)

  local function version()
    return broker:request("GET", "/version", { headers = as("ada") }):json().version
  end

  local function note(body, session)
    local answer = broker:request("POST", "/notes", { headers = as("ada", session), json = { body = body } })
    assert.equal(200, answer.status, answer.body)
    return answer:json()
  end

  local function slow(method, name)
    return broker:start_request(method, "/slow/" .. name, { headers = as("ada"), json = { body = name } })
  end

  local function wait_metric(name, value)
    wait.until_true(name .. " to be " .. value, function() return broker:metric(name) == value end)
  end

  it("has new requests answered by the new script, and says what has changed", function()
    start { text = with("one", "app:get('/old', function() return 'old' end)") }
    assert.equal("one", version())
    assert.equal(reloaded, broker:reload(with("two", "app:get('/new', function() return 'new' end)")))
    assert.equal("two", version())
    assert.equal("new", broker:request("GET", "/new", { headers = as("ada") }).body)
    assert.equal(404, broker:request("GET", "/old", { headers = as("ada") }).status)
    assert.truthy(broker.log:match("info  script: reloaded in %d+ ms: 6 routes; new: GET /new; gone: GET /old; "
      .. "0 migration steps applied\n"), broker.log)
    assert.equal(1, broker:metric("script_reloads_total"))
    assert.equal(0, broker:metric("script_reload_failures_total"))
  end)

  it("lets a running handler end with the old code, and its answer arrives", function()
    start()
    local reading, writing = slow("GET", "reading"), slow("POST", "writing")
    wait.until_true("both to run", function() return broker:metric("jobs_taken_total") == 2 end)
    assert.equal(reloaded, broker:reload(app("two")))
    assert.equal("two", version())
    assert.equal(1, broker:metric("scripts_retiring"))
    assert.equal(200, broker:request("GET", "/readyz").status)
    assert.is_nil(reading.response or writing.response)
    broker:write("reading", "")
    assert.equal("one", http.finish(reading):json().version)
    broker:write("writing", "")
    assert.equal("one", http.finish(writing):json().version)
    wait_metric("scripts_retiring", 0)
    assert.equal("one", broker:request("GET", "/notes", { headers = as("ada") }):json()[1].version)
  end)

  it("has what is queued answered by the script that it came to, and keeps one order of writes", function()
    start { args = { "--workers", "1" } }
    local stream = broker:stream { query = "?user=grace" }
    local pending = { slow("GET", "go"), slow("POST", "go") }
    wait.until_true("both to run", function() return broker:metric("jobs_taken_total") == 3 end)
    for i = 1, 10 do
      pending[#pending + 1] = broker:start_request("GET", "/version", { headers = as("ada") })
      pending[#pending + 1] = broker:start_request("POST", "/notes",
        { headers = as("ada"), json = { body = "queued " .. i } })
    end
    wait_metric("queue_depth", 20)
    assert.equal(reloaded, broker:reload(app("two")))
    assert.equal("two", version())
    assert.equal(20, broker:metric("queue_depth"))
    -- The new writer waits for the old one's transaction.
    local after = broker:start_request("POST", "/notes", { headers = as("ada"), json = { body = "after" } })
    broker:write("go", "")
    for _, each in ipairs(pending) do
      local answer = http.finish(each)
      assert.equal(200, answer.status)
      assert.equal("one", answer:json().version)
    end
    assert.equal("two", http.finish(after):json().version)
    stream:wait_events(12)
    local rows = broker:request("GET", "/notes", { headers = as("ada") }):json()
    assert.equal(12, #rows)
    for i, event in ipairs(stream:named("sync")) do
      assert.equal(rows[i].id, event.data.data.id)
      assert.equal(i, tonumber(event.id:match("%-(%d+)$")))
    end
  end)

  it("keeps streams open; they get what was before, during and after, without echo, and resume", function()
    start()
    local mine, other = broker:stream { query = "?user=ada&sessionId=mine" }, broker:stream { query = "?user=ada" }
    local first = note("before", "mine")
    other:wait_events(1)
    local seen = other.lastEventId
    local during = slow("POST", "during")
    wait.until_true("it to run", function() return broker:metric("jobs_taken_total") == 4 end)
    assert.equal(reloaded, broker:reload(app("two")))
    broker:write("during", "")
    local second = http.finish(during):json()
    local third = note("after", "mine")
    assert.same({ "one", "one", "two" }, { first.version, second.version, third.version })
    local expected = {}
    for i, made in ipairs { first, second, third } do
      expected[i] = ("note created %d"):format(made.id)
    end
    other:wait_events(3)
    assert.same(expected, other:summary())
    mine:wait_events(1)
    local resumed = broker:stream { query = "?user=ada&lastEventId=" .. seen }
    resumed:wait_events(2)
    assert.same({ expected[2], expected[3] }, resumed:summary())
    mine:fence(function(action)
      broker:reload(with("three", ("app:post('/fence', function() emit_sync_event { entity = 'note', action = %q, "
        .. "targetUserIds = { 'ada' }, sessionId = false } end)"):format(action)))
      broker:request("POST", "/fence", { headers = as("ada", "mine") })
    end)
    assert.same({ expected[2] }, mine:summary())
    assert.equal(2, broker:metric("echoes_suppressed_total"))
    for _, stream in ipairs { mine, other, resumed } do
      assert.is_false(stream.socket.closed)
      assert.same({}, stream:named("resync"))
      assert.equal(1, #stream:named("ready"))
    end
  end)

  it("lets clients subscribe to an entity that is new", function()
    start()
    assert.equal(400, broker:request("GET", "/api/events?user=ada&entities=label").status)
    broker:reload(with("two", [[
      app:entity("label")
      app:post("/labels", function()
        emit_sync_event { entity = "label", action = "created", entityId = 1, targetUserIds = { "ada" } }
      end)
    ]]))
    local stream = broker:stream { query = "?user=ada&entities=label" }
    assert.equal(204, broker:request("POST", "/labels", { headers = as("grace") }).status)
    stream:wait_events(1)
    assert.same({ "label created 1" }, stream:summary())
  end)

  it("applies a migration step that is new, and refuses one that is broken whole", function()
    start()
    note("kept")
    broker:reload(app("two", "steps[2] = 'CREATE TABLE labels (id TEXT PRIMARY KEY)'"))
    assert.equal("two", version())
    assert.equal("0", broker:sql("SELECT count(*) FROM labels"))
    assert.truthy(broker.log:find("1 migration step applied to sqlite:", 1, true))
    local outcome = broker:reload(app("three", [[
      steps[2] = "CREATE TABLE labels (id TEXT PRIMARY KEY)"
      steps[3] = "CREATE TABLE colours (id TEXT PRIMARY KEY)"
      steps[4] = { name = "typo", sql = "CREATE TABEL shapes (id TEXT)" }
    ]]))
    assert.truthy(outcome:find('migration step 4 (typo): line 1: near "TABEL": syntax error', 1, true), outcome)
    outcome = broker:reload(app("three", "steps[2] = 'CREATE TABLE labels (id INTEGER)'"))
    assert.truthy(outcome:find("migration step 2: this database has it with another text", 1, true), outcome)
    outcome = broker:reload(app("three"))
    assert.truthy(outcome:find("migration step 2: the database has it, the script does not", 1, true), outcome)
    assert.equal("two", version())
    assert.equal("0", broker:sql("SELECT count(*) FROM sqlite_schema WHERE name = 'colours'"))
    assert.equal("2", broker:sql("SELECT count(*) FROM pillar_migrations"))
    note("still written")
    assert.equal(3, broker:metric("script_reload_failures_total"))
  end)

  it("waits for a transaction with its migrations, not for long, and not without need", function()
    start { args = { "--load-deadline", "300ms" } }
    local writing = slow("POST", "writing")
    wait.until_true("it to run", function() return broker:metric("jobs_taken_total") == 1 end)
    local outcome = broker:reload(app("two", "steps[2] = 'CREATE TABLE labels (id TEXT PRIMARY KEY)'"))
    assert.truthy(outcome:find("a handler holds up the migrations", 1, true), outcome)
    assert.equal(reloaded, broker:reload(app("three")))
    assert.equal("three", version())
    broker:write("writing", "")
    assert.equal("one", http.finish(writing):json().version)
    assert.equal(reloaded, broker:reload(app("two", "steps[2] = 'CREATE TABLE labels (id TEXT PRIMARY KEY)'")))
  end)

  it("does not wait for migrations for ever, while every mutation waits for them", function()
    start { args = { "--load-deadline", "500ms" } }
    local endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    local said = broker:reload(app("two", ("steps[2] = 'CREATE TABLE late AS %s'"):format(endless)))
    assert.truthy(said:find("the migrations take longer than --load-deadline", 1, true), said)
    assert.equal("one", version())
    assert.equal("one", note("after").version)
    assert.equal("", broker:sql("SELECT name FROM sqlite_master WHERE name = 'late'"))
    assert.equal(reloaded, broker:reload(app("three")))
  end)

  it("does not wait for a script that is a pipe", function()
    start()
    os.execute(("rm '%s/app.lua' && mkfifo '%s/app.lua'"):format(broker.dir, broker.dir))
    assert.truthy(broker:reload():find("app.lua", 1, true))
    assert.equal("one", version())
    os.remove(broker.dir .. "/app.lua")
    assert.equal(reloaded, broker:reload(app("two")))
    assert.equal("two", version())
  end)

  it("that is asked for while the script is first loaded comes after it", function()
    local dir = uv.fs_mkdtemp("/tmp/pillar-XXXXXX")
    local file = assert(io.open(dir .. "/app.lua", "w"))
    file:write(app("one", [[os.execute("touch begun; while [ ! -e go ] && kill -0 $PPID; do sleep 0.02; done")]]))
    file:close()
    local process = Broker.spawn({ "run", dir .. "/app.lua", "--listen", "127.0.0.1:0", "--load-deadline", "60s",
      "--database", "sqlite:" .. dir .. "/app.db" }, { dir = dir })
    local timer = uv.new_timer() -- a file that appears does not wake this loop
    timer:start(0, 10, function() end)
    wait.until_true("the load to begin", function() return io.open(dir .. "/begun") end):close()
    process:signal("sighup")
    assert(io.open(dir .. "/go", "w")):close()
    wait.until_true("the reload", function() return process.exit or process.log:find(reloaded, 1, true) end)
    timer:stop()
    timer:close()
    assert.is_nil(process.exit)
    process:signal("sigterm")
    assert.equal(0, process:wait_exit().code)
    os.execute("rm -r '" .. dir .. "'")
  end)

  it("takes by itself, with --watch, what only the moment was wrong for", function()
    start { args = { "--load-deadline", "300ms", "--watch" } }
    local writing = slow("POST", "writing")
    wait.until_true("it to run", function() return broker:metric("jobs_taken_total") == 1 end)
    local outcome = broker:outcome(function()
      broker:replace("app.lua", app("two", "steps[2] = 'CREATE TABLE labels (id TEXT PRIMARY KEY)'"))
    end)
    assert.truthy(outcome:find("a handler holds up the migrations", 1, true), outcome)
    assert.equal("a file has changed: the script was reloaded",
      broker:outcome(function() broker:write("writing", "") end))
    assert.equal("one", http.finish(writing):json().version)
    assert.equal("two", version())
    assert.equal("0", broker:sql("SELECT count(*) FROM labels"))
  end)

  local long = "while true do end"
  for what, case in pairs {
    ["of a syntax error"] = { app("two", "local x = = 1"), "app.lua:36: unexpected symbol near '='" },
    ["of an error"] = { app("two", "error('on purpose')"), "app.lua:36: on purpose" },
    ["of an error in a module"] = { app("two", "require 'broken'"), "broken.lua:2: on purpose" },
    ["of a module that is missing"] = { app("two", "require 'nowhere'"), "module 'nowhere' not found" },
    ["it does not end"] = { app("two", long), "does not end within --load-deadline (" },
    ["it needs too much memory"] = { app("two", "local t = {} while true do t[#t + 1] = {} end"),
      "needs more memory than --script-memory" },
    ["it returns no app"] = { "return {}", "app.lua: the script must end with: return app" },
    ["nobody says who is asking"] = { "return require('pillar').app()", "nobody says who is asking" },
    ["it takes a path of the broker"] = { with("two", "app:get('/healthz', print)"),
      "app.lua:37: the broker itself answers /healthz" },
    ["a folder is missing"] = { with("two", "app:static('/', 'nowhere')"), "cannot open the directory" },
    ["a setting is wrong"] = { app("two", "settings = { workers = 'many' }"),
      "pillar.app: invalid value 'many' for workers" },
    ["its routes differ from load to load"] = { with("two", [[
        local file = assert(io.open("loads", "a"))
        file:write("x")
        app:get("/" .. file:seek(), print)
        file:close()
      ]]), "the script must define the same routes each time it is loaded; GET /" },
  } do
    it("leaves the old script running when the new one fails because " .. what, function()
      start { args = { "--load-deadline", "500ms", "--script-memory", "4MiB" } }
      broker:write("broken.lua", "\nerror('on purpose')")
      local stream = broker:stream { query = "?user=ada" }
      local outcome = broker:reload(case[1])
      assert.truthy(outcome:find("SIGHUP: the script was not reloaded, the old one goes on: ", 1, true), outcome)
      assert.truthy(outcome:find(case[2], 1, true), outcome)
      assert.equal("one", version())
      note("still written")
      stream:wait_events(1)
      assert.equal(1, broker:metric("script_reload_failures_total"))
      assert.equal(0, broker:metric("script_reloads_total"))
      assert.equal(0, broker:metric("scripts_retiring"))
      assert.equal(reloaded, broker:reload(app("two")))
      assert.equal("two", version())
    end)
  end

  it("says so when the script is gone, and takes it when it is back", function()
    start()
    os.remove(broker.dir .. "/app.lua")
    assert.truthy(broker:reload():find("app.lua: No such file or directory", 1, true))
    assert.equal("one", version())
    assert.equal(reloaded, broker:reload(app("two")))
    assert.equal("two", version())
  end)

  it("leaves settings to the next start, and names them", function()
    start { text = app("one", "settings = { max_events = 7, max_body_bytes = 100 }"), args = { "--queue-size", "50" } }
    broker:reload(app("two", "settings = { max_body_bytes = 200, queue_size = 60, heartbeat = '9s' }"))
    assert.equal("two", version())
    assert.truthy(broker.log:find("warn  script: pillar.app has other settings than at the start, and they wait for "
      .. "the next one: max-body-bytes, max-events, heartbeat\n", 1, true), broker.log)
    assert.equal(413, broker:request("POST", "/notes", { headers = as("ada"), body = ("x"):rep(150) }).status)
    local from = #broker.log
    broker:reload(app("three", "settings = { max_events = 7, max_body_bytes = 100 }"))
    assert.is_nil(broker.log:find("other settings", from, true))
  end)

  it("adds folders of files, and takes them away", function()
    start()
    assert(uv.fs_mkdir(broker.dir .. "/public", 448))
    broker:write("public/a.txt", "text")
    assert.equal(404, broker:request("GET", "/files/a.txt").status)
    broker:reload(with("two", "app:static('/files', 'public')"))
    assert.equal("text", broker:request("GET", "/files/a.txt").body)
    broker:reload(app("three"))
    assert.equal(404, broker:request("GET", "/files/a.txt").status)
  end)

  it("follows a script folder that is a link to another one", function()
    local dir = assert(uv.fs_mkdtemp("/tmp/pillar-XXXXXX"))
    for name, text in pairs { one = "one", two = "two" } do
      assert(uv.fs_mkdir(dir .. "/" .. name, 448))
      for file, content in pairs { ["app.lua"] = app("x", "version = require 'version'"),
        ["version.lua"] = ("return %q"):format(text) } do
        local out = assert(io.open(("%s/%s/%s"):format(dir, name, file), "w"))
        out:write(content)
        out:close()
      end
    end
    assert(uv.fs_symlink("one", dir .. "/current"))
    broker = Broker.spawn({ "run", "current/app.lua", "--listen", "127.0.0.1:0", "--database", "none" }, { dir = dir })
    wait.until_true("the broker to end", function() return broker.exit end)
    assert.truthy(broker.log:find("has migrations, and --database none", 1, true))
    broker = Broker.spawn({ "run", "current/app.lua", "--listen", "127.0.0.1:0", "--watch" }, { dir = dir })
    broker.owns_dir = true
    wait.until_true("it to listen", function()
      broker.port = tonumber(broker.output:match("127%.0%.0%.1:(%d+)"))
      return broker.port
    end)
    assert.equal("one", version())
    assert.equal("a file has changed: the script was reloaded", broker:outcome(function()
      assert(uv.fs_symlink("two", dir .. "/next"))
      assert(os.rename(dir .. "/next", dir .. "/current"))
    end))
    assert.equal("two", version())
  end)

  it("is refused while the broker drains", function()
    start()
    local reading = slow("GET", "reading")
    wait.until_true("it to run", function() return broker:metric("jobs_taken_total") == 1 end)
    broker:signal("sigterm")
    wait.until_true("the drain", function() return not pcall(broker.request, broker, "GET", "/healthz") end)
    assert.equal("SIGHUP: the script was not reloaded, the old one goes on: the broker is going away",
      broker:reload(app("two")))
    broker:write("reading", "")
    assert.equal("one", http.finish(reading):json().version)
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
  end)

  it("is none the worse for a thousand signals in a row", function()
    start()
    local stream = broker:stream { query = "?user=ada" }
    for i = 1, 1000 do
      broker:signal("sighup")
      if i % 100 == 0 then
        note("signal " .. i)
      end
    end
    -- Under a sanitizer all of them may have come before the first is dealt with.
    wait.until_true("a reload", function() return broker:metric("script_reloads_total") >= 1 end)
    broker:write("app.lua", app("last"))
    broker:signal("sighup")
    wait.until_true("the last version", function() return version() == "last" end)
    stream:wait_events(10)
    wait_metric("scripts_retiring", 0)
    assert.is_true(broker:metric("script_reloads_total") >= 2)
    assert.is_nil(broker.log:find("not reloaded", 1, true))
  end)

  it("is refused while too many earlier versions have handlers that do not return, and taken later", function()
    start { args = { "--max-retiring", "1", "--watch" } }
    local stuck = slow("GET", "stuck")
    wait.until_true("it to run", function() return broker:metric("jobs_taken_total") == 1 end)
    local function edit(text)
      return broker:outcome(function() broker:replace("app.lua", text) end)
    end
    assert.equal("a file has changed: the script was reloaded", edit(app("two")))
    assert.truthy(edit(app("three")):find("1 earlier versions of the script have handlers that do not return", 1, true))
    assert.equal("two", version())
    assert.equal("a file has changed: the script was reloaded",
      broker:outcome(function() broker:write("stuck", "") end))
    assert.equal("three", version())
    assert.equal("one", http.finish(stuck):json().version)
  end)

  it("does not keep the broker from ending when an old handler does not return", function()
    start { args = { "--drain-timeout", "100ms" } }
    local stuck = slow("GET", "never")
    wait.until_true("it to run", function() return broker:metric("jobs_taken_total") == 1 end)
    assert.equal(reloaded, broker:reload(app("two")))
    broker:signal("sigterm")
    wait.until_true("the drain", function() return not pcall(broker.request, broker, "GET", "/healthz") end)
    broker:signal("sigterm")
    assert.same({ code = 1, signal = 0 }, broker:wait_exit())
    assert.truthy(broker.log:find("a script does not return; ended without it", 1, true))
    broker:write("never", "")
    assert.is_nil(stuck.response)
    os.execute("rm -rf '" .. broker.dir .. "'")
    broker = nil
  end)

  it("never makes a counter fall", function()
    start()
    local before = {}
    for round = 1, 10 do
      for _ = 1, 5 do
        note("round " .. round)
        version()
      end
      broker:signal("sighup")
      repeat
        for name, value in broker:request("GET", "/metrics").body:gmatch("\n(pillar_[%w_]+_total) (%d+)") do
          value = tonumber(value)
          assert.is_true(value >= (before[name] or 0), ("%s fell from %s to %d"):format(name, before[name], value))
          before[name] = value
        end
      until before.pillar_script_reloads_total == round and broker:metric("scripts_retiring") == 0
    end
    assert.equal(50, broker:metric("events_total"))
    assert.equal(50, broker:metric("commits_total"))
    assert.equal(100, broker:metric("handlers_total"))
  end)

  it("gives all workers one text of each file, and one that starts anew the same", function()
    -- Whatever loads the module changes it for who comes next.
    local hoarder = [[
      local file = "%s/count.lua"
      version = require "count"
      local out = assert(io.open(file, "w"))
      out:write("return '", version + 1, "'")
      out:close()
      kept = {}
      app:get("/hoard", function()
        for _ = 1, 1000 do
          kept[#kept + 1] = ("x"):rep(10000) .. #kept
        end
        return version
      end)
    ]]
    start { args = { "--script-memory", "16MiB" } }
    broker:write("count.lua", "return '1'")
    broker:reload(with("x", hoarder:format(broker.dir)))
    for _ = 1, 20 do
      assert.equal("1", version())
    end
    broker:write("app.lua", with("changed", "app:get('/other', print)"))
    local statuses = {}
    for _ = 1, 30 do
      local answer = broker:request("GET", "/hoard", { headers = as("ada") })
      statuses[answer.status] = (statuses[answer.status] or 0) + 1
      assert.equal(answer.status == 200 and "1", answer.status == 200 and answer.body)
      assert.equal("1", version())
    end
    assert.is_true(statuses[503] >= 5)
    assert.truthy(broker.log:find("the script kept too much memory; the script's globals start anew", 1, true))
    assert.is_nil(broker.log:find("cannot be loaded anew", 1, true))
    broker:write("count.lua", "return '5'")
    broker:reload()
    assert.equal("changed", version())
  end)
end)

describe("--watch", function()
  local broker
  local noticed = "a file has changed: the script was reloaded"

  before_each(function()
    broker = Broker.start { text = app("one", "pcall(require, 'extra') version = extra_version or version"),
      env = { PILLAR_WATCH = "on" } }
  end)
  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  local function version()
    return broker:request("GET", "/version", { headers = as("ada") }):json().version
  end

  local function write(name, text)
    return broker:outcome(function() broker:write(name, text) end)
  end

  it("notices an edit of the script, written in place or by another name", function()
    assert.equal(noticed, write("app.lua", app("two")))
    assert.equal("two", version())
    assert.equal(noticed, broker:outcome(function() broker:replace("app.lua", app("six")) end))
    assert.equal("six", version())
  end)

  it("notices an edit of what is loaded by require, loadfile and dofile", function()
    broker:write("module.lua", "return 'module 1'")
    broker:write("loaded.lua", "return 'loaded 1'")
    broker:write("done.lua", "return 'done 1'")
    local text = app("x", ([[
      version = table.concat({ require "module", loadfile("%s/loaded.lua")(), dofile "%s/done.lua" }, ", ")
    ]]):format(broker.dir, broker.dir))
    assert.equal(noticed, write("app.lua", text))
    assert.equal("module 1, loaded 1, done 1", version())
    for _, name in ipairs { "module", "loaded", "done" } do
      assert.equal(noticed, write(name .. ".lua", ("return '%s 2'"):format(name)))
    end
    assert.equal("module 2, loaded 2, done 2", version())
  end)

  it("notices a module that a handler has loaded", function()
    broker:write("late.lua", "return 'late 1'")
    local text = with("two", "app:get('/late', function() return (require 'late') end)")
    assert.equal(noticed, write("app.lua", text))
    for i = 1, 2 do
      assert.equal("late " .. i, broker:request("GET", "/late", { headers = as("ada") }).body)
      assert.equal(noticed, write("late.lua", ("return 'late %d'"):format(i + 1)))
    end
  end)

  it("notices a module that comes, and one that goes", function()
    assert.equal(noticed, write("extra.lua", "extra_version = 'extra'"))
    assert.equal("extra", version())
    assert.equal(noticed, broker:outcome(function() os.remove(broker.dir .. "/extra.lua") end))
    assert.equal("one", version())
  end)

  it("notices that a broken edit is mended, in the script or in a module", function()
    assert.truthy(write("app.lua", "local x = = 1"):find("app.lua:1: unexpected symbol near '='", 1, true))
    assert.equal("one", version())
    assert.truthy(write("app.lua", app("two", "require 'module'")):find("module 'module' not found", 1, true))
    assert.truthy(write("module.lua", "x"):find("module.lua:1: syntax error near <eof>", 1, true))
    assert.equal("one", version())
    assert.equal(noticed, write("module.lua", "x = 1"))
    assert.equal("two", version())
    assert.equal(4, broker:metric("script_reload_failures_total") + broker:metric("script_reloads_total"))
  end)

  it("notices that a folder of files has come", function()
    assert.truthy(write("app.lua", with("two", "app:static('/', 'public')")):find("cannot open the directory", 1, true))
    assert.equal(noticed, broker:outcome(function() assert(uv.fs_mkdir(broker.dir .. "/public", 448)) end))
    assert.equal("two", version())
  end)

  it("notices that a folder has come that was not needed", function()
    local script = with("two", "app:static('/', 'built', { missing = 'make it' })")
    assert.equal(noticed, write("app.lua", script))
    local said = ("the directory %s/built is not there: make it"):format(broker.dir)
    assert.truthy(broker.log:find(said, 1, true), broker.log)
    local answer = broker:request("GET", "/page.html")
    assert.equal(404, answer.status)
    assert.equal("the files are not there: make it", answer:json().error.message)
    assert.equal(noticed, broker:outcome(function() assert(uv.fs_mkdir(broker.dir .. "/built", 448)) end))
    broker:write("built/page.html", "here")
    assert.equal("here", broker:request("GET", "/page.html").body)
  end)

  it("waits until a file that is written in pieces is whole", function()
    local text, timer = app("two"), uv.new_timer()
    local file = assert(io.open(broker.dir .. "/app.lua", "w"))
    file:setvbuf("no")
    assert.equal(noticed, broker:outcome(function()
      local at = 1
      timer:start(20, 20, function()
        file:write(text:sub(at, at + #text // 40))
        at = at + #text // 40 + 1
        if at > #text then
          timer:close()
        end
      end)
    end))
    file:close()
    assert.equal("two", version())
    assert.is_nil(broker.log:find("not reloaded", 1, true), broker.log)
  end)

  it("leaves a script alone that does not change", function()
    broker:write("unrelated.lua", "x")
    assert.equal(noticed, write("app.lua", app("two")))
    assert.equal(1, broker:metric("script_reloads_total"))
  end)
end)

describe("without --watch, an edit", function()
  it("waits for SIGHUP", function()
    local broker = Broker.start { text = app("one") }
    broker:write("app.lua", app("two"))
    assert.equal(reloaded, broker:reload())
    assert.equal(1, broker:metric("script_reloads_total"))
    assert.is_nil(broker.log:find("a file has changed", 1, true))
    broker:stop()
  end)
end)
