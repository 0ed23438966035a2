-- The limits on how long a client may take: for a head, for a body, between requests, and without taking a byte.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local raw = require "support.raw"
local uv = require "luv"
local wait = require "support.wait"

local app = [[
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()
app:entity("thing")

app:get("/hit", function() return "hit" end)
app:post("/body", function(req) return tostring(#req.body) end)
app:get("/big/:bytes", function(req) return ("x"):rep(tonumber(req.params.bytes)) end)
app:post("/emit", function()
  emit_sync_event { entity = "thing", action = "updated", targetUserIds = pillar.everyone, sessionId = false,
                    data = { text = ("x"):rep(100000) } }
end)

-- Runs until the test makes the file.
local function wait_for(path)
  while true do
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
  end
end
app:get("/wait", function(req) return wait_for(req.query.file) end)
return app
]]

local head, get, post = raw.head, raw.get, raw.post

local chunked = head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked")

describe("the limit on", function()
  local broker

  --- Starts a broker with these flags for the tests of a block.
  local function with(...)
    local args = { ... }
    setup(function()
      broker = Broker.start { text = app, args = args }
    end)
    teardown(function()
      Socket.close_all()
      broker:stop()
    end)
  end

  --- A timeout is looked at ten times a second; the upper bound only tells a deadline from one that each byte puts off.
  local function closes_at(ms, act)
    local received, took = raw.last(broker.port, act)
    assert.is_true(took >= ms - 20 and took < ms + 2000, ("it took %.0f ms"):format(took))
    return received
  end

  local function is_timeout(received)
    local socket = { received = received, closed = true }
    local response = http.take_response(socket, "GET")
    assert.equal(408, response.status)
    assert.equal("request_timeout", response:json().error.code)
    assert.equal("close", response.headers["connection"])
    assert.equal("", socket.received)
  end

  describe("the time for a head", function()
    with("--header-timeout", "300ms", "--idle-timeout", "20s")

    it("closes a connection that says nothing", function()
      assert.equal("", closes_at(300, function() end))
    end)

    it("closes one that stops in the middle", function()
      is_timeout(closes_at(300, function(socket) socket:send(get("/hit"):sub(1, -3)) end))
    end)

    -- An EventSource gives up for good on a 408.
    it("closes one that asks for the stream without a word", function()
      for _, path in ipairs { "/api/events", "/api/events?sessionId=laptop" } do
        assert.equal("", closes_at(300, function(socket) socket:send(get(path):sub(1, -3)) end))
      end
      for _, path in ipairs { "/api/eventsful", "/api/event" } do
        is_timeout(closes_at(300, function(socket) socket:send(get(path):sub(1, -3)) end))
      end
    end)

    it("closes one that sends a byte now and then", function()
      is_timeout(closes_at(300, function(socket) raw.drip(socket, get "/hit", 50) end))
    end)

    it("runs from the first byte of a later request", function()
      local socket = broker:socket()
      socket:send(get "/hit")
      assert.equal("hit", http.read_response(socket, "GET").body)
      local from = wait.now()
      raw.drip(socket, get "/hit", 50)
      socket:wait_closed()
      assert.is_true(wait.now() - from >= 330 and wait.now() - from < 2350)
      is_timeout(socket.received)
      socket:close()
    end)

    it("is over once the head is there", function()
      local socket = broker:socket()
      raw.drip(socket, post("/body", "hello"):sub(-5), 200)
      socket:send(post("/body", "hello"):sub(1, -6))
      assert.equal("5", http.read_response(socket, "POST").body)
      socket:close()
    end)
  end)

  describe("the time for a body", function()
    with("--body-timeout", "300ms")

    it("closes a connection whose body does not come", function()
      is_timeout(closes_at(300, function(socket) socket:send(post("/body", "hello"):sub(1, -6)) end))
      is_timeout(closes_at(300, function(socket) socket:send(chunked) end))
    end)

    it("closes one whose body stops", function()
      is_timeout(closes_at(300, function(socket) socket:send(post("/body", "hello"):sub(1, -2)) end))
      is_timeout(closes_at(300, function(socket) socket:send(chunked .. "5\r\nhello\r\n") end))
    end)

    it("closes one whose body comes a byte now and then", function()
      local handlers = broker:metric("handlers_total")
      is_timeout(closes_at(300, function(socket)
        socket:send(post("/body", ("x"):rep(1000)):sub(1, -1001))
        raw.drip(socket, ("x"):rep(1000), 50)
      end))
      is_timeout(closes_at(300, function(socket)
        socket:send(chunked)
        raw.drip(socket, ("1\r\nx\r\n"):rep(1000), 50)
      end))
      assert.equal(handlers, broker:metric("handlers_total"))
    end)
  end)

  describe("the time between two requests", function()
    with("--idle-timeout", "300ms", "--header-timeout", "20s", "--handler-deadline", "20s")

    it("closes a connection without a word", function()
      assert.equal("", closes_at(300, function(socket)
        socket:send(get "/hit")
        assert.equal("hit", http.read_response(socket, "GET").body)
      end))
    end)

    it("begins anew with each answer", function()
      local socket = broker:socket()
      local from = wait.now()
      while wait.now() - from < 600 do
        socket:send(get "/hit")
        assert.equal("hit", http.read_response(socket, "GET").body)
      end
      socket:close()
    end)

    it("does not run while a handler does", function()
      local path = broker.dir .. "/slow"
      local socket = broker:socket()
      socket:send(get("/wait?file=" .. path))
      local timer = uv.new_timer()
      timer:start(600, 0, function()
        io.open(path, "w"):close()
        timer:close()
      end)
      assert.equal(path, http.read_response(socket, "GET").body)
      socket:close()
    end)

    it("does not run for streams", function()
      local stream = broker:stream()
      assert.equal("", closes_at(300, function(socket)
        socket:send(get "/hit")
        assert.equal("hit", http.read_response(socket, "GET").body)
      end))
      assert.is_false(stream.socket.closed)
      stream:close()
    end)
  end)

  describe("the time without taking a byte", function()
    local dir = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-XXXXXX"))
    local mounted = app:gsub("return app\n$", ("app:static('/files', %q)\nreturn app\n"):format(dir))
    local large = 16 * 1024 * 1024
    local huge = 512 * 1024 * 1024

    setup(function()
      local file = io.open(dir .. "/large.bin", "w")
      file:write(("x"):rep(large))
      file:close()
      file = io.open(dir .. "/huge.bin", "w")
      file:seek("set", huge - 1)
      file:write("x")
      file:close()
      broker = Broker.start { text = mounted, args = { "--write-timeout", "300ms" } }
    end)

    teardown(function()
      Socket.close_all()
      broker:stop()
      os.execute("rm -rf '" .. dir .. "'")
    end)

    for name, target in pairs { ["an answer"] = "/big/" .. large, ["a file"] = "/files/large.bin" } do
      it("closes a client that does not read " .. name, function()
        local socket = broker:socket()
        socket:send(get(target))
        socket:wait_for("HTTP/1.1 200")
        socket:pause()
        raw.wait_metric(broker, "connections", 1)
        socket:close()
      end)

      it("bears a client that reads slowly: " .. name, function()
        local socket = broker:socket()
        socket.handle:recv_buffer_size(65536)
        socket:send(get(target))
        raw.sip(socket, 1024 * 1024, 100)
        wait.until_true("the whole", function() return socket.taken >= large or socket.closed end)
        assert.is_true(socket.taken >= large, socket.taken .. " bytes came")
        socket:close()
      end)
    end

    it("bears a client that stops for a moment and then reads fast: a file", function()
      local socket = broker:socket()
      socket:send(get "/files/huge.bin")
      socket:wait_for("HTTP/1.1 200")
      local taken = #socket.received
      socket.on_data = function()
        taken, socket.received = taken + #socket.received, ""
      end
      socket:pause()
      local timer = uv.new_timer()
      timer:start(100, 0, function()
        socket:resume()
        timer:close()
      end)
      wait.until_true("the whole", function() return taken >= huge or socket.closed end)
      assert.is_true(taken >= huge, taken .. " bytes came")
      socket:close()
    end)

    it("closes a stream that does not read", function()
      local stream = broker:stream()
      stream.socket:pause()
      for _ = 1, 150 do
        assert.equal(204, broker:request("POST", "/emit").status)
      end
      raw.wait_metric(broker, "streams", 0)
      raw.wait_metric(broker, "connections", 1)
    end)

    it("counts a stream that it closes", function()
      local before, resyncs = broker:metric("timeouts_total"), broker:metric("resyncs_total")
      local stream = broker:stream()
      stream.socket:pause()
      for _ = 1, 150 do
        assert.equal(204, broker:request("POST", "/emit").status)
      end
      raw.wait_metric(broker, "timeouts_total", before + 1)
      raw.wait_metric(broker, "streams", 0)
      assert.equal(resyncs, broker:metric("resyncs_total"))
      -- What the system had taken arrives: whole events, the last one perhaps cut.
      stream.socket:resume()
      stream.socket:wait_closed()
      local events = stream:events()
      assert.is_true(#events > 0 and #events < 150, #events .. " events came")
    end)

    it("bears a stream that reads slowly", function()
      local before = broker:metric("timeouts_total")
      local stream = broker:stream()
      local socket = stream.socket
      socket.handle:recv_buffer_size(65536)
      -- A sip each 20 ms: the whole takes many times as long as the limit.
      local timer = uv.new_timer()
      local take = socket.on_data
      socket.on_data = function()
        socket:pause()
        take(socket)
      end
      timer:start(0, 20, function() socket:resume() end)
      for _ = 1, 150 do
        assert.equal(204, broker:request("POST", "/emit").status)
      end
      stream:wait_events(150)
      timer:close()
      assert.is_true(wait.now() - stream.started > 600, "it was fast")
      assert.equal(before, broker:metric("timeouts_total"))
      stream:close()
    end)

    it("does not close a stream that is silent", function()
      local stream = broker:stream()
      local other = broker:socket()
      other:send(get("/big/" .. large))
      other:pause()
      raw.wait_metric(broker, "connections", 2)
      other:close()
      assert.equal(204, broker:request("POST", "/emit").status)
      stream:wait_events(1)
      stream:close()
    end)
  end)
end)
