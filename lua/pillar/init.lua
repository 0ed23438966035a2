--- Pillar: what a script gets from `require "pillar"`.
--- The reference, with an example for each function, is lua/README.md.

local App = require "pillar.app"
local check = require "pillar.check"
local core = require "pillar.core"
local disconnect = require "pillar.disconnect"
local failure = require "pillar.failure"
local input = require "pillar.input"

---@class pillar
---@field version string
---@field json pillar.json
---@field input pillar.input
---@field log pillar.log
---@field null lightuserdata JSON's null, and SQL's NULL
---@field everyone table all users, as the targets of an event
local pillar = {
  version = core.version,
  auth = require "pillar.auth",
  json = require "pillar.json",
  null = core.null,
  everyone = core.everyone,
  input = input.public,
  log = require "pillar.log",
}

--- Makes the app that the script defines and returns at its end.
---@param settings? table<string, string|number|boolean> defaults for the broker's options, by name, '_' for '-'
---@return pillar.App
function pillar.app(settings)
  return App.new(settings)
end

--- Ends the handler with an error answer; everything it has written and emitted vanishes.
---@param status integer 400 to 599
---@param code string a word for machines, such as "not_found"
---@param message? string a sentence for people
---@param field? string the input field that is wrong
function pillar.fail(status, code, message, field)
  failure.raise(status, code, message, field)
end

--- Ends a user's streams, all of them or those of one tab, when the handler's transaction is committed, behind its
--- events. In a handler that fails it comes to nothing.
---@param whom pillar.Disconnect
function pillar.disconnect(whom)
  disconnect(whom, 2)
end

--- Marks a table as a list, so that it is a list in JSON even when it is empty.
---@generic T
---@param t T[]
---@return T[]
function pillar.list(t)
  return core.list(t)
end

--- A new id: a UUID of version 7, so that ids made later sort later.
---@return string
function pillar.uuid()
  return core.uuid()
end

--- Unpredictable hex digits, for tokens.
---@param bytes integer 1 to 1024; there are twice as many digits
---@return string
function pillar.random(bytes)
  return core.random_hex(bytes)
end

--- Milliseconds since 1970-01-01 UTC.
---@return integer
function pillar.now()
  return core.now()
end

--- Compares two secrets in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function pillar.secretEqual(a, b)
  return core.secret_equal(a, b)
end

--- A value for an SQL parameter that is stored as a BLOB instead of TEXT.
---@param bytes string
---@return pillar.Blob
function pillar.blob(bytes)
  return core.blob(bytes)
end

return setmetatable(pillar, { __index = check.closed(pillar, "pillar.") })
