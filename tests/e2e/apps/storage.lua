-- Routes that write, for tests of what happens when that fails.
local pillar = require "pillar"
local app = pillar.app()

app:migrate {
  [[
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE audit (noteId INTEGER NOT NULL REFERENCES notes);
    CREATE TABLE big (id INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE names (name TEXT PRIMARY KEY);
  ]],
}

app:authenticate(function(req)
  return { id = req.headers["X-User"] or req.query.user or "ada" }
end)

app:entity("note")

local function add(db, body)
  local note = db:insert("notes", { body = body })
  db:insert("audit", { noteId = note.id })
  emit_sync_event { entity = "note", action = "created", entityId = note.id, targetUserIds = pillar.everyone,
    sessionId = false, data = { id = note.id } }
  return note.id
end

local function body_of(req)
  return ("x"):rep(tonumber(req.query.size) or 20)
end

app:get("/notes", function(_, db)
  return { count = db:value("SELECT count(*) FROM notes") }
end)

app:post("/notes", function(req, db)
  return 201, { id = add(db, body_of(req)) }
end)

app:post("/free/notes", { transaction = false }, function(req, db)
  return 201, { id = db:transaction(add, db, body_of(req)) }
end)

app:post("/refused", function(req, db)
  add(db, body_of(req))
  return 409, { error = { code = "conflict", message = "on purpose" } }
end)

-- Writes more than the cache holds, so that it meets a full disk before the commit; looks at no error, and goes on.
local function swallow(db)
  for _ = 1, 150 do
    pcall(db.exec, db, "INSERT INTO big (body) VALUES (randomblob(100000))")
  end
  pcall(db.try, db, add, db, "after")
  pcall(add, db, "after")
  pcall(db.exec, db, "INSERT INTO names VALUES ('left over')")
end

app:post("/swallow", { silent = true }, function(_, db)
  swallow(db)
  return 201, {}
end)

app:post("/free/swallow", { transaction = false, silent = true }, function(_, db)
  db:transaction(swallow, db)
  return 201, {}
end)

-- Ends everybody's transaction, and says nothing of it.
app:post("/or-rollback", { silent = true }, function(_, db)
  db:exec("INSERT INTO names VALUES ('twice')")
  pcall(db.exec, db, "INSERT OR ROLLBACK INTO names VALUES ('twice')")
  pcall(db.exec, db, "INSERT INTO names VALUES ('left over')")
  return 201, {}
end)

local endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "

-- A write that is interrupted at the deadline.
app:post("/endless", function(_, db)
  db:exec("INSERT INTO big (id) " .. endless .. "SELECT i FROM n")
end)

app:post("/nothing", function()
end)

-- Keeps the writer until the test has made a file, so that others have to share a transaction.
app:post("/held", function(req)
  local file
  while not file do
    os.execute("sleep 0.02")
    file = io.open(req.query.file)
  end
  file:close()
end)

app:get("/big", function(_, db)
  return { bytes = db:value("SELECT sum(length(body)) FROM big") or 0 }
end)

app:post("/big", function(_, db)
  local bytes = db:value("SELECT sum(length(body)) FROM big")
  return 201, { bytes = bytes, id = add(db, "of big") }
end)

app:post("/raise", function()
  error("for the log: " .. ("x"):rep(200))
end)

return app
