-- What a body may hold. Each rule gets the value and returns nothing, or what is wrong with it.
local pillar = require "pillar"

local input = {}

function input.text(most)
  return function(value)
    if type(value) ~= "string" or not value:find("%S") then
      return "must be a text that is not empty"
    end
    if utf8.len(value) > most then
      return ("must be at most %d characters long"):format(most)
    end
  end
end

function input.one_of(...)
  local choices, list = {}, table.concat({ ... }, ", ")
  for _, choice in ipairs { ... } do
    choices[choice] = true
  end
  return function(value)
    if not choices[value] then
      return "must be one of " .. list
    end
  end
end

function input.date(value)
  local date, rest = tostring(value):match("^(%d%d%d%d%-%d%d%-%d%d)(.*)$")
  local y, m, d = (date or ""):match("(%d+)-(%d+)-(%d+)")
  local real = y and os.date("%Y-%m-%d", os.time { year = y, month = m, day = d, hour = 12 }) == date
  if type(value) ~= "string" or not real or not (rest == "" or rest:match("^T%d%d:%d%d[%d:.Z+-]*$")) then
    return "must be a date such as 2026-12-31, or a date and time such as 2026-12-31T17:00:00Z"
  end
end

function input.number(value)
  if type(value) ~= "number" then
    return "must be a number"
  end
end

-- The fields that the rules know. `required` names those that must be there, `nullable` those that may be null.
function input.read(body, rules, required, nullable)
  local values = {}
  if body[1] ~= nil then
    pillar.fail(400, "invalid_json", "the body must be a JSON object")
  end
  for field in pairs(required) do
    if body[field] == nil then
      pillar.fail(400, "invalid_field", field .. " is missing", field)
    end
  end
  for field, value in pairs(body) do
    local rule = rules[field]
    if not rule then
      pillar.fail(400, "invalid_field", field .. " is not a field of this", field)
    end
    local problem = not (value == pillar.null and nullable[field]) and rule(value)
    if problem then
      pillar.fail(400, "invalid_field", ("%s %s"):format(field, problem), field)
    end
    values[field] = value
  end
  return values
end

return input
