-- How much a user and an address may have of the broker, and who sent a request that came by a proxy.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local lab = "tests/e2e/apps/lab.lua"

local function as(user)
  return { headers = { ["X-User"] = user } }
end

--- Sends `count` requests at once on one connection; returns how many of each status, and the last refusal.
local function burst(broker, count, method, path, options)
  local socket = broker:socket()
  socket:send(http.format(method, path, options):rep(count))
  local statuses, refusal = {}, nil
  for _ = 1, count do
    local response = http.read_response(socket, method)
    statuses[response.status] = (statuses[response.status] or 0) + 1
    refusal = response.status == 429 and response or refusal
  end
  socket:close()
  return statuses, refusal
end

local function check_refusal(response)
  assert.equal("too_many_requests", response:json().error.code)
  assert.equal("1", response.headers["retry-after"])
end

--- Asks for a stream. False when it opens; true when it is sent away as the wire contract says: 200, a time to come
--- back, a clean end.
local function sent_away(broker, query, options)
  local stream = broker:start_stream { query = query, headers = options and options.headers }
  wait.until_true("an answer", function() return stream:named("ready")[1] or stream.socket.closed end)
  if stream:named("ready")[1] then
    stream:close()
    return false
  end
  assert.same({ 200, 1, 1, 0 }, { stream.status, stream.retries, stream.comments, #stream.all })
  assert.is_nil(stream.socket.failed)
  return true
end

for loops = 1, 2 do
  describe(("limits with --loops %d"):format(loops), function()
    local broker

    local function start(...)
      broker = Broker.start { script = lab, args = { "--loops", tostring(loops), ... } }
    end

    after_each(function()
      Socket.close_all()
      broker:stop()
    end)

    it("count a user's requests on all workers and connections together", function()
      start("--max-requests-per-user", "20")
      local took = wait.now()
      local passed, last = 0, nil
      for _, call in ipairs { { "GET", "/whoami" }, { "POST", "/fence/x" }, { "GET", "/notes" } } do
        local statuses, refusal = burst(broker, 30, call[1], call[2], as "ada")
        passed, last = passed + (statuses[200] or 0) + (statuses[204] or 0), refusal or last
      end
      took = wait.now() - took
      check_refusal(last)
      assert.is_true(passed >= 20 and passed <= 21 + 20 * took / 1000, passed)
      assert.equal(90 - passed, broker:metric("rate_limits_total"))
      -- What was refused was not done, and others are not held up.
      assert.equal(200, broker:request("GET", "/whoami", as "grace").status)
      assert.equal(200, broker:request("GET", "/files/a.txt").status)
      wait.until_true("ada to be let in again", function()
        return broker:request("GET", "/whoami", as "ada").status == 200
      end)
    end)

    it("do nothing of what they refuse", function()
      start("--max-requests-per-user", "1")
      local statuses = burst(broker, 20, "POST", "/notes", { headers = as("ada").headers, json = { body = "x" } })
      assert.is_true((statuses[429] or 0) >= 17)
      assert.equal("1", broker:sql("SELECT count(*) FROM notes"))
    end)

    it("send a stream away that is one request too many of its user", function()
      start("--max-requests-per-user", "1")
      assert.is_true(wait.until_true("a stream to be sent away", function()
        return sent_away(broker, "?user=ada")
      end))
      assert.is_true(broker:metric("rate_limits_total") >= 1)
    end)

    it("count the streams of a user", function()
      start("--max-streams-per-user", "2")
      local open = {}
      wait.until_true("all loops to have as many as they may", function()
        local stream = broker:start_stream { query = "?user=ada" }
        wait.until_true("an answer", function() return stream:named("ready")[1] or stream.socket.closed end)
        if stream.socket.closed then
          assert.equal(200, stream.status)
          assert.equal(1, stream.retries)
          return #open >= 2
        end
        open[#open + 1] = stream
      end)
      assert.is_true(#open <= 2 * loops)
      assert.is_true(broker:metric("stream_limits_total") >= 1)
      broker:stream { query = "?user=grace" }
      for _, stream in ipairs(open) do
        stream:close()
      end
      wait.until_true("ada to be let in again", function() return not sent_away(broker, "?user=ada") end)
    end)
  end)
end

describe("limits by address", function()
  local broker

  local function start(...)
    broker = Broker.start { script = lab, args = { "--trusted-proxies", "127.0.0.0/8, 10.0.0.1", ... } }
  end

  --- A client behind a proxy.
  local function from(address, user)
    return { headers = { ["X-Forwarded-For"] = address, ["X-User"] = user } }
  end

  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  it("count requests before any script, and leave those who watch alone", function()
    start("--max-requests-per-address", "20")
    local took = wait.now()
    local statuses, refusal = burst(broker, 100, "GET", "/whoami", from("192.0.2.1", "ada"))
    took = wait.now() - took
    check_refusal(refusal)
    assert.is_true(statuses[200] >= 20 and statuses[200] <= 21 + 20 * took / 1000, statuses[200])
    assert.equal(100 - statuses[200], broker:metric("rate_limits_total"))
    assert.equal(statuses[200], broker:metric("handlers_total"))
    assert.equal(200, broker:request("GET", "/whoami", from("192.0.2.2", "ada")).status)
    for _, path in ipairs { "/healthz", "/readyz", "/metrics" } do
      assert.same({ [200] = 100 }, (burst(broker, 100, "GET", path, from "192.0.2.1")), path)
    end
    assert.is_truthy(burst(broker, 40, "GET", "/files/a.txt", from "192.0.2.3")[429])
    assert.is_true(wait.until_true("a stream to be sent away", function()
      return sent_away(broker, "", from("192.0.2.4", "ada"))
    end))
  end)

  it("count streams, an IPv6 address by its /64", function()
    start("--max-streams-per-address", "2")
    local function open(address)
      return broker:stream { headers = from(address, "ada").headers }
    end
    open "2001:db8::1"
    local second = open "2001:db8::2"
    assert.is_true(sent_away(broker, "", from("2001:db8::3", "grace")))
    open "2001:db8:0:1::1"
    open "192.0.2.1"
    assert.equal(1, broker:metric("stream_limits_total"))
    second:close()
    wait.until_true("its place to be free", function() return broker:metric("streams") == 3 end)
    open "2001:db8::3"
  end)

  it("leave out nobody when they are off", function()
    start("--max-requests-per-address", "0", "--max-requests-per-user", "0", "--max-streams-per-address", "0",
      "--max-streams-per-user", "0")
    assert.same({ [200] = 300 }, (burst(broker, 300, "GET", "/whoami", from("192.0.2.1", "ada"))))
  end)

  it("go by the last address that no trusted proxy has", function()
    start()
    local cases = {
      { nil, "127.0.0.1" },
      { "192.0.2.1", "192.0.2.1" },
      { "203.0.113.7, 192.0.2.1", "192.0.2.1" }, -- what the client itself wrote is not believed
      { "192.0.2.1, 10.0.0.1", "192.0.2.1" },
      { "192.0.2.1, 10.0.0.2", "10.0.0.2" },
      { "10.0.0.1, 10.0.0.1", "10.0.0.1" },
      { "192.0.2.1:4711,10.0.0.1", "192.0.2.1" },
      { "[2001:DB8::1]:4711", "2001:db8::1" },
      { "192.0.2.1, unknown", "127.0.0.1" },
      { "192.0.2.1, unknown, 10.0.0.1", "10.0.0.1" },
      { ",", "127.0.0.1" },
      { "192.0.2.1\r\nX-Forwarded-For: 10.0.0.1", "192.0.2.1" },
      { "192.0.2.1\r\nX-Forwarded-For: 192.0.2.9", "192.0.2.9" },
    }
    for _, case in ipairs(cases) do
      local answer = broker:request("POST", "/echo/a/b", from(case[1], "ada"))
      assert.equal(case[2], answer:json().remoteAddress, case[1])
    end
  end)
end)

describe("X-Forwarded-For", function()
  it("is not believed of a peer that nobody trusts", function()
    local broker = Broker.start { script = lab, args = { "--trusted-proxies", "10.0.0.0/8" } }
    local headers = { ["X-Forwarded-For"] = "192.0.2.1", ["X-User"] = "ada" }
    assert.equal("127.0.0.1", broker:request("POST", "/echo/a/b", { headers = headers }):json().remoteAddress)
    broker:stop()
  end)
end)

describe("an app where nobody signs in", function()
  it("has no limits for its one user", function()
    local broker = Broker.start {
      text = [[
        local app = require "pillar".app()
        app:anonymous()
        app:get("/", function() return { ok = true } end)
        return app
      ]],
      args = { "--max-requests-per-user", "1", "--max-streams-per-user", "1" },
    }
    assert.same({ [200] = 20 }, (burst(broker, 20, "GET", "/")))
    broker:stream {}
    broker:stream {}
    Socket.close_all()
    broker:stop()
  end)
end)
