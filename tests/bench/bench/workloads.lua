--- What is measured, side by side, and the bars that it is held against.
---
--- A workload has runs, in the order in which they take turns: each starts a server, has the load generator at it, and gives
--- figures. A bar is a figure of one repetition, made of those of its runs, so that both sides of a ratio are measured within
--- seconds of each other.

local servers = require "bench.servers"

local function load(server, streams, users, more)
  local words = { "--streams", tostring(streams), "--users", tostring(users) }
  table.move(more, 1, #more, #words + 1, words)
  return { server = server, words = words }
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

local function targeted(server, streams, users, per_event, count, in_flight)
  return function()
    local more = events(count // 10, count, in_flight)
    table.move({ "--per-event", tostring(per_event) }, 1, 2, #more + 1, more)
    return load(servers[server] { targeted = true }, streams, users, more)
  end
end

workloads[#workloads + 1] = {
  name = "targeted",
  title = "one event to 5 of 5,000 users, 10 of 10,000 streams",
  shows = "event_cpu_us",
  order = { "floor", "pillar", "nchan", "node" },
  runs = {
    floor = targeted("floor", 10000, 5000, 5, 3000),
    pillar = targeted("pillar", 10000, 5000, 5, 3000),
    nchan = targeted("nchan", 10000, 5000, 5, 3000),
    node = targeted("node", 10000, 5000, 5, 1000),
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
    ["1k"] = targeted("pillar", 1000, 1000, 1, 5000),
    ["19k"] = targeted("pillar", 19000, 19000, 1, 5000),
    ["floor-1k"] = targeted("floor", 1000, 1000, 1, 5000),
    ["floor-19k"] = targeted("floor", 19000, 19000, 1, 5000),
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
    table.move({
      "--emit-target", "/api/tasks",
      "--emit-header", "Content-Type: application/json",
      "--emit-body", TASK:format(server.project),
    }, 1, 6, #more + 1, more)
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
  table.move({ "--emit-method", "GET", "--emit-target", "/api/tasks/" .. task, "--emit-body", "" }, 1, 6, #more + 1, more)
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

local half_rate = 0

workloads[#workloads + 1] = {
  name = "latency",
  title = "2,048 streams at half of the rate that Pillar can do",
  shows = "delivery_p99_us",
  order = { "most", "pillar", "floor" },
  runs = {
    most = function() return load(servers.pillar {}, 2048, 2048, events(80, 400, 8)) end,
    pillar = function(r)
      half_rate = math.max(1, math.floor(r.most.events_per_second / 2))
      local more = events(20, 300, 32)
      table.move({ "--rate", tostring(half_rate) }, 1, 2, #more + 1, more)
      return load(servers.pillar {}, 2048, 2048, more)
    end,
    floor = function()
      local more = events(20, 300, 32)
      table.move({ "--rate", tostring(half_rate) }, 1, 2, #more + 1, more)
      return load(servers.floor {}, 2048, 2048, more)
    end,
  },
  bars = { { "p99 / floor's p99", ratio("pillar", "floor", "delivery_p99_us"), "<=", 1.5 } },
}

local function loops(count)
  return function()
    local options = with({ cpus = "0,1" }, { args = { "--loops=" .. count } })
    return load(servers.pillar(options), 4000, 4000, events(10, 100))
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

return workloads
