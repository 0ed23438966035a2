--- The servers that are measured: each is a process on a processor of its own, and knows how it is asked for streams
--- and for events.

local uv = require "luv"
local Broker = require "support.broker"
local http = require "support.http"
local port = require "support.port"
local close = require "support.closing"
local wait = require "support.wait"
local machine = require "bench.machine"

local servers = {}

local here = Broker.source .. "/tests/bench/"
local programs = os.getenv("PILLAR_BENCH") or Broker.source .. "/build/tests/bench"
local KEY = "bench-emit-key"

-- What an event says, 200 bytes of it data; and the whole of what a peer that does not know of events is to pass on.
local DATA = '{"title":"{seq} {at} {pad}"}'
local PAD = "149"
local EVENT = '{"entity":"task","action":"updated","entityId":"42","timestamp":1700000000123,"data":' .. DATA .. "}"

---@class Server
---@field pid integer of the process that does the work
---@field process table
---@field load string[] what the load generator is told of it
---@field stop fun()

--- A new folder, on the file system that TMPDIR names.
function servers.folder()
  return assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-bench-XXXXXX"))
end

local function listening(process)
  return wait.until_true("a server to listen", function()
    local number = tonumber(process.output:match("listening on http://[%d.]+:(%d+)"))
    assert(number or not process.exit, "a server did not start: " .. process.log)
    return number
  end)
end

local function pinned(cpus)
  return { "taskset", "-c", cpus or machine.server }
end

local function ended(process)
  if not process.exit then
    process:signal("sigterm")
    process:wait_exit()
  end
end

local function start(binary, args, options)
  local process = Broker.spawn(args, { binary = binary, prefix = pinned(options.cpus), env = options.env })
  return process, listening(process)
end

local function server(process, number, load, extra)
  local words = { "--port", tostring(number), "--pid", tostring(process.pid), "--pad", PAD }
  table.move(load, 1, #load, #words + 1, words)
  local self = { pid = process.pid, port = number, process = process, load = words }
  function self.stop()
    ended(process)
    if extra then
      extra()
    end
  end
  return self
end

--- The bare epoll loop. options: batch, targeted.
function servers.floor(options)
  local process, number = start(programs .. "/bench-floor", { options.batch and "--batch" or nil }, options)
  return server(process, number, {
    "--stream-target", "/events?user={user}",
    "--emit-target", options.targeted and "/emit?first={first}&count={count}&users={users}" or "/emit?all",
    "--emit-body", DATA,
  })
end

--- The body of an event that names whom it is for.
local function body_for(options)
  local whom = options.targeted and '"targetUserIds":[{targets}]' or '"everyone":true'
  return '{"entity":"task","action":"updated","entityId":"42",' .. whom .. ',"data":' .. DATA .. "}"
end

--- The emitter in Node. options: targeted; by_user: it keeps a user's listeners together, and does not ask them all.
function servers.node(options)
  local words = { here .. "peers/emitter.mjs", options.by_user and "--by-user" or nil }
  local process, number = start("node", words, options)
  return server(process, number, {
    "--stream-target", "/api/events?user={user}",
    "--emit-target", "/api/emit",
    "--emit-header", "Content-Type: application/json",
    "--emit-body", body_for(options),
  })
end

local function child_of(pid)
  local file = assert(io.open(("/proc/%d/task/%d/children"):format(pid, pid)))
  local child = file:read("n")
  file:close()
  return child
end

local function answers(number)
  local ok = pcall(http.request, number, "GET", "/")
  return ok
end

--- nginx with nchan. options: targeted.
function servers.nchan(options)
  local dir = servers.folder()
  local handle, number = port.hold()
  close(handle)
  local file = assert(io.open(here .. "peers/nchan.conf"))
  local text = file:read("a"):gsub("PORT", number):gsub("DIR", dir)
  file:close()
  file = assert(io.open(dir .. "/nginx.conf", "w"))
  file:write(text)
  file:close()
  local words = { "-c", dir .. "/nginx.conf", "-p", dir }
  local process = Broker.spawn(words, { binary = "nginx", prefix = pinned(options.cpus) })
  wait.until_true("nginx to listen", function()
    assert(not process.exit, "nginx did not start: " .. process.log)
    return answers(number) and child_of(process.pid)
  end)
  local self = server(process, number, {
    "--stream-target", options.targeted and "/events?channel={user}" or "/events?channel=all",
    "--emit-target", options.targeted and "/emit?channels={channels}" or "/emit?channels=all",
    "--emit-header", "Content-Type: application/json",
    "--emit-body", EVENT,
  }, function() os.execute("rm -rf '" .. dir .. "'") end)
  self.load[4] = tostring(child_of(process.pid)) -- the worker, in place of the one that watches it
  return self
end

-- Without heartbeats, since the peers send none: those of 19,000 streams cost more than some thousand events for one.
-- And connections that emit may wait for long until they are needed.
local LIMITS = {
  "--max-connections=19800", "--max-streams-per-user=0", "--max-streams-per-address=0", "--max-requests-per-user=0",
  "--max-requests-per-address=0", "--drain-window=0", "--workers=1", "--heartbeat=1h", "--header-timeout=1h",
}

local function run_pillar(script, database, options, env)
  local args = { "run", script, "--listen", "127.0.0.1:0", "--database", database }
  table.move(LIMITS, 1, #LIMITS, #args + 1, args)
  table.move(options.args or {}, 1, #(options.args or {}), #args + 1, args)
  env = env or {}
  env.PILLAR_EMIT_KEY = KEY
  return start(Broker.binary, args, { env = env, cpus = options.cpus })
end

--- Pillar without a database, since its peers have none. options: targeted; app, the name of a script in apps/; args,
--- further ones; env; cpus, those that it runs on.
function servers.pillar(options)
  local script = here .. "apps/" .. (options.app or "header") .. ".lua"
  local process, number = run_pillar(script, "none", options, options.env)
  local load = {
    "--stream-target", "/api/events",
    "--emit-target", "/api/emit",
    "--emit-header", "Authorization: Bearer " .. KEY,
    "--emit-header", "Content-Type: application/json",
    "--emit-body", body_for(options),
  }
  if not options.app then
    table.move({ "--stream-header", "X-User: {user}" }, 1, 2, #load + 1, load)
  end
  return server(process, number, load)
end

--- The task board on its database, with a project of Ada's and Grace's.
function servers.board(options)
  local dir = servers.folder()
  local script = Broker.source .. "/examples/pillar/app.lua"
  local process, number = run_pillar(script, "sqlite:" .. dir .. "/app.db", options)
  local function ask(path, body)
    local response = http.request(number, "POST", path, { headers = { ["X-Demo-User"] = "ada" }, json = body })
    assert(response.status == 201, response.body)
    return response:json()
  end
  local project = ask("/api/projects", { name = "Bench" }).id
  ask("/api/projects/" .. project .. "/members", { userId = "grace", role = "editor" })
  local task = ask("/api/tasks", { projectId = project, title = "There" }).id
  local self = server(process, number, {
    "--stream-target", "/api/events",
    "--stream-header", "X-Demo-User: grace",
    "--emit-header", "X-Demo-User: ada",
  }, function() os.execute("rm -rf '" .. dir .. "'") end)
  self.project, self.task = project, task
  return self
end

return servers
