--- Tokens for the streams to show, made once for all runs.

local uv = require "luv"
local Issuer = require "support.issuer"

local tokens = {}
local issued

--- key and tokens are files.
function tokens.issue()
  if issued then
    return issued
  end
  local issuer = Issuer.new "HS256"
  issued = { issuer = issuer, key = issuer.dir .. "/key", tokens = issuer.dir .. "/tokens" }
  local file = assert(io.open(issued.key, "w"))
  file:write(issuer.secret)
  file:close()
  file = assert(io.open(issued.tokens, "w"))
  local exp = math.floor(uv.gettimeofday()) + 24 * 3600
  for i = 1, 100 do
    file:write(issuer:token { sub = "user" .. i, exp = exp }, "\n")
  end
  file:close()
  return issued
end

function tokens.close()
  if issued then
    issued.issuer:close()
    issued = nil
  end
end

return tokens
