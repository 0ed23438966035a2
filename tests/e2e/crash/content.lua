--- Checks what the broker's database holds, and what the tabs have made of it, when nothing happens any more.

local cjson = require "cjson"
local verdict = require "crash.verdict"

local describe, fail = verdict.describe, verdict.fail

local content = {}

local function rows_by_key(entity, rows, into)
  for _, row in ipairs(rows) do
    into[entity .. ":" .. row.id] = row
  end
end

--- A tab has what its user may see, and nothing else.
function content.check_state(tab, tasks, notices)
  local wanted = {}
  rows_by_key("task", tab:listens_to("task") and tasks or {}, wanted)
  rows_by_key("notice", tab:listens_to("notice") and notices or {}, wanted)
  for key, row in pairs(wanted) do
    local mine = tab.state[key] and tab.state[key].row
    if not mine or math.tointeger(mine.version) ~= row.version then
      fail("its state has %s in version %s, and the database in version %d (change %d)", key,
        mine and math.tointeger(mine.version) or "none", row.version, row.seq)
    end
  end
  for key, entry in pairs(tab.state) do
    if entry.row and not wanted[key] then
      fail("its state has %s, which it may not see, or which is gone", key)
    end
  end
end

--- What the changes come to is what the tables hold: no transaction was stored in part.
function content.check_tables(self, tasks, notices)
  local rows, wanted, count = {}, {}, 0
  rows_by_key("task", tasks, rows)
  rows_by_key("notice", notices, rows)
  for seq = 1, self.head do
    local change = self.changes[seq]
    if change and change.action ~= "members" then
      wanted[change.entity .. ":" .. change.entityId] = change.action ~= "deleted" and change or nil
    end
  end
  for key, change in pairs(wanted) do
    count = count + 1
    if not rows[key] or rows[key].version ~= change.version or rows[key].seq ~= change.seq then
      fail("%s is not what the table has: %s", describe(change), rows[key] and cjson.encode(rows[key]) or "nothing")
    end
  end
  if count ~= #tasks + #notices then
    fail("the tables hold %d rows, and the changes come to %d", #tasks + #notices, count)
  end
end

--- The journal's table has every position from its floor to its head, to which all tabs have come, and its events tell
--- of changes that are there. The rows are those of `extent` and `strangers`.
function content.check_journal(self, extent, strangers)
  if extent.count ~= extent.head - extent.floor or extent.first ~= extent.floor + 1 then
    fail("the journal has %d events, from %d to %d, behind its floor %d", extent.count, extent.first, extent.head,
      extent.floor)
  end
  if strangers[1] then
    fail("the journal's event %d tells of change %s, which is not in the database", strangers[1].position,
      strangers[1].seq or "?")
  end
  for tab, judged in pairs(self.judged) do
    if judged.number ~= extent.head then
      fail("%s was told of everything up to %d, and the journal's head is %d", tab.name, judged.number, extent.head)
    end
  end
end

content.extent = [[
  SELECT count(*) AS count, min(position) AS first, max(position) AS head, (SELECT floor FROM pillar_history) AS floor
  FROM pillar_events]]

content.strangers = [[
  SELECT position, json_extract(data, '$.seq') AS seq FROM pillar_events LEFT JOIN changes
  ON changes.seq = json_extract(data, '$.seq') AND changes.run = json_extract(data, '$.run')
  WHERE pillar_events.entity <> 'fence' AND changes.seq IS NULL]]

return content
