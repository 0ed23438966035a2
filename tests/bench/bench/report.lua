--- Medians and their spread, as text, as a page and as charts.

local report = {}

local function sorted(list)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy)
  return copy
end

local function median(list)
  local all = sorted(list)
  local middle = #all // 2
  return #all % 2 == 1 and all[middle + 1] or (all[middle] + all[middle + 1]) / 2
end

--- Median, least and most of a function of the repetitions.
local function spread(repetitions, of)
  local values = {}
  for i, results in ipairs(repetitions) do
    values[i] = of(results)
  end
  local all = sorted(values)
  return { median = median(values), least = all[1], most = all[#all] }
end

local function number(value)
  if value >= 1000 then
    return ("%.0f"):format(value)
  end
  return value >= 100 and ("%.1f"):format(value) or ("%.2f"):format(value)
end

local function range(s)
  return ("%s (%s to %s)"):format(number(s.median), number(s.least), number(s.most))
end

local function holds(bar, s)
  if bar[3] == "<=" then
    return s.median <= bar[4]
  end
  return s.median >= bar[4]
end

local function figure_of(workload, name)
  return function(results) return results[name][workload.shows] or results[name].commits_per_second end
end

--- What each run of a workload came to.
local function each_figure(workload, repetitions)
  local index = 0
  return function()
    index = index + 1
    local name = workload.order[index]
    return name, name and spread(repetitions, figure_of(workload, name))
  end
end

function report.print(workload, repetitions)
  for name, s in each_figure(workload, repetitions) do
    print(("  %-12s %-18s %s"):format(name, workload.shows, range(s)))
  end
  for _, bar in ipairs(workload.bars) do
    local s = spread(repetitions, bar[2])
    print(("  %-44s %s %-5s %s  %s"):format(bar[1], bar[3], bar[4], range(s), holds(bar, s) and "holds" or "DOES NOT HOLD"))
  end
end

function report.summary(all)
  local held, bars = 0, 0
  for _, one in ipairs(all) do
    for _, bar in ipairs(one.workload.bars) do
      bars = bars + 1
      held = held + (holds(bar, spread(one.repetitions, bar[2])) and 1 or 0)
    end
  end
  print(("\n%d of %d bars hold."):format(held, bars))
end

return report
