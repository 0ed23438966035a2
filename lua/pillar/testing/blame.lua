--- What is wrong is said at the line of the test that called the library.

local check = require "pillar.check"

local blame = {}

local library = debug.getinfo(1, "S").source:match("^(.*/)[^/]*$")

local function is_ours(info)
  return info.what == "C" or info.source:sub(1, #library) == library
end

--- Raises at the test's line.
---@param message string as for string.format; taken as it is when nothing else is given
function blame.raise(message, ...)
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and is_ours(info) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(select("#", ...) > 0 and message:format(...) or message, level)
end

--- The folder of the test that called the library; nil when that is no file.
---@return string?
function blame.folder()
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and is_ours(info) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  local file = info and info.source:match("^@(.*)$")
  return file and (file:match("^(.*)/[^/]*$") or ".")
end

--- Calls into C, whose errors have no line of the test.
function blame.call(fn, ...)
  local result = table.pack(pcall(fn, ...))
  if not result[1] then
    blame.raise("%s", tostring(result[2]))
  end
  return table.unpack(result, 2, result.n)
end

--- Raises for a key of `options` that is not in `known`, or has none of its types.
---@param what string for the message
---@param options table
---@param known table<string, string> names and Lua types: "string", "string|table", or "any"
function blame.check(what, options, known)
  if type(options) ~= "table" then
    blame.raise("%s takes a table of options, not a %s", what, type(options))
  end
  local types = {}
  for name, allowed in pairs(known) do
    local given = type(options[name])
    types[name] = (allowed == "any" or ("|" .. allowed .. "|"):find("|" .. given .. "|", 1, true)) and given or allowed
  end
  local ok, problem = pcall(check.options, what, options, types, 0)
  if not ok then
    blame.raise("%s", (tostring(problem):gsub("^[^:]*:%d+: ", "")))
  end
end

return blame
