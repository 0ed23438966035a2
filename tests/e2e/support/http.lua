--- A small HTTP/1.1 client over one connection, so that a test sees exactly what was answered.

local Socket = require "support.socket"
local cjson = require "cjson"
local wait = require "support.wait"

local http = {}

---@class Response
---@field status integer
---@field headers table<string, string> lower-case names; several of one name joined by ", "
---@field body string
---@field json fun(self): any

local Response = {}
Response.__index = Response

function Response:json()
  return cjson.decode(self.body)
end

local function parse_head(head)
  local status = head:match("^HTTP/1%.1 (%d%d%d) ")
  if not status then
    error(("not an HTTP/1.1 response: %q"):format(head:sub(1, 200)), 0)
  end
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r]+):[ \t]*([^\r]*)") do
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return tonumber(status), headers
end

local function has_no_body(status, method)
  return method == "HEAD" or status == 204 or status == 304 or status < 200
end

--- Takes one response from what the socket has received; nil while it is incomplete.
---@return Response?
function http.take_response(socket, method)
  local head_end = select(2, socket.received:find("\r\n\r\n", 1, true))
  if not head_end then
    return nil
  end
  local status, headers = parse_head(socket.received:sub(1, head_end))
  local length = tonumber(headers["content-length"])
  if has_no_body(status, method) then
    length = 0
  elseif not length then
    if not socket.closed then
      return nil
    end
    length = #socket.received - head_end
  end
  if #socket.received < head_end + length then
    return nil
  end
  local body = socket.received:sub(head_end + 1, head_end + length)
  socket.received = socket.received:sub(head_end + length + 1)
  return setmetatable({ status = status, headers = headers, body = body }, Response)
end

--- Waits for the next response on a connection.
---@return Response
function http.read_response(socket, method)
  local response
  wait.until_true("a response", function()
    response = http.take_response(socket, method)
    return response or socket.closed
  end)
  response = response or http.take_response(socket, method)
  if not response then
    error(("the connection closed without a response; received %q"):format(socket.received), 2)
  end
  return response
end

--- The bytes of a request. options: headers, body, json.
function http.format(method, path, options)
  options = options or {}
  local body = options.body
  local lines = { ("%s %s HTTP/1.1"):format(method, path), "Host: test" }
  if options.json ~= nil then
    body = cjson.encode(options.json)
    lines[#lines + 1] = "Content-Type: application/json"
  end
  for name, value in pairs(options.headers or {}) do
    lines[#lines + 1] = ("%s: %s"):format(name, value)
  end
  if body then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end

--- Sends a request on a connection of its own and waits for the answer.
---@return Response
function http.request(port, method, path, options)
  local socket = Socket.connect(port)
  if socket.failed then
    error("cannot connect: " .. socket.failed, 2)
  end
  socket:send(http.format(method, path, options))
  local response = http.read_response(socket, method)
  socket:close()
  return response
end

--- Sends a request and returns at once; `answer()` gives the response once it is there.
function http.start(port, method, path, options)
  local socket = Socket.connect(port)
  local pending = { socket = socket, sent = wait.now() }
  socket.on_data = function()
    if not pending.response then
      pending.response = http.take_response(socket, method)
      pending.took = pending.response and wait.now() - pending.sent
    end
  end
  socket:send(http.format(method, path, options))
  return pending
end

--- Waits for what http.start began.
---@return Response
function http.finish(pending)
  wait.until_true("a response", function() return pending.response or pending.socket.closed end)
  pending.socket:close()
  return pending.response
end

return http
