--- Closes a handle, and keeps it from the garbage collector until it is closed: luv frees it too early otherwise.

local kept = {} -- luacheck: ignore 241

return function(handle)
  if handle and not handle:is_closing() then
    kept[handle] = true
    handle:close(function() kept[handle] = nil end)
  end
end
