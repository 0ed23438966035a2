--- What a change means to a user.

local seen = {}

local function contains(list, user)
  for _, name in ipairs(list) do
    if name == user then
      return true
    end
  end
  return false
end

--- The action that the user is to be told of a change (a row of `changes`, its lists decoded); nil: none.
---@return string?
function seen.by(user, change)
  if not change.before then
    return "updated"
  end
  local before, after = contains(change.before, user), contains(change.after, user)
  if change.action == "deleted" then
    return before and "deleted" or nil
  elseif before and after then
    return change.action == "saved" and "updated" or nil
  end
  return before and "removed" or after and "created" or nil
end

return seen
