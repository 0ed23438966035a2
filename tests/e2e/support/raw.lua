--- Bytes as they are: sends exactly what a test says, in pieces if need be, and takes every answer to it apart.

local Socket = require "support.socket"
local close = require "support.closing"
local http = require "support.http"
local uv = require "luv"
local wait = require "support.wait"

local raw = {}

--- Sends `bytes` in pieces of `size`, each a packet of its own (the sockets do not delay), until the other side closes.
function raw.send(socket, bytes, size)
  for at = 1, #bytes, size or math.max(#bytes, 1) do
    if socket.closed then
      return
    end
    socket:send(bytes:sub(at, at + (size or #bytes) - 1))
    uv.run("nowait")
  end
end

--- Sends bytes on a connection of their own and waits until the broker closes it. options: size (of the pieces),
--- methods, finish (send FIN behind the bytes), count: how many responses come before the broker says that it closes;
--- 1 if it is not given.
---@return Response[]
function raw.talk(port, bytes, options)
  options = options or {}
  local socket = Socket.connect(port)
  raw.send(socket, bytes, options.size)
  if options.finish then
    socket:finish_sending()
  end
  local responses, problem = {}, nil
  wait.until_true("the connection to close", function()
    local response = http.take_response(socket, (options.methods or {})[#responses + 1] or "GET")
    while response do
      responses[#responses + 1] = response
      if #responses >= (options.count or 1) and response.headers["connection"] ~= "close" and not options.finish then
        problem = ("status %d, and the connection stays open: %s"):format(response.status, response.body)
      end
      response = http.take_response(socket, (options.methods or {})[#responses + 1] or "GET")
    end
    return problem or socket.closed
  end)
  problem = problem or socket.failed
  if not problem and socket.received ~= "" then
    problem = ("not a response: %q"):format(socket.received)
  end
  socket:close()
  if problem then
    error(problem, 2)
  end
  return responses
end

--- Waits for the next `count` final responses on a connection that stays open.
---@return Response[]
function raw.read(socket, count, methods)
  local responses = {}
  while #responses < count do
    local response = http.read_response(socket, (methods or {})[#responses + 1] or "GET")
    if response.status >= 200 then
      responses[#responses + 1] = response
    end
  end
  return responses
end

--- Sends `bytes` one by one, one every `interval` milliseconds, until they are sent or the other side closes.
function raw.drip(socket, bytes, interval)
  local timer, at = uv.new_timer(), 0
  timer:start(interval, interval, function()
    at = at + 1
    if at > #bytes or socket.closed or socket.handle:is_closing() then
      close(timer)
    else
      socket:send(bytes:sub(at, at))
    end
  end)
end

--- Takes `amount` bytes every `interval` milliseconds: socket.taken counts them, socket.pieces holds them.
function raw.sip(socket, amount, interval)
  local timer, left = uv.new_timer(), 0
  socket.taken, socket.pieces = #socket.received, { socket.received }
  socket.received = ""
  socket:pause()
  socket.on_data = function()
    left, socket.taken = left - #socket.received, socket.taken + #socket.received
    table.insert(socket.pieces, socket.received)
    socket.received = ""
    if left <= 0 then
      socket:pause()
    end
  end
  timer:start(interval, interval, function()
    if socket.closed or socket.handle:is_closing() then
      return close(timer)
    end
    left = amount
    socket:resume()
  end)
end

--- Does `act` on a connection of its own and waits until the broker closes that. A client that still sends when it is
--- closed without an answer may see a reset: `may_reset` allows for it.
---@return string received what came on it
---@return number took how many milliseconds it lasted
function raw.last(port, act, may_reset)
  local socket = Socket.connect(port)
  local from = wait.now()
  act(socket)
  socket:wait_closed()
  local took = wait.now() - from
  socket:close()
  if socket.failed and not may_reset then
    error("the connection was reset: " .. socket.failed, 2)
  end
  return socket.received, took
end

--- A head: the request line and fields, each with its CR LF, and the empty line.
function raw.head(...)
  return table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

--- A GET of a target, with more fields if need be.
function raw.get(target, ...)
  return raw.head("GET " .. target .. " HTTP/1.1", "Host: test", ...)
end

--- A POST of a body to a target, with more fields if need be.
function raw.post(target, body, ...)
  return raw.head("POST " .. target .. " HTTP/1.1", "Host: test", "Content-Length: " .. #body, ...) .. body
end

--- `text` as a chunked body, in chunks whose sizes `next_size()` says.
function raw.chunked(text, next_size)
  local parts, at = {}, 1
  while at <= #text do
    local part = text:sub(at, at + next_size() - 1)
    parts[#parts + 1] = ("%x\r\n%s\r\n"):format(#part, part)
    at = at + #part
  end
  return table.concat(parts) .. "0\r\n\r\n"
end

--- Waits until a figure of GET /metrics is `value`; the connection that asks counts as one of pillar_connections.
function raw.wait_metric(broker, name, value)
  local timer, due = uv.new_timer(), true
  timer:start(0, 5, function() due = true end)
  local ok, problem = pcall(wait.until_true, ("pillar_%s to be %d"):format(name, value), function()
    if due then
      due = false
      return broker:metric(name) == value
    end
  end)
  close(timer)
  if not ok then
    error(problem, 2)
  end
end

return raw
