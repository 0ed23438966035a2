--- What the C side calls: loading a script, finding out who asks, running a route.

local core = require "pillar.core"
local answer = require "pillar.answer"
local emit = require "pillar.emit"
local App = require "pillar.app"
local paths = require "pillar.paths"
local report = require "pillar.report"
require "pillar"
require "pillar.db"
require "pillar.request"

local runtime = {}

local app -- the script's, once it is loaded
local loaded = {} -- paths of the files that were loaded with it

--- Publishes a change when the handler's transaction is committed.
---@param event pillar.Event
function _G.emit_sync_event(event)
  emit(event, 2)
end

--- Runs the script at `path`; returns what it defines, for the C side to read.
---@param path string
---@param whole? boolean with the description of the API, which one load of several is enough for
function runtime.load(path, whole)
  paths.set_script(path)
  local chunk, problem = loadfile(path)
  if not chunk then
    error(problem, 0)
  end
  app = chunk()
  if getmetatable(app) ~= App then
    error(path .. ": the script must end with: return app", 0)
  end
  local description = app:describe(path, whole)
  core.declare_entities(description.entities)
  return description
end

--- Notes a file that the script loads; what its handlers load later is not of interest.
function runtime.note_file(path)
  if core.is_loading() then
    loaded[#loaded + 1] = path
  end
end

--- Loads the script as well, and returns the lines of `pillar check`, and how many findings are among them.
---@param path string
---@param taken { own: string[], emit: string, explain: string } the paths that the broker answers by itself
function runtime.inspect(path, taken)
  runtime.load(path)
  return report.make(app, path, loaded, taken)
end

local function unauthorized(message)
  return 401, core.json_encode { error = { code = "unauthorized", message = message } },
    { "Content-Type", "application/json", "WWW-Authenticate", "Bearer" }
end

--- When a user expires, in milliseconds since 1970; nil for never.
local function expiry_of(user)
  local at = user.expiresAt
  local whole = type(at) == "number" and math.tointeger(at) or nil
  if at ~= nil and not whole then
    error("authenticate must return a user whose expiresAt, if there is one, is an integer: milliseconds since 1970", 0)
  end
  return whole
end

---@param assumed? string the user, as JSON: a test says who asks
local function sign_in(req, db, assumed)
  local user
  if assumed then
    user = core.json_decode(assumed)
  else
    user = app.authenticator(req, db)
  end
  if not user then
    return unauthorized "sign in first"
  end
  local id = type(user) == "table" and user.id
  if math.type(id) == "integer" then
    id = tostring(id)
  end
  if type(id) ~= "string" or id == "" then
    error("authenticate must return nil or a user: a table with an id, a string or an integer", 0)
  end
  local expires = expiry_of(user)
  if expires and expires <= core.now() then
    return unauthorized "the sign-in has expired: sign in again"
  end
  core.identify(id, expires or 0)
  req.user = user
end

--- Nothing for a user who may go on; else the answer.
function runtime.identify(req, db, index, assumed)
  if not app.routes[index].public then
    return sign_in(req, db, assumed)
  end
end

function runtime.identify_stream(req, db, _, assumed)
  return sign_in(req, db, assumed)
end

function runtime.handle(req, db, index)
  local route = app.routes[index]
  return answer.make(route.status or 200, route.handler(req, db))
end

return runtime
