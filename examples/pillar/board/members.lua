-- Members are rows below a project, so their routes are plain ones. Who comes in gets to see the project, and who goes
-- out loses it: that is an event of its own, for them alone.
local pillar = require "pillar"
local access = require "board.access"

local role = "one of owner, editor, viewer"

local function find(db, project_id, user_id)
  local member = db:row("SELECT * FROM members WHERE projectId = ? AND userId = ?", project_id, user_id)
  return member or pillar.fail(404, "not_found", "there is no such member")
end

local function emit(action, member, targets, data)
  emit_sync_event {
    entity = "member",
    action = action,
    entityId = member.userId,
    projectId = member.projectId,
    targetUserIds = targets,
    data = data,
  }
end

local function emit_project(action, db, member)
  emit_sync_event {
    entity = "project",
    action = action,
    entityId = member.projectId,
    projectId = member.projectId,
    targetUserIds = { member.userId },
    data = action == "created" and db:row("SELECT * FROM projects WHERE id = ?", member.projectId) or nil,
  }
end

-- A project without an owner could never be changed again.
local function keep_an_owner(db, project_id)
  if not db:row("SELECT 1 FROM members WHERE projectId = ? AND role = 'owner'", project_id) then
    pillar.fail(409, "last_owner", "a project needs an owner")
  end
end

local function change(req, db)
  local id = req.params.id
  access.require(db, id, req.user.id, "owner")
  local member = find(db, id, req.params.userId)
  member = db:update("members", { projectId = id, userId = member.userId }, req.input)
  keep_an_owner(db, id)
  emit("updated", member, access.members(db, id), member)
  return member
end

return function(app)
  local path = "/api/projects/:id/members"

  app:entity("member")

  app:get("/api/members", function(req, db)
    return db:rows([[
      SELECT others.* FROM members AS others JOIN members AS own USING (projectId)
      WHERE own.userId = ? ORDER BY projectId, others.userId]], req.user.id)
  end)

  app:get(path, function(req, db)
    access.require(db, req.params.id, req.user.id, "viewer")
    return db:rows([[
      SELECT members.*, users.name FROM members JOIN users ON users.id = userId
      WHERE projectId = ? ORDER BY users.name]], req.params.id)
  end)

  app:get(path .. "/:userId", function(req, db)
    access.require(db, req.params.id, req.user.id, "viewer")
    return find(db, req.params.id, req.params.userId)
  end)

  app:post(path, { input = { userId = "id", role = role } }, function(req, db)
    local id, values = req.params.id, req.input
    access.require(db, id, req.user.id, "owner")
    if not db:row("SELECT 1 FROM users WHERE id = ?", values.userId) then
      pillar.fail(400, "invalid_field", "there is no such user", "userId")
    end
    local member, problem = db:try(function()
      return db:insert("members", { projectId = id, userId = values.userId, role = values.role })
    end)
    if not member then
      pillar.fail(409, problem.code, "this user is a member already", "userId")
    end
    emit("created", member, access.members(db, id), member)
    emit_project("created", db, member)
    return 201, member
  end)

  app:patch(path .. "/:userId", { input = { role = role } }, change)
  app:put(path .. "/:userId", { input = { role = role } }, change)

  -- An owner may send anybody away; everybody may go.
  app:delete(path .. "/:userId", function(req, db)
    local id, user_id = req.params.id, req.params.userId
    access.require(db, id, req.user.id, user_id == req.user.id and "viewer" or "owner")
    local member = find(db, id, user_id)
    local before = access.members(db, id)
    db:delete("members", { projectId = id, userId = user_id })
    keep_an_owner(db, id)
    emit("deleted", member, before)
    emit_project("removed", db, member)
    return member
  end)
end
