--- The app: what a script defines. Each method checks what it is given at once, so that a mistake names the script's
--- line.

local check = require "pillar.check"
local core = require "pillar.core"
local cors = require "pillar.cors"
local entity = require "pillar.entity"
local input = require "pillar.input"
local openapi = require "pillar.openapi"
local paths = require "pillar.paths"
local pattern = require "pillar.pattern"

---@class pillar.User
---@field id string|integer
---@field expiresAt? integer when the sign-in ends, in milliseconds since 1970 UTC

---@alias pillar.Handler fun(req: pillar.Request, db: pillar.Database): any, any, any

---@class pillar.RouteOptions
---@field public? boolean anybody may ask, signed in or not; req.user is nil
---@field transaction? boolean false: the handler waits on something outside, and writes inside of db:transaction only
---@field silent? boolean nobody needs to know what the route changes, so that to emit nothing is right
---@field input? table<string, pillar.RuleSpec> what the body may hold, of a GET the query; see req.input

---@class pillar.App
---@field package routes table[]
---@field package entities table<string, boolean>
---@field package authenticator false|fun(req: pillar.Request, db: pillar.Database): pillar.User?
local App = {}
App.__index = check.closed(App, "app:")

local method_rank = { GET = 1, POST = 2, PUT = 3, PATCH = 4, DELETE = 5 }
local route_options = { public = "boolean", transaction = "boolean", silent = "boolean", input = "table" }
local openapi_options = { title = "string", version = "string", description = "string", cookie = "string" }

---@package
---@param settings? table
---@return pillar.App
function App.new(settings)
  if settings ~= nil and type(settings) ~= "table" then
    error("pillar.app: the settings must be a table", 3)
  end
  return setmetatable({
    settings = settings or {},
    routes = {},
    entities = {},
    entity_names = {},
    declared = {},
    api = false,
    mounts = {},
    migrations = {},
    authenticator = false,
    is_anonymous = false,
    cross_origin = false,
  }, App)
end

--- Says who is asking. The function gets the request, and a database that only reads, and returns a user, a table with
--- an `id`; or nil, and the request is answered with 401.
---@param fn fun(req: pillar.Request, db: pillar.Database): pillar.User?
function App:authenticate(fn)
  if type(fn) ~= "function" then
    error("app:authenticate takes a function", 2)
  end
  if self.authenticator then
    error("app:authenticate or app:anonymous was called already", 2)
  end
  self.authenticator = fn
end

--- Lets everybody in without signing in; all are the user { id = "anonymous" }.
function App:anonymous()
  if self.authenticator then
    error("app:authenticate or app:anonymous was called already", 2)
  end
  self.is_anonymous = true
  self.authenticator = function()
    return { id = "anonymous" }
  end
end

---@package
function App:add_route(method, path, options, handler, level)
  local problem = pattern.problem(path)
  if problem then
    error(problem, level + 1)
  end
  local mode = "read"
  if method ~= "GET" then
    mode = options.transaction == false and "free" or "write"
  elseif options.transaction ~= nil or options.silent ~= nil then
    error(("%s is for mutations; a GET only reads"):format(options.silent ~= nil and "silent" or "transaction"),
      level + 1)
  end
  self.routes[#self.routes + 1] = {
    method = method,
    pattern = path,
    mode = mode,
    public = options.public or false,
    silent = options.silent or false,
    status = options.status,
    rules = options.rules,
    entity = options.entity,
    operation = options.operation,
    own_handler = handler,
    handler = options.rules and options.rules:guard(handler) or handler,
    source = check.source(level + 1),
  }
end

local function define(app, method, path, options, handler)
  if handler == nil then
    options, handler = {}, options
  end
  local what = ("app:%s(%s)"):format(method:lower(), tostring(path))
  if type(options) ~= "table" or type(handler) ~= "function" then
    error(what .. " takes a path, a table of options if need be, and a function", 3)
  end
  check.options(what, options, route_options, 3)
  local rules = options.input and input.compile(options.input, method == "GET" and "query" or "body", what, 3)
  app:add_route(method, path, {
    public = options.public,
    transaction = options.transaction,
    silent = options.silent,
    rules = rules,
  }, handler, 3)
end

--- A route that reads: its handler sees one snapshot of the database and can neither write nor emit.
---@overload fun(self: pillar.App, path: string, handler: pillar.Handler)
---@param path string "/api/tasks/:id"
---@param options pillar.RouteOptions
---@param handler pillar.Handler
function App:get(path, options, handler)
  define(self, "GET", path, options, handler)
end

--- A route that changes something: the handler is a transaction. When it returns, what it wrote and emitted is
--- committed; when it raises, or answers with 400 or above, all of that vanishes.
---@overload fun(self: pillar.App, path: string, handler: pillar.Handler)
---@param path string "/api/tasks/:id"
---@param options pillar.RouteOptions
---@param handler pillar.Handler
function App:post(path, options, handler)
  define(self, "POST", path, options, handler)
end

--- As app:post, for PUT.
---@overload fun(self: pillar.App, path: string, handler: pillar.Handler)
---@param path string "/api/tasks/:id"
---@param options pillar.RouteOptions
---@param handler pillar.Handler
function App:put(path, options, handler)
  define(self, "PUT", path, options, handler)
end

--- As app:post, for PATCH.
---@overload fun(self: pillar.App, path: string, handler: pillar.Handler)
---@param path string "/api/tasks/:id"
---@param options pillar.RouteOptions
---@param handler pillar.Handler
function App:patch(path, options, handler)
  define(self, "PATCH", path, options, handler)
end

--- As app:post, for DELETE.
---@overload fun(self: pillar.App, path: string, handler: pillar.Handler)
---@param path string "/api/tasks/:id"
---@param options pillar.RouteOptions
---@param handler pillar.Handler
function App:delete(path, options, handler)
  define(self, "DELETE", path, options, handler)
end

--- Declares an entity, so that events may name it. With a table that has handlers, makes its routes too, and emits for
--- them; see lua/pillar/entity.lua.
---@param name string
---@param spec? pillar.EntitySpec
function App:entity(name, spec)
  if type(name) ~= "string" or not name:match("^%a[%w_.-]*$") or #name > 64 then
    error("app:entity: the name must be a letter followed by letters, digits, '_', '-' or '.', at most 64 in all", 2)
  end
  if self.entities[name] then
    error(("app:entity: '%s' is declared twice"):format(name), 2)
  end
  self.entities[name] = true
  self.entity_names[#self.entity_names + 1] = name
  self.declared[#self.declared + 1] = {
    name = name,
    source = check.source(2),
    spec = spec,
    path = type(spec) == "table" and type(spec.path) == "string" and spec.path:gsub("/+$", "") or nil,
  }
  if spec ~= nil then
    entity.define(self, name, spec, 2)
  end
end

--- What the description of the API at /openapi.json says of the app as a whole.
---@param options pillar.OpenApiOptions
function App:openapi(options)
  if type(options) ~= "table" then
    error("app:openapi takes a table: { title = ..., version = ..., description = ... }", 2)
  elseif self.api then
    error("app:openapi was called already", 2)
  end
  check.options("app:openapi", options, openapi_options, 2)
  for name, text in pairs(options) do
    if not core.valid_utf8(text) then
      error(("app:openapi: '%s' must be valid UTF-8"):format(name), 2)
    end
  end
  self.api = options
end

--- Lets pages of other origins use the app: the broker answers their preflights, and gives every answer the headers
--- that let them read it. Without it, a page of another origin reads nothing and changes nothing.
---@param options pillar.Cors
function App:cors(options)
  if self.cross_origin then
    error("app:cors was called already", 2)
  end
  self.cross_origin = cors.read(options, 2)
end

---@class pillar.Static
---@field fallback? string a file to serve where there is none, for pages that route by themselves
---@field immutable? string "assets/", a folder of files whose names change with what is in them: never asked for anew
---@field missing? string what to do about it while the directory is not there; else the script does not load then

--- Serves the files of a directory, without signing in. A path is looked for among the routes first.
---@param prefix string "/" or "/assets"
---@param dir string relative to the script
---@param options? pillar.Static
function App:static(prefix, dir, options)
  local problem = pattern.problem(prefix)
  if problem or prefix:find("[:*]") then
    error("app:static: " .. (problem or "the prefix has no parameters"), 2)
  end
  if type(dir) ~= "string" or dir == "" then
    error("app:static: the directory must be a string", 2)
  end
  options = options or {}
  check.options("app:static", options, { fallback = "string", immutable = "string", missing = "string" }, 2)
  if options.immutable and not options.immutable:find("^[^/].*/$") then
    error("app:static: 'immutable' must be a folder below the directory, such as \"assets/\"", 2)
  end
  self.mounts[#self.mounts + 1] = {
    prefix = prefix:gsub("/+$", ""),
    dir = dir,
    fallback = options.fallback,
    immutable = options.immutable,
    missing = options.missing,
    source = check.source(2),
  }
end

--- The schema's steps, in order: SQL texts, or tables { name = ..., sql = ... }. Each is applied once, when a broker
--- starts. Never change a step that was applied anywhere; add one.
---@param steps (string|{ name: string, sql: string })[]
function App:migrate(steps)
  if type(steps) ~= "table" then
    error("app:migrate takes a list of SQL texts", 2)
  end
  for i, step in ipairs(steps) do
    if type(step) == "string" then
      step = { name = "", sql = step }
    end
    if type(step) ~= "table" or type(step.sql) ~= "string" then
      error(("app:migrate: step %d must be an SQL text, or { name = ..., sql = ... }"):format(i), 2)
    end
    check.options(("app:migrate: step %d"):format(i), step, { name = "string", sql = "string" }, 2)
    self.migrations[#self.migrations + 1] = { name = step.name or "", sql = step.sql }
  end
end

--- What is behind POST /api/emit. The C side handles it, and knows the path; here it only has a number.
local emit_api = { method = "POST", pattern = "", mode = "write", public = true, silent = true, source = "pillar" }

local function list_settings(settings)
  local list = {}
  for name, value in pairs(settings) do
    if type(value) == "boolean" then
      value = value and "on" or "off"
    end
    list[#list + 1] = { name = tostring(name), value = tostring(value) }
  end
  return list
end

--- What the C side needs to know.
---@package
---@param path string of the script
---@param whole? boolean with the description of the API
function App:describe(path, whole)
  if not self.authenticator then
    error(path .. ": nobody says who is asking; call app:authenticate(function(req, db) ... end), or app:anonymous() "
      .. "if everybody may do everything", 0)
  end
  for _, mount in ipairs(self.mounts) do
    mount.dir = paths.resolve(mount.dir, path)
  end
  -- Each worker loads the script anew and knows a route by its number, whatever order pairs() gave this time.
  table.sort(self.routes, function(a, b)
    return a.pattern < b.pattern or (a.pattern == b.pattern and method_rank[a.method] < method_rank[b.method])
  end)
  local description = whole and openapi.build(self) or ""
  self.routes[#self.routes + 1] = emit_api
  return {
    routes = self.routes,
    entities = self.entity_names,
    mounts = self.mounts,
    migrations = self.migrations,
    settings = list_settings(self.settings),
    anonymous = self.is_anonymous,
    openapi = description,
    cors = self.cross_origin,
  }
end

return App
