--- Loaded by busted before the specs: whatever a failed test leaves behind ends with the run.

local uv = require "luv"
local Broker = require "support.broker"
local close = require "support.closing"

-- Writing to a broker that has gone away is an error to look at, not the end of the run.
local sigpipe = uv.new_signal()
sigpipe:start("sigpipe", function() end)
sigpipe:unref()

require("busted").subscribe({ "suite", "end" }, function()
  Broker.kill_all()
  -- luv does not bear it when Lua ends with handles open.
  uv.walk(close)
  uv.run()
  return nil, true
end)
