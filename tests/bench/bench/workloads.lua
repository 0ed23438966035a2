--- What is measured, side by side, and the bars that it is held against.
---
--- A workload has runs, in the order in which they take turns: each starts a server, has the load generator at it, and
--- gives figures. A bar is a figure of one repetition, made of those of its runs, so that both sides of a ratio are
--- measured within seconds of each other. A curve has runs that differ in one number, named <series>-<number>.

local machine = require "bench.machine"
local servers = require "bench.servers"

local function join(list, more)
  return table.move(more, 1, #more, #list + 1, list)
end

local function load(server, streams, users, more)
  local words = { "--streams", tostring(streams), "--users", tostring(users) }
  return { server = server, words = join(words, more) }
end

local function events(warmup, count, in_flight)
  return { "--warmup", tostring(warmup), "--events", tostring(count), "--in-flight", tostring(in_flight or 1) }
end

local function ratio(a, b, figure)
  return function(r) return r[a][figure] / r[b][figure] end
end

local function with(options, more)
  local all = {}
  for name, value in pairs(options) do
    all[name] = value
  end
  for name, value in pairs(more) do
    all[name] = value
  end
  return all
end

local workloads = {}

--- One event to all streams.
local function fan_out(name, title, streams, warmup, count, in_flight, bars)
  local floor = in_flight > 1 and "floor-batch" or "floor"
  local function run(server, options)
    return function()
      return load(servers[server](options or {}), streams, streams, events(warmup, count, in_flight))
    end
  end
  workloads[#workloads + 1] = {
    name = name,
    title = title,
    shows = "delivery_cpu_us",
    order = { floor, "pillar", "nchan", "node" },
    runs = {
      [floor] = run("floor", { batch = in_flight > 1 }),
      pillar = run "pillar",
      nchan = run "nchan",
      node = run "node",
    },
    bars = {
      { "CPU a delivery / " .. floor, ratio("pillar", floor, "delivery_cpu_us"), "<=", 1.15 },
      { "nchan / Pillar", ratio("nchan", "pillar", "delivery_cpu_us"), ">=", bars[1] },
      { "Node / Pillar", ratio("node", "pillar", "delivery_cpu_us"), ">=", bars[2] },
    },
  }
end

fan_out("single-1k", "one event at a time to 1,000 streams", 1000, 50, 300, 1, { 1.3, 2 })
fan_out("single-10k", "one event at a time to 10,000 streams", 10000, 5, 30, 1, { 1.3, 2 })
fan_out("burst-1k", "bursts of 8 events to 1,000 streams", 1000, 80, 800, 8, { 2, 3 })
fan_out("burst-10k", "bursts of 8 events to 10,000 streams", 10000, 8, 80, 8, { 2, 3 })

--- One event to some users. options: those of the server; warmup, a number of events; load, words for the load
--- generator.
local function targeted(server, streams, users, per_event, count, options)
  return function()
    local all = with({ targeted = true, warmup = count // 10, load = {} }, options or {})
    local more = join(events(all.warmup, count), { "--per-event", tostring(per_event) })
    return load(servers[server](all), streams, users, join(more, all.load))
  end
end

workloads[#workloads + 1] = {
  name = "targeted",
  title = "one event to 5 of 5,000 users, 10 of 10,000 streams",
  shows = "event_cpu_us",
  order = { "floor", "pillar", "nchan", "node", "node-by-user" },
  runs = {
    floor = targeted("floor", 10000, 5000, 5, 3000),
    pillar = targeted("pillar", 10000, 5000, 5, 3000),
    nchan = targeted("nchan", 10000, 5000, 5, 3000),
    node = targeted("node", 10000, 5000, 5, 1000, { warmup = 300 }),
    ["node-by-user"] = targeted("node", 10000, 5000, 5, 3000, { by_user = true, warmup = 3000 }),
  },
  bars = {
    { "CPU an event / floor", ratio("pillar", "floor", "event_cpu_us"), "<=", 1.5 },
    { "Node / Pillar", ratio("node", "pillar", "event_cpu_us"), ">=", 6 },
  },
}

workloads[#workloads + 1] = {
  name = "growth",
  title = "one event to one stream, with 1,000 and 19,000 connected",
  shows = "event_cpu_us",
  order = { "1k", "19k", "floor-1k", "floor-19k" },
  runs = {
    ["1k"] = targeted("pillar", 1000, 1000, 1, 20000),
    ["19k"] = targeted("pillar", 19000, 19000, 1, 20000),
    ["floor-1k"] = targeted("floor", 1000, 1000, 1, 20000),
    ["floor-19k"] = targeted("floor", 19000, 19000, 1, 20000),
  },
  bars = { { "19,000 / 1,000 streams", ratio("19k", "1k", "event_cpu_us"), "<=", 1.15 } },
}

workloads[#workloads + 1] = {
  name = "idle",
  title = "idle streams, each of another user, 5,000 to 19,000",
  shows = "stream_bytes",
  order = { "pillar" },
  runs = {
    pillar = function() return load(servers.pillar {}, 19000, 19000, { "--slope", "5000" }) end,
  },
  bars = { { "bytes a stream", function(r) return r.pillar.stream_bytes end, "<=", 640 } },
}

local tokens = require "bench.tokens"

workloads[#workloads + 1] = {
  name = "opening",
  title = "opening 5,000 streams, whose users are told by a JSON Web Token",
  shows = "open_cpu_us",
  order = { "floor", "pillar" },
  runs = {
    floor = function() return load(servers.floor {}, 5000, 5000, {}) end,
    pillar = function()
      local issued = tokens.issue()
      local server = servers.pillar { app = "token", env = { BENCH_KEY = issued.key } }
      return load(server, 5000, 5000, { "--tokens", issued.tokens })
    end,
  },
  bars = { { "CPU a stream / floor", ratio("pillar", "floor", "open_cpu_us"), "<=", 3 } },
}

local TASK = '{"projectId":"%s","title":"{seq} {at}"}'

local function post_tasks(streams, warmup, count, in_flight)
  return function()
    local server = servers.board {}
    local more = events(warmup, count, in_flight)
    join(more, {
      "--emit-target", "/api/tasks",
      "--emit-header", "Content-Type: application/json",
      "--emit-body", TASK:format(server.project),
    })
    return load(server, streams, 1, more)
  end
end

local function commits()
  return { commits = 3 }
end

workloads[#workloads + 1] = {
  name = "tasks-posted",
  title = "POST /api/tasks of the task board, 64 connections, synchronous=FULL",
  shows = "events_per_second",
  order = { "commits", "pillar" },
  runs = { commits = commits, pillar = post_tasks(0, 640, 20000, 64) },
  bars = {
    { "acknowledged / one insert a commit", function(r)
      return r.pillar.events_per_second / r.commits.commits_per_second
    end, ">=", 3 },
  },
}

workloads[#workloads + 1] = {
  name = "tasks-told",
  title = "POST /api/tasks, until another stream has the event, one connection",
  shows = "delivery_p50_us",
  order = { "commits", "pillar" },
  runs = { commits = commits, pillar = post_tasks(1, 200, 3000, 1) },
  bars = {
    { "p50 in commits", function(r) return r.pillar.delivery_p50_us / r.commits.commit_p50_us end, "<=", 3 },
  },
}

local function get_task(server, task)
  local more = events(2000, 40000, 64)
  join(more, { "--emit-method", "GET", "--emit-target", "/api/tasks/" .. task, "--emit-body", "" })
  return load(server, 0, 1, more)
end

workloads[#workloads + 1] = {
  name = "tasks-read",
  title = "GET /api/tasks/:id of the task board, 64 connections, one loop and one reader",
  shows = "events_per_second",
  order = { "pillar", "node" },
  runs = {
    pillar = function()
      local server = servers.board {}
      return get_task(server, server.task)
    end,
    node = function() return get_task(servers.node {}, "t1") end,
  },
  bars = { { "Pillar / Node", ratio("pillar", "node", "events_per_second"), ">=", 2 } },
}

-- Pillar can do that rate because it sends events that come together in one piece; the floor has to do so too, or it is
-- the floor that cannot keep up.
local function at_half_rate(server, options)
  return function(r)
    local rate = math.max(1, math.floor(r.most.events_per_second / 2))
    return load(servers[server](options or {}), 2048, 2048, join(events(20, 300, 32), { "--rate", tostring(rate) }))
  end
end

workloads[#workloads + 1] = {
  name = "latency",
  title = "2,048 streams at half of the rate that Pillar can do",
  shows = "delivery_p99_us",
  order = { "most", "pillar", "floor-batch" },
  runs = {
    most = function() return load(servers.pillar {}, 2048, 2048, events(80, 400, 8)) end,
    pillar = at_half_rate "pillar",
    ["floor-batch"] = at_half_rate("floor", { batch = true }),
  },
  bars = { { "p99 / floor-batch's p99", ratio("pillar", "floor-batch", "delivery_p99_us"), "<=", 1.5 } },
}

local function loops(count)
  return function()
    local server = servers.pillar { cpus = machine.both, args = { "--loops=" .. count } }
    return load(server, 4000, 4000, events(10, 100))
  end
end

workloads[#workloads + 1] = {
  name = "loops",
  title = "one event at a time to 4,000 streams, two loops and one, on both processors",
  shows = "delivery_cpu_us",
  order = { "one", "two" },
  runs = { one = loops(1), two = loops(2) },
  bars = { { "CPU a delivery, two loops / one", ratio("two", "one", "delivery_cpu_us"), "<=", 1.1 } },
}

--- What something costs as one number grows. curve: x, what grows; at, its values; series, the servers; also, one more
--- figure to be told. make(server, x) is a run.
local function add_curve(name, title, shows, curve, make)
  local workload = { name = name, title = title, shows = shows, curve = curve, order = {}, runs = {}, bars = {} }
  for _, series in ipairs(curve.series) do
    for _, x in ipairs(curve.at) do
      local run = series .. "-" .. x
      table.insert(workload.order, run)
      workload.runs[run] = make(series, x)
    end
  end
  workloads[#workloads + 1] = workload
end

local STREAMS = { x = "streams", at = { 1000, 5000, 10000, 19000 }, series = { "floor", "pillar" } }

local DELIVERIES = 300000 -- of each run, however many streams share them

add_curve("streams-to-all", "one event to all streams, by their number", "delivery_cpu_us", STREAMS,
  function(server, x)
    return function() return load(servers[server] {}, x, x, events(5, DELIVERIES // x)) end
  end)

add_curve("streams-to-one", "one event to one stream, by the number of all", "event_cpu_us", STREAMS,
  function(server, x) return targeted(server, x, x, 1, 20000) end)

add_curve("targets", "one event to some of 10,000 users with a stream each, by their number", "delivery_cpu_us",
  { x = "targets", at = { 1, 10, 1000 }, series = { "floor", "pillar" }, also = "event_cpu_us" },
  function(server, x) return targeted(server, 10000, 10000, x, x < 1000 and 3000 or 200) end)

-- As many as fit have gone before, and some more, so that each event that comes drives one out.
add_curve("history", "one event to one of 1,000 streams, by the number of events that are kept", "event_cpu_us",
  { x = "events kept", at = { 10, 1000, 10000, 100000 }, series = { "pillar" } },
  function(server, x)
    local args = { "--history-events=" .. x, "--history-bytes=8GiB" }
    return targeted(server, 1000, 1000, 1, 20000, { args = args, warmup = x + x // 10 + 1000 })
  end)

-- The log holds 100,000 events that name ten users each; they are the same ones again and again, or each time others.
add_curve("users", "one event to 10 of 1,000 users with a stream each, by the number of users that the history names",
  "event_cpu_us", { x = "users", at = { 1000, 10000, 100000, 1000000 }, series = { "pillar" } },
  function(server, x)
    local options = { warmup = 100000, load = { "--warmup-users", tostring(x) } }
    options.args = { "--history-events=200000", "--history-bytes=8GiB" }
    return targeted(server, 1000, 1000, 10, 3000, options)
  end)

return workloads
