-- The limits on what a client may send, hold open and leave unread, each set small.

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
app:get("/hit/:n", function(req) return req.params.n end)
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
app:post("/wait", function(req) return wait_for(req.query.file) end)
return app
]]

local head = raw.head

local function get(target, ...)
  return head("GET " .. target .. " HTTP/1.1", "Host: test", ...)
end

local function post(target, body, ...)
  return head("POST " .. target .. " HTTP/1.1", "Host: test", "Content-Length: " .. #body, ...) .. body
end

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

  local function passes(bytes, body)
    for _, size in ipairs { false, 1 } do
      local socket = broker:socket()
      raw.send(socket, bytes, size or nil)
      local response = http.read_response(socket, "GET")
      assert.equal(200, response.status, response.body)
      assert.equal(body or "hit", response.body)
      socket:close()
    end
  end

  local function refuses(bytes, status, code)
    for _, size in ipairs { false, 1 } do
      local handlers = broker:metric("handlers_total")
      local responses = raw.talk(broker.port, bytes, { size = size or nil })
      assert.equal(1, #responses)
      assert.equal(status, responses[1].status, responses[1].body)
      assert.equal(code, responses[1]:json().error.code)
      assert.equal(handlers, broker:metric("handlers_total"))
    end
  end

  --- Runs `act`, waits until the broker has closed the connection, and checks how long that took. A timeout is looked
  --- at ten times a second; the upper bound only tells a deadline from one that each byte puts off.
  local function closes_at(ms, act)
    local socket = broker:socket()
    local from = wait.now()
    act(socket)
    socket:wait_closed()
    local took = wait.now() - from
    assert.is_nil(socket.failed)
    assert.is_true(took >= ms - 20 and took < ms + 2000, ("it took %d ms"):format(took))
    local received = socket.received
    socket:close()
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

  describe("the size of a head", function()
    with("--max-header-bytes", "1KiB")

    local function of_size(size)
      return get("/hit", "X-A: " .. ("v"):rep(size - #get("/hit", "X-A: ")))
    end

    it("lets one pass that just fits", function()
      assert.equal(1024, #of_size(1024))
      passes(of_size(1024))
      passes(of_size(1024):rep(2))
    end)

    it("refuses one that does not", function()
      refuses(of_size(1025), 431, "headers_too_large")
      refuses(of_size(100000), 431, "headers_too_large")
    end)

    it("refuses one that has no end before it is read", function()
      refuses(of_size(2000):sub(1, 1025), 431, "headers_too_large")
      refuses(get("/hit", ("N"):rep(2000)):sub(1, 1025), 431, "headers_too_large")
      refuses("GET /hit HTTP/1.1\r\n" .. ("X: 1\r\n"):rep(168), 431, "headers_too_large")
    end)

    it("is for each request anew", function()
      local socket = broker:socket()
      socket:send(of_size(1024):rep(10))
      for _, response in ipairs(raw.read(socket, 10)) do
        assert.equal(200, response.status)
      end
      socket:close()
    end)
  end)

  describe("the number of fields", function()
    with("--max-headers", "3")

    it("lets as many pass", function()
      passes(get("/hit", "X-A: 1", "X-B: 2"))
    end)

    it("refuses one more", function()
      refuses(get("/hit", "X-A: 1", "X-B: 2", "X-C: 3"), 431, "too_many_headers")
      refuses(get("/hit", "X: 1", "X: 2", "X: 3", "X: 4", "X: 5"), 431, "too_many_headers")
    end)

    it("holds for trailers", function()
      passes(chunked .. "1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", "1")
      refuses(chunked .. "1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", 431, "too_many_headers")
    end)
  end)

  describe("the target", function()
    with("--max-target-bytes", "64")

    it("lets one pass that just fits", function()
      passes(get("/hit?" .. ("a"):rep(59)))
    end)

    it("refuses one that does not", function()
      refuses(get("/hit?" .. ("a"):rep(60)), 414, "target_too_long")
      refuses(get("http://test/hit?" .. ("a"):rep(60)), 414, "target_too_long")
    end)

    it("refuses one that has no end before it is read", function()
      refuses("GET /hit?" .. ("a"):rep(92), 414, "target_too_long")
    end)
  end)

  describe("a body", function()
    with("--max-body-bytes", "100")

    it("lets one pass that just fits", function()
      passes(post("/body", ("x"):rep(100)), "100")
      passes(chunked .. raw.chunked(("x"):rep(100), function() return 7 end), "100")
    end)

    it("refuses a longer one before it has come", function()
      refuses(post("/body", "", "X-A: 1"):gsub("Length: 0", "Length: 101"), 413, "body_too_large")
      refuses(chunked .. "65\r\n", 413, "body_too_large")
      refuses(chunked .. "64\r\n" .. ("x"):rep(100) .. "\r\n1\r\n", 413, "body_too_large")
    end)

    it("tells a client that goes on sending all the same", function()
      local responses = raw.talk(broker.port, post("/body", ("x"):rep(900000)), { size = 65536 })
      assert.equal(1, #responses)
      assert.equal(413, responses[1].status)
    end)
  end)

  describe("a body of none", function()
    with("--max-body-bytes", "0")

    it("lets an empty one pass", function()
      passes(post("/body", ""), "0")
      passes(chunked .. "0\r\n\r\n", "0")
      refuses(post("/body", "x"), 413, "body_too_large")
      refuses(chunked .. "1\r\nx\r\n0\r\n\r\n", 413, "body_too_large")
    end)
  end)

  describe("the number of connections", function()
    with("--max-connections", "3", "--header-timeout", "20s")

    local held

    before_each(function()
      held = {}
      for i = 1, 3 do
        held[i] = broker:socket()
        held[i]:send(get("/hit/" .. i))
        assert.equal(tostring(i), http.read_response(held[i], "GET").body)
      end
    end)

    --- All connections are free again, so that as many as before may come.
    local function check_recovered()
      for _, socket in ipairs(held) do
        socket:close()
      end
      wait.until_true("the broker to take connections again", function()
        local answer = broker:request("GET", "/metrics")
        return answer.status == 200 and answer.body:find("\npillar_connections 1\n", 1, true)
      end)
    end

    local function check_busy(responses)
      assert.equal(1, #responses)
      assert.equal(503, responses[1].status)
      assert.equal("1", responses[1].headers["retry-after"])
      assert.equal("too_many_connections", responses[1]:json().error.code)
    end

    it("sends a further one away at once, and those that are there go on", function()
      local from = wait.now()
      check_busy(raw.talk(broker.port, get "/hit"))
      check_busy(raw.talk(broker.port, get "/healthz"))
      check_busy(raw.talk(broker.port, post("/body", "hello")))
      check_busy(raw.talk(broker.port, post("/body", ("x"):rep(100000)), { size = 10000 }))
      check_busy(raw.talk(broker.port, get "/hit" .. get "/hit"))
      check_busy(raw.talk(broker.port, get "/hit", { size = 1 }))
      assert.is_true(wait.now() - from < 1000, "it took a second")
      for i, socket in ipairs(held) do
        socket:send(get("/hit/" .. i))
        assert.equal(tostring(i), http.read_response(socket, "GET").body)
      end
      check_recovered()
    end)

    it("tells a further stream to come back later", function()
      local stream = broker:start_stream()
      stream.socket:wait_closed()
      assert.is_nil(stream.socket.failed)
      assert.equal(200, stream.status)
      assert.equal(1, stream.retries)
      assert.is_true(stream.retry >= 1000 and stream.retry <= 5000)
      assert.same({}, stream.all)
      check_recovered()
      assert.equal(1, #broker:stream():named("ready"))
    end)

    it("counts streams", function()
      check_recovered()
      local streams = { broker:stream(), broker:stream(), broker:stream() }
      check_busy(raw.talk(broker.port, get "/hit"))
      held = {}
      for i, stream in ipairs(streams) do
        held[i] = stream.socket
      end
      check_recovered()
    end)

    it("does not keep a further one that says nothing", function()
      assert.equal("", closes_at(1000, function() end))
      assert.equal("", closes_at(1000, function(socket) raw.drip(socket, get "/hit", 200) end))
      check_recovered()
    end)

    it("stands a crowd", function()
      local crowd = {}
      for i = 1, 300 do
        crowd[i] = broker:socket()
      end
      for _, socket in ipairs(crowd) do
        socket:send(get "/hit")
      end
      local told = 0
      for _, socket in ipairs(crowd) do
        socket:wait_closed()
        told = told + (socket.received:find("too_many_connections", 1, true) and 1 or 0)
        socket:close()
      end
      assert.is_true(told >= 100, told .. " were told why")
      held[1]:send(get "/hit/1")
      assert.equal("1", http.read_response(held[1], "GET").body)
      check_recovered()
    end)
  end)

  describe("the time for a head", function()
    with("--header-timeout", "300ms", "--idle-timeout", "20s")

    it("closes a connection that says nothing", function()
      assert.equal("", closes_at(300, function() end))
    end)

    it("closes one that stops in the middle", function()
      is_timeout(closes_at(300, function(socket) socket:send(get("/hit"):sub(1, -3)) end))
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

    setup(function()
      local file = io.open(dir .. "/large.bin", "w")
      file:write(("x"):rep(large))
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

    it("closes a stream that does not read", function()
      local stream = broker:stream()
      stream.socket:pause()
      for _ = 1, 150 do
        assert.equal(204, broker:request("POST", "/emit").status)
      end
      raw.wait_metric(broker, "streams", 0)
      raw.wait_metric(broker, "connections", 1)
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

  describe("the memory of all bodies", function()
    with("--max-body-memory", "64KiB", "--max-body-bytes", "1MiB")

    local function check_overloaded(response)
      assert.equal(503, response.status)
      assert.equal("overloaded", response:json().error.code)
      assert.equal("1", response.headers["retry-after"])
      assert.equal("close", response.headers["connection"])
    end

    it("refuses the body that is too much, and takes others once there is room", function()
      local first, second = broker:socket(), broker:socket()
      local received = broker:metric("received_bytes_total")
      first:send(post("/body", ("x"):rep(40000)):sub(1, -2))
      wait.until_true("the first body", function() return broker:metric("received_bytes_total") > received + 40000 end)
      second:send(post("/body", ("x"):rep(40000)):sub(1, -2))
      check_overloaded(http.read_response(second, "POST"))
      second:wait_closed()
      first:send("x")
      assert.equal("40000", http.read_response(first, "POST").body)
      for _ = 1, 5 do
        first:send(post("/body", ("x"):rep(40000)))
        assert.equal("40000", http.read_response(first, "POST").body)
      end
      first:close()
      second:close()
    end)

    it("gives back what a client took that left in the middle", function()
      for _ = 1, 5 do
        local socket = broker:socket()
        socket:send(post("/body", ("x"):rep(60000)):sub(1, -2))
        raw.wait_metric(broker, "connections", 2)
        socket:close()
        raw.wait_metric(broker, "connections", 1)
      end
      assert.equal("40000", broker:request("POST", "/body", { body = ("x"):rep(40000) }).body)
    end)

    it("refuses a chunked body that grows beyond it", function()
      local responses = raw.talk(broker.port, chunked .. raw.chunked(("x"):rep(70000), function() return 1000 end))
      assert.equal(1, #responses)
      check_overloaded(responses[1])
    end)
  end)

  describe("the queue", function()
    with("--queue-size", "1", "--workers", "1", "--handler-deadline", "20s")

    for _, method in ipairs { "GET", "POST" } do
      it("refuses a further request that would wait: " .. method, function()
        local path = broker.dir .. "/" .. method
        local refused = broker:metric("queue_refusals_total")
        local jobs = broker:metric("jobs_taken_total")
        local running = broker:start_request(method, "/wait?file=" .. path)
        wait.until_true("it to run", function() return broker:metric("jobs_taken_total") > jobs end)
        local waiting = broker:start_request(method, "/wait?file=" .. path)
        wait.until_true("it to wait", function() return broker:metric("queue_depth") == 1 end)

        local socket = broker:socket()
        socket:send(head(method .. " /wait?file=" .. path .. " HTTP/1.1", "Host: test"))
        local response = http.read_response(socket, method)
        assert.equal(503, response.status)
        assert.equal("overloaded", response:json().error.code)
        assert.equal("1", response.headers["retry-after"])
        socket:send(get "/healthz")
        assert.equal(200, http.read_response(socket, "GET").status)
        socket:close()
        assert.equal(refused + 1, broker:metric("queue_refusals_total"))

        if method == "GET" then
          -- Who asks for a stream is found out by a worker too; but a browser would not come back after a 503.
          local stream = broker:start_stream()
          stream.socket:wait_closed()
          assert.is_nil(stream.socket.failed)
          assert.equal(200, stream.status)
          assert.equal(1, stream.retries)
          assert.same({}, stream.all)
        else
          assert.equal("hit", broker:request("GET", "/hit").body)
        end

        io.open(path, "w"):close()
        assert.equal(path, http.finish(running).body)
        assert.equal(path, http.finish(waiting).body)
        assert.equal("hit", broker:request("GET", "/hit").body)
        assert.equal(1, #broker:stream():named("ready"))
      end)
    end
  end)
end)
