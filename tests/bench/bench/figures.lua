--- What the raw numbers come to: a figure of each run as median, least and most of the repetitions, bars, curves.

local figures = {}

local function median(sorted)
  local middle = #sorted // 2
  return #sorted % 2 == 1 and sorted[middle + 1] or (sorted[middle] + sorted[middle + 1]) / 2
end

--- Median, least and most of a function of a repetition's results.
function figures.spread(repetitions, of)
  local values = {}
  for i, results in ipairs(repetitions) do
    values[i] = of(results)
  end
  table.sort(values)
  return { median = median(values), least = values[1], most = values[#values] }
end

function figures.number(value)
  if value >= 1000 then
    return ("%.0f"):format(value)
  end
  return value >= 100 and ("%.1f"):format(value) or ("%.2f"):format(value)
end

--- "median (least to most)"
function figures.text(spread)
  local number = figures.number
  return ("%s (%s to %s)"):format(number(spread.median), number(spread.least), number(spread.most))
end

local TITLES = {
  delivery_cpu_us = "CPU a delivery, µs",
  event_cpu_us = "CPU an event, µs",
  events_per_second = "events a second",
  stream_bytes = "bytes a stream",
  open_cpu_us = "CPU a stream, µs",
  delivery_p50_us = "p50 until delivered, µs",
  delivery_p99_us = "p99 until delivered, µs",
  commits_per_second = "commits a second",
  commit_p50_us = "p50 of a commit, µs",
}

function figures.title(name)
  return TITLES[name] or name
end

-- A run of the program for commits has figures of its own.
local OF_COMMITS = { events_per_second = "commits_per_second", delivery_p50_us = "commit_p50_us" }

--- The name of the figure that a run of a workload shows, and what it came to.
function figures.of_run(workload, repetitions, name)
  local shown = workload.shows
  if repetitions[1][name][shown] == nil then
    shown = OF_COMMITS[shown]
  end
  return shown, figures.spread(repetitions, function(results) return results[name][shown] end)
end

--- Each bar with what it came to, and whether it holds.
function figures.bars(workload, repetitions)
  local list = {}
  for i, bar in ipairs(workload.bars) do
    local spread = figures.spread(repetitions, bar[2])
    local holds = bar[3] == "<=" and spread.median <= bar[4] or bar[3] == ">=" and spread.median >= bar[4]
    list[i] = { title = bar[1], sense = bar[3], limit = bar[4], spread = spread, holds = holds }
  end
  return list
end

--- The points of a curve, one list for each series: x, the figure, its ratio to the first point of the same repetition,
--- and one more figure, if the curve has one.
function figures.curve(workload, repetitions)
  local curve, list = workload.curve, {}
  for i, series in ipairs(curve.series) do
    local points = { name = series }
    local first = series .. "-" .. curve.at[1]
    for k, x in ipairs(curve.at) do
      local name = series .. "-" .. x
      local function of(figure)
        return figures.spread(repetitions, function(results) return results[name][figure] end)
      end
      points[k] = {
        x = x,
        figure = of(workload.shows),
        ratio = figures.spread(repetitions, function(results)
          return results[name][workload.shows] / results[first][workload.shows]
        end),
        also = curve.also and of(curve.also),
      }
    end
    list[i] = points
  end
  return list
end

return figures
