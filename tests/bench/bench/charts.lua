--- Charts of the results, drawn by gnuplot as SVG.

local figures = require "bench.figures"

local charts = {}

local SERIES = {
  floor = { title = "floor", colour = "#9aa0a6" },
  pillar = { title = "Pillar", colour = "#1a73e8" },
  nchan = { title = "nchan", colour = "#188038" },
  node = { title = "Node", colour = "#e37400" },
}
SERIES["floor-batch"] = SERIES.floor

local HEAD = [[
set terminal svg size 760,420 font "sans-serif,13" background "white"
set output "%s"
set title "%s"
set ylabel "%s"
set yrange [0:*]
set grid ytics linecolor rgb "#dddddd"
set border 3
set tics nomirror
]]

local function gnuplot(script)
  local pipe = assert(io.popen("gnuplot", "w"))
  assert(pipe:write(script))
  assert(pipe:close(), "gnuplot failed")
end

local function find(list, name)
  for _, one in ipairs(list) do
    if one.workload.name == name then
      return one
    end
  end
end

-- In the order of the legend; floor is the one that the workload has.
local function bar_of(one, series)
  for _, name in ipairs(one.workload.order) do
    if SERIES[name] and SERIES[name].title == series then
      local _, spread = figures.of_run(one.workload, one.repetitions, name)
      return ("%.6g %.6g %.6g"):format(spread.median, spread.least, spread.most)
    end
  end
  return "NaN NaN NaN"
end

--- Groups of bars, one for each workload, with least and most.
local function draw_bars(path, title, label, ones)
  local out = { HEAD:format(path, title, label), [[
set style data histograms
set style histogram errorbars gap 1.5 linewidth 1
set style fill solid 0.9 noborder
set errorbars linecolor rgb "#333333"
set boxwidth 0.9
set xtics scale 0
set xrange [-0.6:]] .. #ones - 0.4 .. [[]
set key outside right top
$data << END
]] }
  for _, one in ipairs(ones) do
    out[#out + 1] = ('"%s"'):format(one.workload.name)
    for _, name in ipairs { "floor", "pillar", "nchan", "node" } do
      out[#out + 1] = " " .. bar_of(one, SERIES[name].title)
    end
    out[#out + 1] = "\n"
  end
  out[#out + 1] = "END\nplot "
  for i, name in ipairs { "floor", "pillar", "nchan", "node" } do
    local column = 3 * i - 1
    out[#out + 1] = ('%s$data using %d:%d:%d:xtic(1) title "%s" linecolor rgb "%s"'):format(i > 1 and ", " or "",
      column, column + 1, column + 2, SERIES[name].title, SERIES[name].colour)
  end
  gnuplot(table.concat(out) .. "\n")
end

local function with_commas(number)
  local text = ("%d"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

--- A figure over what grows, with least and most.
local function draw_curve(path, one)
  local workload = one.workload
  local title = workload.title:gsub("^%l", string.upper)
  local out = { HEAD:format(path, title, figures.title(workload.shows)), [[
set key left bottom
set logscale x
set xlabel "]] .. workload.curve.x .. '"\n' }
  local plots, tics, from, to = {}, {}, math.huge, 0
  for i, points in ipairs(figures.curve(workload, one.repetitions)) do
    out[#out + 1] = ("$data%d << END\n"):format(i)
    for _, point in ipairs(points) do
      local figure = point.figure
      out[#out + 1] = ("%d %.6g %.6g %.6g\n"):format(point.x, figure.median, figure.least, figure.most)
      from, to = math.min(from, point.x), math.max(to, point.x)
    end
    out[#out + 1] = "END\n"
    local series = SERIES[points.name]
    plots[#plots + 1] = ('$data%d with yerrorlines title "%s" linewidth 2 pointtype 7 pointsize 0.6 ' ..
      'linecolor rgb "%s"'):format(i, series.title, series.colour)
  end
  for i, x in ipairs(workload.curve.at) do
    tics[i] = ('"%s" %d'):format(with_commas(x), x)
  end
  out[#out + 1] = ("set xtics (%s)\n"):format(table.concat(tics, ", "))
  out[#out + 1] = ("set xrange [%g:%g]\nplot %s\n"):format(from / 1.3, to * 1.3, table.concat(plots, ", "))
  gnuplot(table.concat(out))
end

--- Draws what there are results for into the folder. Returns the file names and titles.
function charts.draw(dir, list)
  assert(os.execute(("mkdir -p '%s'"):format(dir)))
  local drawn = {}
  local function bars(file, title, label, names)
    local ones = {}
    for _, name in ipairs(names) do
      ones[#ones + 1] = find(list, name)
    end
    if ones[1] then
      draw_bars(dir .. "/" .. file, title, label, ones)
      drawn[#drawn + 1] = { file = file, title = title }
    end
  end
  bars("fan-out.svg", "CPU a delivery, one event to all streams", figures.title "delivery_cpu_us",
    { "single-1k", "single-10k", "burst-1k", "burst-10k" })
  bars("targeted.svg", "CPU an event to 5 of 5,000 users, 10 of 10,000 streams", figures.title "event_cpu_us",
    { "targeted" })
  for _, one in ipairs(list) do
    if one.workload.curve then
      local file = one.workload.name .. ".svg"
      draw_curve(dir .. "/" .. file, one)
      drawn[#drawn + 1] = { file = file, title = (one.workload.title:gsub("^%l", string.upper)) }
    end
  end
  return drawn
end

return charts
