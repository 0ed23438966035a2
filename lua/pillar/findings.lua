--- What `pillar check` points at: things that a script says and that cannot be meant.

local check = require "pillar.check"

local findings = {}

---@class pillar.Finding
---@field place string "app.lua:12"
---@field text string
---@field note? boolean worth knowing, and no mistake

local function add(list, place, format, ...)
  list[#list + 1] = { place = place, text = format:format(...) }
end

local function add_note(list, place, format, ...)
  list[#list + 1] = { place = place, text = format:format(...), note = true }
end

local function name_of(route)
  return ("%s %s"):format(route.method, route.pattern)
end

-- --- events and entities ---

local function check_emissions(list, app, emissions)
  for _, emission in ipairs(emissions) do
    local entity = emission.entity
    if entity and not app.entities[entity] then
      add(list, ("%s:%d"):format(emission.path, emission.line),
        "emit_sync_event names the entity '%s', which is not declared%s; declare it with app:entity(\"%s\")", entity,
        check.suggestion(entity, app.entities), entity)
    end
  end
end

local handlers = { "list", "get", "create", "update", "replace", "delete" }

local function has_one_of(spec, names)
  for _, name in ipairs(names) do
    if spec[name] then
      return true
    end
  end
  return false
end

--- Whether an event of the entity may come from somewhere in the text. A name may be put together, or travel in a
--- variable; then it is written down somewhere all the same.
local function may_be_emitted(name, text, emissions)
  local hidden = false
  for _, emission in ipairs(emissions) do
    if emission.entity == name or emission.built then
      return true
    end
    hidden = hidden or not emission.entity
  end
  return hidden and text:mentions(name)
end

local function check_entities(list, app, text, emissions)
  for _, entity in ipairs(app.declared) do
    local spec, name = entity.spec or {}, entity.name
    local idle = not spec.targets and not spec.external and not has_one_of(spec, handlers)
    if idle and not may_be_emitted(name, text, emissions) then
      add(list, entity.source,
        "nothing emits events of the entity '%s', and it has no routes; emit them, or remove it, or say "
          .. "{ external = true } if they come by POST /api/emit or from C", name)
    end
    if spec.input and not has_one_of(spec, { "create", "update", "replace" }) then
      add(list, entity.source, "the input rules of the entity '%s' are for create, update and replace, and it has "
        .. "none of them; remove 'input'", name)
    end
    if spec.query and not spec.list then
      add(list, entity.source, "the query rules of the entity '%s' are for list, and it has none; remove 'query'", name)
    end
  end
end

-- --- input rules ---

local function check_routes_input(list, app, text)
  for _, route in ipairs(app.routes) do
    if route.rules and not route.entity and not text:may_use_field(route.own_handler, 1, "input") then
      add(list, route.source, "the handler of %s has input rules, and does not look at req.input; use it, or remove "
        .. "the rules", name_of(route))
    end
  end
end

--- Where the request is among the parameters of an entity's functions.
local request_at = { create = 1, update = 1, replace = 1, find = 3, targets = 3 }

local function check_entities_input(list, app, text)
  for _, entity in ipairs(app.declared) do
    local spec = entity.spec or {}
    local used, unused = false, nil
    for name, number in pairs(request_at) do
      if spec[name] then
        used = used or text:may_use_field(spec[name], number, "input")
        unused = unused or number == 1
      end
    end
    if spec.input and unused and not used then
      add(list, entity.source, "no handler of the entity '%s' looks at req.input; use it, or remove 'input'",
        entity.name)
    end
    if spec.query and spec.list and not text:may_use_field(spec.list, 1, "input") then
      add(list, entity.source, "'list' of the entity '%s' does not look at req.input; use it, or remove 'query'",
        entity.name)
    end
  end
end

-- --- paths ---

local function segments_of(path)
  local list = {}
  for segment in path:gmatch("[^/]+") do
    list[#list + 1] = segment
  end
  return list
end

local function is_parameter(segment)
  return segment:sub(1, 1) == ":"
end

--- The literal segment of `a` that `b` would take for a parameter, when all else of the two is alike.
local function taken_segment(a, b)
  local taken
  if #a ~= #b then
    return nil
  end
  for i, segment in ipairs(a) do
    if is_parameter(b[i]) and not is_parameter(segment) then
      taken = taken or segment
    elseif is_parameter(b[i]) ~= is_parameter(segment) or not (is_parameter(segment) or segment == b[i]) then
      return nil
    end
  end
  return taken
end

local function check_overlaps(list, app)
  for _, route in ipairs(app.routes) do
    local segments = segments_of(route.pattern)
    for _, other in ipairs(app.routes) do
      local taken = not route.pattern:find("*", 1, true) and route.method == other.method
        and taken_segment(segments, segments_of(other.pattern))
      if taken then
        add_note(list, route.source, "%s goes before %s (%s), which never sees '%s'", name_of(route), name_of(other),
          other.source, taken)
      end
    end
  end
end

--- The broker answers its own paths before it looks at routes. A route of just such a path is refused elsewhere, but
--- for POST /api/emit and GET /api/events/explain, which are there with a key alone.
local function check_own_paths(list, app, paths)
  for _, route in ipairs(app.routes) do
    local hidden = {}
    for _, path in ipairs(paths.own) do
      if path:find("^/") and taken_segment(segments_of(path), segments_of(route.pattern)) then
        hidden[#hidden + 1] = path
      end
    end
    if route.pattern == paths.emit or route.pattern == paths.explain then
      add(list, route.source, "the broker itself answers %s as soon as it has an emit key; choose another path, or set "
        .. "--%s", route.pattern, route.pattern == paths.emit and "emit-path" or "events-path")
    elseif hidden[1] then
      add_note(list, route.source, "%s never sees %s, which the broker itself answers", name_of(route),
        table.concat(hidden, ", "))
    end
  end
end

--- Whether every path below the mount's prefix is matched by "<pattern>/*rest".
local function covers(pattern, prefix)
  local above, below = segments_of(pattern), segments_of(prefix)
  table.remove(above) -- the *rest
  for i, segment in ipairs(above) do
    if not below[i] or (not is_parameter(segment) and segment ~= below[i]) then
      return false
    end
  end
  return true
end

local function is_there(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end

local function check_mounts(list, app)
  for _, mount in ipairs(app.mounts) do
    if mount.missing and not is_there(mount.dir) then
      add_note(list, mount.source, "the directory %s is not there: %s", mount.dir, mount.missing)
    end
    for _, route in ipairs(app.routes) do
      if route.pattern:find("/*", 1, true) and covers(route.pattern, mount.prefix) then
        add(list, mount.source, "no file of app:static(%q) is ever served: %s (%s) goes before it; give one of them "
          .. "another path", mount.prefix == "" and "/" or mount.prefix, name_of(route), route.source)
        break
      end
    end
  end
end

-- --- all of them ---

local function order(a, b)
  local file_a, line_a = a.place:match("^(.*):(%d+)$")
  local file_b, line_b = b.place:match("^(.*):(%d+)$")
  if file_a ~= file_b then
    return tostring(file_a) < tostring(file_b)
  elseif line_a ~= line_b then
    return tonumber(line_a) < tonumber(line_b)
  end
  return a.text < b.text
end

---@param app pillar.App
---@param text pillar.ScriptText
---@param paths { own: string[], emit: string, explain: string } what the broker answers by itself
---@return pillar.Finding[]
function findings.list(app, text, paths)
  local list, emissions = {}, text:emissions()
  check_emissions(list, app, emissions)
  check_entities(list, app, text, emissions)
  check_routes_input(list, app, text)
  check_entities_input(list, app, text)
  check_overlaps(list, app)
  check_own_paths(list, app, paths)
  check_mounts(list, app)
  table.sort(list, order)
  return list
end

return findings
