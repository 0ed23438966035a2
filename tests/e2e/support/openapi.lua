--- Checks the structure of a description: what OpenAPI 3.1 says of the parts that Pillar writes, and what JSON Schema
--- 2020-12 says of its schemas. A field that is not known here is an error too.

---@class Checker
---@field document table
---@field problems string[]
local Checker = {}
Checker.__index = Checker

function Checker:problem(place, format, ...)
  self.problems[#self.problems + 1] = place .. ": " .. format:format(...)
end

--- Checks that `value` is a table with the keys of `known` alone, those marked true among them.
function Checker:fields(place, value, known)
  if type(value) ~= "table" then
    self:problem(place, "must be an object, not %s", tostring(value))
    return false
  end
  for name in pairs(value) do
    if known[name] == nil then
      self:problem(place, "has the unknown field %s", tostring(name))
    end
  end
  for name, required in pairs(known) do
    if required and value[name] == nil then
      self:problem(place, "lacks %s", name)
    end
  end
  return true
end

function Checker:text(place, value)
  if type(value) ~= "string" then
    self:problem(place, "must be a string, not %s", tostring(value))
  end
end

--- What a $ref points to; the value itself if it is none.
function Checker:resolve(place, value, kind)
  local target = type(value) == "table" and value["$ref"]
  if not target then
    return value
  end
  local name = target:match("^#/components/" .. kind .. "/([%w._-]+)$")
  local found = name and (self.document.components[kind] or {})[name]
  if not found then
    self:problem(place, "the $ref %s leads nowhere", target)
  elseif next(value, next(value)) then
    self:problem(place, "holds something beside its $ref")
  end
  return found
end

local types = { string = true, integer = true, number = true, boolean = true, object = true, array = true, null = true }
local formats = { uuid = true, date = true, ["date-time"] = true, email = true }
local schema_fields = {}
for _, name in ipairs { "type", "format", "description", "default", "enum", "minLength", "maxLength", "pattern",
  "minimum", "maximum", "minItems", "maxItems", "items", "properties", "required", "additionalProperties" } do
  schema_fields[name] = false
end

function Checker:types(place, schema)
  local list = type(schema.type) == "table" and schema.type or { schema.type }
  local set = {}
  for _, name in ipairs(list) do
    if not types[name] or set[name] then
      self:problem(place, "has the type %s, unknown or twice", tostring(name))
    end
    set[name] = true
  end
  return set
end

--- Bounds are in order, and go with a type that has them.
function Checker:bounds(place, schema, set, least, most, ...)
  local low, high = schema[least], schema[most]
  if (low or high) and not (set[(...)] or set[(select(2, ...))]) then
    self:problem(place, "has %s or %s, and not the type", least, most)
  elseif low and high and low > high then
    self:problem(place, "%s is above %s", least, most)
  end
end

function Checker:object_schema(place, schema)
  for name, property in pairs(schema.properties or {}) do
    self:schema(place .. "." .. name, property)
  end
  for _, name in ipairs(schema.required or {}) do
    if not (schema.properties or {})[name] then
      self:problem(place, "requires %s, which is no property", tostring(name))
    end
  end
  if schema.required and #schema.required == 0 then
    self:problem(place, "requires nothing, in a list")
  end
end

function Checker:schema(place, value)
  local schema = self:resolve(place, value, "schemas")
  if schema ~= value or not self:fields(place, schema, schema_fields) then
    return
  end
  local set = self:types(place, schema)
  self:bounds(place, schema, set, "minLength", "maxLength", "string")
  self:bounds(place, schema, set, "minItems", "maxItems", "array")
  self:bounds(place, schema, set, "minimum", "maximum", "integer", "number")
  if schema.format and not formats[schema.format] then
    self:problem(place, "has the format %s", tostring(schema.format))
  end
  if schema.enum and #schema.enum == 0 then
    self:problem(place, "allows nothing")
  end
  if schema.items or (set.array and not set.string) then
    self:schema(place .. "[]", schema.items)
  end
  self:object_schema(place, schema)
end

function Checker:content(place, content)
  local media = next(content)
  if not media then
    self:problem(place, "has no media type")
  end
  for name, of in pairs(content) do
    if not name:match("^%l+/[%l-]+$") then
      self:problem(place, "the media type is %s", name)
    end
    if self:fields(place, of, { schema = true }) then
      self:schema(place, of.schema)
    end
  end
end

function Checker:parameter(place, value)
  local of = self:resolve(place, value, "parameters")
  local known = { name = true, ["in"] = true, schema = true, required = true, description = false }
  if not of or not self:fields(place, of, known) then
    return
  end
  self:text(place, of.name)
  self:schema(place .. " " .. tostring(of.name), of.schema)
  if not ({ path = true, query = true, header = true })[of["in"]] or type(of.required) ~= "boolean" then
    self:problem(place, "the parameter %s is in %s, required %s", of.name, tostring(of["in"]), tostring(of.required))
  end
  return of
end

--- Parameters are there once, and those of the path are just those of its template.
function Checker:parameters(place, path, list)
  local seen, wanted = {}, {}
  for name in path:gmatch("{([^}]*)}") do
    wanted[name] = true
  end
  for i, value in ipairs(list or {}) do
    local of = self:parameter(("%s parameter %d"):format(place, i), value) or {}
    local key = ("%s %s"):format(of["in"], of.name)
    if seen[key] then
      self:problem(place, "has the parameter %s twice", key)
    end
    seen[key] = true
    if of["in"] == "path" and (not wanted[of.name] or of.required ~= true) then
      self:problem(place, "the parameter %s is not in the path, or not required", tostring(of.name))
    end
  end
  for name in pairs(wanted) do
    if not seen["path " .. name] then
      self:problem(place, "the path's %s is no parameter", name)
    end
  end
end

function Checker:response(place, value)
  local of = self:resolve(place, value, "responses")
  if not of or not self:fields(place, of, { description = true, content = false, headers = false }) then
    return
  end
  self:text(place, of.description)
  if of.content then
    self:content(place, of.content)
  end
  for name, header in pairs(of.headers or {}) do
    local found = self:resolve(place .. " " .. name, header, "headers")
    if found then
      self:schema(place .. " " .. name, found.schema)
    end
  end
end

function Checker:security(place, list)
  for _, requirement in ipairs(list) do
    for name in pairs(requirement) do
      if not (self.document.components.securitySchemes or {})[name] then
        self:problem(place, "the security scheme %s is not there", name)
      end
    end
  end
end

function Checker:operation(place, path, op)
  local known = { operationId = true, responses = true, parameters = false, requestBody = false, tags = false,
    security = false, summary = false, description = false }
  if not self:fields(place, op, known) then
    return
  end
  self:text(place, op.operationId)
  if self.operations[op.operationId] then
    self:problem(place, "the operationId %s is there twice", op.operationId)
  end
  self.operations[op.operationId] = true
  self:parameters(place, path, op.parameters)
  if op.requestBody and self:fields(place, op.requestBody, { content = true, required = true }) then
    self:content(place .. " body", op.requestBody.content)
  end
  for status, response in pairs(op.responses) do
    if status ~= "default" and not status:match("^[1-5]%d%d$") then
      self:problem(place, "has the response %s", status)
    end
    self:response(place .. " " .. status, response)
  end
  if not next(op.responses) then
    self:problem(place, "has no response")
  end
  for _, tag in ipairs(op.tags or {}) do
    if not self.tags[tag] then
      self:problem(place, "the tag %s is not listed", tag)
    end
  end
  self:security(place, op.security or {})
end

local methods = { get = false, post = false, put = false, patch = false, delete = false }

function Checker:paths()
  local structures = {}
  for path, item in pairs(self.document.paths) do
    local structure = path:gsub("{[^}]*}", "{}")
    if path:sub(1, 1) ~= "/" or structures[structure] then
      self:problem(path, "is no path, or there twice")
    end
    structures[structure] = true
    if self:fields(path, item, methods) then
      for method, op in pairs(item) do
        self:operation(method .. " " .. path, path, op)
      end
    end
  end
end

function Checker:components()
  local components = self.document.components
  local known = { schemas = false, headers = false, parameters = false, responses = false, securitySchemes = false }
  if not self:fields("components", components, known) then
    return
  end
  for kind, list in pairs(components) do
    for name in pairs(list) do
      if not name:match("^[%w._-]+$") then
        self:problem(kind, "%s is no name of a component", name)
      end
    end
  end
  for name, of in pairs(components.schemas or {}) do
    self:schema("schema " .. name, of)
  end
  for name, of in pairs(components.responses or {}) do
    self:response("response " .. name, of)
  end
  for name, of in pairs(components.securitySchemes or {}) do
    if not (of.type == "http" and of.scheme or of.type == "apiKey" and of["in"] and of.name) then
      self:problem("security scheme " .. name, "is not whole")
    end
  end
end

--- What is wrong with a description, as a list of sentences.
---@param document table decoded
---@return string[]
return function(document)
  local self = setmetatable({ document = document, problems = {}, operations = {}, tags = {} }, Checker)
  local known = { openapi = true, info = true, paths = true, components = true, tags = true, security = false }
  if not self:fields("document", document, known) then
    return self.problems
  end
  if not tostring(document.openapi):match("^3%.1%.%d+$") then
    self:problem("document", "is written in OpenAPI %s", tostring(document.openapi))
  end
  if self:fields("info", document.info, { title = true, version = true, description = false }) then
    self:text("info.title", document.info.title)
    self:text("info.version", document.info.version)
  end
  for _, tag in ipairs(document.tags) do
    self.tags[tag.name] = true
  end
  self:components()
  self:paths()
  self:security("document", document.security or {})
  return self.problems
end
