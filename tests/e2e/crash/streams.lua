--- Judges what a tab's stream brought: its trace, entry by entry, in the order in which they arrived.
---
--- `judged` is how far that is: the entry `at`; the id (`generation`, `number`) that the tab has; and `seq`, the change
--- up to which it was told all. Behind a resync `seq` is nil until an event comes: the stream goes on from the resync's
--- position, which is no later than the `snapshot` that was fetched behind it.

local resyncs = require "crash.resyncs"
local seen = require "crash.seen"
local verdict = require "crash.verdict"

local describe, fail, split = verdict.describe, verdict.fail, verdict.split

local streams = {}

local KEPT = 40 -- entries of a trace that was judged, to be shown

--- The action that the tab is to be told of a change; nil: it is not to hear of it.
local function due(tab, change)
  if not tab:listens_to(change.entity) or (change.userId == tab.user and change.sessionId == tab.session) then
    return nil
  end
  return seen.by(tab.user, change)
end

--- The first change behind `seq` that the tab is to be told of.
function streams.next_due(self, tab, seq)
  for at = seq + 1, self.head do
    local change = self.changes[at]
    if change and due(tab, change) then
      return change
    end
  end
end

--- A new history is the operator's doing, and nobody else's.
local function note_history(self, generation)
  if not self.generations[generation] then
    self.generations[generation] = true
    self.histories_left = self.histories_left - 1
  end
  if self.histories_left < 0 then
    fail("the history %s is a new one, and nobody asked for it", generation)
  end
end

local function check_id(self, judged, entry)
  local generation, number = split(entry.id)
  if generation ~= judged.generation then
    fail("an id of another history, %s, and no resync", entry.id)
  end
  if number <= judged.number then
    fail("the id %s came behind %s-%d", entry.id, judged.generation, judged.number)
  end
  judged.number = number
  local event = entry.event
  local what = ("%s %s %s %s"):format(event.entity, event.entityId, event.action, event.data and event.data.run)
  local known = self.told[entry.id]
  -- The actions of a change differ by the user, and each is an event of its own.
  if known and known ~= what then
    fail("the id %s is that of two events: %s, and %s", entry.id, known, what)
  end
  self.told[entry.id] = what
  self.times[number] = math.tointeger(event.timestamp)
end

--- The change that an event tells, which must be one that the tab is to be told of, in just this way.
local function find_change(self, tab, event)
  local data = event.data
  local change = self.changes[data.seq]
  if not change or change.run ~= data.run then
    fail("was told of change %d (%s %s of %s, run %s), which is not in the database; there is %s", data.seq,
      event.action, event.entity, event.entityId, data.run, change and describe(change) or "no such change")
  end
  local action = due(tab, change)
  if action ~= event.action or change.entity ~= event.entity or change.entityId ~= event.entityId or
    change.version ~= data.version then
    fail("was told %s %s of %s, version %d, for %s, of which it was to be told %s", event.action, event.entity,
      event.entityId, data.version, describe(change), action or "nothing")
  end
  return change
end

local function check_order(self, tab, judged, change)
  if judged.seq and change.seq <= judged.seq then
    fail("was told of %s a second time, or too late: it was at %d", describe(change), judged.seq)
  end
  local from = judged.seq or (judged.snapshot and change.seq > judged.snapshot and judged.snapshot)
  local expected = from and streams.next_due(self, tab, from)
  if expected and expected.seq ~= change.seq then
    fail("was told of %s, and never of %s", describe(change), describe(expected))
  end
  judged.first = judged.first or (not judged.seq and change.seq)
  judged.seq = change.seq
end

local judge = {}

function judge.reload(_, _, judged)
  judged.reloading = true
end

function judge.visit(self, tab, judged, entry)
  local seq = entry.told.seq or self.head
  local change = self.changes[seq]
  judged.expected = entry.resync
  judged.seq = change and entry.told.ahead[seen.by(tab.user, change)] and seq - 1 or seq
end

function judge.connect(_, _, judged, entry)
  local generation, number = split(entry.id)
  if judged.number and (generation ~= judged.generation or number ~= judged.number) then
    fail("came back with the id %s, and had %s-%d", entry.id, judged.generation, judged.number)
  end
  judged.generation, judged.number = generation, number
end

function judge.ready(_, _, judged, entry)
  judged.resync_due = entry.position ~= ("%s-%d"):format(judged.generation, judged.number)
end

function judge.event(self, tab, judged, entry)
  if judged.expected then
    fail("listened from %s-%d, and was told of no resync, for the reason %s", judged.generation, judged.number,
      judged.expected)
  end
  if judged.resync_due then
    fail("the stream started elsewhere than at %s-%d, and said no resync", judged.generation, judged.number)
  end
  check_id(self, judged, entry)
  if entry.event.entity ~= "fence" then
    local change = find_change(self, tab, entry.event)
    check_order(self, tab, judged, change)
    self.positions[change.seq .. entry.event.action] = judged.number
    self.events = self.events + 1
  end
end

function judge.fetch(self, tab, judged, entry)
  local generation, number = split(entry.position)
  if entry.seq < entry.known then
    fail("a snapshot up to change %d was fetched after change %d was acknowledged", entry.seq, entry.known)
  end
  note_history(self, generation)
  if judged.reloading or not judged.generation then
    self.judged[tab] = { at = judged.at, seq = entry.seq }
    return
  end
  if generation ~= judged.generation then -- of a history that the stream is yet to hear of
    judged.resync_due = true
    return
  end
  if number < judged.resync_number then
    fail("a snapshot at %s was fetched behind a resync to %s-%d", entry.position, judged.generation,
      judged.resync_number)
  end
  judged.fetch_due = nil
  if not judged.seq then
    judged.snapshot = entry.seq
  elseif judged.first and judged.first > entry.seq then
    local expected = streams.next_due(self, tab, entry.seq)
    if expected and expected.seq < judged.first then
      fail("fetched up to %d, was then told of %d, and never of %s", entry.seq, judged.first, describe(expected))
    end
  end
end

function judge.cut()
end

function judge.resync(self, tab, judged, entry)
  resyncs.justify(self, tab, judged, entry)
  if entry.id ~= entry.position then
    fail("a resync to %s has the id %s", entry.position, entry.id)
  end
  if judged.expected and judged.expected ~= entry.reason then
    fail("was told of a resync for the reason %s, which is to be %s", entry.reason, judged.expected)
  end
  self.resyncs[entry.reason] = (self.resyncs[entry.reason] or 0) + 1
  judged.generation, judged.number = split(entry.position)
  note_history(self, judged.generation)
  judged.resync_number, judged.fetch_due, judged.resync_due = judged.number, true, false
  judged.seq, judged.first, judged.snapshot, judged.expected = nil, nil, nil, nil
end

--- Judges what the tab has received since the last time.
---@param self Oracle
---@param tab Tab
function streams.judge(self, tab)
  self.judged[tab] = self.judged[tab] or { at = 0 }
  while self.judged[tab].at < #tab.trace do
    local judged = self.judged[tab]
    judged.at = judged.at + 1
    local entry = tab.trace[judged.at]
    judge[entry.kind](self, tab, judged, entry)
  end
  if #tab.trace > 4 * KEPT then
    tab.trace = table.move(tab.trace, #tab.trace - KEPT + 1, #tab.trace, 1, {})
    self.judged[tab].at = KEPT
  end
end

--- Checks that nothing is missing, when the tab has received all that was sent.
function streams.check_complete(self, tab)
  local judged = self.judged[tab]
  if judged.expected then
    fail("was told of no resync, for the reason %s", judged.expected)
  end
  if judged.fetch_due or judged.resync_due then
    fail("has not fetched behind a resync")
  end
  local missing = streams.next_due(self, tab, judged.seq or judged.snapshot)
  if missing then
    fail("was never told of %s; it stands at %d", describe(missing), judged.seq or judged.snapshot)
  end
end

return streams
