-- A shared list. Everybody who has it open sees at once what the others add and tick off.
local pillar = require "pillar"
local app = pillar.app()

app:migrate {
  [[CREATE TABLE items (
      id TEXT PRIMARY KEY,
      title TEXT NOT NULL CHECK (trim(title) <> ''),
      done BOOLEAN NOT NULL DEFAULT FALSE CHECK (done IN (FALSE, TRUE)))]],
}

-- Who is asking? Here the name in ?user= or in a header is believed; examples/pillar signs people in.
app:authenticate(function(req)
  local name = req.query.user or req.headers["X-User"]
  return name and { id = name }
end)

app:entity("item", {
  path = "/api/items",
  input = { title = "string 1..200 trimmed", done = "boolean default false" },
  list = function(_, db)
    return db:rows("SELECT * FROM items ORDER BY id")
  end,
  find = function(db, id)
    return db:row("SELECT * FROM items WHERE id = ?", id)
  end,
  create = function(req, db)
    return db:insert("items", { id = pillar.uuid(), title = req.input.title, done = req.input.done })
  end,
  update = function(req, db, item)
    return db:update("items", item.id, req.input)
  end,
  delete = function(_, db, item)
    return db:delete("items", item.id)
  end,
  targets = function()
    return pillar.everyone
  end,
})

app:static("/", "public")

return app
