--- The words of a Lua text, for looking at a script without running it. Lua has compiled the text by then, so it is
--- well formed.

local lexer = {}

---@class pillar.Token
---@field kind "name"|"string"|"number"|"symbol"
---@field text string of a string what is between its quotes, escapes as they are written
---@field line integer

local symbols = {}
for symbol in ("== ~= <= >= // :: << >> .."):gmatch("%S+") do
  symbols[symbol] = true
end

--- The end of a [[ long string ]] that begins at `at`, and what is in it; nil if none begins there.
local function long_string(text, at)
  local equals, inside = text:match("^%[(=*)%[()", at)
  if not equals then
    return nil
  end
  local first, last = text:find("]" .. equals .. "]", inside, true)
  if not first then
    return #text + 1, text:sub(inside)
  end
  return last + 1, text:sub(inside, first - 1)
end

local function quoted(text, at, quote)
  local from = at + 1
  repeat
    local found = text:find("[\\\n" .. quote .. "]", from)
    if not found or text:sub(found, found) == quote then
      found = found or #text + 1
      return found + 1, text:sub(at + 1, found - 1)
    end
    from = found + (text:sub(found, found) == "\\" and 2 or 1)
  until false
end

--- The kind of what begins at `at`, the place behind it, and its text; no kind for a comment.
local function read(text, at)
  local char = text:sub(at, at)
  if text:find("^%-%-", at) then
    local behind = long_string(text, at + 2)
    return nil, behind or text:match("^[^\n]*()", at)
  elseif char:find("[%a_]") then
    local word, behind = text:match("^([%w_]+)()", at)
    return "name", behind, word
  elseif char:find("%d") or text:find("^%.%d", at) then
    local word, behind = text:match("^(%.?%d[%w.]*)()", at)
    return "number", behind, word
  elseif char == '"' or char == "'" then
    return "string", quoted(text, at, char)
  end
  local behind, inside = long_string(text, at)
  if behind then
    return "string", behind, inside
  end
  local symbol, pair = char, text:sub(at, at + 1)
  if text:find("^%.%.%.", at) then
    symbol = "..."
  elseif symbols[pair] then
    symbol = pair
  end
  return "symbol", at + #symbol, symbol
end

---@param text string
---@return pillar.Token[]
function lexer.tokens(text)
  local tokens, at, line = {}, text:match("^#[^\n]*()") or 1, 1
  while true do
    local space, start = text:match("^(%s*)()", at)
    line = line + select(2, space:gsub("\n", ""))
    if start > #text then
      return tokens
    end
    local kind, behind, word = read(text, start)
    if kind then
      tokens[#tokens + 1] = { kind = kind, text = word, line = line }
    end
    line = line + select(2, text:sub(start, behind - 1):gsub("\n", ""))
    at = math.min(behind, #text + 1)
  end
end

return lexer
