--- An answer, as a test sees it.

local blame = require "pillar.testing.blame"
local harness = require "pillar.harness"

---@class pillar.testing.Response
---@field status integer
---@field headers table<string, string> by name, whatever its case
---@field body string
local Response = {}
Response.__index = Response

--- The body, from JSON.
---@return any
function Response:json()
  return blame.call(harness.json_decode, self.body)
end

local any_case = {
  __index = function(headers, name)
    return type(name) == "string" and rawget(headers, name:lower()) or nil
  end,
}

--- Makes what the harness answered a response.
---@param answer table
---@return pillar.testing.Response
function Response.new(answer)
  local headers = setmetatable({}, any_case)
  for i = 1, #answer.headers, 2 do
    local name = answer.headers[i]:lower()
    local before = rawget(headers, name)
    headers[name] = (before and before .. ", " or "") .. answer.headers[i + 1]
  end
  answer.headers = headers
  return setmetatable(answer, Response)
end

return Response
