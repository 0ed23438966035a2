--- Ends the set-up of a state: code is loaded from text only, since bytecode can break the interpreter, and what of
--- the library is not for scripts is taken out of their reach. Returns the runtime, for the C side.
---
--- The files of the script are read once for all states of its program (core.load_source): each of them runs the same
--- text, and the broker knows what to look at for changes. What a handler loads later by itself is another matter.

local core = require "pillar.core"

local real_load, real_loadfile = load, loadfile
local runtime -- loaded last, so that the library's own files are not noted as the script's

local function note_file(path)
  if runtime and path then
    runtime.note_file(path)
  end
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.load(chunk, name, _, ...)
  return real_load(chunk, name, "t", ...)
end

local function load_file(path, ...)
  if path ~= nil and core.is_loading() then
    note_file(path)
    return core.load_source(path, ...)
  end
  return real_loadfile(path, "t", ...)
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.loadfile(path, _, ...)
  return load_file(path, ...)
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.dofile(path)
  local chunk, problem = load_file(path)
  if not chunk then
    error(problem, 0)
  end
  note_file(path)
  return chunk()
end

-- The clock of scripts is the broker's, so that it stands still in tests.
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

--- In place of the searcher for Lua files, which would take bytecode, and look at the disk each time.
package.searchers[2] = function(name)
  local missing = {}
  local relative = name:gsub("%.", "/"):gsub("%%", "%%%%")
  for template in package.path:gmatch("[^;]+") do
    local path = template:gsub("%?", relative)
    local chunk, problem, code = core.load_source(path)
    if chunk then
      if name ~= "pillar" and not name:find("^pillar%.") then
        note_file(path)
      end
      return chunk, path
    elseif code == "syntax" then
      error(("cannot load the module '%s' from %s:\n\t%s"):format(name, path, problem), 0)
    end
    missing[#missing + 1] = code == "not_found" and ("no file '%s'"):format(path) or problem
  end
  return table.concat(missing, "\n\t")
end

runtime = require "pillar.runtime"
local public = { ["pillar"] = true }
for name in pairs(package.loaded) do
  if name:find("^pillar") and not public[name] then
    package.loaded[name] = nil
  end
end

return runtime
