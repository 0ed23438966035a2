--- What the text of a script's files shows: which entities its events are of, and whether a function ever looks at the
--- input of a request. Where the text leaves a doubt, the answer is that all may be well.

local lexer = require "pillar.lexer"

---@class pillar.ScriptText
---@field tokens_of table<string, pillar.Token[]|false> by path; false for a file that cannot be read
---@field paths string[] the script's files, in the order in which they were found
local ScriptText = {}
ScriptText.__index = ScriptText

local function is_symbol(token, text)
  return token ~= nil and token.kind == "symbol" and token.text == text
end

local function is_name(token, text)
  return token ~= nil and token.kind == "name" and token.text == text
end

---@param path string
---@return pillar.Token[]|false
function ScriptText:tokens(path)
  if self.tokens_of[path] == nil then
    local file = io.open(path, "rb")
    self.tokens_of[path] = file and lexer.tokens(file:read("a")) or false
    if file then
      file:close()
    end
  end
  return self.tokens_of[path]
end

--- Adds a file, and those of the script's folder that it requires by name, at once or later.
local function add(self, path, dir)
  if self.known[path] then
    return
  end
  self.known[path] = true
  local tokens = self:tokens(path)
  if not tokens then
    return
  end
  self.paths[#self.paths + 1] = path
  for i, token in ipairs(tokens) do
    local name = tokens[i + (is_symbol(tokens[i + 1], "(") and 2 or 1)]
    local is_module = is_name(token, "require") and name and name.kind == "string"
    if is_module and name.text ~= "pillar" and not name.text:find("^pillar%.") then
      local found = package.searchpath(name.text, package.path)
      if found and found:sub(1, #dir) == dir then
        add(self, found, dir)
      end
    end
  end
end

--- Reads a script and the modules that it has loaded, or will.
---@param script string its path
---@param loaded string[] paths of files that were loaded with it
---@return pillar.ScriptText
function ScriptText.new(script, loaded)
  local self = setmetatable({ tokens_of = {}, paths = {}, known = {} }, ScriptText)
  local dir = (script:match("^(.*)/[^/]*$") or ".") .. "/"
  add(self, script, dir)
  for _, path in ipairs(loaded) do
    add(self, path, dir)
  end
  return self
end

-- --- events ---

--- The token of `entity = "name"` in the table that begins at `at`; nil when the entity is not a literal, and whether
--- it is put together there.
local function entity_in_table(tokens, at)
  local depth, inside = 0, nil
  for i = at, #tokens do
    local token = tokens[i]
    if token.kind == "symbol" and token.text:find("^[{(%[]$") then
      depth = depth + 1
    elseif token.kind == "symbol" and token.text:find("^[})%]]$") then
      depth = depth - 1
    end
    local separator = is_symbol(token, ",") or is_symbol(token, ";")
    if depth == 0 or (depth == 1 and inside and separator) then
      return nil, inside ~= nil and inside
    elseif inside ~= nil then
      inside = inside or is_symbol(token, "..")
    elseif depth == 1 and is_name(token, "entity") and is_symbol(tokens[i + 1], "=") then
      local value, behind = tokens[i + 2], tokens[i + 3]
      local ends = is_symbol(behind, ",") or is_symbol(behind, ";") or is_symbol(behind, "}")
      if value and value.kind == "string" and ends then
        return value
      end
      inside = false
    end
  end
end

---@class pillar.Emission
---@field path string
---@field line integer
---@field entity? string nil where the text does not show it
---@field built? boolean the name is put together of parts

--- Every place where the script mentions emit_sync_event.
---@return pillar.Emission[]
function ScriptText:emissions()
  local list = {}
  for _, path in ipairs(self.paths) do
    local tokens = self:tokens(path)
    for i, token in ipairs(tokens) do
      if is_name(token, "emit_sync_event") then
        local at = i + (is_symbol(tokens[i + 1], "(") and 2 or 1)
        local entity, built
        if is_symbol(tokens[at], "{") then
          entity, built = entity_in_table(tokens, at)
        end
        list[#list + 1] = {
          path = path,
          line = entity and entity.line or token.line,
          entity = entity and entity.text,
          built = built,
        }
      end
    end
  end
  return list
end

--- Whether a string in the text is `text`, but for what app:entity declares with it.
---@param text string
---@return boolean
function ScriptText:mentions(text)
  for _, path in ipairs(self.paths) do
    local tokens = self:tokens(path)
    for i, token in ipairs(tokens) do
      local before = is_symbol(tokens[i - 1], "(") and 2 or 1
      if token.kind == "string" and token.text == text and not is_name(tokens[i - before], "entity") then
        return true
      end
    end
  end
  return false
end

-- --- functions ---

local opens = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }
local closes = { ["end"] = true, ["until"] = true }

--- The place of the word that ends the function whose `function` is at `at`.
local function end_of_function(tokens, at)
  local depth = 0
  for i = at, #tokens do
    local token = tokens[i]
    if token.kind == "name" then
      depth = depth + (opens[token.text] and 1 or closes[token.text] and -1 or 0)
    end
    if depth == 0 then
      return i
    end
  end
end

--- Where the functions of these lines begin and end: several, when the lines cannot tell them apart.
local function find_functions(tokens, first_line, last_line)
  local found = {}
  for i, token in ipairs(tokens) do
    if is_name(token, "function") and token.line == first_line then
      local last = end_of_function(tokens, i)
      if last and tokens[last].line == last_line then
        found[#found + 1] = { from = i, to = last }
      end
    end
  end
  return found
end

--- The name of a parameter; false for none, nil if the text does not tell. And where the body begins.
local function parameter_name(tokens, from, number)
  local at = from
  while not is_symbol(tokens[at], "(") do
    at = at + 1
  end
  local name, count = false, 0
  repeat
    at = at + 1
    if is_symbol(tokens[at], "...") then
      return nil, at
    elseif tokens[at].kind == "name" then
      count = count + 1
      name = count == number and tokens[at].text or name
    end
  until is_symbol(tokens[at], ")")
  return name, at + 1
end

--- Whether the text between two places uses `name` in another way than for a field of it that is not `field`.
local function may_use(tokens, from, to, name, field)
  for i = from, to do
    if is_name(tokens[i], name) and not is_symbol(tokens[i - 1], ".") and not is_symbol(tokens[i - 1], ":") then
      local behind = tokens[i + 1]
      local of_field = is_symbol(behind, ".") or is_symbol(behind, ":")
      if not of_field or is_name(tokens[i + 2], field) then
        return true
      end
    end
  end
  return false
end

--- False when a function can be seen never to look at `field` of its parameter `number`, and to give it to nobody else.
---@param fn function
---@param number integer
---@param field string
---@return boolean
function ScriptText:may_use_field(fn, number, field)
  local info = debug.getinfo(fn, "S")
  local tokens = info.source:sub(1, 1) == "@" and self:tokens(info.source:sub(2))
  local functions = tokens and find_functions(tokens, info.linedefined, info.lastlinedefined) or {}
  for _, one in ipairs(functions) do
    local name, body = parameter_name(tokens, one.from, number)
    if name == nil or (name and may_use(tokens, body, one.to, name, field)) then
      return true
    end
  end
  return functions[1] == nil
end

return ScriptText
