--- Errors that say what to answer. The C side knows them by their metatable.

local core = require "pillar.core"

local failure = {}

---@class pillar.Failure
---@field status integer
---@field code string
---@field message string for the client
---@field field? string
---@field detail? string for the log

---@param status integer
---@param code string
---@param message? string
---@param field? string
---@return pillar.Failure
function failure.new(status, code, message, field)
  if math.type(status) ~= "integer" or status < 400 or status > 599 then
    error("pillar.fail: the status must be an integer from 400 to 599", 4)
  end
  if type(code) ~= "string" or code == "" then
    error("pillar.fail: the code must be a string, such as \"not_found\"", 4)
  end
  return core.failure { status = status, code = code, message = message or code, field = field }
end

---@param status integer
---@param code string
---@param message? string
---@param field? string
function failure.raise(status, code, message, field)
  error(failure.new(status, code, message, field), 0)
end

---@param value any
---@return boolean
function failure.is(value)
  return core.is_failure(value)
end

return failure
