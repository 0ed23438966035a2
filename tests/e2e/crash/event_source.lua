--- A browser's EventSource (WHATWG HTML, section 9.2): it remembers the id of the last event that arrived whole, waits
--- `retry` milliseconds when the connection is lost, comes back with Last-Event-ID, and gives up for good on an answer
--- that is no event stream. What a lost connection has cut is not received.

local Link = require "crash.link"

---@class EventSource
---@field id string the last event ID string
---@field retry integer the reconnection time
---@field on_connect fun(id: string) the request goes out, with this id
---@field on_event fun(event: { type: string, data: string, id: string })
---@field on_cut fun() the connection is lost; it will come back
---@field on_fail fun(reason: string) it gave up for good
local EventSource = {}
EventSource.__index = EventSource

local connect

--- Makes one that is not connected. `target` holds the path and the query.
function EventSource.new(port, target, events)
  return setmetatable({
    port = port, target = target, id = "", retry = 100, sent = "",
    on_connect = events.on_connect, on_event = events.on_event, on_cut = events.on_cut, on_fail = events.on_fail,
  }, EventSource)
end

local function reset_block(self)
  self.data, self.type = {}, ""
end

-- The id of a new connection's first event without one is that of the last: browsers keep it over connections, while
-- the letter of the standard has each stream begin with none.
local function dispatch(self)
  self.id = self.id_buffer
  local data, type = self.data, self.type
  reset_block(self)
  if #data > 0 then
    self.on_event { type = type ~= "" and type or "message", data = table.concat(data, "\n"), id = self.id }
  end
end

local function take_line(self, line)
  if line == "" then
    return dispatch(self)
  end
  local name, value = line:match("^([^:]*):? ?(.*)$")
  if name == "data" then
    table.insert(self.data, value)
  elseif name == "event" then
    self.type = value
  elseif name == "id" and not value:find("\0", 1, true) then
    self.id_buffer = value
  elseif name == "retry" and value:match("^%d+$") then
    self.retry = tonumber(value)
  end
end

--- Takes the lines that are whole; a CR at the very end may be half of a CR LF.
local function take_lines(self, link)
  local from = 1
  while not link.closed do
    local at, ending = link.received:match("()([\r\n])", from)
    if not at or (ending == "\r" and at == #link.received) then
      break
    end
    local line = link.received:sub(from, at - 1)
    from = at + (link.received:sub(at, at + 1) == "\r\n" and 2 or 1)
    take_line(self, line)
  end
  link.received = link.received:sub(from)
end

local function give_up(self, reason)
  self:close()
  self.on_fail(reason)
end

local function take_head(self, link)
  local _, last = link.received:find("\r\n\r\n", 1, true)
  if not last then
    return false
  end
  local head = link.received:sub(1, last)
  link.received = link.received:sub(last + 1)
  local status, kind = head:match("^HTTP/1%.1 (%d+)"), head:lower():match("\r\ncontent%-type:%s*([^\r;]*)")
  if status ~= "200" or kind ~= "text/event-stream" then
    give_up(self, ("status %s, type %s"):format(status, kind))
    return false
  end
  self.headed = true
  return true
end

local function on_data(self, link)
  if self.headed or take_head(self, link) then
    take_lines(self, link)
  end
end

local function on_close(self)
  self.link = nil
  self.on_cut()
  self.cancel = Link.after(self.retry, function() connect(self) end)
end

function connect(self)
  self.cancel, self.headed, self.id_buffer = nil, false, self.id
  reset_block(self)
  local head = {
    "GET " .. self.target .. " HTTP/1.1", "Host: test", "Accept: text/event-stream", "Cache-Control: no-store",
    self.id ~= "" and "Last-Event-ID: " .. self.id or nil,
  }
  self.on_connect(self.id)
  self.link = Link.open(self.port, table.concat(head, "\r\n") .. "\r\n\r\n",
    function(link) on_data(self, link) end, function() on_close(self) end)
end

function EventSource:open()
  connect(self)
end

--- Ends it, or has it sleep: open() goes on with the last id.
function EventSource:close()
  if self.cancel then
    self.cancel()
    self.cancel = nil
  end
  if self.link then
    self.link:close()
    self.link = nil
  end
end

return EventSource
