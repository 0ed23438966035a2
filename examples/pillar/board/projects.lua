local pillar = require "pillar"
local access = require "board.access"

local function change(req, db, project)
  access.require(db, project.id, req.user.id, "owner")
  return db:update("projects", project.id, req.input)
end

return function(app)
  app:entity("project", {
    path = "/api/projects",
    input = { name = "string 1..100 trimmed" },

    list = function(req, db)
      return db:rows([[
        SELECT projects.*, role FROM projects JOIN members ON projectId = id
        WHERE userId = ? ORDER BY createdAt, id]], req.user.id)
    end,

    find = function(db, id, req)
      return db:row("SELECT projects.* FROM projects JOIN members ON projectId = id WHERE id = ? AND userId = ?",
        id, req.user.id)
    end,

    get = function(_, _, project)
      return project
    end,

    create = function(req, db)
      local project = db:insert("projects", {
        id = pillar.uuid(),
        name = req.input.name,
        createdBy = req.user.id,
        createdAt = pillar.now(),
      })
      db:insert("members", { projectId = project.id, userId = req.user.id, role = "owner" })
      return project
    end,

    update = change,
    replace = change,

    delete = function(req, db, project)
      access.require(db, project.id, req.user.id, "owner")
      return db:delete("projects", project.id)
    end,

    targets = function(db, project)
      return access.members(db, project.id)
    end,

    project = function(project)
      return project.id
    end,
  })
end
