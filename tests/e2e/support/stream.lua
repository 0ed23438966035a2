--- An event stream, parsed as a browser would (WHATWG HTML section 9.2.6).

local Socket = require "support.socket"
local cjson = require "cjson"
local wait = require "support.wait"

---@class Stream
---@field all table[] everything dispatched: { event, data (decoded), id }
---@field comments integer
---@field retry? integer
---@field lastEventId string
local Stream = {}
Stream.__index = Stream

local function dispatch(self)
  local block = self.block
  self.block = { data = {} }
  if block.id then
    self.lastEventId = block.id
  end
  if #block.data == 0 then
    return
  end
  local text = table.concat(block.data, "\n")
  local ok, data = pcall(cjson.decode, text)
  self.all[#self.all + 1] = {
    event = block.event or "message",
    data = ok and data or text,
    text = text,
    id = self.lastEventId,
    at = wait.now(),
  }
end

local function take_line(self, line)
  if line == "" then
    return dispatch(self)
  end
  local name, value = line:match("^([^:]*):? ?(.*)$")
  if name == "" then
    self.comments = self.comments + 1
  elseif name == "data" then
    table.insert(self.block.data, value)
  elseif name == "event" then
    self.block.event = value
  elseif name == "id" then
    self.block.id = value
  elseif name == "retry" then
    self.retry = tonumber(value)
    self.retries = self.retries + 1
  end
end

local function parse(self)
  local socket = self.socket
  if not self.head then
    local _, head_end = socket.received:find("\r\n\r\n", 1, true)
    if not head_end then
      return
    end
    self.head = socket.received:sub(1, head_end)
    self.status = tonumber(self.head:match("^HTTP/1%.1 (%d+)"))
    socket.received = socket.received:sub(head_end + 1)
  end
  while self.status == 200 do
    local line_end = socket.received:find("\n", 1, true)
    if not line_end then
      return
    end
    take_line(self, socket.received:sub(1, line_end - 1))
    socket.received = socket.received:sub(line_end + 1)
  end
end

--- Opens a stream; options: path, query (a string), headers. Does not wait.
function Stream.start(port, options)
  options = options or {}
  local self = setmetatable({
    all = {}, comments = 0, retries = 0, lastEventId = "", block = { data = {} },
    socket = Socket.connect(port),
  }, Stream)
  self.socket.on_data = function() parse(self) end
  local lines = { ("GET %s%s HTTP/1.1"):format(options.path or "/api/events", options.query or ""), "Host: test" }
  for name, value in pairs(options.headers or {}) do
    lines[#lines + 1] = ("%s: %s"):format(name, value)
  end
  self.started = wait.now()
  self.socket:send(table.concat(lines, "\r\n") .. "\r\n\r\n")
  return self
end

--- Opens a stream and waits for its `ready`.
function Stream.open(port, options)
  local self = Stream.start(port, options)
  wait.until_true("ready", function()
    return self:named("ready")[1] or self.socket.closed or (self.status and self.status ~= 200)
  end)
  if not self:named("ready")[1] then
    error(("the stream did not open: %s"):format(self.head or "closed"), 2)
  end
  return self
end

--- What was dispatched under one name.
function Stream:named(name)
  local found = {}
  for _, event in ipairs(self.all) do
    if event.event == name then
      found[#found + 1] = event
    end
  end
  return found
end

--- The payloads of the sync events so far.
function Stream:events()
  local found = {}
  for _, event in ipairs(self:named("sync")) do
    found[#found + 1] = event.data
  end
  return found
end

--- "task created 42" for each sync event so far.
function Stream:summary()
  local found = {}
  for _, data in ipairs(self:events()) do
    found[#found + 1] = ("%s %s %s"):format(data.entity, data.action, data.entityId or "-")
  end
  return found
end

--- Waits until `count` sync events have come.
function Stream:wait_events(count)
  local ok = pcall(wait.until_true, "events", function() return #self:named("sync") >= count or self.socket.closed end)
  if not ok or #self:named("sync") < count then
    error(("%d of %d events came: %s"):format(#self:named("sync"), count, table.concat(self:summary(), ", ")), 2)
  end
  return self:events()
end

local fences = 0

--- Waits for the event that `emit(action)` causes for this stream, so that everything before it came, and removes it.
--- The action is new each time: what is left of an earlier fence, or replayed, is not mistaken for it.
function Stream:fence(emit)
  fences = fences + 1
  local name = "fence" .. fences
  emit(name)
  local place
  wait.until_true("the fence", function()
    for i, event in ipairs(self.all) do
      if event.event == "sync" and event.data.action == name then
        place = i
        return true
      end
    end
    return self.socket.closed
  end)
  if not place then
    error("the stream closed before the fence", 2)
  end
  table.remove(self.all, place)
end

function Stream:close()
  self.socket:close()
end

return Stream
