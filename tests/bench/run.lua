--- Runs the workloads side by side, and says which bars hold.
---
---   run.lua [--repeat N] [--write] [WORKLOAD ...]
---
--- --write puts the results into README.md, results.json and the charts beside this file.

local cjson = require "cjson"
local uv = require "luv"
local Broker = require "support.broker"
local close = require "support.closing"
local wait = require "support.wait"
local report = require "bench.report"
local tokens = require "bench.tokens"
local workloads = require "bench.workloads"

local programs = os.getenv("PILLAR_BENCH") or Broker.source .. "/build/tests/bench"

wait.patience = 120000

--- Runs a program on the client's processor to its end, and returns what it says.
local function measure(program, words)
  local process = Broker.spawn(words, { binary = programs .. "/" .. program, prefix = { "taskset", "-c", "1" } })
  process:wait_exit()
  wait.until_true("the end of its output", function() return process.pipes == 0 end)
  if process.exit.code ~= 0 or process.exit.signal ~= 0 then
    error(program .. " " .. table.concat(words, " ") .. "\n" .. process.output .. process.log, 0)
  end
  return cjson.decode(process.output)
end

local function per(figures, count, name, sum)
  if count > 0 then
    figures[name] = figures[sum] / count
  end
end

local function figures_of(raw)
  per(raw, raw.deliveries, "delivery_cpu_us", "cpu_us")
  per(raw, raw.deliveries, "frame_bytes", "bytes")
  raw.events_per_second = raw.seconds > 0 and raw.events / raw.seconds or nil
  raw.open_cpu_us = raw.streams > 0 and raw.open_cpu_us / raw.streams or nil
  per(raw, raw.events, "event_cpu_us", "cpu_us")
  if raw.slope_memory > 0 then
    raw.stream_bytes = (raw.memory - raw.slope_memory) / (raw.streams - 5000)
  end
  return raw
end

local function run_one(make, results)
  local how = make(results)
  if how.commits then
    local file = os.tmpname()
    local figures = measure("bench-commits", { file, tostring(how.commits) })
    os.execute(("rm -f '%s' '%s-wal' '%s-shm'"):format(file, file, file))
    return figures
  end
  local words = table.move(how.words, 1, #how.words, #how.server.load + 1, { table.unpack(how.server.load) })
  local ok, figures = pcall(measure, "bench-load", words)
  how.server.stop()
  if not ok then
    error(figures, 0)
  end
  return figures_of(figures)
end

local function run(workload, times)
  local repetitions = {}
  print(("\n%s: %s"):format(workload.name, workload.title))
  for i = 1, times do
    local results = {}
    for _, name in ipairs(workload.order) do
      results[name] = run_one(workload.runs[name], results)
    end
    repetitions[i] = results
  end
  report.print(workload, repetitions)
  return repetitions
end

local function read_arguments()
  local times, writes, wanted = 5, false, {}
  local i = 1
  while arg[i] do
    if arg[i] == "--repeat" then
      times = assert(tonumber(arg[i + 1]), "--repeat takes a number")
      i = i + 1
    elseif arg[i] == "--write" then
      writes = true
    else
      wanted[arg[i]] = true
    end
    i = i + 1
  end
  return times, writes, wanted
end

local function select_workloads(wanted)
  local selected = {}
  for _, workload in ipairs(workloads) do
    if not next(wanted) or wanted[workload.name] then
      selected[#selected + 1] = workload
      wanted[workload.name] = wanted[workload.name] and "found" or nil
    end
  end
  for name, state in pairs(wanted) do
    if state ~= "found" then
      local names = {}
      for i, workload in ipairs(workloads) do
        names[i] = workload.name
      end
      error(("there is no workload %s; there are: %s"):format(name, table.concat(names, ", ")), 0)
    end
  end
  return selected
end

local function main()
  local times, writes, wanted = read_arguments()
  local all = {}
  for _, workload in ipairs(select_workloads(wanted)) do
    all[#all + 1] = { workload = workload, repetitions = run(workload, times) }
  end
  report.summary(all)
  if writes then
    report.write(all, times)
  end
end

local ok, problem = xpcall(main, function(why) return type(why) == "string" and why or debug.traceback(why) end)
tokens.close()
Broker.kill_all()
uv.walk(close)
uv.run()
if not ok then
  io.stderr:write(tostring(problem), "\n")
  os.exit(1)
end
