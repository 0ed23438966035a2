--- The description of an app's API: OpenAPI 3.1, whose schemas are JSON Schema 2020-12. Made from the routes and their
--- input rules when the script is loaded; the broker serves the text.

local core = require "pillar.core"
local document = require "pillar.document"
local schema = require "pillar.schema"

local openapi = {}

---@class pillar.OpenApiOptions
---@field title? string
---@field version? string of the API, not of OpenAPI
---@field description? string in CommonMark
---@field cookie? string the cookie that `authenticate` reads; "session" by default

local function ref(kind, name)
  return { ["$ref"] = ("#/components/%s/%s"):format(kind, name) }
end

local function json_content(of)
  return { ["application/json"] = { schema = of } }
end

--- "postApiTasksByIdComplete", for a plain route.
local function plain_name(route)
  local parts = { route.method:lower() }
  for segment in route.pattern:gmatch("[^/]+") do
    local kind, name = segment:match("^([:*]?)(.*)$")
    for word in name:gmatch("%w+") do
      parts[#parts + 1] = (kind == ":" and "By" or "") .. word:sub(1, 1):upper() .. word:sub(2)
      kind = ""
    end
  end
  return parts[2] and table.concat(parts) or parts[1] .. "Root"
end

--- "createTask", for a handler of an entity.
local function entity_name(route)
  local words = {}
  for word in route.entity:gmatch("%w+") do
    words[#words + 1] = word:sub(1, 1):upper() .. word:sub(2)
  end
  return route.operation .. table.concat(words)
end

--- The name, or the first of name2, name3, ... that is free, which is taken from then on.
local function unique(taken, name)
  local free, n = name, 1
  while taken[free] do
    n = n + 1
    free = name .. n
  end
  taken[free] = true
  return free
end

--- The path as OpenAPI writes it, and its parameters in order.
local function template(pattern)
  local parameters = {}
  local path = pattern:gsub("[{}]", { ["{"] = "%7B", ["}"] = "%7D" }):gsub("[^/]+", function(segment)
    local kind, name = segment:match("^([:*])(.*)$")
    if kind then
      parameters[#parameters + 1] = { name = name, rest = kind == "*" }
      return "{" .. name .. "}"
    end
  end)
  return path, parameters
end

local function path_parameter(parameter)
  return {
    ["in"] = "path",
    name = parameter.name,
    required = true,
    schema = { type = "string" },
    description = parameter.rest and "The rest of the path, with its slashes." or nil,
  }
end

local function query_parameter(field)
  return {
    ["in"] = "query",
    name = field.name,
    required = not field.rule.optional and field.rule.default == nil,
    schema = schema.of_rule(field.rule),
  }
end

local function parameters_of(route, path_parameters)
  local list = core.list {}
  for _, parameter in ipairs(path_parameters) do
    list[#list + 1] = path_parameter(parameter)
  end
  if route.rules and route.rules.where == "query" then
    for _, field in ipairs(route.rules.fields) do
      list[#list + 1] = query_parameter(field)
    end
  end
  if route.method ~= "GET" then
    list[#list + 1] = ref("parameters", "SessionId")
    list[#list + 1] = ref("parameters", "IdempotencyKey")
    list[#list + 1] = not route.public and ref("parameters", "UserId") or nil
  end
  return list[1] and list or nil
end

--- The schema of a body: one of an entity is named, since create and replace share it.
local function body_schema(builder, route)
  local of = schema.of_fields(route.rules.fields, route.rules.partial)
  if not route.entity then
    return of
  end
  local key = route.entity .. (route.rules.partial and "Patch" or "Input")
  builder.schemas[key] = of
  return ref("schemas", key)
end

local function has_body(route)
  return route.rules and route.rules.where == "body"
end

local function request_body(builder, route)
  if not has_body(route) then
    return nil
  end
  local required = false
  for _, field in ipairs(route.rules.fields) do
    required = required or not (route.rules.partial or field.rule.optional or field.rule.default ~= nil)
  end
  return { required = required, content = json_content(body_schema(builder, route)) }
end

local function good_response(route, description, of)
  local response = { description = description, content = json_content(of) }
  if route.method == "GET" then
    response.headers = { ["Sync-Position"] = ref("headers", "SyncPosition") }
  end
  return response
end

local no_content = { description = "Done; there is nothing to say." }

--- What goes well, by operation of an entity; `plain` for a route of the script's own.
local good_responses = {
  list = function(route)
    return { ["200"] = good_response(route, "The rows that the user may see, as the handler answers them.", {}) }
  end,
  get = function(route)
    return { ["200"] = good_response(route, "The row.", ref("schemas", "Row")) }
  end,
  create = function(route)
    return { ["201"] = good_response(route, "The new row.", ref("schemas", "Row")) }
  end,
  update = function(route)
    return { ["200"] = good_response(route, "The row as it is now.", ref("schemas", "Row")) }
  end,
  delete = function(route)
    return { ["200"] = good_response(route, "The row as it was.", ref("schemas", "Row")), ["204"] = no_content }
  end,
  plain = function(route)
    local responses = { ["200"] = good_response(route, "What the handler answers.", {}) }
    responses["204"] = route.method ~= "GET" and no_content or nil
    return responses
  end,
}
good_responses.replace = good_responses.update

local finds_a_row = { get = true, update = true, replace = true, delete = true }

local function responses_of(builder, route)
  local responses = good_responses[route.operation or "plain"](route)
  if route.rules then
    responses["400"] = ref("responses", "BadInput")
  end
  if builder.signs_in and not route.public then
    responses["401"] = ref("responses", "Unauthorized")
  end
  if finds_a_row[route.operation] then
    responses["404"] = ref("responses", "NotFound")
  end
  if has_body(route) then
    responses["415"] = ref("responses", "UnsupportedMediaType")
  end
  if route.method ~= "GET" then
    responses["409"] = ref("responses", "Conflict")
    responses["422"] = ref("responses", "IdempotencyKeyReused")
  end
  responses.default = ref("responses", "Error")
  return responses
end

--- The entity whose path the route lies at or below; of several the one with the longest path.
local function tag_of(builder, route)
  local best
  for _, entity in ipairs(builder.app.declared) do
    local path = entity.path
    local inside = path and (route.pattern == path or route.pattern:sub(1, #path + 1) == path .. "/")
    if inside and (not best or #path > #best.path) then
      best = entity
    end
  end
  return route.entity or best and best.name
end

local function operation(builder, route, path_parameters)
  local tag = tag_of(builder, route)
  if tag then
    builder.tags[tag] = true
  end
  return {
    operationId = unique(builder.names, route.entity and entity_name(route) or plain_name(route)),
    tags = tag and core.list { tag } or nil,
    parameters = parameters_of(route, path_parameters),
    requestBody = request_body(builder, route),
    responses = responses_of(builder, route),
    security = builder.signs_in and route.public and core.list {} or nil,
  }
end

--- Two paths that differ in the names of their parameters are one to OpenAPI. The first gives the names; a *rest where
--- there is a :name with the same method cannot be told, and is left out.
local function add_route(builder, route)
  local path, parameters = template(route.pattern)
  local structure = path:gsub("{[^}]*}", "{}")
  local known = builder.paths[structure]
  if not known then
    known = { path = path, parameters = parameters, item = {} }
    builder.paths[structure] = known
  end
  local method = route.method:lower()
  if not known.item[method] then
    known.item[method] = operation(builder, route, known.parameters)
  end
end

local function add_routes(builder)
  for _, with_rest in ipairs { false, true } do
    for _, route in ipairs(builder.app.routes) do
      if (route.pattern:find("/*", 1, true) ~= nil) == with_rest then
        add_route(builder, route)
      end
    end
  end
end

-- --- what is the same for every app ---

local string_schema = { type = "string" }

local error_schema = {
  type = "object",
  required = core.list { "error" },
  properties = {
    error = {
      type = "object",
      required = core.list { "code", "message" },
      properties = {
        code = { type = "string", description = "A word for machines, such as not_found." },
        message = { type = "string", description = "A sentence for people." },
        field = { type = "string", description = "The field that is wrong, if one is; the first of several." },
        fields = {
          type = "array",
          description = "With the code invalid_field: all that is wrong. Elements of lists are counted from 0.",
          items = {
            type = "object",
            required = core.list { "field", "message" },
            properties = { field = string_schema, message = string_schema },
          },
        },
      },
    },
  },
}

local row_schema = {
  type = "object",
  required = core.list { "id" },
  properties = { id = { type = core.list { "string", "integer" } } },
}

local function event_schema(app)
  local names = core.list { table.unpack(app.entity_names) }
  table.sort(names)
  return {
    type = "object",
    description = "The data of an event `sync` in the stream.",
    required = core.list { "entity", "action", "timestamp" },
    properties = {
      entity = names[1] and { type = "string", enum = names } or string_schema,
      action = { type = "string", description = "created, updated, deleted, removed, or a word of the app's own." },
      entityId = string_schema,
      projectId = string_schema,
      userId = string_schema,
      sessionId = string_schema,
      timestamp = { type = "integer", description = "Milliseconds since 1970." },
      data = { description = "The row, as a rule." },
    },
  }
end

local function parameter(where, name, description)
  return { ["in"] = where, name = name, description = description, required = false, schema = string_schema }
end

local function stream(builder)
  return {
    get = {
      operationId = unique(builder.names, "openEventStream"),
      tags = core.list { "events" },
      summary = "The changes that concern the user, as they happen",
      description = "Server-Sent Events: `ready` first, which names the user; then `sync` for each change, its data a "
        .. "SyncEvent; `resync` when what was missed cannot be told, and rows are to be fetched anew.",
      parameters = core.list {
        parameter("query", "sessionId", "The tab's session: what it changes by itself is not sent to it."),
        parameter("query", "entities", "Only events of these entities, parted by commas."),
        parameter("query", "lastEventId", "Go on behind this event, or behind a Sync-Position."),
        parameter("header", "X-Session-Id", "As sessionId, for clients that can send headers."),
        parameter("header", "Last-Event-ID", "As lastEventId; browsers send it when they come back."),
        ref("parameters", "UserId"),
      },
      responses = {
        ["200"] = {
          description = "The stream; its end is that of the connection.",
          content = { ["text/event-stream"] = { schema = string_schema } },
        },
        ["400"] = ref("responses", "Error"),
        ["401"] = builder.signs_in and ref("responses", "Unauthorized") or nil,
      },
    },
  }
end

local function error_response(description)
  return { description = description, content = json_content(ref("schemas", "Error")) }
end

local idempotency_key = parameter("header", "Idempotency-Key",
  "Carries the request out once: sent again with the same key, it gets the first answer.")
idempotency_key.schema = { type = "string", pattern = "^[!-~]+$", maxLength = 255 }

local function components(builder, options)
  builder.schemas.Error = error_schema
  builder.schemas.Row = row_schema
  builder.schemas.SyncEvent = event_schema(builder.app)
  return {
    schemas = builder.schemas,
    headers = {
      SyncPosition = {
        description = "The place in the history that the answer shows; a stream opened with it as lastEventId misses "
          .. "nothing since.",
        schema = string_schema,
      },
    },
    parameters = {
      IdempotencyKey = idempotency_key,
      SessionId = parameter("header", "X-Session-Id", "The tab's session, whose stream does not get the change."),
      UserId = parameter("header", "X-User-Id", "On whose behalf the request is made: the user's id, percent-encoded. "
        .. "It is refused (other_user) when somebody else is signed in."),
    },
    responses = {
      BadInput = error_response "The input does not fit.",
      Conflict = error_response("It conflicts with what is there; or a request with this Idempotency-Key is being "
        .. "carried out (idempotency_in_progress), or has changed something, and its answer is not known "
        .. "(idempotency_incomplete)."),
      Error = error_response "It went wrong.",
      IdempotencyKeyReused = error_response "The Idempotency-Key came with another request before.",
      NotFound = error_response "There is no such row, or the user may not see it.",
      Unauthorized = error_response "Nobody has signed in, or somebody else than X-User-Id says (other_user).",
      UnsupportedMediaType = error_response "The body was not sent as application/json.",
    },
    securitySchemes = builder.signs_in and {
      bearer = { type = "http", scheme = "bearer" },
      cookie = { type = "apiKey", ["in"] = "cookie", name = options.cookie or "session" },
    } or nil,
  }
end

local function tag_list(builder)
  local names, list = { "events" }, core.list {}
  for name in pairs(builder.tags) do
    names[#names + 1] = name ~= "events" and name or nil
  end
  table.sort(names)
  for i, name in ipairs(names) do
    list[i] = { name = name }
  end
  return list
end

--- The description's text: JSON, whose order is the same each time. document.EVENTS_PATH in it stands for the path of
--- the event stream, which is an option of the broker.
---@param app pillar.App
---@return string
function openapi.build(app)
  local options = app.api or {}
  local builder = { app = app, signs_in = not app.is_anonymous, names = {}, tags = {}, schemas = {}, paths = {} }
  local paths = { [document.EVENTS_PATH] = stream(builder) }
  add_routes(builder)
  for _, known in pairs(builder.paths) do
    paths[known.path] = known.item
  end
  return document.encode {
    openapi = "3.1.0",
    info = {
      title = options.title or "API",
      version = options.version or "0.0.0",
      description = options.description,
    },
    paths = paths,
    components = components(builder, options),
    security = builder.signs_in and core.list { { bearer = core.list {} }, { cookie = core.list {} } } or nil,
    tags = tag_list(builder),
  }
end

return openapi
