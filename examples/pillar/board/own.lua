-- Rows that belong to one user, labels and categories: only the owner sees them, in all of the owner's sessions.
local pillar = require "pillar"
local input = require "board.input"

local rules = { name = input.text(100), color = input.text(50) }

---@param fields table<string, boolean> those of `rules` that the row has
return function(app, entity, name, fields)
  local own = {}
  for field in pairs(fields) do
    own[field] = rules[field]
  end

  app:entity(entity, {
    path = "/api/" .. name,

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
      local values = input.read(req:json(), own, fields, {})
      values.id = pillar.uuid()
      values.ownerId = req.user.id
      return db:insert(name, values)
    end,

    update = function(req, db, row)
      return db:update(name, row.id, input.read(req:json(), own, {}, {}))
    end,

    replace = function(req, db, row)
      return db:update(name, row.id, input.read(req:json(), own, fields, {}))
    end,

    delete = function(_, db, row)
      return db:delete(name, row.id)
    end,

    targets = function(_, row)
      return { row.ownerId }
    end,
  })
end
