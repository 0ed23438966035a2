--- When and where the broker is to die: decided by the seed alone, and the same for the same seed.

local Dice = require "crash.dice"
local world = require "crash.world"

local plan = {}

--- What is counted together, and how many of 200 kills must have hit it.
plan.groups = {
  { name = "handler running", least = 15, places = { "handler", "record", "journal" } },
  { name = "batch committing", least = 25, places = { "commit", "commit-write", "commit-sync", "commit-synced" } },
  { name = "committed, not published", least = 15, places = { "committed" } },
  { name = "replay to a client that came back", least = 12, places = { "replay" } },
  { name = "journal being trimmed", least = 12, places = { "trim", "trimmed" } },
  { name = "committed by a handler that goes on", least = 3, places = { "answered" } },
  { name = "being published", least = 10, places = { "answer", "deliver", "opening" } },
  { name = "starting", least = 3, places = { "load", "renew" } },
  { name = "checkpoint", least = 1, places = { "checkpoint" } },
  { name = "at random", least = 25, places = { "random" } },
}

-- Of about a hundred kills, how many are for each place (support/crash_preload.c), and at most how many times it is
-- passed by before.
local places = {
  { name = "handler", share = 8, most = 40 },
  { name = "record", share = 2, most = 15 },
  { name = "answered", share = 4, most = 3 },
  { name = "journal", share = 4, most = 30 },
  { name = "commit", share = 5, most = 15 },
  { name = "commit-write", share = 6, most = 60 },
  { name = "commit-sync", share = 5, most = 12 },
  { name = "commit-synced", share = 5, most = 12 },
  { name = "committed", share = 12, most = 12 },
  { name = "trim", share = 6, most = 10 },
  { name = "trimmed", share = 5, most = 10 },
  { name = "replay", share = 10, most = 3 },
  { name = "answer", share = 4, most = 40 },
  { name = "deliver", share = 5, most = 60 },
  { name = "opening", share = 3, most = 6 },
  { name = "load", share = 3, most = 5 },
  { name = "checkpoint", share = 2, most = 3 },
  { name = "random", share = 10 },
}

local at_random = places[#places]

-- The first start with a restored database.
local renewing = { name = "renew", most = 1 }

local PHASE_KILLS = 10

local DAY_MS = 24 * 3600 * 1000

-- What the history keeps, one after the other: so little that it is trimmed all the time, and that who is away for long
-- has to fetch anew.
local limits = {
  { events = 400, age_ms = DAY_MS },
  { events = 16, age_ms = DAY_MS },
  { events = 60, age_ms = DAY_MS },
  { events = 100000, age_ms = 1000 },
  { events = 8, age_ms = DAY_MS },
}

local function bag(dice, exact)
  local list = {}
  for _, place in ipairs(places) do
    for _ = 1, (exact or place.name == "random") and place.share or 0 do
      list[#list + 1] = place
    end
  end
  return dice:shuffle(list)
end

--- So many tabs of a hundred, and a time for each.
local function draw_tabs(dice, percent, least_ms, most_ms)
  local drawn = {}
  for i = 1, #world.tabs do
    if dice:chance(percent) then
      drawn[#drawn + 1] = { tab = i, ms = dice:number(least_ms, most_ms) }
    end
  end
  return drawn
end

--- Who is away when the broker starts, and for how long.
local function draw_absences(dice)
  return draw_tabs(dice, 15, 50, 900)
end

--- Who begins anew while the others go on, and when.
local function draw_reloads(dice)
  return draw_tabs(dice, 30, 40, 150)
end

--- Who nods off for a moment, one after the other, so that there is something to replay.
local function draw_naps(dice)
  local naps = {}
  for i = 1, 20 do
    naps[i] = dice:number(1, #world.tabs)
  end
  return naps
end

local function draw_kill(dice, place)
  local kill = {
    place = place.name, bytes = dice:number(0, 4000), absences = draw_absences(dice), reloads = draw_reloads(dice),
  }
  -- In a pause, what was handed over too early gets out.
  kill.pause_ms = dice:chance(50) and 5 or 0
  kill.naps = place.name == "replay" and draw_naps(dice) or {}
  if place.name == "random" then
    kill.while_starting = dice:chance(20)
    kill.after_ms = kill.while_starting and dice:number(0, 60) or dice:number(0, 250)
  else
    kill.occurrence = dice:number(1, place.most)
  end
  return kill
end

--- The phases of a run: each with its limits, its kills, and what the operator does.
---@param seed integer
---@param kills integer
---@param exact boolean whether all places can be hit, and not random instants only
function plan.draw(seed, kills, exact)
  local dice = Dice.new(seed)
  local phases, left = {}, {}
  for i = 1, (kills + PHASE_KILLS - 1) // PHASE_KILLS do
    local phase = {
      limits = limits[(i - 1) % #limits + 1], loops = dice:number(1, 2), kills = {},
      absent = dice:number(1, #world.tabs), orderly = i % 2 == 0,
      restore = i % 3 == 2, backup_ms = dice:number(20, 120),
    }
    if exact and i % 6 == 3 then -- behind a restored backup
      phase.early_kill = draw_kill(dice, renewing)
    end
    while #phase.kills < PHASE_KILLS and (i - 1) * PHASE_KILLS + #phase.kills < kills do
      if #left == 0 then
        left = bag(dice, exact)
      end
      -- A phase begins with a broker that was not told to die.
      table.insert(phase.kills, draw_kill(dice, #phase.kills == 0 and at_random or table.remove(left)))
    end
    phases[i] = phase
  end
  return phases
end

--- The groups that were hit too rarely: a text, or nil. Of fewer than 200 kills nothing can be said.
function plan.shortfall(hits, kills)
  local short = {}
  if kills < 200 then
    return nil
  end
  for _, group in ipairs(plan.groups) do
    local count = plan.count(hits, group)
    if count < group.least * kills // 200 then
      short[#short + 1] = ("%s: %d of %d"):format(group.name, count, group.least * kills // 200)
    end
  end
  return #short > 0 and table.concat(short, "; ") or nil
end

function plan.count(hits, group)
  local count = 0
  for _, place in ipairs(group.places) do
    count = count + (hits[place] or 0)
  end
  return count
end

return plan
