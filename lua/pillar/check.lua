--- Checks of what a script gives to the library: a typo is found when the script is loaded, with the script's own line.

local check = {}

--- How many single-letter changes lie between two words.
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

local function nearest(word, known)
  local best, best_distance
  for name in pairs(known) do
    local d = distance(word:lower(), name:lower())
    if not best or d < best_distance or (d == best_distance and name < best) then
      best, best_distance = name, d
    end
  end
  if best and best_distance <= math.max(2, #word // 3) then
    return best
  end
end

--- "; did you mean 'title'?", or nothing when no name is near.
---@param word any
---@param known table<string, any>
---@param prefix? string what stands before the name in a script
---@return string
function check.suggestion(word, known, prefix)
  local meant = type(word) == "string" and nearest(word, known)
  if not meant then
    return ""
  end
  return prefix and ("; did you mean %s%s?"):format(prefix, meant) or ("; did you mean '%s'?"):format(meant)
end

--- Raises, at the script's line, for a key of `options` that is not in `known`.
---@param what string for the message
---@param options table
---@param known table<string, any>
---@param level integer of the script, as for error
function check.names(what, options, known, level)
  for name in pairs(options) do
    if not known[name] then
      error(("%s: unknown field '%s'%s"):format(what, tostring(name), check.suggestion(name, known)), level + 1)
    end
  end
end

--- Raises, at the script's line, for a key of `options` that is not in `known` or has another type.
---@param what string for the message
---@param options table
---@param known table<string, string> names and Lua types
---@param level integer of the script, as for error
function check.options(what, options, known, level)
  check.names(what, options, known, level + 1)
  for name, value in pairs(options) do
    if type(value) ~= known[name] then
      error(("%s: '%s' must be a %s, not a %s"):format(what, name, known[name], type(value)), level + 1)
    end
  end
end

--- For __index: a name that `known` has not is a mistake, said at the script's line.
---@param known table<string, any>
---@param prefix string what stands before the name in a script
---@return fun(t: table, name: any): any
function check.closed(known, prefix)
  return function(_, name)
    local value = rawget(known, name)
    if value == nil then
      error(("there is no %s%s%s"):format(prefix, tostring(name), check.suggestion(name, known, prefix)), 2)
    end
    return value
  end
end

--- "app.lua:12", where a function of the script begins.
---@param fn function
---@return string
function check.place(fn)
  local info = debug.getinfo(fn, "S")
  return info.what == "C" and "C" or ("%s:%d"):format(info.source:gsub("^@", ""), info.linedefined)
end

--- "app.lua:12", for the function that called the library.
---@param level integer as for error
---@return string
function check.source(level)
  local info = debug.getinfo(level + 1, "Sl")
  local path = info.source:match("^@(.*)$") or info.short_src
  return ("%s:%d"):format(path, info.currentline)
end

return check
