-- The script API as a script sees it.

local cjson = require "cjson"
local Broker = require "support.broker"
local Socket = require "support.socket"
local wait = require "support.wait"

local function as(user)
  return { ["X-User"] = user }
end

describe("the request", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  teardown(function() broker:stop() end)

  it("tells everything there is to know", function()
    local answer = broker:request("POST", "/echo/a%2Fb%20c/x/y%25z?tag=1&tag=2&name=J%C3%BCrgen+K&empty=&bare", {
      headers = {
        ["X-User"] = "ada",
        ["x-THING"] = "value, with comma",
        Cookie = 'one=1; two="2"; one=3; =nameless; flag',
        ["X-Request-Id"] = "from-the-proxy.1",
      },
      body = "raw \0 body",
    })
    assert.equal(200, answer.status)
    assert.same({
      method = "POST",
      path = "/echo/a/b c/x/y%z",
      params = { one = "a/b c", rest = "x/y%z" },
      query = { tag = "1", name = "Jürgen K", empty = "", bare = "" },
      tags = { "1", "2" },
      cookies = { one = "1", two = "2" },
      header = "value, with comma",
      body = "raw \0 body",
      remoteAddress = "127.0.0.1",
      id = "from-the-proxy.1",
    }, answer:json())
    assert.equal("from-the-proxy.1", answer.headers["x-request-id"])
  end)

  it("gets an id of its own when none is given, or a strange one", function()
    local one = broker:request("GET", "/text", { headers = as("ada") }).headers["x-request-id"]
    local other = broker:request("GET", "/text", { headers = { ["X-User"] = "ada", ["X-Request-Id"] = "a b" } })
    assert.is_truthy(one:match("^%x+%-%x+$"))
    assert.is_truthy(other.headers["x-request-id"]:match("^%x+%-%x+$"))
    assert.not_equal(one, other.headers["x-request-id"])
  end)

  it("knows its user and session", function()
    assert.same({ user = "ada", sessionId = "tab" },
      broker:request("GET", "/whoami", { headers = { ["X-User"] = "ada", ["X-Session-Id"] = "tab" } }):json())
    assert.equal(cjson.null, broker:request("GET", "/whoami", { headers = as("ada") }):json().sessionId)
  end)
end)

describe("an answer", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  teardown(function() broker:stop() end)

  it("is text for a string, and 204 for nothing", function()
    local text = broker:request("GET", "/text", { headers = as("ada") })
    assert.equal("plain", text.body)
    assert.equal("text/plain; charset=utf-8", text.headers["content-type"])
    local nothing = broker:request("GET", "/nothing", { headers = as("ada") })
    assert.equal(204, nothing.status)
    assert.is_nil(nothing.headers["content-length"])
  end)

  for what, header in pairs {
    CR = { name = "X-A", value = "a\rb" },
    LF = { name = "X-A", value = "a\nSet-Cookie: b" },
    NUL = { name = "X-A", value = "a\0b" },
    name = { name = "X A", value = "b" },
    framing = { name = "Content-Length", value = "5" },
    ["transfer coding"] = { name = "transfer-encoding", value = "chunked" },
  } do
    it(("with a bad header is a script error, not a split response: %s"):format(what), function()
      local answer = broker:request("POST", "/header", { headers = as("ada"), json = header })
      assert.equal(500, answer.status)
      assert.is_nil(answer.headers["set-cookie"])
    end)
  end
end)

describe("JSON", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  teardown(function() broker:stop() end)

  local function echo(text)
    return broker:request("POST", "/json", {
      headers = { ["X-User"] = "ada", ["Content-Type"] = "application/json; charset=utf-8" },
      body = text,
    })
  end

  it("comes out as it went in", function()
    for _, text in ipairs { "[]", "{}", "[[],{}]", "[7]", "[-7,0]", "[9007199254740992]", "[9007199254740993]",
      "[9223372036854775807,-9223372036854775808]", "[1234567890123456]", "[0.1]", "[0.30000000000000004]",
      "[1.5e+300]",
      '["\\u0000"]', '["ü€😀"]', "[true,false,null]", '{"a":[]}', '["\\"\\\\"]' } do
      local answer = echo(text)
      assert.equal(200, answer.status, text)
      assert.equal(text, answer.body)
    end
    assert.equal("[7,100]", echo("[7.0,1e2]").body)
    assert.equal('["😀"]', echo('["\\ud83d\\ude00"]').body)
  end)

  it("that is none is refused with 400", function()
    for _, text in ipairs { "", "{", "[1,]", "[NaN]", "[Infinity]", "[0x10]", "[01]", "['a']", '["\\ud800"]',
      '["\255"]',
      '["a\nb"]', "[1] 2", "nul", '{"a":1,}', "[1e999]", ("["):rep(101) .. ("]"):rep(101), "{a:1}" } do
      local answer = echo(text)
      assert.equal(400, answer.status, text)
      assert.equal("invalid_json", answer:json().error.code)
    end
    assert.equal(200, echo(("["):rep(100) .. ("]"):rep(100)).status)
    for _, text in ipairs { "7", '"text"', "null", "true" } do
      assert.equal(400, echo(text).status)
    end
  end)

  it("is needed by name", function()
    for _, kind in ipairs { "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "x/json" } do
      local answer = broker:request("POST", "/json",
        { headers = { ["X-User"] = "ada", ["Content-Type"] = kind }, body = "[]" })
      assert.equal(415, answer.status, kind)
    end
    assert.equal(415, broker:request("POST", "/json", { headers = as("ada"), body = "[]" }).status)
    assert.equal(200, broker:request("POST", "/json",
      { headers = { ["X-User"] = "ada", ["Content-Type"] = "application/vnd.api+json" }, body = "[]" }).status)
  end)
end)

describe("in a script", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/types.lua", args = { "--dev" } } end)
  teardown(function() broker:stop() end)

  local function run(code)
    return broker:request("POST", "/run", { body = code })
  end

  --- Runs code that returns a value, and gives that back.
  local function result(code)
    local answer = run("return { value = (function() " .. code .. " end)() }")
    assert.equal(200, answer.status, answer.body)
    return answer:json().value, answer.body
  end

  local function problem(code)
    local answer = run(code)
    assert.equal(500, answer.status, answer.body)
    return answer:json().error.message
  end

  it("JSON refuses what it cannot hold, and says where", function()
    assert.truthy(problem("return { a = { b = { 1, print } } }"):find("a.b[2] is a function", 1, true))
    assert.truthy(problem("return { a = 0/0 }"):find("a is a number that is not finite", 1, true))
    assert.truthy(problem("return { a = '\\xff' }"):find("a is a string that is not UTF-8", 1, true))
    assert.truthy(problem("local t = {} t.t = t return t"):find("nested too deeply, or contains itself", 1, true))
    assert.truthy(problem("return { [{}] = 1 }"):find("a table with a key that is neither", 1, true))
    assert.equal('{"value":[]}', select(2, result("return pillar.list {}")))
    assert.equal('{"value":{}}', select(2, result("return {}")))
    assert.equal('{"value":[null]}', select(2, result("return { pillar.null }")))
  end)

  it("db tells a column's name that looks like others from them", function()
    for _, names in ipairs { '{ [""] = 1 }', '{ ["i\\0t"] = 1 }' } do
      for _, call in ipairs { 'db:insert("things", %s)', 'db:update("things", 1, %s)' } do
        assert.truthy(problem([[
          db:insert("things", {})
          db:insert("things", { i = 1, t = "x" })
          return ]] .. call:format(names)):find("must be named by a string", 1, true))
      end
    end
  end)

  it("db gives a name of a row that two columns have once", function()
    local row = 'return db:row("SELECT NULL AS a, NULL AS a, 1 AS b")'
    assert.equal('{"value":{"b":1,"a":null}}', select(2, result(row)))
  end)

  it("db gives every type back exactly", function()
    assert.equal("9223372036854775807 -9223372036854775808 integer", result([[
      local row = db:insert("things", { i = math.maxinteger })
      local low = db:insert("things", { i = math.mininteger })
      return ("%d %d %s"):format(row.i, low.i, math.type(row.i))]]))
    assert.equal("0.1 float", result([[
      local row = db:insert("things", { r = 0.1 })
      return row.r .. " " .. math.type(row.r)]]))
    assert.equal("61006200:0061", result([[
      local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
      local row = db:insert("things", { t = "a\0b\0", b = pillar.blob "\0a" })
      return hex(row.t) .. ":" .. hex(db:value("SELECT b FROM things WHERE id = ?", row.id))]]))
    assert.same({ "text", "blob" }, result([[
      local row = db:insert("things", { t = "x", b = pillar.blob "x" })
      return { db:value("SELECT typeof(t) FROM things WHERE id = ?", row.id),
               db:value("SELECT typeof(b) FROM things WHERE id = ?", row.id) }]]))
    assert.same({ true, false, "nil", 7 }, result([[
      local on, off = db:insert("things", { flag = true }), db:insert("things", { flag = false })
      return { on.flag, off.flag, type(db:insert("things", {}).flag), db:insert("things", { flag = 7 }).flag }]]))
    local row = result([[ return db:insert("things", { t = pillar.null, i = nil }) ]])
    assert.equal(cjson.null, row.t)
    assert.equal(cjson.null, row.i)
    assert.equal("there", row.must)
  end)

  it("db takes parameters by position and by name", function()
    assert.equal("3 nil b", result([[
      return ("%s %s %s"):format(db:value("SELECT ? + ?", 1, 2), db:value("SELECT ?", nil),
        db:value("SELECT :b", { a = "a", b = "b" }))]]))
    assert.truthy(problem([[ return db:value("SELECT ? + ?", 1) ]]):find("2 parameters, and 1 values", 1, true))
    assert.truthy(problem([[ return db:value("SELECT ?", 1, 2) ]]):find("1 parameters, and 2 values", 1, true))
    assert.truthy(problem([[ return db:value("SELECT :x", { y = 1 }) ]]):find("no value for :x", 1, true))
    assert.truthy(problem([[ return db:value("SELECT :x", 1) ]]):find("the parameter :x", 1, true))
    assert.truthy(problem([[ return db:value("SELECT ?", print) ]]):find("value 1 is a function", 1, true))
    assert.truthy(problem([[ return db:value("SELECT 1; SELECT 2") ]]):find("more than one statement", 1, true))
    assert.truthy(problem([[ return db:value("SELEC 1") ]]):find('near "SELEC"', 1, true))
  end)

  it("db reads rows, values and counts", function()
    assert.same({ rows = { { n = 1, s = "a" }, { n = 2, s = "b" } }, values = { 1, 2 }, none = {}, changed = 2 },
      result([[
        local from = "(SELECT 1 AS n, 'a' AS s UNION ALL SELECT 2, 'b')"
        db:insert("things", { i = 501 })
        db:insert("things", { i = 501 })
        return {
          rows = db:rows("SELECT * FROM " .. from),
          values = db:values("SELECT n FROM " .. from),
          none = db:rows("SELECT 1 WHERE 0"),
          row = db:row("SELECT 1 WHERE 0"),
          value = db:value("SELECT 1 WHERE 0"),
          changed = db:exec("UPDATE things SET i = 502 WHERE i = 501"),
        }]]))
    assert.equal('{"value":[]}', select(2, result([[ return db:rows("SELECT 1 WHERE 0") ]])))
  end)

  it("db inserts, updates and deletes by table and id or columns", function()
    assert.same({ 2, 3, 3, "nil", "nil" }, result([[
      local row = db:insert("things", { i = 1 })
      local by_id = db:update("things", row.id, { i = 2 })
      local by_columns = db:update("things", { id = row.id, t = pillar.null }, { i = 3 })
      local gone = db:delete("things", row.id)
      return { by_id.i, by_columns.i, gone.i, type(db:delete("things", row.id)),
               type(db:update("things", row.id, { i = 1 })) }]]))
    assert.truthy(problem([[ db:delete("things", {}) ]]):find("an empty condition", 1, true))
    assert.truthy(problem([[ db:delete("things") ]]):find("which row?", 1, true))
    assert.truthy(problem([[ db:insert("things", { nonsense = 1 }) ]]):find("nonsense", 1, true))
    assert.truthy(problem([[ db:insert('things" --', {}) ]]):find("no such table", 1, true))
  end)

  it("db:try gives a broken constraint as a value, and undoes what led to it", function()
    assert.same({ "unique", "t", 1, "not_null", "check", "returned" }, result([[
      db:insert("things", { t = "taken" })
      local row, unique = db:try(function()
        db:insert("things", { t = "undone" })
        return db:insert("things", { t = "taken" })
      end)
      assert(row == nil)
      local left = db:value("SELECT count(*) FROM things WHERE t IN ('taken', 'undone')")
      local _, null = db:try(function() return db:insert("things", { must = pillar.null }) end)
      local _, check = db:try(function() return db:insert("things", { must = "" }) end)
      return { unique.code, unique.field, left, null.code, check.code, db:try(function() return "returned" end) }]]))
    assert.truthy(problem([[ db:try(function() error("other") end) ]]):find("other", 1, true))
  end)

  it("a constraint that breaks without db:try is answered by itself", function()
    local function answer(code)
      local got = run(code)
      return got.status, got:json().error.code, got:json().error.field
    end
    run([[ db:insert("things", { t = "once" }) ]])
    assert.same({ 409, "unique", "t" }, { answer([[ db:insert("things", { t = "once" }) ]]) })
    assert.same({ 400, "not_null", "must" }, { answer([[ db:insert("things", { must = pillar.null }) ]]) })
    assert.same({ 400, "check" }, { answer([[ db:insert("things", { must = "" }) ]]) })
    assert.same({ 409, "foreign_key" }, { answer([[ db:insert("parts", { thing = -1 }) ]]) })
    assert.equal("0", broker:sql("SELECT count(*) FROM parts"))
  end)

  it("db:transaction inside of a mutation undoes its own part alone", function()
    assert.equal(1, result([[
      db:insert("things", { i = 700 })
      pcall(function()
        db:transaction(function()
          db:insert("things", { i = 700 })
          error("undo")
        end)
      end)
      return db:value("SELECT count(*) FROM things WHERE i = 700")]]))
  end)

  it("nothing works outside of a handler that was kept from one", function()
    local first = run([[ kept_req, kept_db = req, db; return {} ]])
    assert.equal(200, first.status)
    local second = run([[ return { headers = type(kept_req.headers), path = kept_req.path } ]])
    assert.same({ headers = "nil", path = "/run" }, second:json())
  end)

  it("there are no ways around", function()
    assert.equal("nil nil nil", result([[
      return ("%s %s %s"):format(debug.sethook, debug.getregistry, debug.setmetatable)]]))
    assert.truthy(problem([[ load(string.dump(function() end))() ]]):find("attempt to load", 1, true)
      or problem([[ load(string.dump(function() end))() ]]):find("nil value", 1, true))
    assert.truthy(problem([[ os.exit(1) ]]):find("os.exit is not available", 1, true))
  end)

  it("small helpers do what they say", function()
    assert.same({ true, true, 36, 32, true, false }, result([[
      local one, two = pillar.uuid(), pillar.uuid()
      return { one < two or one:sub(1, 13) == two:sub(1, 13), pillar.now() > 1600000000000, #one, #pillar.random(16),
               pillar.secretEqual("a", "a"), pillar.secretEqual("a", "b") }]]))
    run([[ pillar.log.info("note %d", 7) pillar.log.warn("line\nbreak") ]])
    wait.until_true("the log", function() return broker.log:find("warn  app: .- line\n  break\n") end)
    assert.truthy(broker.log:find("info  app: %S+ note 7\n"))
  end)
end)

describe("loading", function()
  local function refused(text)
    local ok, message = pcall(Broker.start, { text = text })
    assert.is_false(ok)
    return message
  end

  local function app(lines)
    return 'local pillar = require "pillar"\nlocal app = pillar.app()\napp:anonymous()\n' .. lines .. "\nreturn app\n"
  end

  local cases = {
    { "a syntax error", "local x = = 1", "app.lua:1: unexpected symbol near '='" },
    { "an error", "local x = nil\nx.y = 1", "app.lua:2: attempt to index a nil value" },
    { "no app", "return 1", "the script must end with: return app" },
    { "nobody who says who is asking", 'return require("pillar").app()', "call app:authenticate" },
    { "a typo in an entity", app('app:entity("task", { path = "/t", craete = print })'),
      "app.lua:4: app:entity(\"task\"): unknown field 'craete'; did you mean 'create'?" },
    { "the wrong type", app('app:entity("task", { path = 7 })'), "'path' must be a string, not a number" },
    { "an entity without targets", app('app:entity("task", { path = "/t", create = print })'),
      "'create' needs 'targets'" },
    { "an entity without find", app('app:entity("task", { path = "/t", update = print, targets = print })'),
      "'update' needs 'find'" },
    { "handlers without a path", app('app:entity("task", { list = print })'), "handlers need a path" },
    { "an entity twice", app('app:entity("task")\napp:entity("task")'),
      "app.lua:5: app:entity: 'task' is declared twice" },
    { "a bad path", app('app:get("tasks", print)'), "app.lua:4: a path is a string that begins with /" },
    { "a bad parameter", app('app:get("/a/x:y", print)'), "a : or * begins a segment" },
    { "a parameter twice", app('app:get("/:a/:a", print)'), "names the parameter 'a' twice" },
    { "a rest that goes on", app('app:get("/*rest/x", print)'), "goes on behind a *rest" },
    { "routes in conflict", app('app:get("/a/:x", print)\napp:get("/a/:y", print)'),
      "app.lua:5: the route GET /a/:y is the same as /a/:x, defined at" },
    { "the broker's own path", app('app:get("/healthz", print)'), "the broker itself answers /healthz" },
    { "a route option that is none", app('app:post("/a", { publik = true }, print)'), "did you mean 'public'?" },
    { "a missing handler", app('app:post("/a", {})'), "takes a path, a table of options if need be, and a function" },
    { "a directory that is not there", app('app:static("/", "nowhere")'), "cannot open the directory" },
    { "a bad setting", app(""):gsub("pillar.app%(%)", 'pillar.app { max_body_bytes = "lots" }'),
      "invalid value 'lots' for max-body-bytes" },
    { "an unknown setting", app(""):gsub("pillar.app%(%)", "pillar.app { nonsense = 1 }"),
      "there is no option 'nonsense'" },
    { "a method that is none", app('app:head("/a", print)'), "app.lua:4: there is no app:head" },
    { "a helper that is none", app("local all = pillar.evryone"),
      "app.lua:4: there is no pillar.evryone; did you mean pillar.everyone?" },
    { "a migration that fails", app('app:migrate { { name = "first", sql = "CREATE TABL x (y)" } }'),
      'migration step 1 (first): line 1: near "TABL": syntax error' },
  }
  for _, case in ipairs(cases) do
    it(("finds %s, and says where"):format(case[1]), function()
      local message = refused(case[2])
      assert.truthy(message:find(case[3], 1, true), message)
    end)
  end

  it("ends at its deadline", function()
    local ok, message = pcall(Broker.start,
      { text = "while true do pcall(error) end", args = { "--load-deadline", "200ms" } })
    assert.is_false(ok)
    assert.truthy(message:find("app.lua: loading the script does not end within --load-deadline (", 1, true), message)
  end)

  it("may define its routes in any order", function()
    local text = app([[
      local routes = {}
      for i = 1, 50 do
        routes["r" .. i] = function() return { i = i } end
      end
      for name, handler in pairs(routes) do
        app:get("/" .. name, handler)
        app:post("/" .. name, handler)
      end
    ]])
    local broker = Broker.start { text = text, args = { "--workers", "4" } }
    for i = 1, 50 do
      assert.same({ i = i }, broker:request("GET", "/r" .. i):json())
      assert.same({ i = i }, broker:request("POST", "/r" .. i):json())
    end
    Socket.close_all()
    broker:stop()
  end)

  it("takes settings from the script, which the command line beats", function()
    local broker = Broker.start {
      text = app('app:post("/x", function() return {} end)'):gsub("pillar.app%(%)",
        'pillar.app { max_body_bytes = 10, events_path = "/stream" }'),
      args = { "--max-body-bytes", "20" },
    }
    assert.equal(200, broker:request("POST", "/x", { body = ("x"):rep(20) }).status)
    assert.equal(413, broker:request("POST", "/x", { body = ("x"):rep(21) }).status)
    broker:stream { path = "/stream" }:close()
    Socket.close_all()
    broker:stop()
  end)

  it("applies migrations once, and refuses a history that was changed", function()
    local dir = require("luv").fs_mkdtemp("/tmp/pillar-XXXXXX")
    local function start(...)
      local steps = {}
      for i, step in ipairs { ... } do
        steps[i] = ("%q"):format(step)
      end
      return Broker.start { dir = dir, text = app("app:migrate { " .. table.concat(steps, ", ") .. " }") }
    end
    local one, two = "CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"
    start(one, two):stop()
    local again = start(one:gsub(" ", "\n  "), two)
    assert.equal("1", again:sql("SELECT count(*) FROM a"))
    again:stop()
    for problem, steps in pairs {
      ["step 1: this database has it with another text"] = { "CREATE TABLE b (x)", two },
      ["step 2: the database has it, the script does not"] = { one },
    } do
      local ok, message = pcall(start, table.unpack(steps))
      assert.is_false(ok)
      assert.truthy(message:find(problem, 1, true), message)
    end
    local ok = pcall(start, one, two, "INSERT INTO a VALUES (2); INSERT INTO nonsense VALUES (1)")
    assert.is_false(ok)
    local last = start(one, two, "INSERT INTO a VALUES (3)")
    assert.equal("1,3", last:sql("SELECT group_concat(x) FROM a"))
    last:stop()
    os.execute("rm -rf '" .. dir .. "'")
  end)
end)
