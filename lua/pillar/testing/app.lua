--- The app under test: requests, streams, time, crashes.

local blame = require "pillar.testing.blame"
local harness = require "pillar.harness"
local Response = require "pillar.testing.response"
local Stream = require "pillar.testing.stream"

local units = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }

local function milliseconds(time)
  local number, unit = tostring(time):match("^(%d+)(%a*)$")
  local factor = units[unit == "" and "ms" or unit]
  if not number or #number > 12 or not factor then
    blame.raise("a time is a whole number of milliseconds, or a text such as \"90s\", \"5m\" or \"24h\"")
  end
  return math.tointeger(number) * factor
end

---@class pillar.testing.RequestOptions
---@field user? string|table who asks: an id, or a whole user; authenticate is then not called, unless load got signIn
---@field session? string the X-Session-Id
---@field headers? table<string, string>
---@field query? table<string, string|number|boolean>
---@field json? any the body, as JSON
---@field body? string the body, as it is
---@field expectError? boolean the handler may raise an error that is answered with 500 or 503; otherwise the test fails

---@class pillar.testing.StreamOptions: pillar.testing.RequestOptions
---@field entities? string[] only events of these
---@field lastEventId? string where to go on from
---@field path? string by default "/api/events"

---@class pillar.testing.App
local App = {}
App.__index = App

local request_options = {
  headers = "table", query = "table", body = "string", session = "string", expectError = "boolean",
  user = "string|number|table", json = "any",
}
local stream_options = { entities = "table", lastEventId = "string", path = "string" }
for name, kind in pairs(request_options) do
  stream_options[name] = kind
end

local function check_request(what, options, known)
  blame.check(what, options, known)
  if options.json ~= nil and options.body ~= nil then
    blame.raise("%s: a request has one body, from 'json' or from 'body'", what)
  end
end

local function escape(text)
  return (tostring(text):gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local function append_query(path, query)
  local parts = {}
  for name, value in pairs(query or {}) do
    parts[#parts + 1] = escape(name) .. "=" .. escape(value)
  end
  if #parts == 0 then
    return path
  end
  table.sort(parts)
  return path .. (path:find("?", 1, true) and "&" or "?") .. table.concat(parts, "&")
end

--- The user as JSON, unless the app is to find out by itself.
local function assume(self, options, headers)
  local user = options.user
  if user == nil then
    return nil
  end
  if self.signIn then
    for name, value in pairs(self.signIn(user)) do
      headers[name] = headers[name] or value
    end
    return nil
  end
  return blame.call(harness.json_encode, type(user) == "table" and user or { id = user })
end

local function head_of(method, target, headers, body)
  local lines = { ("%s %s HTTP/1.1"):format(method, target), "Host: test" }
  for name, value in pairs(headers) do
    lines[#lines + 1] = ("%s: %s"):format(name, value)
  end
  if body ~= "" or method ~= "GET" then
    lines[#lines + 1] = ("Content-Length: %d"):format(#body)
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function copy(from)
  local to = {}
  for name, value in pairs(from or {}) do
    to[name] = value
  end
  return to
end

--- Calls a method of the harness.
local function call(self, method, ...)
  if not self.raw then
    blame.raise("this test app was closed")
  end
  return blame.call(self.raw[method], self.raw, ...)
end

--- Asks, and returns the answer; or nil when the process died at the commit (see crash).
---@param method string
---@param path string
---@param options? pillar.testing.RequestOptions
---@return pillar.testing.Response
function App:request(method, path, options)
  options = options or {}
  local what = ("%s %s"):format(method, path)
  check_request(what, options, request_options)
  local headers = copy(options.headers)
  local body = options.body or ""
  if options.json ~= nil then
    headers["Content-Type"] = headers["Content-Type"] or "application/json"
    body = blame.call(harness.json_encode, options.json)
  end
  headers["X-Session-Id"] = headers["X-Session-Id"] or options.session
  local user = assume(self, options, headers)
  local head = head_of(method, append_query(path, options.query), headers, body)
  local answer = call(self, "ask", head, body, user)
  if not answer then
    return nil
  end
  if answer.trouble and answer.status < 500 then
    blame.raise("%s", answer.trouble)
  elseif answer.trouble and not options.expectError then
    blame.raise("%s: %s", what, answer.trouble)
  end
  return Response.new(answer)
end

for _, method in ipairs { "get", "post", "put", "patch", "delete" } do
  App[method] = function(self, path, options)
    return self:request(method:upper(), path, options)
  end
end

--- Opens a stream, and fails the test when that is refused.
---@param options pillar.testing.StreamOptions
---@return pillar.testing.Stream
function App:connect(options)
  options = options or {}
  check_request("connect", options, stream_options)
  local request = { user = options.user, headers = copy(options.headers), query = copy(options.query) }
  request.query.sessionId = options.session or request.query.sessionId
  request.query.entities = options.entities and table.concat(options.entities, ",") or request.query.entities
  request.headers["Last-Event-ID"] = options.lastEventId or request.headers["Last-Event-ID"]
  local stream = Stream.connect(self, options.path or "/api/events", request, options.lastEventId)
  self.streams[stream] = true
  return stream
end

---@class pillar.testing.Client: pillar.testing.App
local Client = {}

function Client.__index(self, name)
  local method = App[name]
  if method == nil then
    return nil
  end
  local merges = name == "request" and 3 or (name == "connect" and 1) or 2
  return function(_, ...)
    local arguments = table.pack(...)
    local options = copy(self.defaults)
    for key, value in pairs(arguments[merges] or {}) do
      options[key] = value
    end
    arguments[merges] = options
    return method(self.app, table.unpack(arguments, 1, math.max(arguments.n, merges)))
  end
end

--- Somebody with a user, a session, headers: get, post, put, patch, delete, request and connect, with these options
--- besides their own.
---@param defaults pillar.testing.RequestOptions
---@return pillar.testing.Client
function App:client(defaults)
  check_request("client", defaults, request_options)
  return setmetatable({ app = self, defaults = copy(defaults) }, Client)
end

--- All events committed since the start, or since clear: as on the wire, and with targetUserIds (sorted), or
--- everyone = true.
---@return table[]
function App:events()
  local list = {}
  for i, event in ipairs(call(self, "events")) do
    local data = harness.json_decode(event.frame:match("\ndata: (.-)\n"))
    data.targetUserIds, data.everyone = event.targetUserIds, event.everyone
    data.projectId = data.projectId or event.projectId
    list[i] = data
  end
  return list
end

--- Forgets the events so far, on all streams too.
function App:clear()
  call(self, "forget_events")
  for stream in pairs(self.streams) do
    stream:clear()
  end
end

--- The clock, in milliseconds since 1970. It stands still while a handler runs, and moves by one with each request.
---@return integer
function App:now()
  return call(self, "now")
end

--- Lets time pass: heartbeats, expiry and what else depends on it happens now.
---@param time integer|string milliseconds, or "90s", "5m", "24h"
function App:advance(time)
  call(self, "advance", milliseconds(time))
end

--- The process dies: at the next commit, "before commit" or "after commit"; without a stage now. Another one starts on
--- the same database; streams are broken, and may come back.
---@param stage? "before commit"|"after commit"
function App:crash(stage)
  call(self, "crash", stage)
end

--- Runs an SQL statement on the app's database, and returns its rows: to look, and to prepare.
---@param text string
---@return table[]
function App:sql(text, ...)
  return call(self, "sql", text, ...)
end

--- Gives everything back at once; otherwise that happens when the garbage collector comes by.
function App:close()
  if self.raw then
    self.raw:close()
  end
  self.raw = nil
end

--- Wraps what the harness has loaded.
---@package
function App.new(raw, sign_in)
  return setmetatable({ raw = raw, signIn = sign_in, streams = setmetatable({}, { __mode = "k" }) }, App)
end

return App
