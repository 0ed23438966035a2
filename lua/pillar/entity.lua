--- app:entity: the routes of one kind of row, with their events.
---
--- The handlers do the work; this file does what is the same for all: finding the row, 404, the status, and an event to
--- everybody whom the change concerns. For a change of an existing row, `targets` is asked before and after: who loses
--- sight of it gets "removed", who gains sight of it gets "created", the others get "updated".

local check = require "pillar.check"
local core = require "pillar.core"
local failure = require "pillar.failure"
local input = require "pillar.input"
local publish = require "pillar.emit"

local entity = {}

--- Gets the row that `find` has found as well.
---@alias pillar.RowHandler fun(req: pillar.Request, db: pillar.Database, row: table): any, any, any

---@class pillar.EntitySpec
---@field path? string "/api/tasks"; needed with any handler
---@field input? table<string, pillar.RuleSpec> what bodies may hold; in req.input of create, replace and update
---@field query? table<string, pillar.RuleSpec> what the query of `list` may hold; in its req.input
---@field list? pillar.Handler  GET path
---@field get? pillar.RowHandler  GET path/:id
---@field find? pillar.Find  the row with this id, or nil: 404; needed by all that get a row
---@field create? pillar.Handler  POST path; returns the row
---@field update? pillar.RowHandler  PATCH path/:id; returns the row as it is now
---@field replace? pillar.RowHandler  PUT path/:id; the same
---@field delete? pillar.RowHandler  DELETE path/:id
---@field targets? pillar.Targets  whom a row concerns; needed by all that change something
---@field silent? boolean some rows concern nobody, so that a change of them that is told to nobody is right
---@field external? boolean true: its events come by POST /api/emit or from C, and the script need not emit any
---@field project? fun(row: table): string|integer|nil  the event's projectId; by default row.projectId

---@alias pillar.Find fun(db: pillar.Database, id: string, req: pillar.Request): table?

--- User ids, or rows that hold one as userId, user_id or id; or pillar.everyone.
---@alias pillar.Targets fun(db: pillar.Database, row: table, req: pillar.Request): (string|integer|table)[]|table

local known = {
  path = "string",
  list = "function",
  get = "function",
  find = "function",
  create = "function",
  update = "function",
  replace = "function",
  delete = "function",
  targets = "function",
  project = "function",
  silent = "boolean",
  input = "table",
  query = "table",
  external = "boolean",
}

local needs_find = { "get", "update", "replace", "delete" }
local needs_targets = { "create", "update", "replace", "delete" }

local function check_spec(name, spec, level)
  local what = ("app:entity(%q)"):format(name)
  if type(spec) ~= "table" then
    error(what .. ": the second argument must be a table", level + 1)
  end
  check.options(what, spec, known, level + 1)
  local handlers = spec.list or spec.get or spec.create or spec.update or spec.replace or spec.delete
  if handlers and not spec.path then
    error(what .. ": handlers need a path", level + 1)
  end
  for _, handler in ipairs(needs_find) do
    if spec[handler] and not spec.find then
      error(("%s: '%s' needs 'find'"):format(what, handler), level + 1)
    end
  end
  for _, handler in ipairs(needs_targets) do
    if spec[handler] and not spec.targets then
      error(("%s: '%s' needs 'targets', which says whom the change concerns"):format(what, handler), level + 1)
    end
  end
end

--- The id in an answer of targets: ids themselves, or rows that hold one.
local function user_id(value)
  if type(value) == "table" then
    value = value.userId or value.user_id or value.id
  end
  if math.type(value) == "integer" then
    return tostring(value)
  end
  return value
end

--- The targets of a row: pillar.everyone, or a list of ids and the set of them.
local function ask_targets(name, spec, db, row, req)
  local answer = spec.targets(db, row, req)
  if answer == core.everyone then
    return answer, nil
  end
  if type(answer) ~= "table" then
    error(("%s: the targets of %s must be a list of user ids, or pillar.everyone; not a %s"):format(
      check.place(spec.targets), name, type(answer)), 0)
  end
  local ids, set = {}, {}
  for i, value in ipairs(answer) do
    local id = user_id(value)
    if type(id) ~= "string" then
      error(("%s: the targets of %s: element %d is no user id"):format(check.place(spec.targets), name, i), 0)
    end
    if not set[id] then
      set[id] = true
      ids[#ids + 1] = id
    end
  end
  return ids, set
end

--- Those of `ids` that are in `set`, or that are not.
local function select_ids(ids, set, inside)
  local selected = {}
  for _, id in ipairs(ids) do
    if (set[id] == true) == inside then
      selected[#selected + 1] = id
    end
  end
  return selected
end

local function project_of(spec, row)
  if spec.project then
    return spec.project(row)
  end
  return row.projectId
end

local function check_row(name, spec, handler, row)
  if type(row) ~= "table" or row.id == nil then
    error(("%s: '%s' of %s must return the row, with its id"):format(check.place(spec[handler]), handler, name), 0)
  end
end

local function emit(name, action, id, project, targets, data)
  if targets ~= core.everyone and #targets == 0 then
    return
  end
  publish({
    entity = name,
    action = action,
    targetUserIds = targets,
    entityId = id,
    projectId = project,
    data = data,
  }, 1)
end

--- What a change needs to know of the row as it was. It is asked before the handler, which may change the row in place.
local function look_at(name, spec, db, row, req)
  local targets, set = ask_targets(name, spec, db, row, req)
  return { id = row.id, project = project_of(spec, row), targets = targets, set = set }
end

--- The events of a row that was there before. Who falls out is told first, and learns neither what the row is now nor
--- where it went.
local function emit_change(name, before, after, row)
  local function tell(action, targets)
    emit(name, action, after.id, after.project, targets, row)
  end
  local function remove(targets)
    emit(name, "removed", before.id, before.project, targets, nil)
  end
  if after.targets == core.everyone then
    tell("updated", core.everyone)
  elseif before.targets == core.everyone then
    remove(core.everyone)
    tell("created", after.targets)
  else
    remove(select_ids(before.targets, after.set, false))
    tell("created", select_ids(after.targets, before.set, false))
    tell("updated", select_ids(after.targets, before.set, true))
  end
end

local function find(name, spec, req, db)
  local row = spec.find(db, req.params.id, req)
  if not row then
    failure.raise(404, "not_found", ("there is no such %s"):format(name))
  end
  return row
end

--- A handler may answer for itself, with a status; below 300 the row is then its body.
local function own_answer(first)
  return math.type(first) == "integer"
end

local function creator(name, spec)
  return function(req, db)
    local first, body, headers = spec.create(req, db)
    local row = own_answer(first) and body or first
    if own_answer(first) and first >= 300 then
      return first, body, headers
    end
    check_row(name, spec, "create", row)
    emit(name, "created", row.id, project_of(spec, row), (ask_targets(name, spec, db, row, req)), row)
    if own_answer(first) then
      return first, body, headers
    end
    return 201, row
  end
end

local function changer(name, spec, handler)
  return function(req, db)
    local found = find(name, spec, req, db)
    local before = look_at(name, spec, db, found, req)
    local first, body, headers = spec[handler](req, db, found)
    local row = own_answer(first) and body or first
    if own_answer(first) and first >= 300 then
      return first, body, headers
    end
    check_row(name, spec, handler, row)
    emit_change(name, before, look_at(name, spec, db, row, req), row)
    if own_answer(first) then
      return first, body, headers
    end
    return 200, row
  end
end

local function deleter(name, spec)
  return function(req, db)
    local found = find(name, spec, req, db)
    local before = look_at(name, spec, db, found, req)
    local first, body, headers = spec.delete(req, db, found)
    if own_answer(first) and first >= 300 then
      return first, body, headers
    end
    emit(name, "deleted", before.id, before.project, before.targets, nil)
    if first == nil then
      return 204
    end
    return first, body, headers
  end
end

---@param app pillar.App
---@param name string
---@param spec pillar.EntitySpec
---@param level integer of the script, as for error
function entity.define(app, name, spec, level)
  check_spec(name, spec, level + 1)
  local collection, one = spec.path, spec.path and spec.path:gsub("/+$", "") .. "/:id"
  local what = ("app:entity(%q)"):format(name)
  local rules = spec.input and input.compile(spec.input, "body", what, level + 1)
  local query = spec.query and input.compile(spec.query, "query", what, level + 1)
  local function add(operation, method, path, handler, of_input)
    app:add_route(method, path, {
      entity = name,
      operation = operation,
      silent = method ~= "GET" and spec.silent or nil,
      rules = of_input,
    }, handler, level + 2)
  end
  if spec.list then
    add("list", "GET", collection, spec.list, query)
  end
  if spec.get then
    add("get", "GET", one, function(req, db)
      return spec.get(req, db, find(name, spec, req, db))
    end)
  end
  if spec.create then
    add("create", "POST", collection, creator(name, spec), rules)
  end
  if spec.update then
    add("update", "PATCH", one, changer(name, spec, "update"), rules and rules:part())
  end
  if spec.replace then
    add("replace", "PUT", one, changer(name, spec, "replace"), rules)
  end
  if spec.delete then
    add("delete", "DELETE", one, deleter(name, spec))
  end
end

return entity
