--- JSON by lua-cjson, repaired: integers stay integers, empty lists stay lists, nothing but strict JSON goes in or out.

local core = require "pillar.core"

---@class pillar.json
local json = {
  --- JSON's null, in both directions. `nil` in a table is an absent field.
  null = core.null,
}

--- The JSON text of a value. Raises for what JSON cannot hold (functions, NaN, strings that are not UTF-8), naming the
--- place.
---@param value any
---@return string
function json.encode(value)
  return core.json_encode(value)
end

--- The value of a JSON text. Raises a failure with status 400 and code "invalid_json".
---@param text string
---@return any
function json.decode(text)
  return core.json_decode(text)
end

return json
