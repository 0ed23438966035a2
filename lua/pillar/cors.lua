--- app:cors: which pages of other origins may use the app (https://fetch.spec.whatwg.org/#http-cors-protocol). What a
--- script gives is checked here, and made into what the C side answers with.

local check = require "pillar.check"

---@class pillar.Cors
---@field origins string[]|string such as "https://app.example"; or "*" for every origin, then without credentials
---@field credentials? boolean pages may send cookies
---@field maxAge? integer for how many seconds a browser may remember what it was told; 600 by default
---@field headers? string[] request headers that pages may send, beside Idempotency-Key and X-User-Id; all by default
---@field exposeHeaders? string[] response headers that pages may read, beside those that the broker sets

local cors = {}

local options = { origins = true, credentials = true, maxAge = true, headers = true, exposeHeaders = true }
local exposed = { "Sync-Position", "X-Request-Id", "Retry-After", "Location", "Idempotency-Replayed" }
local always = { "Idempotency-Key", "X-User-Id" }
local default_ports = { http = "80", https = "443", ws = "80", wss = "443" }

--- An origin as browsers write it (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin); or nil and why not.
local function normal(origin)
  if type(origin) ~= "string" then
    return nil, ("'%s' must be a string such as \"https://app.example\""):format(tostring(origin))
  end
  if origin:find("*", 1, true) then
    return nil, ("'%s': there are no wildcards; name each origin, or say origins = \"*\" for all"):format(origin)
  end
  local scheme, authority, path = origin:lower():match("^(%a[%w+.-]*)://([^/?#]+)(.*)$")
  if scheme and path ~= "" then
    return nil, ("'%s' must end behind the host and port, without '%s'"):format(origin, path)
  end
  local host, port
  if scheme then
    host, port = authority:match("^(%[[%x:.]+%])(.*)$")
    if not host then
      host, port = authority:match("^([%w._-]+)(.*)$")
    end
  end
  local digits = port and (port == "" and port or port:match("^:(%d+)$"))
  if not digits or (tonumber(digits) or 1) > 65535 then
    return nil, ("'%s' is not an origin: a scheme, a host and a port, such as https://app.example"):format(origin)
  end
  return scheme .. "://" .. host .. ((digits == "" or digits == default_ports[scheme]) and "" or ":" .. digits)
end

local function read_origins(given, credentials, level)
  if given == "*" then
    if credentials then
      error("app:cors: origins = \"*\" goes without credentials: any site could act for who is signed in", level + 1)
    end
    return {}, true
  end
  if type(given) ~= "table" or #given == 0 then
    error("app:cors: 'origins' must be a list of origins, or \"*\"", level + 1)
  end
  local list = {}
  for i, origin in ipairs(given) do
    local one, problem = normal(origin)
    if not one then
      error("app:cors: " .. problem, level + 1)
    end
    list[i] = one
  end
  return list, false
end

local function read_headers(name, given, level)
  if given ~= nil and type(given) ~= "table" then
    error(("app:cors: '%s' must be a list of header names"):format(name), level + 1)
  end
  for _, header in ipairs(given or {}) do
    if type(header) ~= "string" or not header:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      error(("app:cors: '%s' holds '%s', which is not a header name"):format(name, tostring(header)), level + 1)
    end
  end
  return given or {}
end

--- The list as a text; empty for all. A page must be able to send a mutation anew, and to say for whom it is.
local function allowed_headers(given)
  local list, named = { table.unpack(given) }, {}
  for _, header in ipairs(given) do
    named[header:lower()] = true
  end
  for _, header in ipairs(given[1] and always or {}) do
    list[#list + 1] = not named[header:lower()] and header or nil
  end
  return table.concat(list, ", ")
end

--- What the C side needs to know. Raises, at the script's line, for what cannot be.
---@param given pillar.Cors
---@param level integer of the script, as for error
function cors.read(given, level)
  if type(given) ~= "table" then
    error("app:cors takes a table: { origins = { \"https://app.example\" } }", level + 1)
  end
  check.names("app:cors", given, options, level + 1)
  local credentials, age = given.credentials, given.maxAge == nil and 600 or given.maxAge
  if credentials ~= nil and type(credentials) ~= "boolean" then
    error("app:cors: 'credentials' must be a boolean", level + 1)
  end
  if math.type(age) ~= "integer" or age < 0 or age > 86400 then
    error("app:cors: 'maxAge' must be an integer, seconds from 0 to 86400", level + 1)
  end
  local origins, any = read_origins(given.origins, credentials, level + 1)
  local exposes = { table.unpack(exposed) }
  table.move(read_headers("exposeHeaders", given.exposeHeaders, level + 1), 1, #(given.exposeHeaders or {}),
    #exposes + 1, exposes)
  return {
    origins = origins,
    any = any,
    credentials = credentials or false,
    maxAge = tostring(age),
    headers = allowed_headers(read_headers("headers", given.headers, level + 1)),
    exposed = table.concat(exposes, ", "),
  }
end

return cors
