-- HTTP/1.1 as clients use it: connections that live on, pipelining, HEAD, OPTIONS, expectations, chunked bodies,
-- clients that close their half, HTTP/1.0.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local raw = require "support.raw"
local wait = require "support.wait"

local app = [[
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()

local function busy(ms)
  local till = os.clock() + ms / 1000
  while os.clock() < till do end
end

app:get("/number/:n", function(req) return req.params.n end)
app:get("/slow/:n", function(req) busy(20) return req.params.n end)
app:post("/number/:n", function(req) return req.params.n .. ":" .. req.body end)
app:post("/body", function(req) return req.body end)
app:put("/thing/:id", function(req) return { id = req.params.id } end)
app:get("/thing/:id", function(req) return { id = req.params.id } end)
app:delete("/thing/:id", function() end)
app:get("/nothing", function() end)
app:get("/reset", function() return 205 end)
app:get("/host", function(req) return { host = req.headers.host, path = req.path, query = req.query } end)
return app
]]

local head, get, post = raw.head, raw.get, raw.post

local function bodies(responses)
  local list = {}
  for i, response in ipairs(responses) do
    assert.equal(200, response.status, response.body)
    list[i] = response.body
  end
  return list
end

describe("HTTP/1.1", function()
  local broker

  setup(function()
    broker = Broker.start { text = app }
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  --- Sends bytes and reads `count` responses, on a connection that must still be good for another request.
  local function ask(bytes, count, options)
    options = options or {}
    local socket = broker:socket()
    raw.send(socket, bytes, options.size)
    local responses = raw.read(socket, count or 1, options.methods)
    socket:send(get "/number/alive")
    assert.equal("alive", http.read_response(socket, "GET").body)
    assert.equal("", socket.received)
    socket:close()
    return table.unpack(responses)
  end

  describe("keeps a connection", function()
    it("for one request after the other", function()
      local opened = broker:metric("connections_opened_total")
      local socket = broker:socket()
      for n = 1, 200 do
        socket:send(n % 2 == 0 and get("/number/" .. n) or post("/number/" .. n, "b"))
        local response = http.read_response(socket, "GET")
        assert.equal(n % 2 == 0 and tostring(n) or n .. ":b", response.body)
        assert.is_nil(response.headers["connection"])
      end
      socket:close()
      assert.equal(opened + 2, broker:metric("connections_opened_total"))
    end)

    for _, value in ipairs { "close", "Close", "keep-alive, close", "close, x", "x,close" } do
      it("but not when the request says Connection: " .. value, function()
        local responses = raw.talk(broker.port, get("/number/1", "Connection: " .. value) .. get "/number/2")
        assert.same({ "1" }, bodies(responses))
        assert.equal("close", responses[1].headers["connection"])
      end)
    end

    it("when a request asks for an upgrade, which it does not get", function()
      local response = ask(get("/number/1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"))
      assert.equal("1", response.body)
      response = ask(post("/number/1", "body", "Connection: Upgrade", "Upgrade: websocket"))
      assert.equal("1:body", response.body)
    end)
  end)

  describe("answers pipelined requests in order", function()
    it("slow and fast ones in one write", function()
      local parts, expected = {}, {}
      for n = 1, 40 do
        if n % 8 == 1 then
          parts[n], expected[n] = get("/slow/" .. n), tostring(n)
        elseif n % 3 == 0 then
          parts[n], expected[n] = post("/number/" .. n, ("x"):rep(n)), n .. ":" .. ("x"):rep(n)
        else
          parts[n], expected[n] = get("/number/" .. n), tostring(n)
        end
      end
      assert.same(expected, bodies { ask(table.concat(parts), 40) })
    end)

    it("those of the script, of the broker and of nobody", function()
      local text = get "/slow/1" .. get "/healthz" .. get "/nowhere" .. get "/number/4" .. get "/readyz"
      local responses = { ask(text, 5) }
      local statuses = {}
      for i, response in ipairs(responses) do
        statuses[i] = response.status
      end
      assert.same({ 200, 200, 404, 200, 200 }, statuses)
      assert.equal("1", responses[1].body)
      assert.equal("4", responses[4].body)
    end)

    it("more of them than are read at once", function()
      local parts, expected = {}, {}
      for n = 1, 4000 do
        parts[n], expected[n] = get("/number/" .. n), tostring(n)
      end
      local text = table.concat(parts)
      assert.is_true(#text > 128 * 1024)
      assert.same(expected, bodies { ask(text, 4000) })
    end)

    it("when they come one byte at a time", function()
      local text = get "/slow/1" .. post("/number/2", "two") .. get "/number/3" .. post("/number/4", "four")
      assert.same({ "1", "2:two", "3", "4:four" }, bodies { ask(text, 4, { size = 1 }) })
    end)

    it("and none behind one that closes", function()
      local handlers = broker:metric("handlers_total")
      local text = get "/slow/1" .. get("/number/2", "Connection: close") .. get "/number/3" .. get "/number/4"
      assert.same({ "1", "2" }, bodies(raw.talk(broker.port, text, { count = 2 })))
      assert.equal(handlers + 2, broker:metric("handlers_total"))
    end)

    it("up to one that is refused, and none behind that", function()
      local handlers = broker:metric("handlers_total")
      local text = get "/slow/1" .. get("/number/2", "Bad : 1") .. get "/number/3"
      local responses = raw.talk(broker.port, text, { count = 2 })
      assert.equal(2, #responses)
      assert.equal("1", responses[1].body)
      assert.equal(400, responses[2].status)
      assert.equal(handlers + 1, broker:metric("handlers_total"))
    end)

    it("and opens a stream behind others, which then ends with its client", function()
      local socket = broker:socket()
      socket:send(get "/slow/1" .. get "/number/2" .. get "/api/events")
      assert.same({ "1", "2" }, bodies(raw.read(socket, 2)))
      socket:wait_for("event: ready")
      assert.equal(1, broker:metric("streams"))
      socket:close()
      raw.wait_metric(broker, "streams", 0)
    end)

    it("and drops what comes behind a stream's request, also when the client leaves", function()
      local socket = broker:socket()
      socket:send(get "/api/events" .. get "/number/2")
      socket:wait_for("event: ready")
      assert.is_nil(socket.received:find("HTTP/1.1", 10, true))
      socket:close()
      raw.wait_metric(broker, "streams", 0)
    end)
  end)

  describe("HEAD", function()
    local function without_variable(headers)
      headers["date"], headers["x-request-id"], headers["sync-position"] = nil, nil, nil
      return headers
    end

    for _, path in ipairs { "/number/12345", "/thing/1", "/nothing", "/nowhere", "/healthz" } do
      it("has the headers of GET and no body: " .. path, function()
        local by_get = ask(get(path))
        local by_head = ask(head("HEAD " .. path .. " HTTP/1.1", "Host: test"), 1, { methods = { "HEAD" } })
        assert.equal(by_get.status, by_head.status)
        assert.equal("", by_head.body)
        assert.same(without_variable(by_get.headers), without_variable(by_head.headers))
      end)
    end

    it("goes with others in one write", function()
      local text = head("HEAD /slow/1 HTTP/1.1", "Host: test") .. get "/number/2" ..
        head("HEAD /number/3 HTTP/1.1", "Host: test") .. get "/number/4"
      local responses = { ask(text, 4, { methods = { "HEAD", "GET", "HEAD", "GET" } }) }
      assert.same({ "", "2", "", "4" }, bodies(responses))
      assert.equal("1", responses[1].headers["content-length"])
    end)

    it("of a path that only takes mutations is a 405 without a body", function()
      local response = ask(head("HEAD /body HTTP/1.1", "Host: test"), 1, { methods = { "HEAD" } })
      assert.equal(405, response.status)
      assert.equal("POST, OPTIONS", response.headers["allow"])
    end)

    it("that is refused has no body either", function()
      for _, refused in ipairs {
        head("HEAD /number/1 HTTP/1.1", "Host: test", "Bad : 1"),
        head("HEAD /%zz HTTP/1.1", "Host: test"),
        head("HEAD /number/1 HTTP/1.1", "Host: test", "Expect: more"),
      } do
        local responses = raw.talk(broker.port, refused, { methods = { "HEAD" } })
        assert.equal(1, #responses)
        assert.is_true(responses[1].status >= 400)
      end
    end)
  end)

  describe("tells the methods of a path", function()
    for path, methods in pairs {
      ["/number/1"] = "GET, HEAD, POST, OPTIONS",
      ["/thing/1"] = "GET, HEAD, PUT, DELETE, OPTIONS",
      ["/body"] = "POST, OPTIONS",
      ["/healthz"] = "GET, HEAD, OPTIONS",
      ["*"] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    } do
      it("to OPTIONS " .. path, function()
        local response = ask(head("OPTIONS " .. path .. " HTTP/1.1", "Host: test"))
        assert.equal(204, response.status)
        assert.equal(methods, response.headers["allow"])
        assert.is_nil(response.headers["content-length"])
      end)
      it("to a method that it does not know: " .. path, function()
        if path == "*" then
          return
        end
        local response = ask(head("PATCH " .. path .. " HTTP/1.1", "Host: test"))
        assert.equal(405, response.status)
        assert.equal(methods, response.headers["allow"])
        assert.equal("method_not_allowed", response:json().error.code)
      end)
    end

    it("and does not name HEAD where it refuses HEAD", function()
      local response = ask(head("HEAD /api/events HTTP/1.1", "Host: test"), 1, { methods = { "HEAD" } })
      assert.equal(405, response.status)
      assert.is_nil(response.headers["allow"]:find("HEAD"))
    end)

    it("but a path that is none is a 404, with every method", function()
      for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
        local response = ask(head(method .. " /nowhere HTTP/1.1", "Host: test"))
        assert.equal(404, response.status)
        assert.equal("not_found", response:json().error.code)
      end
    end)
  end)

  describe("Expect", function()
    local function expecting(value, length, version)
      return head("POST /body HTTP/" .. (version or "1.1"), "Host: test", "Connection: keep-alive",
        "Content-Length: " .. length, "Expect: " .. value)
    end

    for _, value in ipairs { "100-continue", "100-Continue" } do
      it(value .. " is answered with 100 before the body comes, and with 200 behind it", function()
        local socket = broker:socket()
        socket:send(expecting(value, 5))
        assert.equal(100, http.read_response(socket, "POST").status)
        assert.equal("", socket.received)
        socket:send("hello" .. get "/number/2")
        assert.same({ "hello", "2" }, bodies { http.read_response(socket, "POST"), http.read_response(socket, "GET") })
        socket:close()
      end)
    end

    it("100-continue goes with a chunked body", function()
      local socket = broker:socket()
      socket:send(head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked", "Expect: 100-continue"))
      assert.equal(100, http.read_response(socket, "POST").status)
      socket:send("5\r\nhello\r\n0\r\n\r\n")
      assert.equal("hello", http.read_response(socket, "POST").body)
      socket:close()
    end)

    it("100-continue is not waited for by a client in a hurry", function()
      local response = ask(expecting("100-continue", 5) .. "hello")
      assert.equal("hello", response.body)
    end)

    it("100-continue without a body gets no 100", function()
      local socket = broker:socket()
      socket:send(get("/number/1", "Expect: 100-continue"))
      assert.equal(200, http.read_response(socket, "GET").status)
      socket:send(expecting("100-continue", 0))
      assert.equal(200, http.read_response(socket, "POST").status)
      socket:close()
    end)

    it("100-continue is ignored in HTTP/1.0", function()
      local response = ask(expecting("100-continue", 5, "1.0") .. "hello")
      assert.equal("hello", response.body)
    end)

    it("100-continue with a body that is too large gets 413 instead", function()
      local responses = raw.talk(broker.port, expecting("100-continue", 1024 * 1024 + 1))
      assert.equal(1, #responses)
      assert.equal(413, responses[1].status)
    end)

    it("100-continue with a path that takes no such method gets 100 all the same, and then 405", function()
      local socket = broker:socket()
      socket:send(head("POST /nothing HTTP/1.1", "Host: test", "Content-Length: 1", "Expect: 100-continue"))
      assert.equal(100, http.read_response(socket, "POST").status)
      socket:send("x")
      assert.equal(405, http.read_response(socket, "POST").status)
      socket:close()
    end)

    for _, value in ipairs { "200-ok", "100-continue, more", "", "100-continue;q=1" } do
      it(("of another kind gets 417: %q"):format(value), function()
        local responses = raw.talk(broker.port, expecting(value, 5) .. "hello" .. get "/number/2")
        assert.equal(1, #responses)
        assert.equal(417, responses[1].status)
        assert.equal("expectation_failed", responses[1]:json().error.code)
      end)
    end
  end)

  describe("a chunked body", function()
    it("arrives whole, however it is cut", function()
      local seed = math.randomseed()
      for round = 1, 60 do
        local text = {}
        for i = 1, math.random(0, 3000) do
          text[i] = string.char(math.random(0, 255))
        end
        text = table.concat(text)
        local most = math.random(1, 700)
        local bytes = head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") ..
          raw.chunked(text, function() return math.random(1, most) end)
        local response = ask(bytes .. get "/number/1", 2, { size = math.random(1, 500) })
        assert.equal(200, response.status)
        assert.is_true(text == response.body, ("round %d of seed %d"):format(round, seed))
      end
    end)

    it("may be empty", function()
      local empty = head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") .. "0\r\n\r\n"
      local first, second = ask(empty .. post("/body", "next"), 2)
      assert.equal("", first.body)
      assert.equal("next", second.body)
    end)

    it("does not give its trailers to the handler as headers", function()
      local response = ask(head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") ..
        "1\r\nx\r\n0\r\nConnection: close\r\nX-Request-Id: trailer\r\n\r\n")
      assert.equal("x", response.body)
      assert.not_equal("trailer", response.headers["x-request-id"])
    end)
  end)

  describe("a client that closes its half", function()
    it("gets the answer to what it sent", function()
      local responses = raw.talk(broker.port, get "/slow/1", { finish = true })
      assert.same({ "1" }, bodies(responses))
    end)

    it("gets all answers to what it sent", function()
      local text = get "/slow/1" .. post("/number/2", "two") .. get "/slow/3" .. get "/number/4"
      assert.same({ "1", "2:two", "3", "4" }, bodies(raw.talk(broker.port, text, { finish = true })))
    end)

    for name, part in pairs {
      ["a head"] = "POST /body HTTP/1.1\r\nHost: test\r\n",
      ["a body"] = post("/body", "hello"):sub(1, -2),
      ["a chunk"] = head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") .. "5\r\nhel",
      ["a chunked body"] = head("POST /body HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") .. "5\r\nhello\r\n",
    } do
      it("in the middle of " .. name .. " has asked for nothing", function()
        local handlers = broker:metric("handlers_total")
        local responses = raw.talk(broker.port, get "/number/1" .. part, { finish = true, count = 2 })
        assert.same({ "1" }, bodies(responses))
        assert.equal(handlers + 1, broker:metric("handlers_total"))
      end)
    end

    it("leaves nothing behind", function()
      raw.wait_metric(broker, "connections", 1)
    end)
  end)

  it("forgets a request whose client leaves while it is handled", function()
    local handlers = broker:metric("handlers_total")
    local socket = broker:socket()
    socket:send(get "/slow/1")
    wait.until_true("the handler to run", function() return broker:metric("handlers_total") > handlers end)
    socket:close()
    raw.wait_metric(broker, "connections", 1)
    assert.equal("2", ask(get "/number/2").body)
  end)

  describe("HTTP/1.0", function()
    it("closes after the answer", function()
      local responses = raw.talk(broker.port, head "GET /number/1 HTTP/1.0" .. get "/number/2")
      assert.same({ "1" }, bodies(responses))
      assert.equal("close", responses[1].headers["connection"])
    end)

    it("keeps the connection when it is asked to, and says so", function()
      local first, second = ask(head("GET /number/1 HTTP/1.0", "Connection: keep-alive") ..
        head("POST /number/2 HTTP/1.0", "Connection: Keep-Alive", "Content-Length: 1") .. "x", 2)
      assert.same({ "1", "2:x" }, bodies { first, second })
      assert.equal("keep-alive", first.headers["connection"])
      assert.equal("keep-alive", second.headers["connection"])
    end)

    it("opens a stream", function()
      local socket = broker:socket()
      socket:send(head "GET /api/events HTTP/1.0")
      socket:wait_for("event: ready")
      socket:close()
      raw.wait_metric(broker, "streams", 0)
    end)
  end)

  describe("an absolute target", function()
    for target, expected in pairs {
      ["http://other/host"] = { "/host", {} },
      ["http://other:8080/host?a=1"] = { "/host", { a = "1" } },
      ["HTTP://Other/host"] = { "/host", {} },
      ["http://[::1]:80/host"] = { "/host", {} },
    } do
      it("is taken for its path: " .. target, function()
        local response = ask(get(target))
        assert.equal(200, response.status, response.body)
        assert.equal(expected[1], response:json().path)
        assert.same(expected[2], response:json().query)
      end)
    end

    it("without a path is the root", function()
      for _, target in ipairs { "http://other", "http://other?a=1", "http://other/" } do
        assert.equal(404, ask(get(target)).status)
      end
    end)
  end)

  describe("an answer", function()
    it("without content has no length", function()
      local response = ask(get "/nothing")
      assert.equal(204, response.status)
      assert.is_nil(response.headers["content-length"])
      assert.is_nil(response.headers["content-type"])
    end)

    it("that resets the view has length 0", function()
      local response = ask(get "/reset")
      assert.equal(205, response.status)
      assert.equal("0", response.headers["content-length"])
    end)

    it("carries the date", function()
      local date = ask(get "/number/1").headers["date"]
      assert.truthy(date:match("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"), date)
      assert.equal(os.date("!%d %b %Y"), date:sub(6, 16))
    end)
  end)
end)
