--- The methods of a request. Its fields are made by the C side.

local core = require "pillar.core"
local failure = require "pillar.failure"

---@class pillar.Request
---@field method string "GET", "POST", ...
---@field path string percent-decoded
---@field params table<string, string> what the route's :name and *name parts matched
---@field query table<string, string> the first value of each parameter; see queryAll
---@field headers table<string, string> by name, whatever its case
---@field cookies table<string, string>
---@field body string
---@field input? table<string, any> what the route's input rules let through: declared fields, with defaults
---@field queryAll fun(self: pillar.Request, name: string): string[] all values of a query parameter
---@field user? pillar.User what authenticate returned
---@field sessionId? string the X-Session-Id of the tab that sent it
---@field remoteAddress string
---@field id string the request's id, as in the log and in X-Request-Id
local methods = core.request_methods

local parsed = {} -- a key that no script has

local function is_json(content_type)
  local kind = (content_type or ""):lower():match("^%s*([^;%s]*)")
  return kind == "application/json" or kind:match("^application/[^/]*%+json$") ~= nil
end

--- The body, an object or a list, from JSON. Ends the handler with 415 for another Content-Type, and with 400 for a
--- body that is not JSON, or neither object nor list.
---@return table
function methods:json()
  local value = rawget(self, parsed)
  if value ~= nil then
    return value
  end
  if not is_json(self.headers["content-type"]) then
    failure.raise(415, "unsupported_media_type", "the body must come with Content-Type: application/json")
  end
  value = core.json_decode(self.body)
  if type(value) ~= "table" then
    failure.raise(400, "invalid_json", "the body must be a JSON object or list")
  end
  rawset(self, parsed, value)
  return value
end

return methods
