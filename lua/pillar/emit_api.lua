--- POST /api/emit: events from back ends in other languages, one or a list, all of them or none; "everyone": true
--- in place of targetUserIds. The C side has checked the key, and knows the path; the route has none.

local core = require "pillar.core"
local failure = require "pillar.failure"

local function emit_one(event, where)
  if type(event) ~= "table" then
    failure.raise(400, "invalid_field", where .. "an event must be a JSON object")
  end
  for field, value in pairs(event) do
    if value == core.null and field ~= "data" then
      event[field] = nil
    end
  end
  if event.everyone ~= nil then
    if event.everyone ~= true or event.targetUserIds ~= nil then
      failure.raise(400, "invalid_field", where .. "everyone must be true, and goes without targetUserIds", "everyone")
    end
    event.everyone, event.targetUserIds = nil, core.everyone
  end
  local ok, problem = pcall(core.emit, event, false)
  if ok then
    return
  end
  if not failure.is(problem) then
    error(problem, 0)
  end
  failure.raise(problem.status, problem.code, where .. problem.message, problem.field)
end

local function handler(req)
  local body = req:json()
  if body[1] == nil then
    if core.is_list(body) then
      return 200, { emitted = 0 }
    end
    emit_one(body, "")
    return 200, { emitted = 1 }
  end
  for i, event in ipairs(body) do
    emit_one(event, ("event %d: "):format(i))
  end
  return 200, { emitted = #body }
end

return {
  route = {
    method = "POST", pattern = "", mode = "write", public = true, silent = true, handler = handler, source = "pillar",
  },
}
