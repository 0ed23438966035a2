-- Beginning and end: health, draining, and what is left when the process is gone.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local function as(user)
  return { ["X-User"] = user }
end

describe("SIGTERM", function()
  local broker

  before_each(function()
    broker = Broker.start { script = "tests/e2e/apps/lab.lua", args = { "--loops", "2", "--handler-deadline", "1s" } }
  end)
  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  it("ends streams cleanly, with a time to come back", function()
    local streams = {}
    for i = 1, 20 do
      streams[i] = broker:stream { query = "?user=ada" }
    end
    broker:signal("sigterm")
    for i = 1, 20 do
      streams[i].socket:wait_closed()
      assert.is_nil(streams[i].socket.failed)
      assert.equal(2, streams[i].retries)
      assert.is_true(streams[i].retry >= 1000 and streams[i].retry <= 5000)
    end
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
  end)

  it("answers the requests in hand", function()
    local pending = broker:start_request("POST", "/runaway/loop", { headers = as("ada"), json = { body = "x" } })
    local reading = broker:start_request("GET", "/runaway/loop", { headers = as("ada") })
    wait.until_true("both to run", function()
      return broker:metric("jobs_taken_total") - broker:metric("commits_total") >= 2
    end)
    broker:signal("sigterm")
    assert.equal(503, http.finish(pending).status)
    assert.equal(503, http.finish(reading).status)
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
  end)

  it("is not held up by requests that are on their way", function()
    local head, body, stream = broker:socket(), broker:socket(), broker:socket()
    -- An answer to what came before tells that the broker has read this far: the loops do not wait for one another.
    head:send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal")
    head:wait_for("HTTP/1.1 200")
    body:send("POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nab")
    body:wait_for("HTTP/1.1 100")
    stream:send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /api/events?user=ada HTTP/1.1\r\nHost:")
    http.read_response(stream)
    broker:signal("sigterm")
    -- An EventSource would give up for good on a 503.
    stream:wait_closed()
    assert.equal("", stream.received)
    for _, socket in ipairs { head, body } do
      socket:wait_for("HTTP/1.1 503")
      socket:close()
    end
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
  end)

  it("is not held up by connections that are idle or half open", function()
    local idle, half = broker:socket(), broker:socket()
    idle:send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    http.read_response(idle)
    half:send("GET /heal")
    broker:request("GET", "/healthz")
    broker:signal("sigterm")
    idle:wait_closed()
    half:close()
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
  end)

  it("twice ends it at once", function()
    local half = broker:socket()
    half:send("GET /heal")
    broker:request("GET", "/healthz")
    broker:signal("sigterm")
    local idle = broker:start_stream { query = "?user=ada" }
    broker:signal("sigint")
    assert.same({ code = 0, signal = 0 }, broker:wait_exit())
    assert.truthy(idle)
  end)
end)

describe("a script that does not return", function()
  local broker

  before_each(function()
    broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      args = { "--handler-deadline", "300ms", "--drain-timeout", "200ms", "--queue-timeout", "1s" },
    }
  end)

  --- C code without an end, which no deadline reaches; only a signal of ours ends the process.
  local function stick()
    return broker:start_request("POST", "/runaway/stuck", { headers = as("ada"), json = { body = "x" } })
  end

  it("does not keep the broker from ending", function()
    assert.equal(503, http.finish(stick()).status)
    broker:signal("sigterm")
    assert.same({ code = 1, signal = 0 }, broker:wait_exit())
    assert.truthy(broker.log:find("a script does not return", 1, true))
  end)

  it("does not keep it from ending at once when it is told to twice", function()
    assert.equal(503, http.finish(stick()).status)
    broker:signal("sigterm")
    wait.until_true("the drain", function() return not pcall(broker.request, broker, "GET", "/healthz") end)
    broker:signal("sigterm")
    assert.same({ code = 1, signal = 0 }, broker:wait_exit())
  end)

  it("does not keep those waiting who come after it", function()
    assert.equal(503, http.finish(stick()).status)
    local answer = broker:request("POST", "/notes", { headers = as("ada"), json = { body = "after" } })
    assert.equal(503, answer.status)
    assert.equal("overloaded", answer:json().error.code)
    assert.equal(200, broker:request("GET", "/notes", { headers = as("ada") }).status)
    assert.equal(1, broker:metric("queue_refusals_total"))
    broker:signal("sigkill")
    broker:wait_exit()
  end)
end)

describe("a broker without standard streams", function()
  it("runs, and ends well", function()
    local broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      prefix = { "sh", "-c", 'exec "$@" <&- 2>&-', "sh" },
    }
    local stream = broker:stream { query = "?user=ada" }
    assert.equal(500, broker:request("POST", "/raise", { headers = as("ada"), json = { body = "x" } }).status)
    stream:close()
    broker:stop()
  end)
end)

describe("a broker", function()
  local broker

  setup(function() broker = Broker.start { script = "tests/e2e/apps/lab.lua" } end)
  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  it("says that it lives and is ready", function()
    assert.same({ status = "ok" }, broker:request("GET", "/healthz"):json())
    assert.same({ status = "ready" }, broker:request("GET", "/readyz"):json())
    assert.equal(405, broker:request("POST", "/healthz").status)
  end)

  it("counts what it does", function()
    local before = broker:metric("events_total")
    local stream = broker:stream { query = "?user=ada" }
    assert.equal(1, broker:metric("streams"))
    broker:request("POST", "/notes?to=ada", { headers = as("grace"), json = { body = "counted" } })
    stream:wait_events(1)
    assert.equal(before + 1, broker:metric("events_total"))
    local answer = broker:request("GET", "/metrics")
    assert.equal("text/plain; version=0.0.4; charset=utf-8", answer.headers["content-type"])
    for line in answer.body:gmatch("[^\n]+") do
      assert.truthy(line:match("^# HELP pillar_%S+ %S") or line:match("^# TYPE pillar_%S+ %a+$")
        or line:match("^pillar_%S+ %d+$"), line)
    end
    stream:close()
    wait.until_true("the stream to be gone", function() return broker:metric("streams") == 0 end)
  end)

  it("forgets connections that come and go", function()
    for _ = 1, 5 do
      local sockets = {}
      for i = 1, 100 do
        sockets[i] = i % 2 == 0 and broker:socket() or broker:start_stream { query = "?user=u" .. i }.socket
      end
      for i = 1, 100 do
        sockets[i]:close()
      end
    end
    wait.until_true("the connections to be gone", function() return broker:metric("connections") == 1 end)
  end)
end)
