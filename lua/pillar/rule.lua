--- What one value of an input may be: the rules that scripts write as texts, "string 1..200 optional".
---
---   rule     = type [ range ] { modifier }
---   type     = "string" | "integer" | "number" | "boolean" | "id" | "uuid" | "date" | "datetime" | "email" | "any"
---            | "one of" word { "," word }
---   range    = [ bound ] ".." [ bound ]      of a string its length in characters; of a number its value
---   modifier = "optional" | "nullable" | "trimmed" | "default" ( word | '"' text '"' ) | "matching" pattern
---
--- Words are parted by white space. "matching" goes last: its pattern is what is left of the text.

local check = require "pillar.check"
local core = require "pillar.core"
local formats = require "pillar.formats"
local lua_pattern = require "pillar.lua_pattern"

local rule = {}

---@class pillar.Rule what a value may be, compiled
---@field kind string
---@field min? number
---@field max? number
---@field optional? boolean the field may be missing
---@field nullable? boolean null will do
---@field trimmed? boolean
---@field pattern? string a Lua pattern
---@field regex? string the same for ECMA-262, if there is one
---@field choices? string[]
---@field default? any what stands for a missing field, pillar.null too
---@field fields? pillar.InputField[] of an object, by name
---@field item? pillar.Rule of a list
---@field test fun(value: any, problems: table): any, string? the value as it is to be used; what is wrong with it
---@field read_text? fun(text: string): any the value that a text of a URL stands for; the text itself if for none
local Rule = {}
Rule.__index = Rule

--- Marks a table as a compiled rule, which a table of fields is not.
---@param node table
---@return pillar.Rule
function rule.new(node)
  return setmetatable(node, Rule)
end

---@param value any
---@return boolean
function rule.is(value)
  return getmetatable(value) == Rule
end

--- "1 to 200", "at least 1", "at most 200"; nil without a range.
---@param node pillar.Rule
---@return string?
function rule.range_text(node)
  if node.min and node.max then
    return ("%s to %s"):format(node.min, node.max)
  end
  return node.min and ("at least %s"):format(node.min) or node.max and ("at most %s"):format(node.max) or nil
end

---@param node pillar.Rule
---@param n number
---@return boolean
function rule.in_range(node, n)
  return (not node.min or n >= node.min) and (not node.max or n <= node.max)
end

-- --- the types: each makes the test of its rules ---

local types = {}

local function length_problem(node, text)
  local length = utf8.len(text)
  if not length then
    return "must be valid UTF-8"
  elseif rule.in_range(node, length) then
    return nil
  elseif length == 0 and node.min == 1 then
    return "must not be empty"
  end
  return ("must be %s characters long"):format(rule.range_text(node))
end

types.string = {
  range = true,
  text = true,
  make_test = function(node)
    local pattern = node.pattern
    return function(value)
      if type(value) ~= "string" then
        return nil, "must be a string"
      end
      if node.trimmed then
        value = formats.trim(value)
      end
      local problem = length_problem(node, value)
      if not problem and pattern and not value:find(pattern) then
        problem = "must match the pattern " .. pattern
      end
      return value, problem
    end
  end,
}

local function number_problem(node, n)
  if not rule.in_range(node, n) then
    return ("must be %s%s"):format(node.min and node.max and "from " or "", rule.range_text(node))
  end
end

--- The integer that a number is, or nil. A float at the edge of 64 bits stands for one beyond it, which no float tells.
local function to_integer(number)
  if math.type(number) == "float" and not (number > -2.0 ^ 63 and number < 2.0 ^ 63) then
    return nil
  end
  return math.tointeger(number)
end

types.integer = {
  range = true,
  read_text = function(text)
    return text:find("^-?%d+$") and to_integer(tonumber(text)) or text
  end,
  make_test = function(node)
    return function(value)
      local n = type(value) == "number" and to_integer(value)
      if not n then
        return nil, type(value) == "number" and value % 1 == 0 and "must fit into 64 bits" or "must be an integer"
      end
      return n, number_problem(node, n)
    end
  end,
}

types.number = {
  range = true,
  read_text = function(text)
    local n = text:find("^-?%d+%.?%d*[eE]?[+-]?%d*$") and tonumber(text)
    return n and n - n == 0 and n or text
  end,
  make_test = function(node)
    return function(value)
      if type(value) ~= "number" then
        return nil, "must be a number"
      end
      return value, number_problem(node, value)
    end
  end,
}

types.boolean = {
  read_text = function(text)
    if text == "true" or text == "false" then
      return text == "true"
    end
    return text
  end,
  make_test = function()
    return function(value)
      if type(value) ~= "boolean" then
        return nil, "must be true or false"
      end
      return value
    end
  end,
}

types.id = {
  make_test = function()
    return function(value)
      local n = type(value) == "number" and to_integer(value)
      local text = n and ("%d"):format(n) or value
      if type(text) ~= "string" then
        return nil, "must be a string or an integer"
      elseif not formats.id(text) then
        return nil, "must be 1 to 256 bytes long, without control characters"
      end
      return text
    end
  end,
}

types.any = {
  make_test = function()
    return function(value)
      return value
    end
  end,
}

local function choice_test(node)
  local set = {}
  for _, choice in ipairs(node.choices) do
    set[choice] = true
  end
  local problem = "must be one of " .. table.concat(node.choices, ", ")
  return function(value)
    if type(value) ~= "string" or not set[value] then
      return nil, problem
    end
    return value
  end
end

types.one = { make_test = choice_test }

local function add_format(kind, problem, normalise)
  types[kind] = {
    make_test = function(node)
      return function(value)
        if node.trimmed and type(value) == "string" then
          value = formats.trim(value)
        end
        if type(value) ~= "string" or not formats[kind](value) then
          return nil, problem
        end
        return normalise and normalise(value) or value
      end
    end,
    text = true,
  }
end

add_format("uuid", "must be a UUID", string.lower)
add_format("date", "must be a date such as 2026-12-31")
add_format("datetime", "must be a date and time such as 2026-12-31T17:00:00Z")
add_format("email", "must be an e-mail address")

-- --- reading a rule's text ---

--- Raises what is wrong with a rule, for rule.parse to return.
local function refuse(format, ...)
  error({ problem = format:format(...) }, 0)
end

---@class pillar.RuleReader
---@field text string
---@field at integer

local function next_word(reader)
  local word, behind = reader.text:match("^%s*(%S+)()", reader.at)
  if word then
    reader.at = behind
  end
  return word
end

local function read_choices(reader)
  local choices, known = {}, {}
  if next_word(reader) ~= "of" then
    refuse "'one' goes with 'of' and choices: one of todo, doing, done"
  end
  repeat
    local choice, comma, behind = reader.text:match("^%s*([^%s,]+)%s*(,?)()", reader.at)
    if not choice then
      refuse "a choice is missing in 'one of'"
    elseif known[choice] then
      refuse("the choice '%s' is there twice", choice)
    end
    known[choice] = true
    choices[#choices + 1] = choice
    reader.at = behind
  until comma == ""
  return choices
end

local function read_bound(text, range)
  if text == "" then
    return nil
  elseif not text:find("^-?%d+$") and not text:find("^-?%d+%.%d+$") then
    refuse("'%s' is not a range such as 1..200, 1.. or ..200", range)
  end
  return tonumber(text)
end

--- Reads a range into min and max of the node.
---@param node table
---@param range string "1..200"
---@param whole boolean bounds are lengths: integers, from 0
local function read_range(node, range, whole)
  local first, last = range:find("..", 1, true)
  node.min, node.max = read_bound(range:sub(1, first - 1), range), read_bound(range:sub(last + 1), range)
  if not node.min and not node.max then
    refuse("'..' is not a range such as 1..200, 1.. or ..200")
  elseif node.min and node.max and node.min > node.max then
    refuse("in the range %s the end is before the beginning", range)
  end
  for _, bound in pairs { node.min or 0, node.max or 0 } do
    if whole and (math.type(bound) ~= "integer" or bound < 0) then
      refuse("in the range %s of a length a bound must be a whole number", range)
    end
  end
end

local modifiers = {}

local function flag(name)
  modifiers[name] = function(node)
    if node[name] then
      refuse("'%s' is there twice", name)
    end
    node[name] = true
  end
end

flag "optional"
flag "nullable"

function modifiers.trimmed(node, _, kind)
  if not kind.text then
    refuse "'trimmed' is for texts"
  elseif node.trimmed then
    refuse "'trimmed' is there twice"
  end
  node.trimmed = true
end

function modifiers.default(node, reader)
  local quoted, behind = reader.text:match('^%s*"([^"]*)"()', reader.at)
  if quoted and reader.text:find("^%S", behind) then
    refuse "behind the \" that ends a default goes a space"
  elseif quoted then
    reader.at = behind
  end
  if node.default_text then
    refuse "'default' is there twice"
  end
  node.default_text = quoted or next_word(reader)
  node.default_is_null = not quoted and node.default_text == "null"
  if not node.default_text then
    refuse "a value is missing behind 'default'"
  end
end

function modifiers.matching(node, reader, kind)
  if kind ~= types.string then
    refuse "'matching' is for strings"
  end
  node.pattern = reader.text:match("^%s+(.+)$", reader.at)
  reader.at = #reader.text + 1
  if not node.pattern then
    refuse "a pattern is missing behind 'matching'"
  elseif not node.max then
    refuse "'matching' needs a greatest length ('string ..100 matching'): no deadline ends a pattern that takes long"
  end
  local ok, regex = lua_pattern.translate(node.pattern)
  if not ok then
    refuse("'%s' is not a Lua pattern: %s", node.pattern, regex)
  end
  node.regex = regex
end

local function finish_default(node)
  if not node.default_text then
    return
  elseif node.default_is_null then
    if not node.nullable then
      refuse "'default null' needs 'nullable'"
    end
    node.default = core.null
  else
    local value = node.default_text
    if node.read_text then
      value = node.read_text(value)
    end
    local problem
    node.default, problem = node.test(value)
    if problem then
      refuse("the default %s does not fit: it %s", node.default_text, problem)
    end
  end
  node.default_text, node.default_is_null = nil, nil
end

--- Reads modifiers up to the text's end.
---@param node table
---@param reader pillar.RuleReader
---@param allowed table<string, function>
---@param kind table
local function read_modifiers(node, reader, allowed, kind)
  for word in next_word, reader do
    local read_modifier = allowed[word]
    if not read_modifier then
      refuse("'%s' is not known here%s", word, check.suggestion(word, allowed))
    end
    read_modifier(node, reader, kind)
  end
end

local function parse(text)
  local reader = { text = text, at = 1 }
  local word = next_word(reader)
  local kind = types[word]
  if not word then
    refuse "the rule is empty"
  elseif not kind then
    refuse("'%s' is not a type%s", word, check.suggestion(word, types))
  end
  local node = rule.new { kind = word, read_text = kind.read_text }
  if word == "one" then
    node.choices = read_choices(reader)
  end
  local range = text:match("^%s*(%S*%.%.%S*)", reader.at)
  if range then
    if not kind.range then
      refuse("'%s' has no range", word)
    end
    next_word(reader)
    read_range(node, range, word == "string")
  end
  read_modifiers(node, reader, modifiers, kind)
  node.test = kind.make_test(node)
  finish_default(node)
  return node
end

--- Reads what stands behind a list or an object: a range if `ranged`, "optional", "nullable".
local function parse_modifiers(node, text, ranged)
  local reader = { text = text, at = 1 }
  local range = text:match("^%s*(%S*%.%.%S*)")
  if range and ranged then
    next_word(reader)
    read_range(node, range, true)
  end
  read_modifiers(node, reader, { optional = modifiers.optional, nullable = modifiers.nullable }, {})
  return node
end

local function guarded(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then
    return result
  elseif type(result) == "table" and result.problem then
    return nil, result.problem
  end
  error(result, 0)
end

--- Compiles the text of a rule.
---@param text string
---@return pillar.Rule?
---@return string? problem
function rule.parse(text)
  if not core.valid_utf8(text) then
    return nil, "the rule is not UTF-8"
  end
  return guarded(parse, text)
end

--- Adds to a list or an object what its modifiers say.
---@param node table
---@param text string
---@param ranged boolean
---@return table?
---@return string? problem
function rule.modify(node, text, ranged)
  return guarded(parse_modifiers, node, text, ranged)
end

return rule
