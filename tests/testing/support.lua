--- For the specs of pillar.testing: apps that are written in the spec, and errors that are expected.

local testing = require "pillar.testing"

local support = {}

--- What most apps of these specs begin with.
support.head = [[
local pillar = require "pillar"
local app = pillar.app()
app:migrate {
  "CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT, owner TEXT)",
  "CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT UNIQUE)",
}
app:authenticate(function(req)
  local name = req.headers["X-User"]
  return name and { id = name, how = "header" }
end)
app:entity("task")
app:entity("label")
local function emit(event)
  event.entity, event.action = event.entity or "task", event.action or "created"
  event.targetUserIds = event.targetUserIds or { "ada", "grace" }
  emit_sync_event(event)
end
]]

local files = {}

--- Writes a script, which is gone at the suite's end; returns its path.
---@param body string between the head and "return app"
function support.write(body)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(support.head, body, "\nreturn app\n")
  file:close()
  files[#files + 1] = path
  return path
end

require("busted").subscribe({ "suite", "end" }, function()
  for _, path in ipairs(files) do
    os.remove(path)
  end
  return nil, true
end)

--- Loads an app with these lines between the head and the end.
---@param body string
---@param options? table
function support.load(body, options)
  return testing.load(support.write(body), options)
end

--- The error that fn raises, as text.
function support.problem(fn, ...)
  local ok, problem = pcall(fn, ...)
  assert(not ok, "no error was raised")
  return tostring(problem)
end

return support
