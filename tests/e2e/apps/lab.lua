-- Routes that try the broker out: each does one thing, well or badly.
local pillar = require "pillar"
local app = pillar.app()

app:migrate {
  [[
    CREATE TABLE notes (
      id TEXT PRIMARY KEY,
      owner TEXT NOT NULL,
      body TEXT NOT NULL,
      n INTEGER,
      UNIQUE (owner, body)
    )
  ]],
}

app:authenticate(function(req)
  local name = req.headers["X-User"] or req.query.user
  return name and { id = name }
end)

app:entity("note")
app:entity("fence")

local function targets(req)
  local list = {}
  for id in (req.query.to or req.user.id):gmatch("[^,]+") do
    list[#list + 1] = id
  end
  return list
end

local function insert(req, db)
  return db:insert("notes", { id = pillar.uuid(), owner = req.user.id, body = req:json().body })
end

local function emit(req, note)
  emit_sync_event { entity = "note", action = "created", entityId = note.id, targetUserIds = targets(req), data = note }
end

-- Everybody's marker: what was emitted before it has arrived before it.
app:post("/fence/:name", function(req)
  emit_sync_event { entity = "fence", action = req.params.name, targetUserIds = pillar.everyone, sessionId = false }
end)

app:get("/notes", function(_, db)
  return db:rows("SELECT * FROM notes ORDER BY id")
end)

app:post("/notes", function(req, db)
  local note = insert(req, db)
  emit(req, note)
  return 201, note
end)

app:post("/raise", function(req, db)
  emit(req, insert(req, db))
  error("raised on purpose")
end)

app:post("/conflict", function(req, db)
  emit(req, insert(req, db))
  return 409, { error = { code = "conflict", message = "on purpose" } }
end)

app:post("/fail", function(req, db)
  emit(req, insert(req, db))
  pillar.fail(422, "unwanted", "on purpose", "body")
end)

app:get("/whoami", function(req)
  return { user = req.user.id, sessionId = req.sessionId or pillar.null }
end)

-- --- runaways ---

local function loop()
  while true do
  end
end

local runaways = {
  loop = loop,
  pcall = function()
    while true do
      pcall(loop)
    end
  end,
  nested = function()
    local function again()
      return pcall(pcall, again)
    end
    while true do
      xpcall(again, function()
        return pcall(loop)
      end)
    end
  end,
  coroutine = function()
    while true do
      coroutine.wrap(function()
        pcall(loop)
      end)()
    end
  end,
  close = function()
    while true do
      pcall(function()
        local _ <close> = setmetatable({}, { __close = loop })
        error("out")
      end)
    end
  end,
  xpcall = function()
    xpcall(loop, loop)
  end,
  wrapped_close = function()
    coroutine.wrap(function()
      local _ <close> = setmetatable({}, { __close = loop })
      loop()
    end)()
  end,
  closed = function()
    local thread = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = loop })
      table.sort({ 1, 2, 3 }, loop)
    end)
    pcall(coroutine.resume, thread)
    coroutine.close(thread)
  end,
  try = function(db)
    db:try(loop)
  end,
  transaction = function(db)
    pcall(db.transaction, db, function()
      pcall(db.transaction, db, loop)
    end)
  end,
  allocate = function()
    local kept = {}
    while true do
      pcall(function()
        while true do
          kept[#kept + 1] = ("x"):rep(100000) .. #kept
        end
      end)
    end
  end,
  string = function()
    local s = "x"
    while true do
      pcall(function()
        s = s .. s
      end)
    end
  end,
  sql = function(db)
    return db:value([[
      WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c]])
  end,
  stuck = function()
    table.move({}, 1, math.maxinteger - 1, 2)
  end,
  sleep = function()
    os.execute("sleep 5")
  end,
}

app:get("/runaway/:kind", function(req, db)
  runaways[req.params.kind](db)
  return { kind = req.params.kind }
end)

app:post("/runaway/:kind", function(req, db)
  emit(req, insert(req, db))
  runaways[req.params.kind](db)
  return { kind = req.params.kind }
end)

-- --- what should not work ---

app:get("/writes", function(_, db)
  return db:exec("DELETE FROM notes")
end)

app:get("/emits", function(req)
  emit(req, { id = "1" })
end)

app:post("/exit", function()
  os.exit(3)
end)

app:post("/header", function(req)
  return 200, {}, { [req:json().name] = req:json().value }
end)

app:post("/sql", function(req, db)
  return { changes = db:exec(req:json().sql) }
end)

app:post("/emit", function(req)
  emit_sync_event(req:json())
end)

app:post("/big-header", function()
  return 200, { ok = true }, { ["X-Big"] = ("v"):rep(100000) }
end)

-- --- routes with transaction = false ---

app:post("/free/:kind", { transaction = false }, function(req, db)
  local kind = req.params.kind
  if kind == "outside" then
    return { changes = db:exec("DELETE FROM notes") }
  elseif kind == "emit" then
    emit(req, { id = "1" })
  end
  local note = db:transaction(function()
    local made = insert(req, db)
    emit(req, made)
    if kind == "raise" then
      error("raised inside of the transaction")
    end
    return made
  end)
  if kind == "after" then
    error("raised after the transaction")
  end
  return 201, note
end)

-- --- what the request looks like ---

app:post("/echo/:one/*rest", function(req)
  return {
    method = req.method,
    path = req.path,
    params = req.params,
    query = req.query,
    tags = req:queryAll("tag"),
    cookies = req.cookies,
    header = req.headers["X-Thing"] or pillar.null,
    body = req.body,
    remoteAddress = req.remoteAddress,
    id = req.id,
  }
end)

app:post("/json", function(req)
  return req:json()
end)

app:get("/text", function()
  return "plain"
end)

app:get("/nothing", function()
end)

app:static("/files", "../files")

return app
