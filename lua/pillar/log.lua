--- Lines in the broker's log, with the id of the request they belong to.

local core = require "pillar.core"

---@class pillar.log
---@field debug fun(format: string, ...)
---@field info fun(format: string, ...)
---@field warn fun(format: string, ...)
---@field error fun(format: string, ...)
local log = {}

for _, level in ipairs { "debug", "info", "warn", "error" } do
  ---@param format string as for string.format; taken as it is when nothing else is given
  log[level] = function(format, ...)
    if select("#", ...) > 0 then
      format = string.format(format, ...)
    end
    core.log(level, tostring(format))
  end
end

return log
