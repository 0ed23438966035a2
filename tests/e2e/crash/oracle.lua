--- Judges what the tabs were told, answered and made of it, by the rows that the database has.
---
--- The table `changes` is the measure: what stands there happened, and its row says who was to be told. Whatever is
--- wrong raises an error that names it.

local cjson = require "cjson"
local content = require "crash.content"
local streams = require "crash.streams"
local verdict = require "crash.verdict"

local describe, fail = verdict.describe, verdict.fail

---@class Oracle
---@field changes table<integer, table> by seq, with `before` and `after` decoded
---@field head integer the greatest seq
---@field keys table<string, table> by Idempotency-Key: { run, seqs }
---@field told table<string, string> by id: which event it was
---@field times table<integer, integer> by the number of an id of this history: when the event was made
---@field floor integer the number behind which the history was complete when its limits were set
---@field generations table<string, boolean> of all histories that were seen
---@field histories_left integer how many more there may be
---@field resyncs table<string, integer> by the reason
---@field events integer that were told
---@field answered integer mutations that succeeded
---@field replayed integer those of them that were made before a kill, and answered behind it
---@field incomplete integer mutations that were made before a kill, and never answered
---@field positions table<string, integer> by seq and action: the number of the event's id
---@field doubts table[] what can be judged only when all traces were read: { tab, check }
---@field judged table<Tab, table> how far each tab's trace was judged
local Oracle = {}
Oracle.__index = Oracle

---@return Oracle
function Oracle.new()
  return setmetatable({
    changes = {}, head = 0, keys = {}, told = {}, times = {}, positions = {}, doubts = {}, judged = {}, floor = 0,
    generations = {}, histories_left = 1, resyncs = {}, events = 0, answered = 0, replayed = 0,
    incomplete = 0,
  }, Oracle)
end

-- --- the database ---

local function decode(text)
  return text and cjson.decode(text)
end

local function take_change(self, row)
  row.before, row.after = decode(row.before), decode(row.after)
  local known = self.keys[row.key]
  if known and known.run ~= row.run then
    fail("the mutation %s was applied twice: %s and %s", row.key, describe(self.changes[known.seqs[1]]), describe(row))
  end
  known = known or { run = row.run, seqs = {} }
  table.insert(known.seqs, row.seq)
  self.keys[row.key] = known
  self.changes[row.seq] = row
  self.head = row.seq
end

--- Takes over the changes that are new in a database (the broker's own or a copy).
function Oracle:read(database)
  local rows = database:read("SELECT * FROM changes WHERE seq > " .. self.head .. " ORDER BY seq")[1]
  for _, row in ipairs(rows) do
    take_change(self, row)
  end
end

--- Reads everything anew, and checks that what was there once is there still.
function Oracle:read_again(database)
  local before = self.changes
  local head = self.head
  self.changes, self.keys, self.head = {}, {}, 0
  self:read(database)
  for seq = 1, head do
    local was, is = before[seq], self.changes[seq]
    if was and not (is and is.run == was.run) then
      fail("%s was in the database, and is not any more", describe(was))
    end
  end
end

-- --- mutations ---

--- What a mutation may be answered with instead of success, and whether it is in the database then.
local refusals = { not_found = false, refused = false, idempotency_incomplete = true }

local function check_refused(self, mutation)
  local made, known = refusals[mutation.code], self.keys[mutation.key]
  if made ~= (known ~= nil) then
    fail("the mutation %s (%s %s, attempt %d) was answered with %d %s, and %s is in the database", mutation.key,
      mutation.method, mutation.path, mutation.attempts, mutation.status, mutation.code,
      known and describe(self.changes[known.seqs[1]]) or "nothing of that key")
  end
  self.incomplete = self.incomplete + (made and 1 or 0)
end

local function check_done(self, mutation)
  local known = self.keys[mutation.key] or { seqs = {} }
  for i, change in ipairs(mutation.answer) do
    local row = self.changes[known.seqs[i]]
    if not row or row.seq ~= change.seq or row.run ~= change.run then
      fail("the mutation %s (%s %s, attempt %d) was answered with %s, and that is not in the database; there is %s",
        mutation.key, mutation.method, mutation.path, mutation.attempts, describe(change),
        row and describe(row) or "nothing of that key")
    end
  end
  if #known.seqs ~= #mutation.answer then
    fail("the mutation %s was answered with %d changes, and %d are in the database", mutation.key, #mutation.answer,
      #known.seqs)
  end
  if mutation.stored and #known.seqs > 0 and not mutation.replayed then
    fail("the mutation %s was carried out in an earlier attempt, and its answer does not say so", mutation.key)
  end
  self.answered = self.answered + 1
  self.replayed = self.replayed + (mutation.replayed and 1 or 0)
end

--- Every mutation that was acknowledged is in the database exactly once; take_change has looked at the others.
--- Looks at each once: what is in the database stays there, see read_again.
local function check_mutations(self, tab)
  local open = {}
  for _, mutation in ipairs(tab.open) do
    if not mutation.status then
      mutation.stored = self.keys[mutation.key] ~= nil
      open[#open + 1] = mutation
    elseif mutation.status >= 400 then
      check_refused(self, mutation)
    else
      check_done(self, mutation)
    end
  end
  tab.open = open
end

-- --- the checks ---

--- The broker may begin a new history now.
function Oracle:expect_history()
  self.histories_left = self.histories_left + 1
end

local function with_name(tab, fn, ...)
  local ok, result = pcall(fn, ...)
  if not ok then
    error({ tab = tab, message = ("%s: %s"):format(tab.name, result) }, 0)
  end
  return result
end

--- Checks all that was received so far against a database: nothing wrong has come. Something may be missing still.
function Oracle:check_received(tabs, database)
  self:read(database)
  for _, tab in ipairs(tabs) do
    with_name(tab, streams.judge, self, tab)
    with_name(tab, check_mutations, self, tab)
  end
  for _, doubt in ipairs(self.doubts) do
    with_name(doubt.tab, doubt.check)
  end
  self.doubts = {}
end

local function check_complete(self, tab)
  streams.check_complete(self, tab)
  if tab.open[1] then
    fail("the mutation %s was never answered", tab.open[1].key)
  end
end

--- Checks everything, when every mutation is answered and every tab has seen an event that was made behind all others.
function Oracle:check_all(tabs, database)
  self:check_received(tabs, database)
  local answers = database:read("SELECT * FROM tasks", "SELECT * FROM notices",
    "SELECT userId, tasks.* FROM tasks JOIN members USING (projectId)", content.extent, content.strangers)
  content.check_tables(self, answers[1], answers[2])
  content.check_journal(self, answers[4][1], answers[5])
  for _, tab in ipairs(tabs) do
    local visible = {}
    for _, row in ipairs(answers[3]) do
      if row.userId == tab.user then
        visible[#visible + 1] = row
      end
    end
    with_name(tab, check_complete, self, tab)
    with_name(tab, content.check_state, tab, visible, answers[2])
  end
end

--- Checks tabs that came to visit, and are about to leave.
function Oracle:check_visits(visitors, database)
  self:check_received(visitors, database)
  for _, tab in ipairs(visitors) do
    with_name(tab, check_complete, self, tab)
    self.judged[tab] = nil
  end
end

--- The limits of the history from now on; `floor` is the number behind which it is complete.
function Oracle:set_limits(limits, floor)
  self.limits, self.floor = limits, floor
end

--- The database is an older one from now on, and its history a new one: what it does not have was never there.
function Oracle:restored(tabs, database)
  local old = self.changes
  self.changes, self.keys, self.head, self.times, self.positions, self.floor = {}, {}, 0, {}, {}, 0
  self:read(database)
  for _, tab in ipairs(tabs) do
    tab:forget_answers()
    for _, mutation in ipairs(tab.open) do
      mutation.stored = self.keys[mutation.key] ~= nil
    end
  end
  for seq, change in pairs(self.changes) do
    if old[seq] and old[seq].run ~= change.run then
      fail("the backup holds %s, which was never there", describe(change))
    end
  end
end

return Oracle
