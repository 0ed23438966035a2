-- Users that authenticate lets in for a while: a request after it is refused, and a stream says so, and ends.

local Broker = require "support.broker"
local Socket = require "support.socket"
local uv = require "luv"
local wait = require "support.wait"

local script = [[
  local pillar = require "pillar"
  local app = pillar.app()
  app:entity("note")
  app:authenticate(function(req)
    local at = req.query.expiresAt
    local odd = { text = "soon", float = 1e15 + 0.0, half = 1.5, null = pillar.null, past = -5, infinite = math.huge }
    return { id = req.query.user or "ada", expiresAt = odd[at] or (at and math.tointeger(tonumber(at))) }
  end)
  app:get("/whoami", function(req) return { id = req.user.id, expiresAt = req.user.expiresAt } end)
  app:post("/notes", function()
    emit_sync_event { entity = "note", action = "created", targetUserIds = pillar.everyone, sessionId = false }
  end)
  return app
]]

local function now()
  local seconds, micros = uv.gettimeofday()
  return seconds * 1000 + micros // 1000
end

for loops = 1, 2 do
  describe(("a user who expires, with --loops %d,"):format(loops), function()
    local broker

    setup(function()
      broker = Broker.start { text = script, args = { "--expiry-notice", "1s", "--loops", tostring(loops) } }
    end)
    teardown(function() broker:stop() end)
    after_each(function() Socket.close_all() end)

    it("may ask until then, and is asked to sign in after", function()
      local later, before = now() + 600000, now() - 1
      local answer = broker:request("GET", "/whoami?expiresAt=" .. later)
      assert.same({ 200, { id = "ada", expiresAt = later } }, { answer.status, answer:json() })
      for _, path in ipairs { "/whoami?expiresAt=" .. before, "/whoami?expiresAt=past", "/api/events?expiresAt=past" }
      do
        answer = broker:request("GET", path)
        assert.equal(401, answer.status)
        assert.equal("unauthorized", answer:json().error.code)
        assert.truthy(answer:json().error.message:find("expired", 1, true))
      end
      assert.equal(401, broker:request("POST", "/notes?expiresAt=" .. before).status)
    end)

    it("may be named with a float that is whole, and with nothing else", function()
      assert.equal(200, broker:request("GET", "/whoami?expiresAt=float").status)
      for _, odd in ipairs { "text", "half", "null", "infinite" } do
        assert.equal(500, broker:request("GET", "/whoami?expiresAt=" .. odd).status, odd)
        -- A browser's EventSource gives up for good on anything but 200.
        assert.equal(200, broker:request("GET", "/api/events?expiresAt=" .. odd).status, odd)
      end
      assert.truthy(broker.log:find("expiresAt, if there is one, is an integer", 1, true))
    end)

    it("is told ahead of time, gets what there is, and is sent to sign in", function()
      local at = now() + 2500
      local stream = broker:stream { query = "?expiresAt=" .. at }
      local other = broker:stream { query = "?user=grace" }
      broker:request("POST", "/notes")
      stream:wait_events(1)
      local last = stream.lastEventId
      assert.same({}, stream:named("expiring"))
      wait.until_true("the notice", function() return stream:named("expiring")[1] or stream.socket.closed end)
      assert.equal(('{"expiresAt":%d}'):format(at), stream:named("expiring")[1].text)
      assert.equal(last, stream:named("expiring")[1].id)
      assert.is_true(now() >= at - 1000 and now() < at)
      stream.socket:wait_closed()
      assert.is_nil(stream.socket.failed)
      assert.is_true(now() >= at)
      assert.equal(2, stream.retries)
      assert.equal(1, stream.comments)
      assert.equal(401, broker:request("GET", "/api/events?expiresAt=" .. at).status)
      assert.equal(1, broker:metric("streams_expired_total"))
      -- Who does not expire goes on.
      broker:request("POST", "/notes")
      other:wait_events(2)
    end)

    it("is told at once when less is left", function()
      local at = now() + 900
      local stream = broker:stream { query = "?expiresAt=" .. at }
      wait.until_true("the notice", function() return stream:named("expiring")[1] or stream.socket.closed end)
      assert.is_true(now() < at)
      stream.socket:wait_closed()
      assert.equal(1, #stream:named("expiring"))
    end)
  end)
end
