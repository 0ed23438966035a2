--- Ending streams from a script: a log-out, a password that was changed, a member who was thrown out.

local check = require "pillar.check"
local core = require "pillar.core"
local failure = require "pillar.failure"

---@class pillar.Disconnect
---@field userId string|integer whose streams end
---@field sessionId? string only those of this tab; without it, all of the user's

local known = { userId = true, sessionId = true }

---@param whom pillar.Disconnect
---@param level integer of the script, as for error
return function(whom, level)
  if type(whom) ~= "table" then
    error("pillar.disconnect takes a table: { userId = ..., sessionId = ... }", level + 1)
  end
  check.names("pillar.disconnect", whom, known, level + 1)
  local ok, problem = pcall(core.disconnect, whom.userId, whom.sessionId)
  if not ok then
    error(failure.is(problem) and "pillar.disconnect: " .. (problem.detail or problem.message) or problem, level + 1)
  end
end
