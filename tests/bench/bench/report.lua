--- The results as text, while the workloads run.

local figures = require "bench.figures"

local report = {}

local function print_curve(workload, repetitions)
  for _, points in ipairs(figures.curve(workload, repetitions)) do
    for _, point in ipairs(points) do
      local also = point.also and ("  %s %s"):format(workload.curve.also, figures.text(point.also)) or ""
      print(("  %-12s %-24s %9d  %s %s  ratio %s%s"):format(points.name, workload.curve.x, point.x, workload.shows,
        figures.text(point.figure), figures.text(point.ratio), also))
    end
  end
end

local function print_runs(workload, repetitions)
  for _, name in ipairs(workload.order) do
    local shown, spread = figures.of_run(workload, repetitions, name)
    print(("  %-12s %-18s %s"):format(name, shown, figures.text(spread)))
  end
end

function report.print(workload, repetitions)
  if workload.curve then
    print_curve(workload, repetitions)
  else
    print_runs(workload, repetitions)
  end
  for _, bar in ipairs(figures.bars(workload, repetitions)) do
    print(("  %-44s %s %-5s %s  %s"):format(bar.title, bar.sense, bar.limit, figures.text(bar.spread),
      bar.holds and "holds" or "DOES NOT HOLD"))
  end
end

function report.summary(all)
  local held, count = 0, 0
  for _, one in ipairs(all) do
    for _, bar in ipairs(figures.bars(one.workload, one.repetitions)) do
      count = count + 1
      held = held + (bar.holds and 1 or 0)
    end
  end
  if count > 0 then
    print(("\n%d of %d bars hold."):format(held, count))
  end
end

return report
