-- Peers that are gone without a word: a cable that is pulled, a phone in a tunnel. Broker and client are in network
-- namespaces of their own, joined by a pair of interfaces, of which the client's is taken down.

local Broker = require "support.broker"
local close = require "support.closing"
local uv = require "luv"
local wait = require "support.wait"

--- Runs a command to its end; its output, and whether it succeeded.
local function run(format, ...)
  local pipe = assert(io.popen(format:format(...) .. " 2>&1"))
  local text = pipe:read("a")
  return text, pipe:close() == true
end

--- Words before a command, which runs in the namespaces of a process then.
local function inside(pid)
  return ("nsenter -t %d -U -n --preserve-credentials "):format(pid)
end

local function must(format, ...)
  local text, ok = run(format, ...)
  assert(ok, text)
  return text
end

--- Why it cannot be tried here, or nil.
local function obstacle()
  local text, ok = run("unshare -rn sh -c 'ip link add near type veth peer name far' && command -v nsenter curl")
  return not ok and ("no network namespaces: " .. text) or nil
end

local reason = obstacle()

describe("a peer whose packets stop", function()
  if reason then
    it("is found out", function() pending(reason) end)
    return
  end

  local broker, client

  --- A process whose output is kept in `received`.
  local function start(words)
    local self = { received = "", input = uv.new_pipe(false) }
    local output = uv.new_pipe(false)
    local list = {}
    for word in words:gmatch("%S+") do
      list[#list + 1] = word
    end
    local options = { args = { table.unpack(list, 2) }, stdio = { self.input, output, 2 } }
    self.process, self.pid = uv.spawn(list[1], options, function()
      self.exit = true
      close(self.process)
    end)
    assert(self.process, self.pid)
    output:read_start(function(_, data)
      self.received = self.received .. (data or "")
      if not data then close(output) end
    end)
    return self
  end

  local function wait_for(process, text)
    wait.until_true(text, function() return process.received:find(text, 1, true) end)
  end

  local function finish(process)
    close(process.input)
    uv.kill(process.pid, "sigkill")
    wait.until_true("a client to end", function() return process.exit end)
  end

  --- A client in a namespace of its own, joined to the broker's: 10.9.0.1 here, 10.9.0.2 there.
  local function start_client()
    client = start(inside(broker.pid) .. "unshare -n sh")
    client.input:write("echo started\n")
    wait_for(client, "started")
    must(inside(broker.pid) .. "ip link add near type veth peer name far netns %d", client.pid)
    must(inside(broker.pid) .. "sh -c 'ip addr add 10.9.0.1/24 dev near && ip link set near up'")
    must(inside(client.pid) .. "sh -c 'ip addr add 10.9.0.2/24 dev far && ip link set far up'")
    client.input:write(("exec curl -sSN http://10.9.0.1:%d/api/events?user=ada\n"):format(broker.port))
    wait_for(client, "event: ready")
  end

  local function metric(name)
    local text = must(inside(broker.pid) .. "curl -sS http://127.0.0.1:%d/metrics", broker.port)
    return tonumber(text:match("\npillar_" .. name .. " (%d+)"))
  end

  local function wait_metric(name, value)
    wait.until_true(name .. " " .. value, function()
      -- Nothing of this process's loop is to come, so each look is a turn of it.
      uv.run("nowait")
      return metric(name) == value
    end)
  end

  local function fence()
    must(inside(broker.pid) .. "curl -sS -H 'X-User: linus' -X POST http://127.0.0.1:%d/fence/passed", broker.port)
  end

  before_each(function()
    broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      -- A heartbeat that nobody acknowledges would tell too: here it is TCP that asks.
      args = { "--listen", "0.0.0.0:0", "--peer-timeout", "2s", "--write-timeout", "2s", "--heartbeat", "10m" },
      prefix = { "unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh" },
    }
  end)

  after_each(function()
    finish(client)
    broker:stop()
  end)

  it("is gone after the timeout, and one that is there and silent is not", function()
    local url = ("http://127.0.0.1:%d/api/events?user=grace"):format(broker.port)
    local living = start(inside(broker.pid) .. "curl -sSN " .. url)
    wait_for(living, "event: ready")
    start_client()
    must(inside(client.pid) .. "ip link set far down")
    wait_metric("streams", 1)
    wait_metric("connections", 2) -- the living one's, and that of this question
    fence()
    wait_for(living, "passed")
    finish(living)
  end)

  it("is gone when events wait for it too", function()
    start_client()
    must(inside(client.pid) .. "ip link set far down")
    fence()
    assert.equal(1, metric("deliveries_total"))
    wait_metric("streams", 0)
    wait_metric("connections", 1)
  end)
end)
