--- Runs the workloads side by side, and says which bars hold.
---
---   run.lua [--repeat N] [--write] [WORKLOAD ...]
---
--- --write puts the results into results.json, and from there into README.md and the charts beside this file.

local cjson = require "cjson"
local uv = require "luv"
local Broker = require "support.broker"
local close = require "support.closing"
local wait = require "support.wait"
local charts = require "bench.charts"
local machine = require "bench.machine"
local page = require "bench.page"
local report = require "bench.report"
local results = require "bench.results"
local servers = require "bench.servers"
local tokens = require "bench.tokens"
local workloads = require "bench.workloads"

local here = Broker.source .. "/tests/bench/"
local programs = os.getenv("PILLAR_BENCH") or Broker.source .. "/build/tests/bench"

wait.patience = 120000

--- Runs a program on the client's processor to its end, and returns what it says.
local function measure(program, words)
  local prefix = { "taskset", "-c", machine.client }
  local process = Broker.spawn(words, { binary = programs .. "/" .. program, prefix = prefix })
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

local function run_one(make, before)
  local how = make(before)
  if how.commits then
    local dir = servers.folder() -- where the task board has its database
    local ok, figures = pcall(measure, "bench-commits", { dir .. "/commits.db", tostring(how.commits) })
    os.execute("rm -rf '" .. dir .. "'")
    return ok and figures or error(figures, 0)
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
    local repetition = {}
    for _, name in ipairs(workload.order) do
      repetition[name] = run_one(workload.runs[name], repetition)
    end
    repetitions[i] = repetition
  end
  report.print(workload, repetitions)
  return repetitions
end

local function read_arguments()
  local times, writes, wanted = 5, false, {}
  local i = 1
  while arg[i] do
    if arg[i] == "--repeat" then
      times = math.tointeger(tonumber(arg[i + 1]))
      if not times or times < 1 then
        error("--repeat takes a number from 1 on", 0)
      end
      i = i + 1
    elseif arg[i] == "--write" then
      writes = true
    elseif arg[i]:find "^%-" then
      error(("there is no option %s; --help tells of them"):format(arg[i]), 0)
    else
      wanted[arg[i]] = true
    end
    i = i + 1
  end
  return times, writes, wanted
end

--- Before anything is measured.
local function check_workload(workload)
  for _, name in ipairs(workload.order) do
    if not workload.runs[name] then
      error(("the workload %s: its order names %s, and its runs do not"):format(workload.name, name), 0)
    end
  end
end

local function select_workloads(wanted)
  local selected = {}
  for _, workload in ipairs(workloads) do
    check_workload(workload)
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

--- Keeps the raw numbers of one workload at once, so that a later one that fails takes nothing with it.
local function keep(workload, repetitions)
  results.store(here .. "results.json", workload.name, {
    command = "tests/bench/run.sh " .. table.concat(arg, " "),
    date = os.date "%Y-%m-%d %H:%M",
    machine = machine.describe(),
    versions = machine.versions(),
    repetitions = repetitions,
  })
end

local function write_page()
  local list = results.of(workloads, results.load(here .. "results.json"))
  page.write(here .. "README.md", page.text(list, charts.draw(here .. "charts", list)))
end

local function main()
  local times, writes, wanted = read_arguments()
  local selected = select_workloads(wanted)
  if writes then
    page.check(here .. "README.md")
  end
  local all = {}
  for _, workload in ipairs(selected) do
    all[#all + 1] = { workload = workload, repetitions = run(workload, times) }
    if writes then
      keep(workload, all[#all].repetitions)
    end
  end
  report.summary(all)
  if writes then
    write_page()
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
