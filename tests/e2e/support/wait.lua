--- Waiting on conditions: the event loop runs until one holds, and a test fails when it does not hold in time.

local uv = require "luv"
local close = require "support.closing"

local wait = {}

--- Generous, since a sanitizer or a busy machine is slow; a condition that comes true ends the wait at once.
wait.patience = 20000

--- Runs the loop until `condition` returns something true, and returns that.
function wait.until_true(what, condition, patience)
  local late = false
  local limit = uv.new_timer()
  limit:start(patience or wait.patience, 0, function() late = true end)
  local result = condition()
  while not result and not late do
    uv.run("once")
    result = condition()
  end
  close(limit)
  if not result then
    error(("waited %d ms for %s"):format(patience or wait.patience, what), 2)
  end
  return result
end

--- Milliseconds of a monotonic clock.
function wait.now()
  return uv.hrtime() / 1e6
end

return wait
