-- The limits on how much a client may send and hold open, each set small: a client that goes beyond one is told so,
-- and nobody else notices.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local raw = require "support.raw"
local wait = require "support.wait"

local app = [[
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()

app:get("/hit", function() return "hit" end)
app:get("/hit/:n", function(req) return req.params.n end)
app:post("/body", function(req) return tostring(#req.body) end)

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

  --- A timeout is looked at ten times a second; the upper bound only tells a deadline from one that each byte puts off.
  local function closes_at(ms, act, may_reset)
    local received, took = raw.last(broker.port, act, may_reset)
    assert.is_true(took >= ms - 20 and took < ms + 2000, ("it took %.0f ms"):format(took))
    return received
  end

  describe("the size of a head", function()
    with("--max-header-bytes", "1KiB")

    local function of_size(size)
      return get("/hit", "X-A: " .. ("v"):rep(size - #get("/hit", "X-A: ")))
    end

    it("lets one pass that just fits", function()
      assert.equal(1024, #of_size(1024))
      passes(of_size(1024))
    end)

    it("refuses one that does not", function()
      refuses(of_size(1025), 431, "headers_too_large")
      refuses(of_size(100000), 431, "headers_too_large")
    end)

    it("refuses one that has no end before it is read", function()
      refuses(of_size(2000):sub(1, 1025), 431, "headers_too_large")
      refuses(get("/hit", ("N"):rep(2000)):sub(1, 1025), 431, "headers_too_large")
      refuses("GET /hit HTTP/1.1\r\n" .. ("X-A: 12345678\r\n"):rep(70), 431, "headers_too_large")
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

    -- The broker may take a moment to see that the connections of the test before are gone.
    local function hold(name)
      local socket
      wait.until_true("a connection", function()
        socket = broker:socket()
        socket:send(get("/hit/" .. name))
        local response = http.read_response(socket, "GET")
        if response.status == 200 then
          return true
        end
        socket:close()
      end)
      return socket
    end

    before_each(function()
      held = { hold "1", hold "2", hold "3" }
    end)

    after_each(Socket.close_all)

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
      stream:close()
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
      assert.equal("", closes_at(1000, function(socket) raw.drip(socket, get "/hit", 200) end, true))
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
