-- Rows that belong to one user, labels and categories: only the owner sees them, in all of the owner's sessions.
local pillar = require "pillar"

---@param app pillar.App
---@param entity string
---@param name string of the table, and in the path
---@param rules table<string, string> what a client may set
return function(app, entity, name, rules)
  app:entity(entity, {
    path = "/api/" .. name,
    input = rules,

    list = function(req, db)
      return db:rows(("SELECT * FROM %s WHERE ownerId = ? ORDER BY name"):format(name), req.user.id)
    end,

    find = function(db, id, req)
      return db:row(("SELECT * FROM %s WHERE id = ? AND ownerId = ?"):format(name), id, req.user.id)
    end,

    get = function(_, _, row)
      return row
    end,

    -- A name that is taken breaks the table's UNIQUE, and is answered with 409 by itself.
    create = function(req, db)
      local values = req.input
      values.id = pillar.uuid()
      values.ownerId = req.user.id
      return db:insert(name, values)
    end,

    update = function(req, db, row)
      return db:update(name, row.id, req.input)
    end,

    replace = function(req, db, row)
      return db:update(name, row.id, req.input)
    end,

    delete = function(_, db, row)
      return db:delete(name, row.id)
    end,

    targets = function(_, row)
      return { row.ownerId }
    end,
  })
end
