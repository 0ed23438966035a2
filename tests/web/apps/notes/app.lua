-- Notes that their author sends to others. People sign in with the cookie of pillar.auth, since an EventSource sends no
-- headers.
local pillar = require "pillar"
local app = pillar.app()

app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL UNIQUE)" }

app:authenticate(pillar.auth.session)

app:post("/api/login", { public = true, input = { user = "id", maxAge = "integer 1.. optional" } }, function(req)
  local user = { id = req.input.user }
  return 200, user, pillar.auth.signIn(req, user, { maxAge = req.input.maxAge })
end)

-- Streams ask anew who they are for.
app:post("/api/logout", function(req)
  pillar.disconnect { userId = req.user.id }
  return 204, nil, pillar.auth.signOut(req)
end)

app:entity("note")
app:entity("fence")

local input = { text = "string 1..", to = pillar.input.list("id") }

local function write(req, db)
  local note = db:insert("notes", { author = req.user.id, text = req.input.text })
  emit_sync_event {
    entity = "note", action = "created", entityId = note.id, targetUserIds = req.input.to, data = note,
  }
  return 201, note
end

app:post("/api/notes", { input = input }, write)

-- What the server makes of a request by itself, its sender hears of too.
app:post("/api/reminders", { input = input }, function(req, db)
  local note = db:insert("notes", { author = "server", text = req.input.text })
  emit_sync_event {
    entity = "note", action = "created", entityId = note.id, targetUserIds = req.input.to, data = note,
    sessionId = false,
  }
  return 201, note
end)

app:get("/api/notes", function(_, db)
  return db:values("SELECT text FROM notes ORDER BY id")
end)

-- For everybody, the sender too: what was emitted before it has arrived before it.
app:post("/api/fences/:name", function(req)
  emit_sync_event { entity = "fence", action = req.params.name, targetUserIds = pillar.everyone, sessionId = false }
end)

-- Says that it has begun, and waits for a file in the broker's folder; not longer than the broker lives.
local function wait(req)
  io.open(req.params.name .. ".begun", "w"):close()
  os.execute("while [ ! -e go ] && kill -0 $PPID; do sleep 0.02; done")
end

app:get("/api/wait/:name", wait)

app:post("/api/wait/:name/notes", { transaction = false, input = input }, function(req, db)
  wait(req)
  return db:transaction(write, req, db)
end)

app:static("/", "public")

return app
