--- Input rules as JSON Schema 2020-12. A schema accepts what its rule accepts, but for what it cannot say: a length in
--- bytes, white space that is taken away before the length counts, a Lua pattern that is no regular expression.

local core = require "pillar.core"

local schema = {}

local function text(format)
  return function()
    return { type = "string", format = format }
  end
end

local kinds = {
  string = function(rule)
    -- What is trimmed to nothing is too short.
    local pattern = rule.regex or (rule.trimmed and (rule.min or 0) > 0 and "\\S") or nil
    return { type = "string", minLength = rule.min, maxLength = rule.max, pattern = pattern }
  end,
  integer = function(rule)
    return { type = "integer", minimum = rule.min, maximum = rule.max }
  end,
  number = function(rule)
    return { type = "number", minimum = rule.min, maximum = rule.max }
  end,
  boolean = function()
    return { type = "boolean" }
  end,
  id = function()
    return { type = core.list { "string", "integer" }, minLength = 1, maxLength = 256 }
  end,
  uuid = text "uuid",
  date = text "date",
  datetime = text "date-time",
  email = text "email",
  one = function(rule)
    return { type = "string", enum = core.list { table.unpack(rule.choices) } }
  end,
  any = function()
    return { type = core.list { "string", "number", "boolean", "object", "array" } }
  end,
  object = function(rule)
    return schema.of_fields(rule.fields, false)
  end,
  list = function(rule)
    return { type = "array", items = schema.of_rule(rule.item), minItems = rule.min, maxItems = rule.max }
  end,
}

local function allow_null(of)
  local types = type(of.type) == "table" and of.type or { of.type }
  of.type = core.list { table.unpack(types) }
  of.type[#of.type + 1] = "null"
  if of.enum then
    of.enum[#of.enum + 1] = core.null
  end
end

---@param rule pillar.Rule
---@return table
function schema.of_rule(rule)
  local of = kinds[rule.kind](rule)
  if rule.nullable then
    allow_null(of)
  end
  of.default = rule.default
  return of
end

--- The schema of an object with these fields and no others.
---@param fields pillar.InputField[]
---@param partial boolean none of them has to be there, and there are no defaults
---@return table
function schema.of_fields(fields, partial)
  local properties, required = {}, core.list {}
  for _, field in ipairs(fields) do
    local of = schema.of_rule(field.rule)
    if partial then
      of.default = nil
    elseif not field.rule.optional and field.rule.default == nil then
      required[#required + 1] = field.name
    end
    properties[field.name] = of
  end
  return {
    type = "object",
    properties = properties,
    required = required[1] and required or nil,
    additionalProperties = false,
  }
end

return schema
