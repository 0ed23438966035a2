--- results.json: all raw numbers of the last time that each workload was run. A workload that is run anew takes the
--- place of what there was of it, and leaves the others alone.

local cjson = require "cjson"

local results = {}

local function names_of(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function encode(value)
  return math.type(value) == "float" and ("%.14g"):format(value) or (cjson.encode(value):gsub("\\/", "/"))
end

local function has_tables(value)
  for _, inner in pairs(value) do
    if type(inner) == "table" then
      return true
    end
  end
  return false
end

-- In a fixed order, and with a line for each run, so that git shows what has changed.
local function write_value(value, depth, out)
  if type(value) ~= "table" then
    out[#out + 1] = encode(value)
    return
  end
  local is_list = #value > 0
  local keys = is_list and value or names_of(value)
  local is_leaf = not has_tables(value)
  local gap = is_leaf and " " or "\n" .. ("  "):rep(depth + 1)
  out[#out + 1] = is_list and "[" or "{"
  for i, key in ipairs(keys) do
    out[#out + 1] = (i > 1 and "," or "") .. gap
    if not is_list then
      out[#out + 1] = encode(key) .. ": "
    end
    write_value(is_list and key or value[key], depth + 1, out)
  end
  out[#out + 1] = (is_leaf and " " or "\n" .. ("  "):rep(depth)) .. (is_list and "]" or "}")
end

--- By the workload's name: command, date, machine, versions, repetitions. Empty where there is no such file.
function results.load(path)
  local file = io.open(path)
  if not file then
    return {}
  end
  local text = file:read "a"
  file:close()
  local ok, all = pcall(cjson.decode, text)
  return ok and all or error(("%s is damaged: %s"):format(path, all), 0)
end

--- Puts what one workload came to beside what there is of the others.
function results.store(path, name, result)
  local all = results.load(path)
  all[name] = result
  local out = {}
  write_value(all, 0, out)
  local file = assert(io.open(path .. ".new", "w"))
  assert(file:write(table.concat(out), "\n"))
  assert(file:close())
  assert(os.rename(path .. ".new", path))
end

local function has_all(workload, result)
  for _, repetition in ipairs(result.repetitions) do
    for _, name in ipairs(workload.order) do
      if not repetition[name] then
        return false
      end
    end
  end
  return #result.repetitions > 0
end

--- The results of all workloads that have some, in the workloads' order. What was measured when a workload had other
--- runs is left out.
function results.of(workloads, all)
  local list = {}
  for _, workload in ipairs(workloads) do
    local result = all[workload.name]
    if result and has_all(workload, result) then
      list[#list + 1] = { workload = workload, repetitions = result.repetitions, result = result }
    end
  end
  return list
end

return results
