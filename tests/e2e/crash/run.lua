--- One run of the crash test: a broker that is killed again and again, tabs that go on, and the oracle.

local uv = require "luv"
local Broker = require "support.broker"
local Database = require "crash.database"
local Dice = require "crash.dice"
local Link = require "crash.link"
local Oracle = require "crash.oracle"
local Tab = require "crash.tab"
local close = require "support.closing"
local plan = require "crash.plan"
local port = require "support.port"
local report = require "crash.report"
local request = require "crash.request"
local story = require "crash.story"
local visit = require "crash.visit"
local wait = require "support.wait"
local world = require "crash.world"

---@class Run
local Run = {}
Run.__index = Run

local HIT_PATIENCE_MS = 2000
local NAP_MS = 8
local SETTLE_PATIENCE_MS = 60000

local function until_true(what, condition, patience)
  return wait.until_true(what, function()
    story.check()
    return condition()
  end, patience or SETTLE_PATIENCE_MS)
end

-- --- the broker ---

local function arguments(self)
  local limits = self.phase.limits
  local list = {
    "run", Broker.source .. "/tests/e2e/apps/crash.lua", "--listen", "127.0.0.1:" .. self.port,
    "--database", "sqlite:" .. self.database.path, "--workers", "2", "--loops", tostring(self.phase.loops),
    "--retry-min", "10ms", "--retry-max", "40ms", "--drain-window", "50ms",
    "--history-events", tostring(limits.events), "--history-age", limits.age_ms .. "ms",
  }
  if self.new_history then
    list[#list + 1] = "--new-history"
    self.oracle:expect_history()
  end
  return list
end

--- Starts the broker; with a kill for an exact place, it will end itself there.
local function start(self, kill)
  local env = {}
  if kill and kill.occurrence then
    env.LD_PRELOAD = self.preload
    env.CRASH_AT = ("%s:%d:%d:%d"):format(kill.place, kill.occurrence, kill.bytes, kill.pause_ms)
  end
  self.broker = Broker.spawn(arguments(self), { dir = self.dir, env = env })
end

local function is_listening(self)
  return self.broker.output:find("listening on", 1, true)
end

local function wait_listening(self)
  until_true("the broker to start", function() return is_listening(self) or self.broker.exit end)
  if self.broker.exit then
    error("the broker did not start", 0)
  end
  self.new_history = false
end

--- Waits until the broker is dead and all that it sent has arrived; looks at what was received.
local function bury(self)
  local broker = self.broker
  until_true("the broker to end", function() return broker.exit and broker.pipes == 0 end)
  until_true("its connections to close", function() return Link.connected == 0 end)
  if broker.exit.signal ~= 9 and (broker.exit.signal ~= 0 or broker.exit.code ~= 0) then
    error(("the broker ended with status %d, signal %d"):format(broker.exit.code, broker.exit.signal), 0)
  end
  local complaint = broker.log:match("%f[^\0\n]%S+Z error [^\n]*") or broker.log:match("[^\n]*Sanitizer[^\n]*")
  if complaint then
    error("the broker complained: " .. complaint, 0)
  end
  self.oracle:check_received(self.tabs, self.database:copy(self.dir .. "/dead.db"))
end

--- Where it died: a place that it said itself, or "random".
local function place_of_death(self)
  return self.broker.log:match("crash: ([%l-]+)\n") or "random"
end

-- --- killing ---

--- What the tabs do by themselves while the broker lives. Returns a function that ends it, but for those that are away.
local function disturb_tabs(self, kill)
  local cancels = {}
  local function later(milliseconds, fn)
    cancels[#cancels + 1] = Link.after(milliseconds, fn)
  end
  for _, reload in ipairs(kill.reloads) do
    later(reload.ms, function() self.tabs[reload.tab]:reload() end)
  end
  for _, absence in ipairs(kill.absences) do
    local tab = self.tabs[absence.tab]
    tab:sleep()
    Link.after(absence.ms, function() tab:wake() end)
  end
  for i, nap in ipairs(kill.naps) do
    local tab = self.tabs[nap]
    later(40 + 4 * NAP_MS * i, function()
      tab:sleep()
      Link.after(NAP_MS, function() tab:wake() end)
    end)
  end
  return function()
    for _, cancel in ipairs(cancels) do
      cancel()
    end
  end
end

local function pass_time(self, milliseconds)
  local over = false
  Link.after(milliseconds, function() over = true end)
  until_true("the time to pass", function() return over or self.broker.exit end)
end

local function open_mutations(self)
  local count = 0
  for _, tab in ipairs(self.tabs) do
    count = count + tab.busy
  end
  return count
end

--- Lets the broker, which runs or is started, live until the kill.
local function die(self, kill)
  local began = wait.now()
  local calm_tabs = disturb_tabs(self, kill)
  if not self.broker then
    start(self, kill)
  end
  if kill.after_ms and not kill.while_starting then
    until_true("the broker to start", function() return is_listening(self) or self.broker.exit end)
  end
  pass_time(self, kill.after_ms or HIT_PATIENCE_MS)
  calm_tabs()
  local busy = open_mutations(self)
  if not self.broker.exit then
    self.broker:signal("sigkill")
  end
  bury(self)
  local place = place_of_death(self)
  self.kills = self.kills + 1
  self.hits[place] = (self.hits[place] or 0) + 1
  story.add("kill %d at %s%s, after %d ms; %d mutations were on their way, %d changes are stored", self.kills, place,
    kill.occurrence and ((place == kill.place and "" or ", missing " .. kill.place) .. " " .. kill.occurrence) or "",
    (wait.now() - began) // 1 | 0, busy, self.oracle.head)
  self.broker = nil
end

-- --- settling ---

--- Waits until a condition holds for every tab; what went wrong names one for which it does not.
local function wait_for_each(tabs, what, holds)
  local waiting
  local ok, problem = pcall(until_true, what, function()
    waiting = nil
    for _, tab in ipairs(tabs) do
      waiting = waiting or (not holds(tab) and tab or nil)
    end
    return not waiting
  end)
  if not ok then
    error(waiting and { tab = waiting, message = ("%s: %s"):format(waiting.name, problem) } or problem, 0)
  end
end

local function wait_settled(tabs)
  wait_for_each(tabs, "every tab to settle", function(tab) return tab:is_settled() end)
end

--- Sends a marker, and waits until it has reached every tab; false if one had to resync instead.
local function send_fence(self, tabs)
  local begun = {}
  for _, tab in ipairs(tabs) do
    begun[tab] = tab.begun
  end
  self.fences = self.fences + 1
  local name = "fence" .. self.fences
  request.send(self.port, "POST", "/fence/" .. name, {
    headers = { ["X-User"] = "operator", ["X-Session-Id"] = "operator", ["Idempotency-Key"] = name },
  }, function() end)
  wait_for_each(tabs, "the fence to reach every tab", function(tab)
    return tab.fence == name or (tab.begun > begun[tab] and tab:is_settled())
  end)
  for _, tab in ipairs(tabs) do
    if tab.fence ~= name then
      return false
    end
  end
  return true
end

--- Waits until all of the tabs have come to rest and have received a marker that was sent behind all else.
local function fence(self, tabs)
  repeat
    wait_settled(tabs)
  until send_fence(self, tabs)
  wait_settled(tabs)
end

--- With a broker that is not to die: has everybody come to rest, and checks all.
local function settle_and_check(self)
  self.paused = true
  for _, tab in ipairs(self.tabs) do
    tab:wake()
  end
  fence(self, self.tabs)
  self.oracle:check_all(self.tabs, self.database)
  story.add("all is well at change %d", self.oracle.head)
end

--- With a broker that has just started, while everybody rests.
local function receive_visitors(self)
  local visitors = visit.begin(self.port, self.database, self.phase.limits)
  fence(self, visitors)
  self.oracle:check_visits(visitors, self.database)
  for _, tab in ipairs(visitors) do
    tab:sleep()
  end
end

-- --- phases ---

local function save_backup(self)
  pass_time(self, self.phase.backup_ms)
  self.database:save(self.dir .. "/backup.db")
  story.add("a backup was saved")
end

--- The operator puts a backup in place of the database that the dead broker left.
local function restore_backup(self)
  self.oracle:check_received(self.tabs, self.database:copy(self.dir .. "/dead.db"))
  self.database:restore(self.dir .. "/backup.db")
  self.oracle:restored(self.tabs, self.database:copy(self.dir .. "/dead.db"))
  self.new_history = true
  self.restores = self.restores + 1
  story.add("the backup was restored: %d changes are left", self.oracle.head)
end

--- The number behind which the history is complete in the database that the dead broker left.
local function read_floor(self)
  local rows = self.database:copy(self.dir .. "/dead.db"):read("SELECT floor FROM pillar_history")[1]
  return rows[1] and rows[1].floor or 0
end

local function end_broker(self, orderly)
  self.broker:signal(orderly and "sigterm" or "sigkill")
  bury(self)
  self.broker = nil
  self.stops = self.stops + (orderly and 1 or 0)
end

--- Starts the broker with the limits of the phase, after one with the limits before has put all in order.
local function begin_phase(self, phase)
  start(self)
  wait_listening(self)
  settle_and_check(self)
  end_broker(self, phase.orderly)
  self.phase = phase
  self.oracle:set_limits(phase.limits, read_floor(self))
  story.add("the history keeps %d events, for %d ms; %d loops", phase.limits.events, phase.limits.age_ms, phase.loops)
  start(self)
  wait_listening(self)
  receive_visitors(self)
  self.paused = false
end

local function run_phase(self, phase)
  if phase.early_kill then
    die(self, phase.early_kill)
  end
  begin_phase(self, phase)
  self.tabs[phase.absent]:sleep()
  if phase.restore then
    save_backup(self)
  end
  for _, kill in ipairs(phase.kills) do
    die(self, kill)
  end
  if phase.restore then
    restore_backup(self)
  end
end

local function start_tabs(self)
  local dice = Dice.new(self.seed + 1)
  for i, who in ipairs(world.tabs) do
    self.tabs[i] = Tab.new(self.port, who, Dice.new(dice:number(1, 1 << 40)), function() return self.paused end)
    self.tabs[i]:start()
  end
end

local function run_all(self)
  self.phase = self.phases[1]
  self.oracle:set_limits(self.phase.limits, 0)
  start_tabs(self)
  for _, phase in ipairs(self.phases) do
    run_phase(self, phase)
  end
  start(self)
  wait_listening(self)
  settle_and_check(self)
  self.oracle:read_again(self.database)
  end_broker(self, true)
end

-- --- the whole ---

local function clean_up(self, ok)
  if self.broker and not self.broker.exit then
    self.broker:signal("sigkill")
    self.broker:wait_exit()
  end
  Link.stopped = true
  for _, tab in ipairs(self.tabs) do
    tab:sleep()
  end
  wait.until_true("what was begun to end", function() return Link.pending == 0 end)
  close(self.holder)
  if ok then
    os.execute("rm -rf '" .. self.dir .. "'")
  end
end

--- Runs it. options: seed, kills; preload, the path of the library that kills at exact places (without it, it is at
--- random instants). Returns the run; raises a text that tells what went wrong.
---@return Run
function Run.execute(options)
  local self = setmetatable({
    seed = options.seed, planned = options.kills, preload = options.preload,
    phases = plan.draw(options.seed, options.kills, options.preload ~= nil),
    dir = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-crash-XXXXXX")),
    oracle = Oracle.new(), tabs = {}, hits = {}, kills = 0, stops = 0, restores = 0, fences = 0, paused = true,
  }, Run)
  story.begin()
  Link.stopped = false
  self.database = Database.new(self.dir .. "/app.db")
  self.holder, self.port = port.hold()
  local ok, problem = xpcall(run_all, function(e) return type(e) == "table" and e or debug.traceback(e) end, self)
  local text = not ok and report.failure(self, problem)
  clean_up(self, ok)
  if not ok then
    error(text, 0)
  end
  return self
end

return Run
