-- Handlers that do not end: they are ended at their deadline, leave nothing, and hold up nobody else.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local kinds = { "loop", "pcall", "nested", "coroutine", "close", "xpcall", "wrapped_close", "closed", "try",
  "allocate", "string", "sql", "sleep" }
-- What a GET has not.
local mutating_kinds = { "transaction", table.unpack(kinds) }
local uses_memory = { allocate = true, string = true }

local deadline = 600

-- A stall would last until the deadline. Of many probes one may be unlucky with the machine's scheduler, which runs the
-- runaway, the broker and this test on few processors.
local prompt, probes, unlucky = 50, 20, 1

local function as(user, session)
  return { ["X-User"] = user, ["X-Session-Id"] = session }
end

describe("a runaway", function()
  local broker
  local posted = 0

  setup(function()
    broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      args = { "--handler-deadline", deadline .. "ms", "--workers", "2", "--script-memory", "16MiB" },
    }
    broker:request("POST", "/notes", { headers = as("ada"), json = { body = "first" } })
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  after_each(function() Socket.close_all() end)

  --- Runs `probe` again and again while `pending` has no answer; returns how long each took.
  local function measure(pending, probe)
    local times = {}
    while not pending.response and not pending.socket.closed and #times < probes do
      local started = wait.now()
      probe()
      if not pending.response then
        times[#times + 1] = wait.now() - started
      end
    end
    return times
  end

  local function assert_prompt(times, what)
    assert.is_true(#times > 0, "no " .. what .. " while the runaway ran")
    local late = 0
    for _, time in ipairs(times) do
      late = late + (time > prompt and 1 or 0)
      assert.is_true(time < deadline / 2, ("a %s took %.0f ms"):format(what, time))
    end
    assert.is_true(late <= unlucky, ("%d of %d %ss took more than %d ms"):format(late, #times, what, prompt))
  end

  local function assert_ended(pending, kind)
    local answer = http.finish(pending)
    assert.equal(503, answer.status, answer.body)
    if not uses_memory[kind] then
      assert.equal("deadline_exceeded", answer:json().error.code)
      assert.is_true(pending.took >= deadline - 50, ("ended after %.0f ms already"):format(pending.took))
    end
    assert.is_true(pending.took < deadline + 700, ("ended after %.0f ms"):format(pending.took))
  end

  local function get_notes()
    assert.equal(200, broker:request("GET", "/notes", { headers = as("ada") }).status)
  end

  local function open_stream()
    broker:stream { query = "?user=ada" }:close()
  end

  --- Once every worker has handled something, none is stuck or broken.
  local function assert_sound()
    for _ = 1, 8 do
      get_notes()
    end
    posted = posted + 1
    local answer = broker:request("POST", "/notes", { headers = as("ada"), json = { body = "sound " .. posted } })
    assert.equal(201, answer.status)
  end

  for _, kind in ipairs(kinds) do
    it(("in a reading route holds up nobody: %s"):format(kind), function()
      local stream = broker:stream { query = "?user=ada" }
      local pending = broker:start_request("GET", "/runaway/" .. kind, { headers = as("ada") })
      if not uses_memory[kind] then
        local count = 0
        assert_prompt(measure(pending, get_notes), "GET")
        assert_prompt(measure(pending, open_stream), "new stream")
        assert_prompt(measure(pending, function()
          posted = posted + 1
          count = count + 1
          broker:request("POST", "/notes?to=ada", { headers = as("grace"), json = { body = "event " .. posted } })
          stream:wait_events(count)
        end), "event")
      end
      assert_ended(pending, kind)
      assert_sound()
    end)
  end

  for _, kind in ipairs(mutating_kinds) do
    it(("in a mutation holds up mutations only, and leaves nothing: %s"):format(kind), function()
      posted = posted + 1
      local body = "runaway " .. posted
      local stream = broker:stream { query = "?user=ada" }
      local seen = stream.lastEventId
      local pending = broker:start_request("POST", "/runaway/" .. kind .. "?to=ada",
        { headers = as("grace"), json = { body = body } })
      if not uses_memory[kind] then
        assert_prompt(measure(pending, get_notes), "GET")
        assert_prompt(measure(pending, open_stream), "new stream")
        assert_prompt(measure(pending, function()
          broker:stream { query = "?user=ada&lastEventId=" .. seen }:close()
        end), "stream that resumes")
      end
      assert_ended(pending, kind)
      posted = posted + 1
      local answer = broker:request("POST", "/notes?to=ada",
        { headers = as("grace"), json = { body = "then " .. posted } })
      assert.equal(201, answer.status)
      stream:wait_events(1)
      assert.same({ "note created " .. answer:json().id }, stream:summary())
      assert.equal("0", broker:sql(("SELECT count(*) FROM notes WHERE body = '%s'"):format(body)))
      assert_sound()
    end)
  end

  it("is counted, and logged with the place where it was", function()
    assert.is_true(broker:metric("handler_deadlines_total") > 0)
    assert.is_true(broker:metric("handler_memory_total") > 0)
    assert.truthy(broker.log:find("apps/lab%.lua:%d+: the handler ran past its deadline"))
    assert.truthy(broker.log:find("POST /runaway/allocate %(%S+, user grace%):"))
  end)
end)

describe("a script", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  teardown(function() broker:stop() end)

  it("cannot end the process", function()
    assert.equal(500, broker:request("POST", "/exit", { headers = as("ada") }).status)
    assert.equal(200, broker:request("GET", "/healthz").status)
  end)

  it("that keeps too much memory gets a fresh start", function()
    local hoarder = Broker.start {
      text = [[
        local pillar = require "pillar"
        local app = pillar.app()
        app:anonymous()
        kept = {}
        app:get("/hoard", function()
          for i = 1, 1000 do
            kept[#kept + 1] = ("x"):rep(10000) .. #kept
          end
          return { count = #kept }
        end)
        return app
      ]],
      args = { "--workers", "1", "--script-memory", "16MiB" },
    }
    local statuses = {}
    for i = 1, 6 do
      statuses[i] = hoarder:request("GET", "/hoard").status
    end
    hoarder:stop()
    assert.same({ 200, 503, 200, 503, 200, 503 }, statuses)
  end)
end)
