--- The real broker, as a child process on a port and a database of its own.

local uv = require "luv"
local close = require "support.closing"
local Socket = require "support.socket"
local Stream = require "support.stream"
local http = require "support.http"
local wait = require "support.wait"

---@class Broker
---@field port integer
---@field log string what it wrote to standard error
---@field pipes integer of its output and log, those that may still bring something
---@field dir string a temporary folder, its working directory
local Broker = {}
Broker.__index = Broker

local source = os.getenv("PILLAR_SOURCE") or uv.cwd()
local binary = os.getenv("PILLAR_BINARY") or source .. "/build/pillar"

Broker.source = source
Broker.binary = binary

local running = {}

--- Reads the text of one of the broker's pipes into one of its fields.
local function read_all(self, pipe, field)
  self.pipes = self.pipes + 1
  pipe:read_start(function(_, data)
    if data then
      self[field] = self[field] .. data
    else
      self.pipes = self.pipes - 1
      close(pipe)
    end
  end)
end

local function environment(extra)
  local list = {}
  for name, value in pairs(uv.os_environ()) do
    if not (extra or {})[name] and not name:match("^PILLAR_") and name ~= "DATABASE_URL" then
      list[#list + 1] = name .. "=" .. value
    end
  end
  for name, value in pairs(extra or {}) do
    list[#list + 1] = name .. "=" .. value
  end
  return list
end

--- Runs the binary with these arguments; `exit` is set once it has ended. options: env, dir, prefix (a command before),
--- binary (another one).
function Broker.spawn(args, options)
  options = options or {}
  local self = setmetatable({ output = "", log = "", pipes = 0, dir = options.dir }, Broker)
  local out, err = uv.new_pipe(false), uv.new_pipe(false)
  local command, words = options.binary or binary, args
  if options.prefix then
    words = { table.unpack(options.prefix, 2) }
    words[#words + 1] = command
    command = options.prefix[1]
    table.move(args, 1, #args, #words + 1, words)
  end
  local problem
  self.process, problem = uv.spawn(command, {
    args = words,
    env = environment(options.env),
    cwd = options.dir,
    stdio = { nil, out, err },
  }, function(code, signal)
    self.exit = { code = code, signal = signal }
    running[self] = nil
    close(self.process)
  end)
  assert(self.process, problem)
  self.pid = problem
  running[self] = true
  read_all(self, out, "output")
  read_all(self, err, "log")
  return self
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- Starts a broker and waits until it listens. options: script (under tests/e2e/apps or examples, or a path), text (a
--- script's text), args, env, dir, database, binary.
function Broker.start(options)
  local dir = options.dir or assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-XXXXXX"))
  local script = options.script and source .. "/" .. options.script
  if options.text then
    script = dir .. "/app.lua"
    write(script, options.text)
  end
  local database = options.database or "sqlite:" .. dir .. "/app.db"
  -- A spec that does not look at how streams end has no time for it.
  local args = { "run", script, "--listen", "127.0.0.1:0", "--database", database, "--drain-window", "0" }
  table.move(options.args or {}, 1, #(options.args or {}), #args + 1, args)
  local self = Broker.spawn(args, { env = options.env, dir = dir, prefix = options.prefix, binary = options.binary })
  self.owns_dir = not options.dir
  wait.until_true("the broker to start", function()
    self.port = tonumber(self.output:match("listening on http://[%d.]+:(%d+)"))
    return self.port or self.exit
  end)
  if not self.port then
    error("the broker did not start:\n" .. self.output .. self.log, 2)
  end
  return self
end

function Broker:signal(name)
  uv.kill(self.pid, name)
end

--- Writes a file of the broker's folder, in place.
function Broker:write(name, text)
  write(self.dir .. "/" .. name, text)
end

--- Writes it as most editors do: whole, under another name, which is then changed.
function Broker:replace(name, text)
  self:write(name .. ".new", text)
  assert(os.rename(self.dir .. "/" .. name .. ".new", self.dir .. "/" .. name))
end

--- The line that tells the outcome of the next reload after what `act` does, the broker's own sentence or an error.
function Broker:outcome(act)
  local from = #self.log + 1
  act()
  return wait.until_true("the outcome of a reload", function()
    return self.log:match("pillar: ([^\n]*the script was [^\n]*)\n", from)
  end)
end

--- Sends SIGHUP, with app.lua written anew if there is a text, and waits for the reload; returns what it came to.
function Broker:reload(text)
  return self:outcome(function()
    if text then
      self:write("app.lua", text)
    end
    self:signal("sighup")
  end)
end

function Broker:wait_exit()
  wait.until_true("the broker to end", function() return self.exit end)
  return self.exit
end

--- Ends the broker, checks that it ended well, and removes its folder.
function Broker:stop()
  if not self.exit then
    self:signal("sigterm")
    -- A connection of ours that stays open would only hold the drain up.
    Socket.close_all()
    self:wait_exit()
  end
  -- Let the pipes reach their end, so that the log is whole.
  uv.run("nowait")
  if self.owns_dir then
    os.execute("rm -rf '" .. self.dir .. "'")
  end
  if self.exit.code ~= 0 or self.exit.signal ~= 0 then
    error(("the broker ended with status %d, signal %d:\n%s"):format(self.exit.code, self.exit.signal, self.log), 2)
  end
end

--- Ends at once what is still running, and waits for it.
function Broker.kill_all()
  Socket.close_all()
  for broker in pairs(running) do
    broker:signal("sigkill")
  end
  wait.until_true("the brokers to end", function() return next(running) == nil end)
end

---@return Response
function Broker:request(method, path, options)
  return http.request(self.port, method, path, options)
end

function Broker:start_request(method, path, options)
  return http.start(self.port, method, path, options)
end

function Broker:stream(options)
  return Stream.open(self.port, options)
end

function Broker:start_stream(options)
  return Stream.start(self.port, options)
end

function Broker:socket()
  return Socket.connect(self.port)
end

--- One figure of GET /metrics.
function Broker:metric(name)
  local body = self:request("GET", "/metrics").body
  return tonumber(body:match("\npillar_" .. name .. " (%d+)"))
end

--- What another program reads in the database file.
function Broker:sql(statement)
  local pipe = assert(io.popen(("sqlite3 '%s/app.db' \"%s\" 2>&1"):format(self.dir, statement)))
  local text = pipe:read("a")
  pipe:close()
  return (text:gsub("\n$", ""))
end

return Broker
