-- Who may do what in a project. To somebody who is not a member a project does not exist.
local pillar = require "pillar"

local access = {}

local rank = { viewer = 1, editor = 2, owner = 3 }

function access.role(db, project_id, user_id)
  return db:value("SELECT role FROM members WHERE projectId = ? AND userId = ?", project_id, user_id)
end

-- Ends the handler with 404 for somebody who is no member, and with 403 for one whose role is too small.
function access.require(db, project_id, user_id, role)
  local has = access.role(db, project_id, user_id)
  if not has then
    pillar.fail(404, "not_found", "there is no such project")
  end
  if rank[has] < rank[role] then
    pillar.fail(403, "forbidden", ("this needs the role %s; yours is %s"):format(role, has))
  end
end

function access.members(db, project_id)
  return db:values("SELECT userId FROM members WHERE projectId = ?", project_id)
end

return access
