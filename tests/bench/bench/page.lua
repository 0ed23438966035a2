--- README.md's part with the results, between two lines that mark it. All else there is written by hand.

local figures = require "bench.figures"

local page = {}

local BEGIN = "<!-- results: begin; run.sh --write writes what follows -->"
local END = "<!-- results: end -->"

local function table_of(head, rows)
  local lines = { "| " .. table.concat(head, " | ") .. " |", "|" .. ("---|"):rep(#head) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = "| " .. table.concat(row, " | ") .. " |"
  end
  return table.concat(lines, "\n")
end

local function runs_table(workload, repetitions)
  local rows, titles = {}, {}
  for i, name in ipairs(workload.order) do
    local shown, spread = figures.of_run(workload, repetitions, name)
    rows[i] = { name, figures.title(shown), figures.text(spread) }
    titles[figures.title(shown)] = true
  end
  local title = next(titles)
  if next(titles, title) then
    return table_of({ "run", "figure", "median (least to most)" }, rows)
  end
  for _, row in ipairs(rows) do
    table.remove(row, 2)
  end
  return table_of({ "run", title }, rows)
end

local function curve_table(workload, repetitions)
  local curve, rows = workload.curve, {}
  local head = { "run", curve.x, figures.title(workload.shows), "ratio to the first" }
  head[#head + 1] = curve.also and figures.title(curve.also)
  for _, points in ipairs(figures.curve(workload, repetitions)) do
    for _, point in ipairs(points) do
      local row = { points.name, tostring(point.x), figures.text(point.figure), figures.text(point.ratio) }
      row[#row + 1] = point.also and figures.text(point.also)
      rows[#rows + 1] = row
    end
  end
  return table_of(head, rows)
end

local function bars_table(workload, repetitions)
  local rows = {}
  for i, bar in ipairs(figures.bars(workload, repetitions)) do
    local limit = (bar.sense == "<=" and "at most " or "at least ") .. bar.limit
    rows[i] = { bar.title, limit, figures.text(bar.spread), bar.holds and "holds" or "**does not hold**" }
  end
  return rows[1] and table_of({ "bar", "limit", "measured", "" }, rows)
end

local function section(one)
  local workload, repetitions, result = one.workload, one.repetitions, one.result
  local times = #repetitions == 1 and "once" or #repetitions .. " times"
  local parts = { ("### %s\n\n%s. %s, %s, `%s`."):format(workload.name, workload.title:gsub("^%l", string.upper),
    result.date, times, result.command) }
  parts[2] = (workload.curve and curve_table or runs_table)(workload, repetitions)
  parts[3] = bars_table(workload, repetitions)
  return table.concat(parts, "\n\n")
end

--- "key: the workloads that have it", or only the key where all have the same.
local function told_once(list, key)
  local order, names = {}, {}
  for _, one in ipairs(list) do
    local value = one.result[key]
    if not names[value] then
      names[value] = {}
      order[#order + 1] = value
    end
    table.insert(names[value], one.workload.name)
  end
  for i, value in ipairs(order) do
    order[i] = "- " .. value .. (#order > 1 and ": " .. table.concat(names[value], ", ") or "")
  end
  return table.concat(order, "\n")
end

local function all_bars(list)
  local rows, held = {}, 0
  for _, one in ipairs(list) do
    for _, bar in ipairs(figures.bars(one.workload, one.repetitions)) do
      local sense = bar.sense == "<=" and "≤ " or "≥ "
      rows[#rows + 1] = { one.workload.name, bar.title, sense .. bar.limit, figures.number(bar.spread.median),
        bar.holds and "holds" or "**does not hold**" }
      held = held + (bar.holds and 1 or 0)
    end
  end
  if #rows == 0 then
    return "No bar has been measured."
  end
  return ("%d of %d bars hold.\n\n%s"):format(held, #rows,
    table_of({ "workload", "bar", "limit", "median", "" }, rows))
end

--- The text of the results. charts: file names, with a title for each.
function page.text(list, charts)
  local parts = { "Machine:\n\n" .. told_once(list, "machine"), "Versions:\n\n" .. told_once(list, "versions"),
    all_bars(list) }
  for _, chart in ipairs(charts) do
    parts[#parts + 1] = ("![%s](charts/%s)"):format(chart.title, chart.file)
  end
  for _, one in ipairs(list) do
    parts[#parts + 1] = section(one)
  end
  return table.concat(parts, "\n\n")
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  local _, from = text:find(BEGIN, 1, true)
  local to = from and text:find(END, from, true)
  if not to then
    error(("%s has no lines\n%s\n%s"):format(path, BEGIN, END), 0)
  end
  return text:sub(1, from), text:sub(to)
end

--- Raises an error if the file has no place for results, before they are measured for nothing.
function page.check(path)
  read(path)
end

--- Puts the text between the marks.
function page.write(path, text)
  local before, behind = read(path)
  local file = assert(io.open(path, "w"))
  assert(file:write(before, "\n\n", text, "\n\n", behind))
  assert(file:close())
end

return page
