-- What a handler sees of a request: path, query, cookies, headers, body; and what it may put into an answer's headers.

local Broker = require "support.broker"
local Socket = require "support.socket"
local cjson = require "cjson"
local http = require "support.http"
local raw = require "support.raw"

local app = [[
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()

local function describe(req)
  return {
    path = req.path, params = req.params, query = req.query, tags = req:queryAll("tag"), cookies = req.cookies,
    header = req.headers["X-Thing"] or pillar.null, id = req.id, remoteAddress = req.remoteAddress,
    session = req.sessionId or pillar.null,
  }
end

app:get("/one/:one", describe)
app:get("/one/:one/rest/*rest", describe)
app:post("/json", function(req) return req:json() end)
app:post("/body", function(req) return req.body end)
app:post("/header", function(req)
  local spec = req:json()
  return 200, "the body", { [spec.name] = spec.value }
end)
return app
]]

local head, get = raw.head, raw.get

describe("a request", function()
  local broker

  setup(function()
    broker = Broker.start { text = app }
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  --- One answer, on a connection that must still be good for another request.
  local function ask(bytes)
    local socket = broker:socket()
    socket:send(bytes)
    local response = http.read_response(socket, "GET")
    socket:send(get "/healthz")
    assert.equal(200, http.read_response(socket, "GET").status)
    assert.equal("", socket.received)
    socket:close()
    return response
  end

  local function see(bytes)
    local response = ask(bytes)
    assert.equal(200, response.status, response.body)
    return response:json()
  end

  local function check_refused(bytes, status, code)
    local handlers = broker:metric("handlers_total")
    local responses = raw.talk(broker.port, bytes .. get "/one/smuggled")
    assert.equal(1, #responses)
    assert.equal(status, responses[1].status, responses[1].body)
    assert.equal(code, responses[1]:json().error.code)
    assert.equal(handlers, broker:metric("handlers_total"))
  end

  describe("has a path", function()
    for raw_part, part in pairs {
      ["plain"] = "plain",
      ["a%20b"] = "a b",
      ["a+b"] = "a+b",
      ["a%2Fb"] = "a/b",
      ["a%2fb"] = "a/b",
      ["%61%62"] = "ab",
      ["%2561"] = "%61",
      ["%252F"] = "%2F",
      ["%25"] = "%",
      ["%25zz"] = "%zz",
      ["%25%32%35"] = "%25",
      ["caf%C3%A9"] = "café",
      ["%F0%9F%8C%8D"] = "\u{1f30d}",
      ["%0A"] = "\n",
      ["%7F"] = "\x7f",
      ["a;b=c"] = "a;b=c",
      ["a:b@c"] = "a:b@c",
      ["%3F%23"] = "?#",
      ["%5C"] = "\\",
      ["..."] = "...",
      [".a"] = ".a",
      ["a%2F..%2Fb"] = "a/../b",
    } do
      it(("whose parameter %s is %q"):format(raw_part, part), function()
        local seen = see(get("/one/" .. raw_part))
        assert.equal(part, seen.params.one)
        assert.equal("/one/" .. part, seen.path)
      end)
    end

    it("whose rest holds what is left, decoded", function()
      assert.equal("a/b c/", see(get "/one/x/rest/a/b%20c/").params.rest)
      assert.equal("", see(get "/one/x/rest/").params.rest)
      assert.equal("//", see(get "/one/x/rest///").params.rest)
    end)

    for _, target in ipairs {
      "/one/%", "/one/%2", "/one/%zz", "/one/%2z", "/one/%z2", "/one/a%", "/one/%%41", "/one/% 41", "/one/%+1",
      "/one/%00", "/one/a%00b", "/%00",
      "/one/%FF", "/one/%C3", "/one/%C3%28", "/one/%C0%AF", "/one/%E0%80%AF", "/one/%ED%A0%80", "/one/%F4%90%80%80",
      "/one/%C3/%A9",
      "/one/..", "/one/.", "/one/../one/x", "/../one/x", "/./one/x", "/one/%2e%2e", "/one/%2E", "/one/.%2e",
      "/one/%2e./x",
    } do
      it("that is refused: " .. target, function()
        check_refused(get(target), 400, "bad_request")
      end)
    end

    it("of 64 segments at most", function()
      assert.equal(("a/"):rep(60) .. "a", see(get("/one/x/rest/" .. ("a/"):rep(60) .. "a")).params.rest)
      check_refused(get("/one/x/rest/" .. ("a/"):rep(61) .. "a"), 400, "bad_request")
    end)
  end)

  describe("has a query", function()
    for text, expected in pairs {
      ["a=1"] = { a = "1" },
      ["a=1&b=2"] = { a = "1", b = "2" },
      ["a=1&a=2"] = { a = "1" },
      ["a"] = { a = "" },
      ["a="] = { a = "" },
      ["=1"] = { [""] = "1" },
      ["a=b=c"] = { a = "b=c" },
      ["a=1&&b=2&"] = { a = "1", b = "2" },
      ["a+b=c+d"] = { ["a b"] = "c d" },
      ["a=%2B"] = { a = "+" },
      ["a=%26b%3D1"] = { a = "&b=1" },
      ["%61=%41"] = { a = "A" },
      ["a=%2541"] = { a = "%41" },
      ["a=%252541"] = { a = "%2541" },
      ["a=?/?"] = { a = "?/?" },
      ["a=caf%C3%A9"] = { a = "café" },
      ["a=%0D%0A"] = { a = "\r\n" },
      ["a[]=1&a.b=2"] = { ["a[]"] = "1", ["a.b"] = "2" },
    } do
      it("that is decoded once: " .. text, function()
        assert.same(expected, see(get("/one/x?" .. text)).query)
      end)
    end

    it("that may be empty or not there", function()
      assert.same({}, see(get "/one/x?").query)
      assert.same({}, see(get "/one/x?&&").query)
      assert.same({}, see(get "/one/x").query)
    end)

    it("with one name several times, of which queryAll gives all", function()
      local seen = see(get "/one/x?tag=a&other=1&tag=b+c&tag=&%74ag=%26")
      assert.same({ "a", "b c", "", "&" }, seen.tags)
      assert.equal("a", seen.query.tag)
      assert.same({}, see(get "/one/x").tags)
    end)

    for _, text in ipairs { "%", "a=%", "a=%2", "a=%zz", "%zz=1", "a=%00", "%00=1", "a=%FF", "a=%C3", "%ED%A0%80=1" } do
      it("that is refused: " .. text, function()
        check_refused(get("/one/x?" .. text), 400, "bad_request")
      end)
    end

    it("of 256 parameters at most", function()
      assert.equal("1", see(get("/one/x?" .. ("a=1&"):rep(255) .. "a=1")).query.a)
      check_refused(get("/one/x?" .. ("a=1&"):rep(256) .. "a=1"), 400, "bad_request")
    end)
  end)

  describe("has headers", function()
    it("whose names have no case", function()
      for _, name in ipairs { "X-Thing", "x-thing", "X-THING" } do
        assert.equal("one", see(get("/one/x", name .. ": one")).header)
      end
    end)

    it("without the space around their values", function()
      assert.equal("one  two", see(get("/one/x", "X-Thing: \t one  two \t ")).header)
      assert.equal("", see(get("/one/x", "X-Thing:   ")).header)
    end)

    it("of one name several times, joined in order", function()
      assert.equal("one, two, three", see(get("/one/x", "X-Thing: one", "x-thing: two", "X-Other: x", "X-THING: three"))
        .header)
    end)

    it("with cookies", function()
      local seen = see(get("/one/x", 'Cookie: a=1; b="two"; c=x=y; d=; =e; f; a=2', "Cookie: g=3; b=4"))
      assert.same({ a = "1", b = "two", c = "x=y", d = "", g = "3" }, seen.cookies)
      assert.same({}, see(get "/one/x").cookies)
    end)

    it("that name its session", function()
      assert.equal("tab 1", see(get("/one/x", "X-Session-Id: tab 1")).session)
      assert.equal(cjson.null, see(get "/one/x").session)
      assert.equal(400, ask(get("/one/x", "X-Session-Id: " .. ("s"):rep(257))).status)
    end)
  end)

  it("comes from an address", function()
    assert.equal("127.0.0.1", see(get "/one/x").remoteAddress)
  end)

  describe("has an id", function()
    it("of its own", function()
      local ids = {}
      for _ = 1, 20 do
        local response = ask(get "/one/x")
        local id = response:json().id
        assert.equal(id, response.headers["x-request-id"])
        assert.truthy(id:match("^[%w-]+$"))
        assert.is_nil(ids[id])
        ids[id] = true
      end
    end)

    it("that a proxy gave it", function()
      for _, id in ipairs { "abc-123", ("i"):rep(64), "a.b_c~d" } do
        local response = ask(get("/one/x", "X-Request-Id: " .. id))
        assert.equal(id, response:json().id)
        assert.equal(id, response.headers["x-request-id"])
      end
    end)

    it("but not one that could do harm", function()
      for _, id in ipairs { "a b", "<script>", ("i"):rep(65), "\xc3\xa4", 'a"b', "" } do
        local response = ask(get("/one/x", "X-Request-Id: " .. id))
        assert.not_equal(id, response:json().id)
        assert.equal(response:json().id, response.headers["x-request-id"])
      end
    end)

    it("also when the broker answers it by itself", function()
      assert.equal("abc", ask(get("/nowhere", "X-Request-Id: abc")).headers["x-request-id"])
    end)
  end)

  describe("with a body", function()
    local function post(path, body, ...)
      return head("POST " .. path .. " HTTP/1.1", "Host: test", "Content-Length: " .. #body, ...) .. body
    end

    local json = "Content-Type: application/json"

    it("that is JSON", function()
      for _, kind in ipairs {
        "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x",
        " application/json ", "application/merge-patch+json",
      } do
        assert.equal("[1]", ask(post("/json", "[1]", "Content-Type: " .. kind)).body)
      end
    end)

    for _, kind in ipairs {
      "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", "application/x+jsonx",
      "json", "",
    } do
      it(("that is not JSON, when a handler wants JSON: %q"):format(kind), function()
        local response = ask(post("/json", "[1]", "Content-Type: " .. kind))
        assert.equal(415, response.status)
        assert.equal("unsupported_media_type", response:json().error.code)
      end)
    end

    it("without Content-Type, when a handler wants JSON", function()
      assert.equal(415, ask(post("/json", "[1]")).status)
    end)

    for _, body in ipairs {
      "", " ", "{", "[1,]", "{'a':1}", "{\"a\":01}", "[NaN]", "[1] x", "[\"\xff\"]", "[\"\\ud800\"]", "\xef\xbb\xbf[1]",
      ("["):rep(101) .. ("]"):rep(101), "1", "\"text\"", "null", "[\"a\0\"]",
    } do
      it(("that is no good as JSON: %q"):format(body:sub(1, 20)), function()
        local response = ask(post("/json", body, json))
        assert.equal(400, response.status)
        assert.equal("invalid_json", response:json().error.code)
      end)
    end

    for _, coding in ipairs { "gzip", "br", "deflate", "x-gzip", "identity, gzip", "gzip, identity", "" } do
      it(("that is encoded is refused: %q"):format(coding), function()
        check_refused(post("/body", "x", "Content-Encoding: " .. coding), 415, "unsupported_content_encoding")
      end)
    end

    it("that says to be encoded by nothing is good", function()
      assert.equal("x", ask(post("/body", "x", "Content-Encoding: identity")).body)
    end)

    it("whose end is not told is refused", function()
      for _, method in ipairs { "POST", "PUT", "PATCH" } do
        check_refused(head(method .. " /body HTTP/1.1", "Host: test", json) .. "[1]", 411, "length_required")
        check_refused(head(method .. " /body HTTP/1.0", "Connection: keep-alive") .. "[1]", 411, "length_required")
      end
    end)

    it("that is not there needs no length", function()
      assert.equal("", ask(head("POST /body HTTP/1.1", "Host: test")).body)
      assert.equal("", ask(head("POST /body HTTP/1.0", "Connection: keep-alive", "Content-Length: 0")).body)
    end)

    it("is let pass and forgotten where a method has no use for it", function()
      assert.equal("x", see(head("GET /one/x HTTP/1.1", "Host: test", "Content-Length: 5") .. "hello").params.one)
    end)
  end)

  describe("whose handler answers with a header", function()
    local function answer_with(name, value)
      local body = cjson.encode { name = name, value = value }
      return ask(head("POST /header HTTP/1.1", "Host: test", "Content-Type: application/json",
        "Content-Length: " .. #body) .. body)
    end

    for _, value in ipairs {
      "a\r\nSet-Cookie: evil=1", "a\nb", "a\rb", "a\0b", "a\x01b", "a\x7fb", "\r\n\r\n<html>",
      "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    } do
      it(("whose value would break out is a 500: %q"):format(value), function()
        local response = answer_with("X-Thing", value)
        assert.equal(500, response.status)
        assert.is_nil(response.headers["x-thing"])
        assert.is_nil(response.headers["set-cookie"])
        assert.is_nil(response.body:find("the body"))
      end)
    end

    for _, name in ipairs {
      "X Thing", "X:Thing", "X-Thing\r\nX-Other", "", "X\0", "X-Th\u{e4}ng", "Content-Length", "transfer-encoding",
      "Connection", "Keep-Alive", "Trailer", "Upgrade", "TE", "Date",
    } do
      it(("whose name would break out is a 500: %q"):format(name), function()
        assert.equal(500, answer_with(name, "1").status)
      end)
    end

    it("that is good", function()
      assert.equal("a\tb \u{e4}", answer_with("X-Thing", "a\tb \u{e4}").headers["x-thing"])
      assert.equal("", answer_with("X-Thing", "").headers["x-thing"])
      assert.equal("text/csv", answer_with("content-type", "text/csv").headers["content-type"])
    end)

    it("that has several values", function()
      assert.equal("a=1, b=2", answer_with("Set-Cookie", { "a=1", "b=2" }).headers["set-cookie"])
    end)
  end)
end)
