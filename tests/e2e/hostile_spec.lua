-- Scripts that reach for what they should not have, on purpose or not.

local Broker = require "support.broker"
local Socket = require "support.socket"

local script = [[
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()
app:entity("note")
app:migrate { "CREATE TABLE rows (value TEXT PRIMARY KEY)" }

local saved, thread

local function add(db, value)
  db:insert("rows", { value = value })
  emit_sync_event { entity = "note", action = value, targetUserIds = pillar.everyone, sessionId = false }
end

local tricks = {
  try_undone = function(db)
    add(db, "kept")
    db:try(function()
      add(db, "undone")
      add(db, "kept")
    end)
  end,
  transaction_undone = function(db)
    add(db, "before")
    pcall(db.transaction, db, function()
      add(db, "undone")
      error("on purpose")
    end)
    add(db, "after")
  end,
  left_try = function(db)
    coroutine.wrap(function()
      db:try(function()
        add(db, "left")
        coroutine.yield()
      end)
    end)()
    error("on purpose")
  end,
  left_transaction = function(db)
    thread = coroutine.wrap(function()
      db:transaction(function()
        add(db, "left")
        coroutine.yield()
      end)
    end)
    thread()
    return {}
  end,
  crossed = function(db)
    local other = coroutine.wrap(function()
      db:try(function()
        coroutine.yield()
      end)
    end)
    other()
    db:try(function()
      add(db, "crossed")
      other()
    end)
  end,
  save_request = function(_, req)
    saved = req
    error("on purpose")
  end,
  use_request = function()
    return { body = saved.body or pillar.null, query = saved.query or pillar.null }
  end,
  statements = function(db)
    local values = setmetatable({}, { __index = function(_, name)
      for i = 1, 1000 do
        db:value("SELECT " .. i)
      end
      return name == "a" and db:value("SELECT :a || :b", { a = "inner", b = "most" }) or "outer"
    end })
    return { value = db:value("SELECT :a || :b", values) }
  end,
  open_statement = function(db)
    db:exec("INSERT INTO rows (value) VALUES ('open')")
    pcall(db.rows, db, "SELECT value, :v FROM rows", setmetatable({}, { __index = function() error("on purpose") end }))
    return { value = db:value("SELECT value FROM rows WHERE value = 'open'") }
  end,
  gc = function()
    setmetatable({}, { __gc = function() while true do end end })
  end,
  file_gc = function()
    getmetatable(io.stdout).__gc = function() while true do end end
  end,
  row_gc = function(db)
    getmetatable(db:row("SELECT 1 AS one")).__gc = function() while true do end end
  end,
  request_gc = function(_, req)
    getmetatable(req).__gc = function() while true do end end
  end,
  core = function()
    require "pillar.core"
  end,
  loadlib = function()
    package.loadlib("libc.so.6", "abort")()
  end,
  bytecode = function()
    local path = os.tmpname()
    local file = io.open(path, "wb")
    file:write(string.dump(function() return 1 end))
    file:close()
    package.path = path
    local ok, problem = pcall(require, "anything")
    os.remove(path)
    error(ok and "bytecode was loaded" or problem, 0)
  end,
  huge_json = function()
    local text, list = ("x"):rep(1000000), {}
    for i = 1, 1000 do
      list[i] = text
    end
    return list
  end,
  many_bytes = function()
    for _ = 1, 1000 do
      emit_sync_event { entity = "note", action = "big", targetUserIds = {}, data = ("x"):rep(250000) }
    end
  end,
  keep_dead = function()
    local function loop() while true do end end
    thread = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = loop })
      table.sort({ 1, 2, 3 }, loop)
    end)
    coroutine.resume(thread)
  end,
  close_dead = function()
    return { gone = thread == nil or coroutine.close(thread) }
  end,
  integer_key = function()
    return { [123456789012345678] = "a" }
  end,
  xpcall = function()
    local function give(...) return select("#", ...), ... end
    local thread = coroutine.wrap(function()
      return xpcall(function(...) return ..., coroutine.yield(2) end, print, 1)
    end)
    return {
      good = { xpcall(give, print, 1, nil) },
      bad = { xpcall(error, function(message) return "<" .. message .. ">" end, "x", 0) },
      yielded = { thread(), thread(3) },
    }
  end,
  coroutines = function()
    local thread = coroutine.create(function(a) error("first " .. a, 0) end)
    local failed = { coroutine.resume(thread, 1) }
    local wrapped = { pcall(coroutine.wrap(function() error("second", 0) end)) }
    local closed = ""
    local open = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() closed = "closed" end })
      coroutine.yield("third")
    end)
    return { failed, wrapped[1], { coroutine.resume(open) }, { coroutine.close(open) }, closed,
      { coroutine.resume(open) }, { coroutine.close(thread) } }
  end,
}

local function handler(req, db)
  return tricks[req.params.trick](db, req) or {}
end

app:get("/:trick", handler)
app:post("/:trick", handler)
return app
]]

describe("a hostile script", function()
  local broker, stream

  setup(function()
    broker = Broker.start { text = script, args = { "--workers", "1", "--handler-deadline", "1s" } }
    stream = broker:stream()
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  after_each(function()
    broker.log = ""
    stream.all = {}
  end)

  local function run(method, trick, status)
    local answer = broker:request(method, "/" .. trick .. "?some=query", { body = "the body" })
    assert.equal(status, answer.status, answer.body .. broker.log)
    assert.equal(200, broker:request("GET", "/healthz").status)
    return answer
  end

  local function rows()
    return broker:sql("SELECT group_concat(value) FROM (SELECT value FROM rows ORDER BY rowid)")
  end

  local function actions(last)
    stream:wait_events(1)
    require("support.wait").until_true("the event " .. last, function()
      local all = stream:events()
      return all[#all] and all[#all].action == last
    end)
    local found = {}
    for i, event in ipairs(stream:events()) do
      found[i] = event.action
    end
    return table.concat(found, ",")
  end

  it("that undoes a part of its transaction undoes the part's events", function()
    run("POST", "try_undone", 200)
    assert.equal("kept", rows())
    run("POST", "transaction_undone", 200)
    assert.equal("kept,before,after", rows())
    assert.equal("kept,before,after", actions("after"))
  end)

  it("that leaves a part of its transaction open leaves nothing", function()
    local before = rows()
    for _, trick in ipairs { "left_try", "left_transaction", "crossed" } do
      run("POST", trick, 500)
      assert.equal(before, rows(), trick)
    end
    run("POST", "open_statement", 200)
    assert.equal(before .. ",open", rows())
    assert.same({}, stream:events())
  end)

  it("that keeps a request sees nothing of it once the handler has raised", function()
    run("GET", "save_request", 500)
    local answer = run("GET", "use_request", 200):json()
    assert.equal("", answer.body == require("cjson").null and "" or answer.body)
    assert.not_equal("query", type(answer.query) == "table" and answer.query.some)
  end)

  it("that calls the database while it fills in parameters gets its own values", function()
    for _ = 1, 3 do
      assert.equal("innermostouter", run("GET", "statements", 200):json().value)
    end
  end)

  for trick, message in pairs {
    gc = "__gc is not available",
    file_gc = "attempt to index a boolean value",
    row_gc = "attempt to index a boolean value",
    request_gc = "attempt to index a boolean value",
    core = "module 'pillar.core' not found",
    loadlib = "attempt to call a nil value (field 'loadlib')",
    bytecode = "attempt to load a binary chunk",
    huge_json = "too large for JSON",
    integer_key = "an integer key",
  } do
    it("does not get " .. trick, function()
      run("GET", trick, 500)
      assert.truthy(broker.log:find(message, 1, true), broker.log)
    end)
  end

  it("cannot emit more bytes than a handler may", function()
    run("POST", "many_bytes", 500)
    assert.truthy(broker.log:find("--max-events-bytes", 1, true), broker.log)
  end)

  it("starts anew when a deadline has killed a coroutine, which nothing could stop from closing", function()
    run("GET", "keep_dead", 503)
    assert.is_true(run("GET", "close_dead", 200):json().gone)
    assert.truthy(broker.log:find("a coroutine was ended at its deadline", 1, true))
  end)

  it("has an xpcall and coroutines that do what Lua's do", function()
    local answer = run("GET", "xpcall", 200):json()
    assert.same({ true, 2, 1 }, { answer.good[1], answer.good[2], answer.good[3] })
    assert.same({ false, "<x>" }, answer.bad)
    assert.same({ 2, true, 1, 3 }, answer.yielded)
    assert.same({
      { false, "first 1" }, false, { true, "third" }, { true }, "closed",
      { false, "cannot resume dead coroutine" }, { false, "first 1" },
    }, run("GET", "coroutines", 200):json())
  end)
end)
