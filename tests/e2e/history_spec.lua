-- The history outlives the process: what a client that comes back gets, whatever became of the broker meanwhile.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local uv = require "luv"
local wait = require "support.wait"

local function as(user, session)
  return { ["X-User"] = user, ["X-Session-Id"] = session }
end

local notes = 0

--- Posts a note for ada, of another's session unless one is named. Returns what a stream will say of it.
local function post(broker, user, session)
  notes = notes + 1
  local answer = broker:request("POST", "/notes?to=ada,grace", {
    headers = as(user or "grace", session or "g"),
    json = { body = "note " .. notes },
  })
  assert.equal(201, answer.status, answer.body)
  return "note created " .. answer:json().id
end

local function fence(broker)
  return function(name)
    broker:request("POST", "/fence/" .. name, { headers = as("fence") })
  end
end

local function resync_of(stream)
  wait.until_true("resync", function() return stream:named("resync")[1] end)
  return stream:named("resync")[1].data.reason
end

describe("the history", function()
  local dir, args, broker

  before_each(function()
    dir = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-XXXXXX"))
    args = {}
  end)

  after_each(function()
    Broker.kill_all()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  local function start(more)
    broker = Broker.start { script = "tests/e2e/apps/lab.lua", dir = dir, args = more or args }
    return broker
  end

  local function restart(signal, more)
    broker:signal(signal)
    Socket.close_all()
    broker:wait_exit()
    return start(more)
  end

  local function open(query)
    return broker:stream { query = "?user=ada" .. (query or "") }
  end

  for _, signal in ipairs { "sigkill", "sigterm" } do
    for loops = 1, 2 do
      it(("goes on after a %s, with --loops %d"):format(signal, loops), function()
        args = { "--loops", tostring(loops) }
        start()
        local stream = open("&sessionId=s1")
        post(broker)
        stream:wait_events(1)
        local seen = stream.lastEventId
        stream:close()
        local missed = { post(broker), post(broker) }
        local own = post(broker, "ada", "s1")
        missed[3] = post(broker)
        restart(signal)
        local back = open("&sessionId=s1&lastEventId=" .. seen)
        local live = post(broker)
        back:fence(fence(broker))
        assert.same({ missed[1], missed[2], missed[3], live }, back:summary())
        assert.same({}, back:named("resync"))
        assert.equal(seen, back:named("ready")[1].data.position)

        local other = open("&sessionId=s2&entities=note&lastEventId=" .. seen)
        other:wait_events(5)
        assert.same({ missed[1], missed[2], own, missed[3], live }, other:summary())
        local nobody = broker:stream { query = "?user=eve&lastEventId=" .. seen }
        nobody:fence(fence(broker))
        local of_everyone = nobody:summary()
        assert.equal(1, #of_everyone) -- the fence of before
        assert.truthy(of_everyone[1]:find("^fence "))
      end)
    end
  end

  it("has ids that go on where they were", function()
    start()
    post(broker)
    local before = open():named("ready")[1].data.position
    restart "sigkill"
    assert.equal(before, open():named("ready")[1].data.position)
    post(broker)
    local generation, number = before:match("^(%x+)%-(%d+)$")
    assert.equal(("%s-%d"):format(generation, number + 1), open():named("ready")[1].data.position)
  end)

  it("is told to be over where the limits have cut it", function()
    start()
    local ids = {}
    for i = 1, 8 do
      post(broker)
      ids[i] = open():named("ready")[1].data.position
    end
    restart("sigterm", { "--history-events", "5" })
    assert.equal("trimmed", resync_of(open("&lastEventId=" .. ids[2])))
    local back = open("&lastEventId=" .. ids[3])
    back:wait_events(5)
    assert.same({}, back:named("resync"))
    post(broker)
    assert.equal("5", broker:sql("SELECT count(*) FROM pillar_events"))
    assert.equal("trimmed", resync_of(open("&lastEventId=" .. ids[3])))
  end)

  it("is dropped when it is too old, though nothing happens", function()
    start { "--history-age", "1s" }
    for _ = 1, 3 do
      post(broker)
    end
    local head = open():named("ready")[1].data.position
    wait.until_true("the table to be empty", function()
      return broker:sql("SELECT count(*) FROM pillar_events") == "0"
    end)
    assert.equal(head, open("&lastEventId=" .. head):named("ready")[1].id)
    restart "sigkill"
    local back = open("&lastEventId=" .. head)
    local live = post(broker)
    back:fence(fence(broker))
    assert.same({ live }, back:summary())
    assert.same({}, back:named("resync"))
  end)

  it("begins anew with --new-history", function()
    start()
    for _ = 1, 3 do
      post(broker)
    end
    local old = open():named("ready")[1].data.position
    restart("sigterm", { "--new-history" })
    for _ = 1, 5 do
      post(broker)
    end
    -- Its number is known here as well, for another event.
    assert.equal("generation", resync_of(open("&lastEventId=" .. old)))
    local new = open():named("ready")[1].data.position
    restart "sigterm"
    assert.equal(new, open("&lastEventId=" .. new):named("ready")[1].id)
  end)

  it("begins anew by itself for a database that was restored from a backup", function()
    start()
    post(broker)
    os.execute(("sqlite3 '%s/app.db' \".backup '%s/backup.db'\""):format(dir, dir))
    post(broker)
    local old = open():named("ready")[1].data.position
    broker:signal "sigkill"
    Socket.close_all()
    broker:wait_exit()
    os.execute(("cd '%s' && rm -f app.db-wal app.db-shm && mv backup.db app.db"):format(dir))
    start()
    assert.truthy(broker.log:find("ends at event 1, and clients know event 2", 1, true), broker.log)
    for _ = 1, 3 do
      post(broker)
    end
    assert.equal("generation", resync_of(open("&lastEventId=" .. old)))
    local new = open():named("ready")[1].data.position
    restart "sigkill"
    assert.is_nil(broker.log:find("clients know", 1, true))
    assert.equal(new, open("&lastEventId=" .. new):named("ready")[1].id)
  end)

  it("ends with the process where there is no database", function()
    local text = [[
      local pillar = require "pillar"
      local app = pillar.app()
      app:anonymous()
      return app
    ]]
    broker = Broker.start { text = text, dir = dir, database = "none" }
    local old = broker:stream():named("ready")[1].data.position
    broker:stop()
    broker = Broker.start { text = text, dir = dir, database = "none" }
    assert.equal("generation", resync_of(broker:stream { query = "?lastEventId=" .. old }))
  end)

  it("is closed to scripts", function()
    broker = Broker.start {
      dir = dir,
      text = [[
        local pillar = require "pillar"
        local app = pillar.app()
        app:anonymous()
        app:post("/x", function(_, db) db:exec("DELETE FROM pillar_events") end)
        return app
      ]],
    }
    assert.equal(500, broker:request("POST", "/x").status)
    assert.truthy(broker.log:find("the broker keeps", 1, true))
  end)

  describe("and a fetch", function()
    it("that fails names no position: it shows nothing", function()
      start()
      post(broker)
      assert.is_nil(broker:request("GET", "/notes").headers["sync-position"]) -- 401
      assert.truthy(broker:request("GET", "/notes", { headers = as("ada") }).headers["sync-position"])
    end)

    it("agree: Sync-Position is the position of what was read, to the event", function()
      start { "--loops", "2" }
      local function post_later()
        notes = notes + 1
        return broker:start_request("POST", "/notes?to=ada",
          { headers = as("grace", "g"), json = { body = "note " .. notes } })
      end
      local checked = 0
      for _ = 1, 25 do
        local pending = {}
        for i = 1, 8 do
          pending[#pending + 1] = { kind = "post", request = post_later() }
          pending[#pending + 1] = i % 2 == 0
            and { kind = "get", request = broker:start_request("GET", "/notes", { headers = as("ada") }) } or nil
        end
        for _, one in ipairs(pending) do
          local answer = http.finish(one.request)
          if one.kind == "get" then
            local number = tonumber(answer.headers["sync-position"]:match("%-(%d+)$"))
            assert.equal(#answer:json(), number)
            local stream = open("&lastEventId=" .. answer.headers["sync-position"])
            assert.same({}, stream:named("resync"))
            stream:close()
            checked = checked + 1
          end
        end
      end
      assert.equal(100, checked)
    end)
  end)

  describe("has one broker at a time:", function()
    it("a second one takes over when the first has ended, and clients resume", function()
      start()
      local first = broker
      local stream = open()
      post(broker)
      stream:wait_events(1)
      local second = Broker.spawn({ "run", Broker.source .. "/tests/e2e/apps/lab.lua", "--listen", "127.0.0.1:0",
        "--database", "sqlite:" .. dir .. "/app.db" }, { dir = dir })
      wait.until_true("the second to wait", function() return second.log:find("waiting until it ends", 1, true) end)
      assert.truthy(second.log:find("process " .. first.pid, 1, true))
      local missed = post(first)
      assert.is_nil(second.output:match("listening"))
      first:signal("sigterm")
      Socket.close_all()
      first:wait_exit()
      wait.until_true("the second to start", function()
        second.port = tonumber(second.output:match("listening on http://127%.0%.0%.1:(%d+)"))
        return second.port
      end)
      broker = second
      local back = open("&lastEventId=" .. stream.lastEventId)
      local live = post(second)
      back:fence(fence(second))
      if #back:summary() == 2 then -- the stream was cut before `missed` came
        assert.same({ missed, live }, back:summary())
      else
        assert.same({ live }, back:summary())
        assert.equal(missed, stream:summary()[2])
      end
      second:signal("sigterm")
      Socket.close_all()
      assert.equal(0, second:wait_exit().code)
    end)

    it("a second one takes over on the same address, which it serves when it has the database", function()
      start()
      local address = "127.0.0.1:" .. broker.port
      post(broker)
      local head = open():named("ready")[1].data.position
      local second = Broker.spawn({ "run", Broker.source .. "/tests/e2e/apps/lab.lua", "--listen", address,
        "--database", "sqlite:" .. dir .. "/app.db" }, { dir = dir })
      wait.until_true("the second to wait", function() return second.log:find("waiting until it ends", 1, true) end)
      broker:signal("sigterm")
      Socket.close_all()
      assert.equal(0, broker:wait_exit().code)
      wait.until_true("the second to start", function()
        return second.output:match("listening on http://" .. address)
      end)
      second.port, broker = broker.port, second
      assert.equal(head, open("&lastEventId=" .. head):named("ready")[1].id)
      second:signal("sigterm")
      Socket.close_all()
      assert.equal(0, second:wait_exit().code)
    end)

    it("a second one gives up after --takeover-timeout, and has changed nothing", function()
      start()
      local second = Broker.spawn({ "run", Broker.source .. "/tests/e2e/apps/lab.lua", "--listen", "127.0.0.1:0",
        "--database", "sqlite:" .. dir .. "/app.db", "--takeover-timeout", "100ms" }, { dir = dir })
      assert.equal(1, second:wait_exit().code)
      wait.until_true("what it says", function()
        return second.log:find(("another broker (process %d) has the database"):format(broker.pid), 1, true)
          and second.log:find("--takeover-timeout", 1, true)
      end)
      post(broker)
    end)

    it("one that was killed has left it", function()
      start()
      restart("sigkill", { "--takeover-timeout", "0" })
      post(broker)
    end)
  end)
end)
