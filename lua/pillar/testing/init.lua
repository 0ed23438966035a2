--- Tests of a script: the broker's own core in this process, without a port, a thread or waiting.
---
---   local t = require("pillar.testing").load("app.lua")
---   local grace = t:connect { user = "grace" }
---   local res = t:post("/api/tasks", { user = "ada", json = { title = "Ship" } })
---   assert.equal(201, res.status)
---   assert.equal("created", grace:next().action)
---
--- Whatever is wrong with the script or the test is raised at the test's line.

local App = require "pillar.testing.app"
local blame = require "pillar.testing.blame"
local harness = require "pillar.harness"

local testing = {
  --- JSON's null, for the bodies of requests.
  null = harness.null,
}

--- The script's states get the library that this file is a part of.
local library_dir = debug.getinfo(1, "S").source:match("^@(.*)/pillar/testing/init%.lua$")

--- Marks a table as a JSON list, for one that is empty.
---@generic T
---@param list T[]
---@return T[]
function testing.list(list)
  return blame.call(harness.list, list)
end

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

--- A relative path is looked for beside the test, and then in the working directory.
local function find(path)
  local folder = blame.folder()
  if path:sub(1, 1) ~= "/" and folder and exists(folder .. "/" .. path) then
    return folder .. "/" .. path
  end
  return path
end

---@class pillar.testing.LoadOptions
---@field settings? table<string, string|number|boolean> the broker's options, by name, '_' for '-'
---@field now? integer when the clock begins, in milliseconds since 1970; by default now
---@field signIn? fun(user: string|table): table<string, string> the headers by which authenticate knows a user

--- Loads a script on a fresh database in memory.
---@param path string relative to the test's folder or to the working directory
---@param options? pillar.testing.LoadOptions
---@return pillar.testing.App
function testing.load(path, options)
  options = options or {}
  blame.check("load", options, { settings = "table", signIn = "function", now = "number" })
  local settings = {}
  for name, value in pairs(options.settings or {}) do
    settings[name] = value
  end
  settings.library = settings.library or library_dir
  return App.new(blame.call(harness.load, find(path), settings, options.now), options.signIn)
end

return testing
