-- The command line: what it prints, and how it fails.

local uv = require "luv"
local Broker = require "support.broker"
local wait = require "support.wait"

local quickstart = Broker.source .. "/examples/quickstart/app.lua"

local function run(args, options)
  local process = Broker.spawn(args, options)
  wait.until_true("the command to end", function() return process.exit end)
  for _ = 1, 10 do
    uv.run("nowait")
  end
  return process.exit.code, process.output, process.log
end

--- Runs a command that fails, and checks that it does so with status 1 and one line.
local function fails(args, options)
  local code, output, log = run(args, options)
  assert.equal("", output)
  assert.equal(1, code, log)
  assert.truthy(log:match("^pillar: [^\n]+\n$"), log)
  return log
end

describe("pillar", function()
  local dir

  setup(function() dir = uv.fs_mkdtemp("/tmp/pillar-XXXXXX") end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("--version prints the version", function()
    local code, output = run { "--version" }
    assert.equal(0, code)
    assert.truthy(output:match("^pillar %d+%.%d+%.%d+\n$"))
  end)

  it("test runs the specs of a folder, or some of them, and fails when one does", function()
    local folder = Broker.source .. "/examples/quickstart"
    local env = { LD_PRELOAD = os.getenv("PILLAR_PRELOAD") }
    for _, args in ipairs { { "test", folder }, { "test", folder .. "/app_spec.lua" } } do
      local code, output = run(args, { env = env })
      assert.equal(0, code, output)
      assert.truthy(output:find("5 successes / 0 failures", 1, true), output)
    end
    local code, output = run({ "test", "--filter", "ticks off" }, { dir = folder, env = env })
    assert.equal(0, code, output)
    assert.truthy(output:find("1 success / 0 failures", 1, true), output)
    local file = assert(io.open(dir .. "/bad_spec.lua", "w"))
    file:write('it("fails", function() require("pillar.testing").load("none.lua") end)')
    file:close()
    code, output = run({ "test", dir .. "/bad_spec.lua" }, { env = env })
    assert.equal(1, code)
    assert.truthy(output:find("bad_spec.lua:1: cannot read the script none.lua", 1, true), output)
    assert.truthy(fails({ "test", folder .. "/app.lua" }):find("is no test", 1, true))
  end)

  it("--help names every command, option, variable and default", function()
    local code, output = run { "--help" }
    assert.equal(0, code)
    for _, text in ipairs { "pillar run", "pillar check", "--listen HOST:PORT", "PILLAR_LISTEN", "127.0.0.1:8080",
      "--max-body-bytes BYTES", "1MiB", "DATABASE_URL", "PILLAR_EMIT_KEY" } do
      assert.truthy(output:find(text, 1, true), text)
    end
  end)

  it("tells a wrong command line with status 2", function()
    for _, args in ipairs { {}, { "nonsense" }, { "run" }, { "run", "a.lua", "b.lua" },
      { "run", "a.lua", "--nonsense" }, { "run", "a.lua", "--listen" },
      { "run", "a.lua", "--loops", "many" }, { "run", "a.lua", "--loops", "0" },
      { "run", "a.lua", "--emit-key", "x" }, { "run", "a.lua", "--listen", "nowhere" },
      { "run", "a.lua", "--database", "postgres://x" }, { "run", "a.lua", "--database", "sqlite::memory:" } } do
      local code, output, log = run(args)
      assert.equal(2, code, table.concat(args, " "))
      assert.equal("", output)
      assert.truthy(log:match("^pillar: [^\n]+\n$"), log)
    end
  end)

  it("run says where it listens, which script, how many routes, which database", function()
    local broker = Broker.start { script = "examples/quickstart/app.lua" }
    broker:stop()
    assert.truthy(broker.output:match(
      "^pillar %S+: listening on http://127%.0%.0%.1:%d+, script %S+/examples/quickstart/app%.lua, 4 routes, "
        .. "database sqlite:%S+\n$"), broker.output)
  end)

  it("run fails with one line for a missing file", function()
    assert.truthy(fails({ "run", dir .. "/nowhere.lua" }):find("cannot read the script", 1, true))
  end)

  it("run fails with one line for a Lua error", function()
    local file = assert(io.open(dir .. "/bad.lua", "w"))
    file:write("local x = = 1\n")
    file:close()
    assert.truthy(fails({ "run", dir .. "/bad.lua" }):find("bad.lua:1: unexpected symbol near '='", 1, true))
  end)

  it("run fails with one line for a port in use, with one loop or several", function()
    local first = Broker.start { script = "examples/quickstart/app.lua", args = { "--loops", "2" } }
    local single = Broker.start { script = "examples/quickstart/app.lua" }
    for _, port in ipairs { first.port, single.port } do
      for _, loops in ipairs { "1", "2" } do
        local log = fails({ "run", quickstart, "--listen", "127.0.0.1:" .. port, "--loops", loops }, { dir = dir })
        assert.truthy(log:find("cannot listen on 127.0.0.1:" .. port .. ": Address already in use", 1, true), log)
      end
    end
    first:stop()
    single:stop()
  end)

  it("run fails with one line for a database that cannot be opened", function()
    local log = fails({ "run", quickstart, "--listen", "127.0.0.1:0", "--database", "sqlite:" .. dir .. "/no/such.db" })
    assert.truthy(log:find("cannot open the database", 1, true))
    local file = assert(io.open(dir .. "/text.db", "w"))
    file:write(("this is no database\n"):rep(100))
    file:close()
    log = fails({ "run", quickstart, "--listen", "127.0.0.1:0", "--database", "sqlite:" .. dir .. "/text.db" })
    assert.truthy(log:find("not a database", 1, true))
  end)

  it("run takes the environment, which flags beat", function()
    local env = { PILLAR_LISTEN = "127.0.0.1:1", PILLAR_MAX_BODY_BYTES = "5" }
    local broker = Broker.start { script = "examples/quickstart/app.lua", env = env }
    assert.truthy(broker.port > 1)
    assert.equal(413, broker:request("POST", "/api/items?user=ada", { json = { title = "too long" } }).status)
    broker:stop()
  end)

  it("run names the variable whose value is wrong", function()
    local log = fails({ "run", quickstart }, { env = { PILLAR_LOOPS = "many" } })
    assert.truthy(log:find("the environment variable PILLAR_LOOPS: invalid value 'many'", 1, true))
  end)

  it("check prints what a script defines", function()
    local code, output, log = run { "check", Broker.source .. "/examples/pillar/app.lua" }
    assert.equal(0, code, log)
    assert.truthy(output:find("POST    /api/tasks/:id/complete +writes +%S*board/tasks%.lua:%d+\n"))
    assert.truthy(output:find("PATCH   /api/labels/:id +writes +%S*board/own%.lua:%d+  body { color%?, name%? }\n"))
    assert.truthy(output:find("GET     /api/tasks +reads +%S*board/tasks%.lua:%d+  query { projectId%? }\n"))
    assert.truthy(output:find("POST    /api/tasks/reorder +writes +%S*board/tasks%.lua:%d+  body { tasks%[%] }\n"))
    assert.truthy(output:find("entity  task +%S*board/tasks%.lua:%d+  targets %S*board/tasks%.lua:%d+\n"))
    assert.truthy(output:find("entity  member +%S*board/members%.lua:%d+\n"))
    assert.truthy(output:find("files   / +%S*app%.lua:%d+  from %S*/public\n"))
    assert.truthy(output:find("migration 3 tasks\n", 1, true))
    assert.equal("", log)
  end)

  it("check fails with one line for a mistake", function()
    assert.truthy(fails({ "check", dir .. "/bad.lua" }):find("bad.lua:1:", 1, true))
  end)
end)
