--- What becomes of raw numbers: figures, results.json, README.md, charts.

local charts = require "bench.charts"
local figures = require "bench.figures"
local page = require "bench.page"
local results = require "bench.results"

local function ratio(r) return r.pillar.delivery_cpu_us / r.floor.delivery_cpu_us end

local BARS = {
  name = "single-1k",
  title = "one event to all",
  shows = "delivery_cpu_us",
  order = { "floor", "pillar", "nchan", "node" },
  bars = { { "of the floor", ratio, "<=", 1.5 }, { "of the floor, again", ratio, ">=", 2 } },
}
local CURVE = {
  name = "targets",
  title = "by targets",
  shows = "delivery_cpu_us",
  order = { "pillar-1", "pillar-10" },
  bars = {},
  curve = { x = "targets", at = { 1, 10 }, series = { "pillar" }, also = "event_cpu_us" },
}
local WORKLOADS = { BARS, CURVE }

local function costs(delivery, event)
  return { delivery_cpu_us = delivery, event_cpu_us = event or delivery * 10 }
end

local function repetition(pillar)
  return { floor = costs(4), pillar = costs(pillar), nchan = costs(8), node = costs(16.5) }
end

local MEASURED = { repetition(5), repetition(9), repetition(4.5) }
local GROWN = { { ["pillar-1"] = costs(40), ["pillar-10"] = costs(10) } }

local function result(repetitions, date)
  date = date or "today"
  return { command = "run.sh", date = date, machine = "a machine", versions = "1", repetitions = repetitions }
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("what the benchmarks report", function()
  local dir, file

  before_each(function()
    local pipe = assert(io.popen "mktemp -d")
    dir = pipe:read()
    pipe:close()
    file = dir .. "/results.json"
  end)

  after_each(function() os.execute(("rm -rf '%s'"):format(dir)) end)

  local function stored()
    results.store(file, "single-1k", result(MEASURED))
    results.store(file, "targets", result(GROWN))
    return results.of(WORKLOADS, results.load(file))
  end

  it("is the median of each run, with least and most", function()
    local name, spread = figures.of_run(BARS, MEASURED, "pillar")
    assert.equal("delivery_cpu_us", name)
    assert.equal("5.00 (4.50 to 9.00)", figures.text(spread))
    local _, of_two = figures.of_run(BARS, { MEASURED[1], MEASURED[3] }, "pillar")
    assert.equal(4.75, of_two.median)
  end)

  it("holds a bar against the median of the ratios inside the repetitions", function()
    local first, second = table.unpack(figures.bars(BARS, MEASURED))
    assert.equal(1.25, first.spread.median)
    assert.is_true(first.holds)
    assert.is_false(second.holds)
  end)

  it("has a curve's ratios to its first point", function()
    local points = figures.curve(CURVE, GROWN)[1]
    assert.equal("pillar", points.name)
    assert.same({ 1, 0.25 }, { points[1].ratio.median, points[2].ratio.median })
    assert.equal(100, points[2].also.median)
  end)

  it("takes the place of a workload's earlier results, and leaves those of the others", function()
    stored()
    results.store(file, "single-1k", result({ repetition(7) }, "tomorrow"))
    local all = results.load(file)
    assert.equal("tomorrow", all["single-1k"].date)
    assert.same({ repetition(7) }, all["single-1k"].repetitions)
    assert.same(GROWN, all.targets.repetitions)
  end)

  it("is written the same from the same numbers", function()
    stored()
    local before = read(file)
    stored()
    assert.equal(before, read(file))
  end)

  it("leaves out what was measured when a workload had other runs", function()
    stored()
    results.store(file, "targets", result { { ["pillar-1"] = costs(1) } })
    results.store(file, "gone", result(GROWN))
    local list = results.of(WORKLOADS, results.load(file))
    assert.equal(1, #list)
    assert.equal("single-1k", list[1].workload.name)
  end)

  it("takes the place between the marks alone", function()
    local readme = read "tests/bench/README.md"
    local begin, finish = readme:match "(<!%-%- results: begin[^\n]*\n).*(<!%-%- results: end[^\n]*)"
    local path = dir .. "/README.md"
    write(path, "above\n" .. begin .. "old\n" .. finish .. "\nbelow\n")
    local text = page.text(stored(), { { file = "a.svg", title = "A" } })
    for _ = 1, 2 do
      page.write(path, text)
    end
    local all = read(path)
    assert.equal("above\n" .. begin .. "\n" .. text .. "\n\n" .. finish .. "\nbelow\n", all)
    for _, line in ipairs {
      "1 of 2 bars hold.",
      "| pillar | 5.00 (4.50 to 9.00) |",
      "| of the floor | at most 1.5 | 1.25 (1.12 to 2.25) | holds |",
      "| of the floor, again | at least 2 | 1.25 (1.12 to 2.25) | **does not hold** |",
      "| pillar | 10 | 10.00 (10.00 to 10.00) | 0.25 (0.25 to 0.25) | 100.0 (100.0 to 100.0) |",
      "![A](charts/a.svg)",
    } do
      assert.truthy(all:find("\n" .. line .. "\n", 1, true), line)
    end
  end)

  it("needs the marks", function()
    write(dir .. "/README.md", "nothing\n")
    assert.has_error(function() page.check(dir .. "/README.md") end)
    page.check "tests/bench/README.md"
  end)

  it("is drawn", function()
    if not os.execute "command -v gnuplot >/dev/null" then
      pending "gnuplot is missing"
      return
    end
    local drawn = charts.draw(dir .. "/charts", stored())
    assert.equal(2, #drawn)
    for _, chart in ipairs(drawn) do
      local svg = read(dir .. "/charts/" .. chart.file)
      assert.truthy(svg:find("</svg>", 1, true))
      assert.truthy(svg:find("Pillar", 1, true))
      assert.truthy(svg:find("CPU a delivery", 1, true))
    end
  end)
end)
