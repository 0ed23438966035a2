--- Whether a resync was needed: the id is of another history, or what is behind it was really dropped.

local seen = require "crash.seen"
local verdict = require "crash.verdict"

local fail, split = verdict.fail, verdict.split

local resyncs = {}

local reasons = {}

function reasons.generation(_, _, _, sent, position)
  if split(sent) == split(position) then
    fail("it is of the history of %s, as %s is", position, sent)
  end
end

--- The number behind which the history was complete when it had come to `head`, by the number of events that it keeps.
local function floor_at(self, head)
  return math.max(self.floor, head - self.limits.events)
end

--- When the event behind `number` was made, at the earliest; nil: that is not known.
local function made_after(self, number)
  for at = number + 1, number - 200, -1 do
    if self.times[at] then
      return self.times[at]
    end
  end
end

function reasons.trimmed(self, _, _, sent, position, entry)
  local generation, number = split(sent)
  local now, head = split(position)
  local made = made_after(self, number)
  local old = not made or made + self.limits.age_ms < entry.at
  if generation ~= now then
    fail("trimmed, and %s is of another history than %s", sent, position)
  end
  if number >= floor_at(self, head) and not old then
    fail("%s was no more than %d events behind %s, and its next event at most %d ms old", sent, self.limits.events,
      position, entry.at - made)
  end
end

--- The first event behind change `seq` that was meant for the tab's user, were it only this tab's own echo.
local function first_meant(self, tab, seq)
  for at = seq + 1, self.head do
    local action = self.changes[at] and seen.by(tab.user, self.changes[at])
    if action then
      return at, self.positions[at .. action]
    end
  end
end

--- The log may drop what a stream has yet to take when more than it keeps has happened since. Where that first event
--- stands is known once all tabs' traces were read, if any tab has got it.
function reasons.lagged(self, tab, judged, _, position, entry)
  local _, head = split(position)
  local seq, floor = judged.seq, floor_at(self, head)
  table.insert(self.doubts, { tab = tab, check = function()
    local change, number = first_meant(self, tab, seq or self.head)
    local made = number and self.times[number]
    if number and number > floor and made + self.limits.age_ms >= entry.at then
      fail("a resync without need, lagged: it was at change %d, and change %d has the position %d of %s", seq, change,
        number, position)
    end
  end })
end

--- The id is above the head of the history only for who was sent to visit there.
function reasons.ahead(_, _, judged)
  if judged.expected ~= "ahead" then
    fail("its id is one that it was given")
  end
end

--- Raises an error if there was no reason for this resync, or leaves a doubt for when all traces are read.
---@param self Oracle
---@param tab Tab
function resyncs.justify(self, tab, judged, entry)
  local reason = reasons[entry.reason]
  if not reason then
    fail("a resync for the reason %q, at %s, with the id %s", entry.reason, entry.position, entry.sent)
  end
  local ok, problem = pcall(reason, self, tab, judged, entry.sent, entry.position, entry)
  if not ok then
    fail("a resync without need, %s: %s", entry.reason, problem)
  end
end

return resyncs
