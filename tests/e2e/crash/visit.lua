--- Visitors come to a broker that has just started, with ids from both sides of the edges of its history: the last that
--- was dropped, the first that is there, the newest, one above it, and one of another history.

local Tab = require "crash.tab"

local visit = {}

local USERS = { "ada", "grace", "linus" }

--- The positions of the journal's events, and the changes that they tell.
local events = [[
  SELECT position, action, json_extract(data, '$.seq') AS seq, (SELECT generation FROM pillar_history) AS generation
  FROM pillar_events ORDER BY position]]

--- The change that a user has heard of last who has heard of all up to a position. A change may be told by several
--- events, to each user by one of them: `ahead` are the actions of those that are still to come. Where the history
--- tells of no change any more, it is the last of all.
local function told_at(rows, position)
  local seq, ahead = nil, {}
  for _, row in ipairs(rows) do
    if row.seq and row.position <= position then
      seq = row.seq
    elseif row.seq and (seq or row.seq) == row.seq then
      seq, ahead[row.action] = row.seq, true
    end
  end
  return { seq = seq, ahead = ahead }
end

--- Where to go, and what to expect there: nil where the changes are to be told.
local function places(rows, limits)
  local floor, head = rows[1].position - 1, rows[#rows].position
  floor = math.max(floor, head - limits.events)
  local list = { { head }, { head + 1, "ahead" } }
  if limits.age_ms > 3600000 then -- else nobody can tell where the history begins just now
    list[#list + 1] = { floor }
    list[#list + 1] = { floor + 1 }
    list[#list + 1] = floor > 0 and { floor - 1, "trimmed" } or nil
    list[#list + 1] = { (floor + head) // 2 }
  end
  return list
end

--- Sends the visitors; returns them. Nothing may happen meanwhile.
---@param database Database of the broker, which runs
---@param limits { events: integer, age_ms: integer } of its history
function visit.begin(port, database, limits)
  local rows, visitors = database:read(events)[1], {}
  local function send(position, told, resync)
    local tab = Tab.new(port, { user = USERS[#visitors % #USERS + 1], session = "visitor-at-" .. position })
    tab:visit(position, told, resync)
    visitors[#visitors + 1] = tab
  end
  if #rows == 0 then
    return visitors
  end
  local generation = rows[1].generation
  for _, place in ipairs(places(rows, limits)) do
    send(generation .. "-" .. place[1], told_at(rows, place[1]), place[2])
  end
  local other = generation:gsub(".", function(digit) return digit == "0" and "1" or "0" end, 1)
  send(other .. "-" .. rows[#rows].position, told_at(rows, 0), "generation")
  return visitors
end

return visit
