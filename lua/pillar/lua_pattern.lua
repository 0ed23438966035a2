--- Lua patterns: what is wrong with one, and the regular expression of ECMA-262 (with the flag u) that accepts the same
--- strings.
---
--- Lua matches bytes, ECMA-262 characters. So a pattern is translated only where that makes no difference: what may
--- match a part of a character beyond ASCII (`.`, %W, [^x]) must be repeated, and be parted by ASCII from the next such
--- thing that needs a byte.

local lua_pattern = {}

local CAPTURES_MAX = 32 -- LUA_MAXCAPTURES

--- What the classes of the C locale hold, as the inside of a class of ECMA-262.
local classes = {
  a = "A-Za-z",
  c = "\\u0000-\\u001f\\u007f",
  d = "0-9",
  g = "!-~",
  l = "a-z",
  p = "!-\\/:-@\\[-`{-~",
  s = "\\t-\\r ",
  u = "A-Z",
  w = "0-9A-Za-z",
  x = "0-9A-Fa-f",
}

local quantifiers = { ["*"] = "*", ["+"] = "+", ["-"] = "*?", ["?"] = "?" }

local function escape(char, special)
  if char:find("%c") then
    return ("\\u%04x"):format(char:byte())
  end
  return special:find(char, 1, true) and "\\" .. char or char
end

local function literal(char)
  return escape(char, "^$\\.*+?()[]{}|/")
end

local function in_class(char)
  return escape(char, "\\]^[-")
end

--- A class such as %d, or a character behind a %, outside of a set.
local function escaped(char)
  local class = classes[char]
  if class then
    return { regex = "[" .. class .. "]" }
  end
  class = char:find("%u") and classes[char:lower()]
  if class then
    return { regex = "[^" .. class .. "]", wild = true }
  end
  return { regex = char:find("[\x80-\xff]") == nil and literal(char) or nil }
end

--- The place behind the ] of the set that begins at `from`; nil if there is none.
local function end_of_set(pattern, from)
  local at = from + 1
  if pattern:sub(at, at) == "^" then
    at = at + 1
  end
  repeat
    if at > #pattern then
      return nil
    end
    at = at + (pattern:sub(at, at) == "%" and 2 or 1)
  until pattern:sub(at, at) == "]"
  return at + 1
end

--- What a set such as [%w_-] holds, its text without the brackets and a ^; nil for what ECMA-262 cannot say.
local function translate_set(text)
  local out, at = {}, 1
  if text:find("[\x80-\xff]") then
    return nil
  end
  while at <= #text do
    local char, behind = text:sub(at, at), text:sub(at + 1, at + 1)
    if char == "%" then
      if classes[behind:lower()] and behind:find("%u") then
        return nil
      end
      out[#out + 1] = classes[behind] or in_class(behind)
      at = at + 2
    elseif behind == "-" and at + 2 <= #text then
      local last = text:sub(at + 2, at + 2)
      if last < char then
        return nil
      end
      out[#out + 1] = in_class(char) .. "-" .. in_class(last)
      at = at + 3
    else
      out[#out + 1] = in_class(char)
      at = at + 1
    end
  end
  return table.concat(out)
end

local function set(pattern, from)
  local behind = end_of_set(pattern, from)
  if not behind then
    return nil, nil, "a ] is missing"
  end
  local negated, text = pattern:sub(from + 1, behind - 2):match("^(%^?)(.*)$")
  local inside = translate_set(text)
  return { regex = inside and "[" .. negated .. inside .. "]", wild = negated ~= "" }, behind
end

--- One thing that a suffix may follow, at `at`: it, and the place behind it; or nil, nil and what is wrong.
local function single(pattern, at)
  local char = pattern:sub(at, at)
  if char == "%" then
    if at == #pattern then
      return nil, nil, "it ends with a lone %"
    end
    return escaped(pattern:sub(at + 1, at + 1)), at + 2
  elseif char == "[" then
    return set(pattern, at)
  elseif char == "." then
    return { regex = "[\\s\\S]", wild = true }, at + 1
  end
  return { regex = char:find("[\x80-\xff]") == nil and literal(char) or nil }, at + 1
end

---@class pillar.PatternReader
---@field out string[]|false the expression so far; false: there is none
---@field open integer[] numbers of captures that are not closed yet
---@field closed table<integer, boolean>
---@field captures integer
---@field needs_ascii boolean a wild thing has taken its byte, and no ASCII has parted it from what comes next

local function add(reader, text)
  if not text then
    reader.out = false
  elseif reader.out then
    reader.out[#reader.out + 1] = text
  end
end

local function add_single(reader, one, suffix)
  if one.wild and (suffix == "" or suffix == "?" or (suffix == "+" and reader.needs_ascii)) then
    add(reader, nil)
  end
  if one.wild then
    reader.needs_ascii = reader.needs_ascii or suffix == "+"
  elseif suffix == "" or suffix == "+" then
    reader.needs_ascii = false
  end
  add(reader, one.regex and one.regex .. (quantifiers[suffix] or ""))
end

local function open_capture(reader, is_position)
  reader.captures = reader.captures + 1
  if reader.captures > CAPTURES_MAX then
    return ("it has more than %d captures"):format(CAPTURES_MAX)
  end
  if is_position then
    reader.closed[reader.captures] = true
  else
    table.insert(reader.open, reader.captures)
    add(reader, "(?:")
  end
end

local function close_capture(reader)
  local number = table.remove(reader.open)
  if not number then
    return "a ) closes nothing"
  end
  reader.closed[number] = true
  add(reader, ")")
end

--- %1, %b() and %f[set]: the place behind it, or nil and what is wrong; false for anything else. ECMA-262 has no words
--- for them.
local function read_special(reader, pattern, at)
  local kind = pattern:match("^%%([bf%d])", at)
  if not kind then
    return false
  end
  add(reader, nil)
  if kind == "b" then
    return #pattern >= at + 3 and at + 4 or nil, "%b needs two characters"
  elseif kind == "f" then
    local behind = pattern:sub(at + 2, at + 2) == "[" and end_of_set(pattern, at + 2)
    return behind or nil, "%f needs a set, %f[...]"
  end
  return reader.closed[tonumber(kind)] and at + 2 or nil, ("%%%s refers to no capture"):format(kind)
end

--- Reads what is at `at`; the place behind it, or nil and what is wrong.
local function read(reader, pattern, at)
  local char = pattern:sub(at, at)
  if char == "(" then
    local is_position = pattern:sub(at + 1, at + 1) == ")"
    local problem = open_capture(reader, is_position)
    return not problem and at + (is_position and 2 or 1) or nil, problem
  elseif char == ")" then
    local problem = close_capture(reader)
    return not problem and at + 1 or nil, problem
  elseif char == "$" and at == #pattern then
    add(reader, "$")
    return at + 1
  end
  local special, problem = read_special(reader, pattern, at)
  if special ~= false then
    return special, problem
  end
  local one, behind
  one, behind, problem = single(pattern, at)
  if not one then
    return nil, problem
  end
  local suffix = pattern:match("^[*+?-]", behind) or ""
  add_single(reader, one, suffix)
  return behind + #suffix
end

--- Checks a pattern. Returns true, and the regular expression if there is one; or false and what is wrong.
---@param pattern string
---@return boolean ok
---@return string? regex_or_problem
function lua_pattern.translate(pattern)
  local reader = { out = {}, open = {}, closed = {}, captures = 0, needs_ascii = false }
  local at = 1
  if pattern:sub(1, 1) == "^" then
    add(reader, "^")
    at = 2
  end
  while at <= #pattern do
    local behind, problem = read(reader, pattern, at)
    if not behind then
      return false, problem
    end
    at = behind
  end
  if #reader.open > 0 then
    return false, "a ) is missing"
  end
  return true, reader.out and table.concat(reader.out) or nil
end

return lua_pattern
