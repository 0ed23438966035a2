--- A TCP connection that keeps all it has received.

local uv = require "luv"
local close = require "support.closing"
local wait = require "support.wait"

---@class Socket
---@field received string
---@field closed boolean the other side has closed, or reset, the connection
---@field failed? string how it failed
local Socket = {}
Socket.__index = Socket

local open = {}

function Socket.connect(port)
  local self = setmetatable({ handle = uv.new_tcp(), received = "", closed = false }, Socket)
  open[self] = true
  local connected, problem
  self.handle:connect("127.0.0.1", port, function(err) connected, problem = true, err end)
  wait.until_true("a connection", function() return connected end)
  if problem then
    self.closed, self.failed = true, problem
    return self
  end
  self.handle:nodelay(true)
  self:resume()
  return self
end

--- Reads on, after pause.
function Socket:resume()
  self.handle:read_start(function(err, data)
    if data then
      self.received = self.received .. data
      if self.on_data then self.on_data(self) end
    else
      self.closed, self.failed = true, err
    end
  end)
end

--- Reads nothing more, so that the other side's writes fill the socket.
function Socket:pause()
  self.handle:read_stop()
end

function Socket:send(bytes)
  if not self.handle:is_closing() then
    self.handle:write(bytes, function() end)
  end
end

--- Sends FIN: nothing more will be sent, but what comes is still read.
function Socket:finish_sending()
  self.handle:shutdown()
end

function Socket:wait_closed()
  wait.until_true("the connection to close", function() return self.closed end)
end

--- Waits until what was received contains `text`.
function Socket:wait_for(text)
  local ok, problem = pcall(wait.until_true, ("%q"):format(text), function()
    return self.received:find(text, 1, true) or self.closed
  end)
  if not ok or not self.received:find(text, 1, true) then
    error(("%s; received: %q"):format(problem == true and "closed" or tostring(problem), self.received), 2)
  end
end

--- Hard close: a reset where there is something unread.
function Socket:close()
  open[self] = nil
  close(self.handle)
end

--- Closes what the tests left open.
function Socket.close_all()
  for socket in pairs(open) do
    socket:close()
  end
end

return Socket
