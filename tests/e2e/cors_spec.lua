-- app:cors: which pages of other origins may use the app.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"

local app = [[
  local pillar = require "pillar"
  local app = pillar.app()
  app:cors { %s }
  app:authenticate(function(req) return req.cookies.user and { id = req.cookies.user } end)
  app:entity("note")
  app:get("/notes", function() return { ok = true } end)
  app:post("/notes", function() return 201, { ok = true }, { Location = "/notes/1" } end)
  app:get("/raise", function() error("on purpose") end)
  app:get("/sleep", { public = true }, function() os.execute("sleep 1") end)
  app:put("/big", { public = true }, function(req) return { bytes = #req.body } end)
  app:static("/files", "]] .. Broker.source .. [[/tests/e2e/files")
  return app
]]

local ours, theirs = "https://app.example", "https://evil.example"
local exposed = "Sync-Position, X-Request-Id, Retry-After, Location, Idempotency-Replayed"

local function start(options, ...)
  return Broker.start { text = app:format(options), args = { ... } }
end

local function from(origin, more)
  local headers = { Origin = origin, Cookie = "user=ada" }
  for name, value in pairs(more or {}) do
    headers[name] = value
  end
  return { headers = headers }
end

--- The headers of CORS that an answer carries.
local function cors_of(headers)
  local found = {}
  for name, value in pairs(headers) do
    local short = name:match("^access%-control%-(.*)$")
    if short then
      found[short] = value
    end
  end
  return found
end

describe("app:cors", function()
  local broker

  setup(function()
    broker = start(([[origins = { "%s", "http://localhost:5173" }, credentials = true, maxAge = 60]]):format(ours),
      "--max-body-bytes", "1000", "--handler-deadline", "200ms", "--max-requests-per-user", "200")
  end)
  after_each(function() Socket.close_all() end)
  teardown(function() broker:stop() end)

  local allowed = {
    ["allow-origin"] = ours, ["allow-credentials"] = "true", ["expose-headers"] = exposed,
  }

  it("lets its origins read every answer", function()
    local cases = {
      { 200, "GET", "/notes" },
      { 201, "POST", "/notes" },
      { 200, "HEAD", "/notes" },
      { 401, "GET", "/notes", { Cookie = "x=y" } },
      { 404, "GET", "/nowhere" },
      { 405, "DELETE", "/notes" },
      { 500, "GET", "/raise" },
      { 503, "GET", "/sleep" }, -- the loop's word, not the worker's
      { 400, "GET", "/api/events?entities=nonsense" },
      { 401, "GET", "/api/events", { Cookie = "x=y" } },
      { 200, "GET", "/files/a.txt" },
      { 206, "GET", "/files/a.txt", { Range = "bytes=0-0" } },
      { 416, "GET", "/files/a.txt", { Range = "bytes=1000-" } },
      { 404, "GET", "/files/none" },
      { 200, "GET", "/healthz" },
      { 200, "GET", "/metrics" },
    }
    for _, case in ipairs(cases) do
      local answer = broker:request(case[2], case[3], from(ours, case[4]))
      assert.equal(case[1], answer.status, case[3])
      assert.same(allowed, cors_of(answer.headers), case[3])
      assert.equal("Origin", answer.headers.vary)
    end
    local tag = broker:request("GET", "/files/a.txt", from(ours)).headers.etag
    local answer = broker:request("GET", "/files/a.txt", from(ours, { ["If-None-Match"] = tag }))
    assert.equal(304, answer.status)
    assert.same(allowed, cors_of(answer.headers))
    assert.equal("http://localhost:5173",
      cors_of(broker:request("GET", "/notes", from "http://localhost:5173").headers)["allow-origin"])
  end)

  it("lets them read that a body is too large", function()
    local options = from(ours, { ["Content-Type"] = "text/plain" })
    options.body = ("x"):rep(1001)
    local answer = broker:request("PUT", "/big", options)
    assert.equal(413, answer.status)
    assert.same(allowed, cors_of(answer.headers))
    local chunked = ("PUT /big HTTP/1.1\r\nHost: test\r\nOrigin: %s\r\nTransfer-Encoding: chunked\r\n\r\n"):format(ours)
    local socket = broker:socket()
    socket:send(chunked .. "1000\r\n")
    answer = http.read_response(socket, "PUT")
    assert.equal(413, answer.status)
    assert.same(allowed, cors_of(answer.headers))
  end)

  it("lets them read that they ask too often", function()
    local socket = broker:socket()
    socket:send(http.format("GET", "/notes", from(ours, { Cookie = "user=eager" })):rep(300))
    local refused
    for _ = 1, 300 do
      local answer = http.read_response(socket)
      assert.same(allowed, cors_of(answer.headers))
      refused = refused or answer.status == 429
    end
    assert.is_true(refused)
  end)

  it("lets them open a stream, and be sent away from one", function()
    local stream = broker:stream { headers = from(ours).headers }
    local headers = {}
    for name, value in stream.head:gmatch("\r\n([^:\r]+):[ \t]*([^\r]*)") do
      headers[name:lower()] = value
    end
    assert.same(allowed, cors_of(headers))
    assert.equal("Origin", headers.vary)
    local full = start(([[origins = { "%s" }]]):format(ours), "--max-streams-per-user", "1")
    full:stream { headers = from(ours).headers }
    local refused = full:start_stream { headers = from(ours).headers }
    refused.socket:wait_closed()
    assert.equal(1, refused.retries)
    assert.truthy(refused.head:find("\r\nAccess-Control-Allow-Origin: " .. ours, 1, true))
    assert.is_nil(refused.head:find("Allow-Credentials", 1, true))
    Socket.close_all()
    full:stop()
  end)

  it("says nothing to other origins, and that it depends on them", function()
    for _, origin in ipairs { theirs, "http://app.example", ours .. ":8443", ours .. ".evil.example", "null" } do
      local answer = broker:request("GET", "/notes", from(origin))
      assert.equal(200, answer.status)
      assert.same({}, cors_of(answer.headers), origin)
      assert.equal("Origin", answer.headers.vary)
      answer = broker:request("OPTIONS", "/notes", from(origin, { ["Access-Control-Request-Method"] = "POST" }))
      assert.same({}, cors_of(answer.headers), origin)
    end
    local answer = broker:request("GET", "/notes", { headers = { Cookie = "user=ada" } })
    assert.same({}, cors_of(answer.headers))
    assert.equal("Origin", answer.headers.vary)
  end)

  it("answers preflights with the path's methods and what is asked for", function()
    local cases = {
      ["/notes"] = "GET, HEAD, POST, OPTIONS",
      ["/big"] = "PUT, OPTIONS",
      ["/files/a.txt"] = "GET, HEAD, OPTIONS",
      ["/api/events"] = "GET, OPTIONS",
      ["/healthz"] = "GET, HEAD, OPTIONS",
    }
    for path, methods in pairs(cases) do
      local answer = broker:request("OPTIONS", path, {
        headers = {
          Origin = ours,
          ["Access-Control-Request-Method"] = "POST",
          ["Access-Control-Request-Headers"] = "content-type,x-session-id",
        },
      })
      assert.equal(204, answer.status)
      assert.same({
        ["allow-origin"] = ours,
        ["allow-credentials"] = "true",
        ["allow-methods"] = methods,
        ["allow-headers"] = "content-type,x-session-id",
        ["max-age"] = "60",
        ["expose-headers"] = exposed,
      }, cors_of(answer.headers), path)
      assert.equal("Origin", answer.headers.vary)
    end
    local answer = broker:request("OPTIONS", "/notes", from(ours, { ["Access-Control-Request-Method"] = "GET" }))
    assert.is_nil(cors_of(answer.headers)["allow-headers"])
    answer = broker:request("OPTIONS", "/notes", from(ours)) -- no preflight
    assert.equal("GET, HEAD, POST, OPTIONS", answer.headers.allow)
    assert.is_nil(cors_of(answer.headers)["allow-methods"])
    -- A 405 is no preflight either, whatever it carries.
    answer = broker:request("PUT", "/notes", from(ours, { ["Access-Control-Request-Method"] = "PUT" }))
    assert.equal(405, answer.status)
  end)
end)

describe("app:cors for every origin", function()
  local broker

  setup(function()
    broker = start [[origins = "*", headers = { "Content-Type" }, exposeHeaders = { "X-Total" }]]
  end)
  teardown(function() broker:stop() end)

  it("is one answer to all, without credentials", function()
    for _, origin in ipairs { theirs, "null" } do
      local answer = broker:request("GET", "/notes", from(origin))
      assert.same({ ["allow-origin"] = "*", ["expose-headers"] = exposed .. ", X-Total" }, cors_of(answer.headers))
      assert.is_nil(answer.headers.vary)
    end
    local answer = broker:request("OPTIONS", "/notes", {
      headers = {
        Origin = theirs,
        ["Access-Control-Request-Method"] = "POST",
        ["Access-Control-Request-Headers"] = "x-other",
      },
    })
    assert.equal("Content-Type, Idempotency-Key, X-User-Id", cors_of(answer.headers)["allow-headers"])
    assert.equal("600", cors_of(answer.headers)["max-age"])
  end)

  it("does not let a page act for whoever is signed in", function()
    local function post(headers)
      headers.Origin = theirs
      return broker:request("PUT", "/big", { headers = headers, body = "x" }).status
    end
    assert.equal(200, post {})
    assert.equal(200, post { ["Sec-Fetch-Site"] = "cross-site", Authorization = "Bearer token" })
    assert.equal(403, post { Cookie = "user=ada" })
    assert.equal(403, post { ["Sec-Fetch-Site"] = "cross-site", Cookie = "user=ada" })
    assert.equal(403, post { Authorization = "Basic YWRhOnNlY3JldA==" })
    assert.equal(403, post { Authorization = "negotiate abc" })
  end)
end)

describe("a script without app:cors", function()
  it("says nothing of it", function()
    local broker = Broker.start { script = "tests/e2e/apps/lab.lua" }
    local answer = broker:request("GET", "/files/a.txt", from(ours))
    assert.same({}, cors_of(answer.headers))
    assert.is_nil(answer.headers.vary)
    answer = broker:request("OPTIONS", "/notes", from(ours, { ["Access-Control-Request-Method"] = "POST" }))
    assert.equal(204, answer.status)
    assert.same({}, cors_of(answer.headers))
    broker:stop()
  end)

  it("that gets it wrong does not start, and says where", function()
    local ok, problem = pcall(start, [[origins = { "https://app.example/" }]])
    assert.is_false(ok)
    assert.truthy(problem:find("app.lua:3: app:cors: 'https://app.example/' must end behind", 1, true), problem)
  end)
end)
