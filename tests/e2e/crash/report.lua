--- What came of a run, for people.

local plan = require "crash.plan"
local story = require "crash.story"

local report = {}

local function tell_trace(tab)
  local lines = {}
  for i = math.max(1, #tab.trace - 25), #tab.trace do
    local e = tab.trace[i]
    local event = e.event
    lines[#lines + 1] = ("  %-8s %s"):format(e.kind, event and ("%s %s %s %s, change %s"):format(e.id, event.entity,
      event.action, event.entityId or "", event.data and event.data.seq or "-") or e.reason and
      ("%s, had %s, now %s"):format(e.reason, e.sent, e.position) or e.seq and
      ("up to change %d, at %s"):format(e.seq, e.position) or e.position or e.id or "")
  end
  return table.concat(lines, "\n")
end

--- What went wrong, and what had happened before.
---@param self Run
function report.failure(self, problem)
  local tab = type(problem) == "table" and problem.tab
  return table.concat({
    tab and problem.message or tostring(problem),
    "",
    "What happened:",
    story.text(),
    tab and "The last that " .. tab.name .. " received:\n" .. tell_trace(tab) or "",
    "The log of the broker:",
    self.broker and self.broker.log or "",
    ("The files are in %s. Again: lua5.4 tests/e2e/crash.lua --seed %d --kills %d"):format(self.dir, self.seed,
      self.planned),
  }, "\n")
end

--- What was hit, and what came of it.
---@param self Run
function report.success(self)
  local lines = {}
  for _, group in ipairs(plan.groups) do
    local parts = {}
    for _, place in ipairs(group.places) do
      parts[#parts + 1] = ("%s %d"):format(place, self.hits[place] or 0)
    end
    lines[#lines + 1] = ("%5d  %s (%s)"):format(plan.count(self.hits, group), group.name, table.concat(parts, ", "))
  end
  local oracle = self.oracle
  lines[#lines + 1] = ("%d kills, %d orderly ends, %d restored backups"):format(self.kills, self.stops, self.restores)
  lines[#lines + 1] = ("%5d  mutations answered, %d of them made before a kill and answered behind it; %d more are " ..
    "known to be made"):format(oracle.answered, oracle.replayed, oracle.incomplete)
  lines[#lines + 1] = ("%5d  events told"):format(oracle.events)
  for reason, count in pairs(oracle.resyncs) do
    lines[#lines + 1] = ("%5d  resyncs: %s"):format(count, reason)
  end
  return table.concat(lines, "\n")
end

return report
