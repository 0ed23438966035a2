--- Input rules: what the body of a request, or the query of a GET, may hold. A script writes them beside its handlers;
--- they are compiled once, when it is loaded, and a handler is called for input that fits.

local check = require "pillar.check"
local core = require "pillar.core"
local failure = require "pillar.failure"
local rule = require "pillar.rule"

local input = {}

--- How many of the things that are wrong are told; of a list no more elements are looked at then.
local PROBLEMS_MAX = 20

--- How many characters of a name that came from outside are repeated in an answer.
local NAME_MAX = 64

local RULES_DEPTH_MAX = 50

---@alias pillar.RuleSpec string|pillar.Rule|table<string, any> a rule's text, or the fields of an object

---@class pillar.InputField
---@field name string
---@field rule pillar.Rule

---@class pillar.Problem
---@field field string "tasks[2].order"; elements are counted from 0, as where the JSON comes from
---@field message string

-- --- checking ---

---@param problems pillar.Problem[]
local function add(problems, field, message)
  problems[#problems + 1] = { field = field, message = message }
end

--- The problems behind the first `count` are those of a value inside: puts where it is before their fields.
local function put_inside(problems, count, place)
  for i = count + 1, #problems do
    local field = problems[i].field
    problems[i].field = (field == "" or field:sub(1, 1) == "[") and place .. field or place .. "." .. field
  end
end

--- Checks a value that is there; returns it as it is to be used.
local function check_value(of, value, problems, place)
  if value == core.null then
    if not of.nullable then
      add(problems, place, "must not be null")
    end
    return value
  end
  local count = #problems
  local clean, problem = of.test(value, problems)
  if problem then
    add(problems, "", problem)
  end
  if #problems > count then
    put_inside(problems, count, place)
  end
  return clean
end

local function shorten(name)
  if utf8.len(name) <= NAME_MAX then
    return name
  end
  return name:sub(1, utf8.offset(name, NAME_MAX + 1) - 1) .. "..."
end

--- Adds a problem for each name that no rule has. Many of them are as good as any of them.
local function check_names(values, fields_by_name, problems)
  local unknown = {}
  for name in pairs(values) do
    if not fields_by_name[name] then
      unknown[#unknown + 1] = shorten(name)
      if #unknown > PROBLEMS_MAX then
        break
      end
    end
  end
  table.sort(unknown)
  for _, name in ipairs(unknown) do
    add(problems, name, "is not a known field")
  end
end

--- Fills in defaults, and adds a problem for each field that has to be there. Nothing has to be in a part.
local function check_missing(values, fields, partial, clean, problems)
  for _, field in ipairs(fields) do
    if values[field.name] == nil and not partial then
      if field.rule.default ~= nil then
        clean[field.name] = field.rule.default
      elseif not field.rule.optional then
        add(problems, field.name, "is missing")
      end
    end
  end
end

local function object_test(fields, partial)
  local by_name = {}
  for _, field in ipairs(fields) do
    by_name[field.name] = field
  end
  return function(values, problems)
    if type(values) ~= "table" or core.is_list(values) then
      return nil, "must be an object"
    end
    local clean = {}
    check_missing(values, fields, partial, clean, problems)
    check_names(values, by_name, problems)
    for _, field in ipairs(fields) do
      local value = values[field.name]
      if value ~= nil then
        clean[field.name] = check_value(field.rule, value, problems, field.name)
      end
    end
    return clean
  end
end

local function list_test(node)
  return function(values, problems)
    if type(values) ~= "table" or not core.is_list(values) then
      return nil, "must be a list"
    end
    if #values == 0 and node.min == 1 then
      return nil, "must not be empty"
    elseif not rule.in_range(node, #values) then
      return nil, ("must have %s elements"):format(rule.range_text(node))
    end
    local clean = core.list {}
    for i, value in ipairs(values) do
      clean[i] = check_value(node.item, value, problems, ("[%d]"):format(i - 1))
      if #problems > PROBLEMS_MAX then
        break
      end
    end
    return clean
  end
end

-- --- compiling ---

local build

--- The fields by name, so that what is wrong is told in one order.
local function build_fields(spec, place, depth)
  local fields = {}
  for name, of in pairs(spec) do
    if type(name) ~= "string" or name == "" or not core.valid_utf8(name) then
      return nil, ("%s: a field is named by a string, not by %s"):format(place, tostring(name))
    end
    local node, problem = build(of, place == "" and name or place .. "." .. name, depth + 1)
    if not node then
      return nil, problem
    end
    fields[#fields + 1] = { name = name, rule = node }
  end
  table.sort(fields, function(a, b)
    return a.name < b.name
  end)
  return fields
end

--- Compiles a rule; or returns nil and what is wrong, beginning with the field.
---@param spec any
---@param place string
---@param depth integer
---@return pillar.Rule?
---@return string? problem
function build(spec, place, depth)
  if rule.is(spec) then
    return spec
  elseif type(spec) == "string" then
    local node, problem = rule.parse(spec)
    return node, problem and ("the rule of '%s': %s"):format(place, problem)
  elseif type(spec) ~= "table" then
    return nil, ("the rule of '%s' must be a string or a table, not a %s"):format(place, type(spec))
  elseif depth > RULES_DEPTH_MAX then
    return nil, ("the rules of '%s' are nested too deeply"):format(place)
  end
  local fields, problem = build_fields(spec, place, depth)
  if not fields then
    return nil, problem
  end
  return rule.new { kind = "object", fields = fields, test = object_test(fields, false) }
end

local function modify(node, what, modifiers, ranged)
  if modifiers ~= nil and type(modifiers) ~= "string" then
    error(("%s: the second argument must be a string, such as \"optional nullable\""):format(what), 3)
  end
  local _, problem = rule.modify(node, modifiers or "", ranged)
  if problem then
    error(("%s: %s"):format(what, problem), 3)
  end
end

--- The rule of a nested object that is optional or nullable; a table of fields alone is one that is neither.
---@param fields table<string, pillar.RuleSpec>
---@param modifiers? string "optional nullable"
---@return pillar.Rule
function input.object(fields, modifiers)
  if type(fields) ~= "table" or rule.is(fields) then
    error("pillar.input.object: the first argument must be a table of fields and rules", 2)
  end
  local node, problem = build(fields, "", 1)
  if not node then
    error("pillar.input.object: " .. problem, 2)
  end
  modify(node, "pillar.input.object", modifiers, false)
  return node
end

--- The rule of a list whose elements all fit one rule.
---@param of pillar.RuleSpec
---@param modifiers? string how many elements, and what more: "1..100 optional nullable"
---@return pillar.Rule
function input.list(of, modifiers)
  local item, problem = build(of, "[]", 1)
  if not item then
    error("pillar.input.list: " .. problem, 2)
  elseif item.optional or item.default ~= nil then
    error("pillar.input.list: an element is there or is not; 'optional' and 'default' are for fields", 2)
  end
  local node = rule.new { kind = "list", item = item }
  modify(node, "pillar.input.list", modifiers, true)
  node.test = list_test(node)
  return node
end

-- --- requests ---

---@class pillar.Rules what a route's input may be
---@field fields pillar.InputField[]
---@field where "body"|"query"
---@field partial boolean nothing has to be there, and there are no defaults
---@field test fun(values: table, problems: pillar.Problem[]): table
local Rules = {}
Rules.__index = Rules

local function query_problem(fields)
  for _, field in ipairs(fields) do
    local of = field.rule.kind == "list" and field.rule.item or field.rule
    if of.kind == "object" or of.kind == "list" then
      return ("the rule of '%s': the query of a GET holds no objects, and no lists in lists"):format(field.name)
    elseif (of ~= field.rule and of.nullable) or (field.rule.nullable and field.rule.default ~= core.null) then
      return ("the rule of '%s': nothing in the query of a GET is null; for a parameter that is missing write "
        .. "'nullable default null'"):format(field.name)
    end
  end
end

--- Compiles the rules of a route, at the script's line.
---@param spec any what the script gave
---@param where "body"|"query"
---@param what string for messages
---@param level integer of the script, as for error
---@return pillar.Rules
function input.compile(spec, where, what, level)
  if type(spec) ~= "table" or rule.is(spec) then
    error(what .. ": 'input' must be a table of fields and rules", level + 1)
  end
  local node, problem = build(spec, "", 1)
  problem = problem or (where == "query" and query_problem(node.fields)) or nil
  if problem then
    error(("%s: input: %s"):format(what, problem), level + 1)
  end
  return setmetatable({ fields = node.fields, where = where, partial = false, test = node.test }, Rules)
end

--- The same rules for a change: any of the fields, and no defaults. What is inside of a field is whole.
---@return pillar.Rules
function Rules:part()
  return setmetatable({
    fields = self.fields,
    where = self.where,
    partial = true,
    test = object_test(self.fields, true),
  }, Rules)
end

local function read_text(of, text)
  if of.read_text then
    return of.read_text(text)
  end
  return text
end

--- The parameters of the query as the values that their rules expect.
local function read_query(fields, req, problems)
  local values = {}
  for name, text in pairs(req.query) do
    values[name] = text
  end
  for _, field in ipairs(fields) do
    local name, of = field.name, field.rule
    local all = values[name] and req:queryAll(name)
    if all and of.kind == "list" then
      for i, text in ipairs(all) do
        all[i] = read_text(of.item, text)
      end
      values[name] = all
    elseif all then
      values[name] = read_text(of, all[1])
      if #all > 1 then
        add(problems, name, "is there more than once")
      end
    end
  end
  return values
end

local function read_body(req)
  local body = req.body == "" and {} or req:json()
  if core.is_list(body) then
    failure.raise(400, "invalid_json", "the body must be a JSON object")
  end
  return body
end

--- Reads and checks a request's input. The values are good when there are no problems.
---@param req pillar.Request
---@return table<string, any> values
---@return pillar.Problem[] problems
function Rules:read(req)
  local problems = {}
  local values = self.where == "query" and read_query(self.fields, req, problems) or read_body(req)
  return self.test(values, problems), problems
end

---@param problems pillar.Problem[]
local function refusal(problems)
  local parts, told = {}, core.list {}
  for i = 1, math.min(#problems, PROBLEMS_MAX) do
    told[i] = problems[i]
    parts[i] = ("%s %s"):format(problems[i].field, problems[i].message)
  end
  parts[#parts + 1] = #problems > PROBLEMS_MAX and "and more" or nil
  return {
    error = {
      code = "invalid_field",
      message = table.concat(parts, "; "),
      field = told[1].field,
      fields = told,
    },
  }
end

--- A handler that is called with the input in req.input, and for input that fits the rules alone.
---@param handler pillar.Handler
---@return pillar.Handler
function Rules:guard(handler)
  return function(req, db)
    local values, problems = self:read(req)
    if problems[1] then
      return 400, refusal(problems)
    end
    req.input = values
    return handler(req, db)
  end
end

--- What scripts use of it.
---@class pillar.input
---@field object fun(fields: table<string, pillar.RuleSpec>, modifiers?: string): pillar.Rule
---@field list fun(of: pillar.RuleSpec, modifiers?: string): pillar.Rule
input.public = { object = input.object, list = input.list }
setmetatable(input.public, { __index = check.closed(input.public, "pillar.input.") })

return input
