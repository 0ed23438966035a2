--- What the parts of the oracle say: an error that names what is wrong, and what it is about.

local verdict = {}

--- Something is wrong.
function verdict.fail(format, ...)
  error(format:format(...), 0)
end

--- A row of `changes`, in words.
function verdict.describe(change)
  return ("change %d (%s %s of %s, version %d, by %s/%s, run %s)"):format(change.seq, change.action, change.entity,
    change.entityId, change.version, change.userId, change.sessionId or "-", change.run)
end

--- An id's generation and number.
function verdict.split(id)
  local generation, number = (id or ""):match("^(%x+)%-(%d+)$")
  if not generation then
    verdict.fail("%q is no id", tostring(id))
  end
  return generation, math.tointeger(number)
end

return verdict
