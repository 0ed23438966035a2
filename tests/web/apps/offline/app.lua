-- Rows that count how often they were changed, and a log of each change. A file in the broker's folder, `trouble`, says
-- what goes wrong meanwhile.
local pillar = require "pillar"
local app = pillar.app()

app:migrate { [[
  CREATE TABLE folders (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
  CREATE TABLE rows (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, note TEXT NOT NULL, parent TEXT, folder INTEGER, changes INTEGER NOT NULL
  );
  CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, userId TEXT NOT NULL, what TEXT NOT NULL);
]] }

app:authenticate(pillar.auth.session)

app:post("/api/login", { public = true, input = { user = "id" } }, function(req)
  local user = { id = req.input.user }
  return 200, user, pillar.auth.signIn(req, user)
end)

app:post("/api/logout", function(req)
  return 204, nil, pillar.auth.signOut(req)
end)

app:entity("row")

local function trouble()
  local file = io.open("trouble")
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text
end

-- Sign-in pages come from in front of an application. The cookie has the broker forget the answer, as if it came from
-- there.
local page = { ["Content-Type"] = "text/html; charset=utf-8", ["Set-Cookie"] = "csrf=1" }
local html = "<!doctype html><form>Sign in</form>"

-- What each trouble answers.
local answers = {
  ["login page"] = function() return 200, html, page end,
  ["forbidden page"] = function() return 403, html, page end,
  ["redirect"] = function() return 302, nil, { Location = "/login.html", ["Set-Cookie"] = "csrf=1" } end,
  ["forbidden"] = function() pillar.fail(403, "forbidden", "this is not yours") end,
  ["broken"] = function() error("broken") end,
  ["slow down"] = function() return 429, { error = { code = "rate_limited" } }, { ["Retry-After"] = "1" } end,
  ["gateway"] = function() return 502, html, page end,
}

-- Each mutation goes through this. `calls` has a line for each time that a handler was called.
local function change(handler)
  return function(req, db, ...)
    local calls = assert(io.open("calls", "a"))
    calls:write(req.method, " ", req.path, "\n")
    calls:close()
    local answer = answers[trouble()]
    if answer then
      return answer()
    end
    return handler(req, db, ...)
  end
end

local function note(req, db, ...)
  db:insert("log", { userId = req.user.id, what = table.concat({ ... }, " ") })
end

local function find(db, id)
  return db:row("SELECT * FROM rows WHERE id = ?", id) or pillar.fail(404, "not_found", "there is no such row")
end

local function tell(action, row)
  emit_sync_event { entity = "row", action = action, entityId = row.id, targetUserIds = pillar.everyone, data = row }
end

local title = "string 1..40"
local optional = {
  note = "string default ''",
  parent = "id nullable default null",
  folder = "integer nullable default null",
}

local function input(rules)
  for name, rule in pairs(optional) do
    rules[name] = rule
  end
  return rules
end

app:get("/api/rows", function(_, db)
  return db:rows("SELECT * FROM rows ORDER BY id")
end)

app:get("/api/rows/:id", function(req, db)
  return find(db, req.params.id)
end)

app:get("/api/log", function(_, db)
  return db:values("SELECT what FROM log ORDER BY id")
end)

app:get("/api/authors", function(_, db)
  return db:values("SELECT userId FROM log ORDER BY id")
end)

app:post("/api/rows", { input = input { id = "id optional", title = title } }, change(function(req, db)
  if req.input.title == "poison" then
    error("this one always fails")
  end
  local id = req.input.id or pillar.uuid()
  local row = db:insert("rows", {
    id = id, title = req.input.title, note = req.input.note, parent = req.input.parent, folder = req.input.folder,
    changes = 1,
  })
  note(req, db, "create", row.title)
  tell("created", row)
  return 201, row
end))

local partial = { title = title .. " optional", note = "string optional", parent = "id optional" }

app:patch("/api/rows/:id", { input = partial }, change(function(req, db)
  local row = find(db, req.params.id)
  local changed = db:update("rows", row.id, {
    title = req.input.title, note = req.input.note, parent = req.input.parent, changes = row.changes + 1,
  })
  note(req, db, "patch", row.title, req.input.title)
  tell("updated", changed)
  return changed
end))

app:put("/api/rows/:id", { input = input { title = title } }, change(function(req, db)
  local row = find(db, req.params.id)
  local changed = db:update("rows", row.id, {
    title = req.input.title, note = req.input.note, parent = req.input.parent, changes = row.changes + 1,
  })
  note(req, db, "put", row.title, req.input.title)
  tell("updated", changed)
  return changed
end))

app:delete("/api/rows/:id", change(function(req, db)
  local row = find(db, req.params.id)
  db:delete("rows", row.id)
  note(req, db, "delete", row.title)
  tell("deleted", row)
end))

-- An action, which makes no row.
app:post("/api/rows/:id/touch", change(function(req, db)
  local row = find(db, req.params.id)
  local changed = db:update("rows", row.id, { changes = row.changes + 1 })
  note(req, db, "touch", row.title)
  tell("updated", changed)
  return { touched = true }
end))

-- Ids that are numbers.
app:post("/api/folders", { input = { name = "string 1..40" }, silent = true }, change(function(req, db)
  local folder = db:insert("folders", { name = req.input.name })
  note(req, db, "folder", folder.name)
  return 201, folder
end))

-- Writes, and fails before it answers.
app:post("/api/halves", { transaction = false, silent = true }, change(function(req, db)
  db:transaction(note, req, db, "half")
  error("half of it is made")
end))

-- Waits for the file `go`.
app:post("/api/slow", { silent = true }, change(function(req, db)
  os.execute("while [ ! -e go ] && kill -0 $PPID; do sleep 0.02; done")
  note(req, db, "slow")
  return { slow = true }
end))

app:static("/", "public")

return app
