--- A tab of a user's browser: it fetches all that the user may see, listens from there on, posts mutations meanwhile,
--- several at a time, and folds what it is answered and told into its state.
---
--- Its `trace` is what the oracle judges: in order, tables with a `kind`:
---   fetch { seq, position, known }     a snapshot was taken over; it shows the changes up to seq
---   reload {}                          the page begins anew: the next fetch is where its stream begins
---   visit { told, resync }             a stream from a place of the past: see crash/visit.lua
---   connect { id }                     the stream is asked for, from this id on
---   ready { id, position }             it is there
---   event { id, event }                with the event's fields
---   resync { reason, position, sent, at }
---   cut {}                             the stream was lost

local uv = require "luv"
local EventSource = require "crash.event_source"
local Link = require "crash.link"
local cjson = require "cjson"
local request = require "crash.request"
local seen = require "crash.seen"
local story = require "crash.story"
local world = require "crash.world"

---@class Tab
---@field name string
---@field state table<string, table> by "entity:id": { seq, row }, without a row where it is known to be gone
---@field trace table[]
---@field open table[] mutations that the oracle has not seen answered
---@field busy integer mutations on their way
---@field begun integer how often it had to begin anew
---@field fence? string the last marker that it has received
local Tab = {}
Tab.__index = Tab

local LANES = 3
local THINK_MS = 50

-- --- the state ---

local function put(state, entity, id, seq, row)
  local key = entity .. ":" .. id
  if not state[key] or state[key].seq < seq then
    state[key] = { seq = seq, row = row }
  end
end

--- Takes what one change means to this tab, be it told by an event or by the answer to a mutation: an answer may come
--- long after the change, when the snapshot shows it and more.
local function fold(self, note)
  if note.seq > self.snapshot_seq then
    put(self.state, note.entity, note.id, note.seq, note.row)
  end
  if self.fetching then
    table.insert(self.notes, note)
  end
end

function Tab:listens_to(entity)
  if not self.entities then
    return true
  end
  for _, name in ipairs(self.entities) do
    if name == entity then
      return true
    end
  end
  return false
end

-- --- fetching ---

local function take_snapshot(self, response)
  local answer = response:json()
  local seq = math.tointeger(answer.seq)
  self.state, self.snapshot_seq = {}, seq
  for _, entity in ipairs { "task", "notice" } do
    for _, row in ipairs(self:listens_to(entity) and answer[entity] or {}) do
      put(self.state, entity, row.id, math.tointeger(row.seq), row)
    end
  end
  for _, note in ipairs(self.notes) do
    if note.seq > seq then
      put(self.state, note.entity, note.id, note.seq, note.row)
    end
  end
  table.insert(self.trace, {
    kind = "fetch", seq = seq, position = response.headers["sync-position"], known = self.fetch_known,
  })
end

--- Fetches anew; what an earlier fetch brings is too old.
local function fetch(self, on_fetched)
  local mine = {}
  self.fetching = mine
  request.send(self.port, "GET", "/api/state", {
    headers = { ["X-User"] = self.user },
    on_attempt = function()
      if self.fetching == mine then
        self.notes, self.fetch_known = {}, self.answered_seq
      end
    end,
  }, function(response)
    if self.fetching ~= mine then
      return
    end
    assert(response.status == 200, "GET /api/state: " .. response.status .. " " .. response.body)
    take_snapshot(self, response)
    self.fetching = nil
    if on_fetched then
      on_fetched(response.headers["sync-position"])
    end
  end)
end

-- --- the stream ---

local function wall_ms()
  local seconds, microseconds = uv.gettimeofday()
  return seconds * 1000 + microseconds // 1000
end

local takes = {}

function takes:ready(event, data)
  self.live = true
  table.insert(self.trace, { kind = "ready", id = event.id, position = data.position })
end

function takes:resync(event, data)
  table.insert(self.trace, {
    kind = "resync", reason = data.reason, position = data.position, id = event.id, sent = self.sent, at = wall_ms(),
  })
  self.begun = self.begun + 1
  if self.reloads then
    self:reload()
  else
    fetch(self)
  end
end

function takes:sync(event, data)
  if data.entity == "fence" then
    self.fence = data.action
  end
  table.insert(self.trace, { kind = "event", id = event.id, event = data })
  local change = data.data
  if change then
    change.seq, change.version = math.tointeger(change.seq), math.tointeger(change.version)
    fold(self, { entity = data.entity, id = data.entityId, seq = change.seq, row = change.row })
  end
end

local function stream(self, position)
  local target = ("/api/events?user=%s&sessionId=%s&lastEventId=%s"):format(self.user, self.session, position)
  if self.entities then
    target = target .. "&entities=" .. table.concat(self.entities, ",") .. ",fence"
  end
  self.source = EventSource.new(self.port, target, {
    on_connect = function(id)
      self.sent = id ~= "" and id or position
      table.insert(self.trace, { kind = "connect", id = self.sent })
    end,
    on_event = function(event) takes[event.type](self, event, cjson.decode(event.data)) end,
    on_cut = function()
      self.live = false
      table.insert(self.trace, { kind = "cut" })
    end,
    on_fail = function(reason) error(self.name .. ": the EventSource gave up: " .. reason, 0) end,
  })
end

local function cut(self)
  self.live = false
  if self.source then
    self.source:close()
    table.insert(self.trace, { kind = "cut" })
  end
end

--- Loses its connection, and does not come back before it is woken.
function Tab:sleep()
  if not self.asleep then
    self.asleep = true
    cut(self)
  end
end

function Tab:wake()
  if self.asleep then
    self.asleep = false
    if self.source then
      self.source:open()
    end
  end
end

local function listen_from(self, position)
  stream(self, position)
  if not self.asleep then
    self.source:open()
  end
end

--- Fetches, and listens from there on; its mutations go on, as a queue does that outlives the page.
function Tab:reload()
  cut(self)
  self.source, self.begun = nil, self.begun + 1
  table.insert(self.trace, { kind = "reload" })
  fetch(self, function(position) listen_from(self, position) end)
end

--- Listens from a position of the past, instead of fetching.
function Tab:visit(position, told, resync)
  table.insert(self.trace, { kind = "visit", told = told, resync = resync })
  listen_from(self, position)
end

--- Whether it has nothing to wait for.
function Tab:is_settled()
  return self.busy == 0 and self.live and not self.fetching
end

-- --- mutations ---

local function take_answer(self, mutation, response)
  mutation.status, mutation.code = response.status, request.error_code(response)
  mutation.replayed = response.headers["idempotency-replayed"] == "true"
  mutation.answer = response.status < 300 and response:json().changes or {}
  if mutation.code == "idempotency_incomplete" then -- it was made, and what came of it is to be fetched
    self:reload()
  end
  for _, change in ipairs(mutation.answer) do
    change.seq, change.version = math.tointeger(change.seq), math.tointeger(change.version)
    self.answered_seq = math.max(self.answered_seq, change.seq)
    local action = seen.by(self.user, change)
    if action and self:listens_to(change.entity) then
      fold(self, {
        entity = change.entity, id = change.entityId, seq = change.seq,
        row = action ~= "removed" and action ~= "deleted" and change.row or nil,
      })
    end
  end
end

local function visible_tasks(self)
  local ids = {}
  for _, entry in pairs(self.state) do
    if entry.row and entry.row.projectId then
      ids[#ids + 1] = entry.row.id
    end
  end
  table.sort(ids)
  return ids
end

local function send_mutation(self, on_answered)
  local method, path, body = world.draw(self.dice, visible_tasks(self))
  local mutation = {
    key = ("%s-%d"):format(self.name, self.sent_count + 1), method = method, path = path, attempts = 0,
  }
  self.sent_count = self.sent_count + 1
  table.insert(self.open, mutation)
  self.busy = self.busy + 1
  request.send(self.port, method, path, {
    headers = { ["X-User"] = self.user, ["X-Session-Id"] = self.session, ["Idempotency-Key"] = mutation.key },
    json = body,
    on_attempt = function() mutation.attempts = mutation.attempts + 1 end,
  }, function(response)
    self.busy = self.busy - 1
    take_answer(self, mutation, response)
    on_answered()
  end)
end

--- One after the other, with a pause to think; several lanes make several at a time.
local function work(self)
  Link.after(self.dice:number(0, THINK_MS), function()
    if self.paused() then
      return Link.after(THINK_MS, function() work(self) end)
    end
    send_mutation(self, function() work(self) end)
  end)
end

-- --- life ---

---@param port integer
---@param who { user: string, session: string, entities?: string[] } one of world.tabs
---@param dice Dice its own
---@param paused fun(): boolean whether no new mutations are to be sent
---@return Tab
function Tab.new(port, who, dice, paused)
  return setmetatable({
    name = who.user .. "/" .. who.session, user = who.user, session = who.session, entities = who.entities,
    reloads = who.reloads,
    port = port, dice = dice, paused = paused,
    state = {}, trace = {}, notes = {}, open = {}, sent_count = 0, busy = 0, begun = 0,
    answered_seq = 0, snapshot_seq = 0,
  }, Tab)
end

--- Fetches, listens, and works from then on.
function Tab:start()
  fetch(self, function(position)
    listen_from(self, position)
    for _ = 1, LANES do
      work(self)
    end
    story.add("%s begins at %s", self.name, position)
  end)
end

--- The history that its answers spoke of is not that of the database any more.
function Tab:forget_answers()
  self.answered_seq = 0
end

return Tab
