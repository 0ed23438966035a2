-- Requests that a browser sends for a page of another site change nothing.

local Broker = require "support.broker"
local Socket = require "support.socket"
local raw = require "support.raw"

local script = [[
  local pillar = require "pillar"
  local app = pillar.app()
  app:cors { origins = { "https://partner.example" } }
  app:migrate { "CREATE TABLE calls (method TEXT)" }
  app:authenticate(function(req) return { id = "ada" } end)
  app:entity("note")
  app:get("/x", function() return { ok = true } end)
  for _, method in ipairs { "post", "put", "patch", "delete" } do
    app[method](app, "/x", function(req, db)
      db:insert("calls", { method = req.method })
      return { ok = true }
    end)
  end
  app:post("/free", { transaction = false, public = true }, function() return { ok = true } end)
  return app
]]

describe("a request of another site", function()
  local broker

  setup(function()
    broker = Broker.start { text = script, env = { PILLAR_EMIT_KEY = "key" } }
  end)
  after_each(function() Socket.close_all() end)
  teardown(function() broker:stop() end)

  local function status(method, headers, path)
    return broker:request(method, path or "/x", { headers = headers }).status
  end

  it("is refused before any script runs", function()
    local handlers = broker:metric("handlers_total")
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      local answer = broker:request(method, "/x", { headers = { ["Sec-Fetch-Site"] = "cross-site" } })
      assert.equal(403, answer.status)
      assert.equal("cross_site", answer:json().error.code)
      assert.equal(403, status(method, { Origin = "https://evil.example" }))
    end
    assert.equal(403, status("POST", { Origin = "https://evil.example" }, "/free"))
    assert.equal(handlers, broker:metric("handlers_total"))
    assert.equal("0", broker:sql("SELECT count(*) FROM calls"))
    assert.equal(9, broker:metric("cross_site_total"))
  end)

  it("is known by Sec-Fetch-Site, and only without that by Origin", function()
    local cases = {
      { 200, {} }, -- no browser
      { 200, { Cookie = "a=b" } },
      { 200, { ["Sec-Fetch-Site"] = "same-origin" } },
      { 200, { ["Sec-Fetch-Site"] = "none" } },
      { 403, { ["Sec-Fetch-Site"] = "same-site" } },
      { 403, { ["Sec-Fetch-Site"] = "cross-site" } },
      { 403, { ["Sec-Fetch-Site"] = "whatever" } },
      { 200, { ["Sec-Fetch-Site"] = "same-origin", Origin = "https://behind.a.proxy" } },
      { 403, { ["Sec-Fetch-Site"] = "cross-site", Origin = "http://test" } },
    }
    for i, case in ipairs(cases) do
      assert.equal(case[1], status("POST", case[2]), "case " .. i)
    end
  end)

  it("is one whose Origin has another host or port than Host", function()
    local cases = {
      { 200, "http://test", "test" },
      { 200, "https://test", "test" }, -- the scheme may end at a proxy
      { 200, "https://TEST", "test" },
      { 200, "http://test:80", "test" },
      { 200, "http://test", "test:80" },
      { 200, "https://test", "test:443" },
      { 403, "https://test", "test:80" },
      { 403, "http://test", "test:443" },
      { 200, "http://test:8080", "test:8080" },
      { 403, "http://test:8080", "test" },
      { 403, "http://test", "test:8080" },
      { 403, "http://test:8081", "test:8080" },
      { 200, "http://[::1]:8080", "[::1]:8080" },
      { 200, "http://[::1]", "[::1]" },
      { 403, "http://[::1]", "[::2]" },
      { 403, "http://test.evil.example", "test" },
      { 403, "http://evil-test", "test" },
      { 403, "http://te", "test" },
      { 403, "null", "test" },
      { 403, "test", "test" },
      { 403, "ftp://test", "test" },
      { 403, "http://", "test" },
    }
    for _, case in ipairs(cases) do
      local text = ("POST /x HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        :format(case[3], case[2])
      assert.equal(case[1], raw.talk(broker.port, text)[1].status, case[2] .. " to " .. case[3])
    end
    assert.equal(403, raw.talk(broker.port, "POST /x HTTP/1.0\r\nOrigin: http://test\r\nContent-Length: 0\r\n\r\n")[1]
      .status)
  end)

  it("passes from the origins of app:cors", function()
    assert.equal(200, status("POST", { Origin = "https://partner.example", Cookie = "a=b" }))
    assert.equal(200, status("POST", { Origin = "https://partner.example", ["Sec-Fetch-Site"] = "cross-site" }))
    assert.equal(403, status("POST", { Origin = "http://partner.example", ["Sec-Fetch-Site"] = "cross-site" }))
  end)

  it("may read what CORS lets it read, and emit with the key", function()
    assert.equal(200, status("GET", { Origin = "https://evil.example", ["Sec-Fetch-Site"] = "cross-site" }))
    local answer = broker:request("POST", "/api/emit", {
      headers = { Origin = "https://evil.example", Authorization = "Bearer key" },
      json = { entity = "note", action = "created", everyone = true },
    })
    assert.equal(200, answer.status)
  end)
end)
