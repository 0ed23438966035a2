--- A virtual client of the event stream: it parses what comes as a browser does (WHATWG HTML section 9.2.6).

local blame = require "pillar.testing.blame"
local harness = require "pillar.harness"

---@class pillar.testing.Message
---@field event string "ready", "sync", "resync", "expiring"
---@field data any decoded from JSON
---@field id string the client's last event id behind it

---@class pillar.testing.Stream
---@field lastEventId string what the client would come back with
---@field heartbeats integer comment lines so far
---@field retry integer? the reconnection time that the broker asks for, in milliseconds
local Stream = {}
Stream.__index = Stream

local function dispatch(self)
  local block = self.block
  self.block = { data = {} }
  if block.id then
    self.lastEventId = block.id
  end
  if #block.data > 0 then
    table.insert(self.received, {
      event = block.event or "message",
      data = harness.json_decode(table.concat(block.data, "\n")),
      id = self.lastEventId,
    })
  end
end

local function take_line(self, line)
  local name, value = line:match("^([^:]*):? ?(.*)$")
  if line == "" then
    dispatch(self)
  elseif name == "" then
    self.heartbeats = self.heartbeats + 1
  elseif name == "data" then
    table.insert(self.block.data, value)
  elseif name == "event" or name == "id" then
    self.block[name] = value
  elseif name == "retry" then
    self.retry = math.tointeger(value)
  end
end

local function read(self)
  for line in self.raw:received():gmatch("(.-)\n") do
    take_line(self, line)
  end
end

local function open(self)
  local answer = self.app:request("GET", self.path, self.request)
  if not answer.stream then
    blame.raise("the stream did not open: it was answered with %d, %s", answer.status, answer.body)
  end
  self.raw, self.block = answer.stream, { data = {} }
  read(self)
end

--- Everything that has come and was not taken: `ready`, `sync`, `resync`, `expiring`.
---@param event? string only those
---@return pillar.testing.Message[]
function Stream:messages(event)
  read(self)
  local found = {}
  for _, message in ipairs(self.received) do
    if not event or message.event == event then
      found[#found + 1] = message
    end
  end
  return found
end

--- The sync events that have come and were not taken, oldest first.
---@return table[]
function Stream:events()
  local found = {}
  for i, message in ipairs(self:messages("sync")) do
    found[i] = message.data
  end
  return found
end

--- Takes the oldest sync event. Fails the test when none has come.
---@return table
function Stream:next()
  read(self)
  for i, message in ipairs(self.received) do
    if message.event == "sync" then
      table.remove(self.received, i)
      return message.data
    end
  end
  blame.raise("no event has come")
end

--- Forgets what has come so far.
function Stream:clear()
  read(self)
  self.received = {}
end

--- The client loses its connection.
function Stream:offline()
  read(self)
  self.raw:close()
end

--- The client comes back, with its last event id.
function Stream:online()
  if self:isOpen() then
    blame.raise("the stream is online already")
  end
  read(self)
  self.request.headers["Last-Event-ID"] = self.lastEventId ~= "" and self.lastEventId or nil
  open(self)
end

--- The client stops reading; what is meant for it stays with the broker.
function Stream:pause()
  self.raw:pause(true)
end

--- The client reads again.
function Stream:resume()
  self.raw:pause(false)
end

--- False once the client went offline, the broker has ended the stream, or the process died.
---@return boolean
function Stream:isOpen()
  return self.raw:is_open()
end

--- Opens a stream for an app under test.
---@package
---@param app pillar.testing.App
---@param path string
---@param request pillar.testing.RequestOptions
---@param last_event_id? string
---@return pillar.testing.Stream
function Stream.connect(app, path, request, last_event_id)
  local self = setmetatable({
    app = app, path = path, request = request, received = {}, heartbeats = 0, lastEventId = last_event_id or "",
  }, Stream)
  open(self)
  return self
end

return Stream
