-- What SIGTERM does to those who are there: requests in hand are answered, and their events delivered; streams end one
-- after the other; whoever asks is told to come back.

local Broker = require "support.broker"
local Socket = require "support.socket"
local cjson = require "cjson"
local http = require "support.http"
local wait = require "support.wait"

local script = [[
local pillar = require "pillar"
local app = pillar.app()
app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY)" }
app:authenticate(function(req)
  local name = req.headers["X-User"] or req.query.user
  return name and { id = name }
end)
app:entity("note")
local function emit(action, data)
  emit_sync_event { entity = "note", action = action, targetUserIds = pillar.everyone, sessionId = false, data = data }
end
-- Says that it has begun, and waits for the word to go on.
app:post("/held/:name", function(req, db)
  local name = req.params.name
  io.open(name .. ".begun", "w"):close()
  os.execute("while [ ! -e " .. name .. ".go ] && kill -0 $PPID; do sleep 0.02; done")
  db:insert("notes", {})
  emit("held")
  return { name = name }
end)
app:post("/notes", function(_, db)
  db:insert("notes", {})
  emit("created")
  return 201, {}
end)
app:post("/large", function(req)
  for i = 1, req:json().count do
    emit("large", { i = i, text = ("x"):rep(100000) })
  end
end)
app:get("/notes", function(_, db) return db:value("SELECT count(*) FROM notes") end)
app:get("/big", function() return ("x"):rep(16 * 1024 * 1024) end)
return app
]]

local function as(user)
  return { ["X-User"] = user }
end

describe("SIGTERM", function()
  local broker

  local function start(...)
    broker = Broker.start { text = script, args = { "--handler-deadline", "60s", ... } }
  end

  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  local function open_streams(count)
    local streams = {}
    for i = 1, count do
      streams[i] = broker:stream { query = "?user=u" .. i }
    end
    return streams
  end

  local function exists(name)
    local file = io.open(broker.dir .. "/" .. name)
    return file and (file:close() or true)
  end

  --- A mutation that has begun, and ends when it is let go.
  local function hold(name)
    local pending = broker:start_request("POST", "/held/" .. name, { headers = as("ada") })
    wait.until_true("the handler to begin", function()
      broker:request("GET", "/healthz") -- a file that appears does not wake this loop
      return exists(name .. ".begun")
    end)
    return pending
  end

  local function let_go(name)
    broker:write(name .. ".go", "")
  end

  --- A connection on which one request was answered, and which stays.
  local function kept_alive()
    local socket = broker:socket()
    socket:send(http.format("GET", "/healthz"))
    assert.equal(200, http.read_response(socket, "GET").status)
    return socket
  end

  --- Sends SIGTERM and waits until a connection that was there, and may stay for a while, is told so.
  local function drain(socket)
    local from = wait.now()
    broker:signal("sigterm")
    socket:send(http.format("GET", "/readyz"))
    local answer = http.read_response(socket, "GET")
    -- One that came before the signal is asked again.
    while answer.status == 200 do
      socket:send(http.format("GET", "/readyz"))
      answer = http.read_response(socket, "GET")
    end
    assert.equal(503, answer.status)
    assert.same({ status = "draining" }, answer:json())
    socket:wait_closed()
    socket:close()
    return from
  end

  --- The same for a broker that closes what is idle at once.
  local function drain_at_once()
    broker:signal("sigterm")
    wait.until_true("the drain", function() return broker:socket().failed end)
  end

  local function count(streams, is)
    local found = 0
    for _, stream in ipairs(streams) do
      found = found + (is(stream) and 1 or 0)
    end
    return found
  end

  local function has_ended(stream)
    return stream.socket.closed
  end

  --- With all of our connections closed, as clients close theirs when they see the end.
  local function ends_well()
    Socket.close_all()
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
  end

  it("ends streams spread over the window, each with a time of its own to come back", function()
    start("--drain-window", "2s", "--retry-min", "1s", "--retry-max", "60s", "--loops", "2")
    local streams, ends, retries, distinct = open_streams(40), {}, {}, 0
    local socket = kept_alive()
    local from = drain(socket)
    wait.until_true("the streams to end", function()
      for i, stream in ipairs(streams) do
        if has_ended(stream) and not ends[i] then
          ends[i] = wait.now() - from
        end
      end
      return count(streams, has_ended) == 40
    end)
    for _, stream in ipairs(streams) do
      assert.is_nil(stream.socket.failed)
      assert.equal(2, stream.retries)
      distinct = distinct + (retries[stream.retry] and 0 or 1)
      retries[stream.retry] = true
      assert.is_true(stream.retry >= 1000 and stream.retry <= 60000)
    end
    assert.is_true(distinct > 30, distinct .. " different times")
    table.sort(ends)
    local list = cjson.encode(ends)
    assert.is_true(ends[4] > 50, list) -- no heap at the beginning ...
    assert.is_true(ends[20] > 600 and ends[20] < 1600, list)
    assert.is_true(ends[36] > 1300, list) -- ... nor an early end
    assert.is_true(ends[40] < 4000, list)
    ends_well()
  end)

  it("waits for the mutations in hand, whose events reach every stream before it ends", function()
    start("--drain-window", "0", "--loops", "2")
    local streams = open_streams(10)
    local pending = hold("first")
    local queued = broker:start_request("POST", "/notes", { headers = as("grace") })
    wait.until_true("it to be queued", function() return broker:metric("queue_depth") == 1 end)
    drain(kept_alive())
    assert.equal(0, count(streams, has_ended))
    let_go("first")
    assert.equal(200, http.finish(pending).status)
    assert.equal(201, http.finish(queued).status)
    for _, stream in ipairs(streams) do
      stream.socket:wait_closed()
      assert.is_nil(stream.socket.failed)
      assert.same({ "note held -", "note created -" }, stream:summary())
      assert.equal(2, stream.retries)
    end
    ends_well()
    assert.equal("2", broker:sql("SELECT count(*) FROM notes"))
  end)

  it("does not wait for them longer than it may, and streams get what comes until they end", function()
    start("--drain-window", "3s", "--drain-timeout", "3500ms")
    local streams = open_streams(40)
    local pending = hold("late")
    local from = drain(kept_alive())
    wait.until_true("some streams to end", function() return count(streams, has_ended) >= 5 end)
    assert.is_true(wait.now() - from < 3000)
    let_go("late")
    assert.equal(200, http.finish(pending).status)
    wait.until_true("the streams to end", function() return count(streams, has_ended) == 40 end)
    local got = count(streams, function(stream) return #stream:events() == 1 end)
    assert.is_true(got > 0 and got <= 35, got .. " streams got the event")
    for _, stream in ipairs(streams) do
      assert.is_nil(stream.socket.failed)
      assert.equal(2, stream.retries)
    end
    ends_well()
  end)

  it("refuses what comes later on connections that are there", function()
    start("--drain-window", "0")
    local pending = hold("first")
    local sockets = {}
    for i = 1, 5 do
      sockets[i] = kept_alive()
    end
    drain(kept_alive())
    local function ask(i, method, path, options)
      sockets[i]:send(http.format(method, path, options))
      local answer = http.read_response(sockets[i], method)
      assert.equal("close", answer.headers["connection"])
      sockets[i]:wait_closed()
      assert.is_nil(sockets[i].failed)
      return answer
    end
    for i, method in ipairs { "GET", "POST" } do
      local answer = ask(i, method, "/notes", { headers = as("ada") })
      assert.equal(503, answer.status)
      assert.equal("unavailable", answer:json().error.code)
      assert.equal("1", answer.headers["retry-after"])
    end
    local answer = ask(3, "GET", "/api/events?user=ada")
    assert.equal(200, answer.status)
    assert.equal("text/event-stream", answer.headers["content-type"])
    assert.truthy(answer.body:find("^retry: %d+\n\n: the server is going away\n\n$"), answer.body)
    assert.equal(200, ask(4, "GET", "/healthz").status)
    assert.equal(200, ask(5, "GET", "/metrics").status)
    -- A program that a script has started may have the listener for a moment, between fork and exec.
    wait.until_true("a refusal", function() return broker:socket().failed == "ECONNREFUSED" end)
    let_go("first")
    assert.equal(200, http.finish(pending).status)
    ends_well()
    assert.equal("1", broker:sql("SELECT count(*) FROM notes"))
  end)

  it("closes connections that stay idle at the window's end", function()
    start("--drain-window", "500ms", "--drain-timeout", "60s")
    local idle, from = kept_alive(), wait.now()
    drain(kept_alive())
    assert.is_false(idle.closed)
    idle:wait_closed()
    assert.is_nil(idle.failed)
    assert.is_true(wait.now() - from >= 480)
    ends_well()
  end)

  it("lets a slow client have all that is there for its stream, and then ends it", function()
    start("--drain-window", "0", "--drain-timeout", "60s")
    local slow, quick = broker:stream { query = "?user=slow" }, broker:stream { query = "?user=quick" }
    slow.socket:pause()
    local answer = broker:request("POST", "/large", { headers = as("ada"), json = { count = 150 } })
    assert.equal(204, answer.status)
    quick:wait_events(150)
    drain_at_once()
    quick.socket:wait_closed()
    assert.is_false(slow.socket.closed)
    slow.socket:resume()
    slow.socket:wait_closed()
    assert.is_nil(slow.socket.failed)
    for i, event in ipairs(slow:events()) do
      assert.equal(i, event.data.i)
    end
    assert.equal(150, #slow:events())
    assert.equal(2, slow.retries)
    ends_well()
  end)

  it("does not wait for a client that takes nothing longer than it may", function()
    start("--drain-window", "0", "--drain-timeout", "1s")
    local slow, quick = broker:stream { query = "?user=slow" }, broker:stream { query = "?user=quick" }
    slow.socket:pause()
    broker:request("POST", "/large", { headers = as("ada"), json = { count = 150 } })
    quick:wait_events(150)
    local from = wait.now()
    broker:signal("sigterm")
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
    assert.is_true(wait.now() - from >= 980)
    assert.is_false(slow.socket.closed)
  end)

  it("lets an answer that is on its way out go out whole", function()
    start("--drain-window", "0", "--drain-timeout", "60s")
    local socket = broker:socket()
    socket:send(http.format("GET", "/big", { headers = as("ada") }))
    socket:wait_for("\r\n\r\n")
    socket:pause()
    local _, head_end = socket.received:find("\r\n\r\n", 1, true)
    local length = tonumber(socket.received:match("Content%-Length: (%d+)"))
    local taken = #socket.received - head_end
    socket.on_data = function()
      taken, socket.received = taken + #socket.received, ""
    end
    socket.received = ""
    drain_at_once()
    socket:resume()
    socket:wait_closed()
    assert.is_nil(socket.failed)
    assert.equal(16 * 1024 * 1024, length)
    assert.equal(length, taken)
    ends_well()
  end)

  it("ends the broker as soon as nothing is open, whatever the window", function()
    start("--drain-window", "1h", "--drain-timeout", "1h")
    local streams = open_streams(3)
    drain_at_once()
    assert.equal(0, count(streams, has_ended))
    for _, stream in ipairs(streams) do
      stream:close()
    end
    ends_well()
  end)

  it("ends a broker that has nothing open at once", function()
    start("--drain-window", "1h", "--drain-timeout", "1h")
    broker:signal("sigterm")
    ends_well()
  end)

  it("twice ends it at once, and its streams cleanly", function()
    start("--drain-window", "1h", "--drain-timeout", "1h")
    local streams = open_streams(10)
    drain(kept_alive())
    assert.equal(0, count(streams, has_ended))
    broker:signal("sigterm")
    for _, stream in ipairs(streams) do
      stream.socket:wait_closed()
      assert.is_nil(stream.socket.failed)
      assert.equal(2, stream.retries)
    end
    ends_well()
  end)

  it("shortens a window that is longer than the whole may last", function()
    start("--drain-window", "1h", "--drain-timeout", "500ms")
    local streams = open_streams(10)
    broker:signal("sigterm")
    for _, stream in ipairs(streams) do
      stream.socket:wait_closed()
      assert.is_nil(stream.socket.failed)
      assert.equal(2, stream.retries)
    end
    ends_well()
  end)
end)
