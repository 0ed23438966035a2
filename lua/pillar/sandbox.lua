--- Ends the set-up of a state: code is loaded from text only, since bytecode can break the interpreter, and what of
--- the library is not for scripts is taken out of their reach. Returns the runtime, for the C side.

local real_load, real_loadfile = load, loadfile

---@diagnostic disable-next-line: duplicate-set-field
function _G.load(chunk, name, _, ...)
  return real_load(chunk, name, "t", ...)
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.loadfile(path, _, ...)
  return real_loadfile(path, "t", ...)
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.dofile(path)
  local chunk, problem = real_loadfile(path, "t")
  if not chunk then
    error(problem, 0)
  end
  return chunk()
end

-- The clock of scripts is the broker's, so that it stands still in tests.
local core = require "pillar.core"
local real_time, real_date = os.time, os.date

---@diagnostic disable-next-line: duplicate-set-field
function os.time(date)
  if date == nil then
    return core.now() // 1000
  end
  return real_time(date)
end

---@diagnostic disable-next-line: duplicate-set-field
function os.date(format, time)
  return real_date(format or "%c", time or core.now() // 1000)
end

--- In place of the searcher for Lua files, which would take bytecode.
package.searchers[2] = function(name)
  local path, problem = package.searchpath(name, package.path)
  if not path then
    return problem
  end
  local chunk
  chunk, problem = real_loadfile(path, "t")
  if not chunk then
    error(("cannot load the module '%s' from %s:\n\t%s"):format(name, path, problem), 0)
  end
  return chunk, path
end

local runtime = require "pillar.runtime"
local public = { ["pillar"] = true }
for name in pairs(package.loaded) do
  if name:find("^pillar") and not public[name] then
    package.loaded[name] = nil
  end
end

return runtime
