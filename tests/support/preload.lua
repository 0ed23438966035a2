--- Loaded by busted before the specs: what a sanitizer needs in this process is not for the programs that specs start,
--- some of which do not bear it. PILLAR_PRELOAD still has it, for those that load our modules.

local uv = require "luv"

local preload = os.getenv("LD_PRELOAD")
if preload and preload ~= "" then
  uv.os_setenv("PILLAR_PRELOAD", preload)
  uv.os_unsetenv("LD_PRELOAD")
end
