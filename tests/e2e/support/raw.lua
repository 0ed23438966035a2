--- Bytes as they are: sends exactly what a test says, in pieces if need be, and takes every answer to it apart.

local Socket = require "support.socket"
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

--- Sends bytes on a connection of their own and waits until the broker closes it, which it must say that it does.
--- options: size (of the pieces), methods, finish (send FIN behind the bytes).
---@return Response[]
function raw.talk(port, bytes, options)
  options = options or {}
  local socket = Socket.connect(port)
  raw.send(socket, bytes, options.size)
  if options.finish then
    socket:finish_sending()
  end
  local responses, last = {}, nil
  wait.until_true("the connection to close", function()
    -- What stays open once it has answered would be waited for in vain.
    if last and not options.finish and last.headers["connection"] ~= "close" then
      error(("status %d, and the connection stays open: %s"):format(last.status, last.body), 0)
    end
    last = http.take_response(socket, (options.methods or {})[#responses + 1] or "GET")
    responses[#responses + 1] = last
    return socket.closed and not last
  end)
  local failed, rest = socket.failed, socket.received
  socket:close()
  if failed or rest ~= "" then
    error(("%s; not a response: %q"):format(failed or "closed", rest), 2)
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

--- A head: the request line and fields, each with its CR LF, and the empty line.
function raw.head(...)
  return table.concat({ ... }, "\r\n") .. "\r\n\r\n"
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
  wait.until_true(("pillar_%s to be %d"):format(name, value), function()
    return broker:metric(name) == value
  end)
end

return raw
