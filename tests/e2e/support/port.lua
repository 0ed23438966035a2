--- A port that stays ours while no broker listens on it: bound and not listened on, so that a broker may listen there,
--- and nobody else is given it.

local uv = require "luv"

local port = {}

--- The handle, to be closed in the end, and the port's number.
function port.hold()
  local handle = uv.new_tcp()
  assert(handle:bind("127.0.0.1", 0))
  return handle, handle:getsockname().port
end

return port
