--- Publishing a change from a script. A malformed event is a mistake of the script, not of the client whose request
--- ran into it, so it is raised as an ordinary error.

local core = require "pillar.core"
local failure = require "pillar.failure"

---@class pillar.Event
---@field entity string declared with app:entity
---@field action string "created", "updated", "deleted", ...
---@field targetUserIds (string|integer)[]|table the users it is for, or pillar.everyone
---@field sessionId? string|false the originator's session, which does not get it; false: everybody gets it
---@field userId? string|integer|false the originator; both default to the request's
---@field entityId? string|integer
---@field projectId? string|integer
---@field data? any

---@param event pillar.Event
---@param level integer of the script, as for error
return function(event, level)
  if type(event) ~= "table" then
    error("emit_sync_event takes a table: { entity = ..., action = ..., targetUserIds = ... }", level + 1)
  end
  local ok, problem = pcall(core.emit, event)
  if not ok then
    error(failure.is(problem) and "emit_sync_event: " .. (problem.detail or problem.message) or problem, level + 1)
  end
end
