--- A connection to the broker on which nothing waits, and timers.

local uv = require "luv"
local close = require "support.closing"
local story = require "crash.story"

---@class Link
---@field received string
---@field closed boolean by the other side, or by us
local Link = {}
Link.__index = Link

--- When set, nothing new begins: timers and connections are made no more.
Link.stopped = false

--- Connections that the other side has accepted and not closed: while there are any, something may still arrive.
Link.connected = 0

--- Connections and timers, all in all.
Link.pending = 0

local function finish(self)
  if self.closed then
    return
  end
  self.closed = true
  Link.pending = Link.pending - 1
  if self.established then
    Link.connected = Link.connected - 1
  end
  close(self.handle)
end

local function read_on(self)
  self.handle:read_start(story.guard(function(_, data)
    if self.closed then
      return
    end
    if data then
      self.received = self.received .. data
      self.on_data(self)
    else
      finish(self)
      self.on_close(self)
    end
  end))
end

--- Connects, sends `bytes`, and calls on_data(link) whenever more was received, and on_close(link) once, when the
--- connection is gone or never came to be; not after link:close().
---@return Link
function Link.open(port, bytes, on_data, on_close)
  local self = setmetatable({
    handle = uv.new_tcp(), received = "", closed = false, on_data = on_data, on_close = on_close,
  }, Link)
  Link.pending = Link.pending + 1
  if Link.stopped then
    finish(self)
    return self
  end
  self.handle:connect("127.0.0.1", port, story.guard(function(err)
    if self.closed then
      return
    end
    if err then
      finish(self)
      on_close(self)
      return
    end
    self.established = true
    Link.connected = Link.connected + 1
    self.handle:nodelay(true)
    self.handle:write(bytes, function() end)
    read_on(self)
  end))
  return self
end

function Link:close()
  finish(self)
end

--- Calls fn() after so many milliseconds. Returns a function that cancels it.
function Link.after(milliseconds, fn)
  if Link.stopped then
    return function() end
  end
  local timer, over = uv.new_timer(), false
  local guarded = story.guard(fn)
  local function finish_timer()
    if not over then
      over, Link.pending = true, Link.pending - 1
      close(timer)
    end
  end
  Link.pending = Link.pending + 1
  timer:start(math.max(0, math.floor(milliseconds)), 0, function()
    finish_timer()
    guarded()
  end)
  return finish_timer
end

return Link
