-- Tasks in projects whose members change, and notices for everybody. Each change leaves a row in `changes`, in the
-- transaction that makes it: an independent record of who was to be told what, which the crash test compares with what
-- was told.
local pillar = require "pillar"
local app = pillar.app()

app:migrate {
  [[
    CREATE TABLE members (projectId TEXT NOT NULL, userId TEXT NOT NULL, PRIMARY KEY (projectId, userId));
    CREATE TABLE tasks (
      id TEXT PRIMARY KEY,
      projectId TEXT NOT NULL,
      title TEXT NOT NULL,
      version INTEGER NOT NULL,
      seq INTEGER NOT NULL
    );
    CREATE TABLE notices (
      id TEXT PRIMARY KEY,
      text TEXT NOT NULL,
      version INTEGER NOT NULL,
      seq INTEGER NOT NULL
    );
    CREATE TABLE changes (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      run TEXT NOT NULL,       -- of the handler that made it: new each time one runs
      key TEXT NOT NULL,       -- the mutation's Idempotency-Key
      entity TEXT NOT NULL,
      entityId TEXT NOT NULL,
      action TEXT NOT NULL,    -- saved, deleted; or members, for a row that only came into or out of somebody's sight
      version INTEGER NOT NULL,
      before TEXT,             -- whom the row concerned, a JSON list; NULL: everybody
      after TEXT,
      userId TEXT NOT NULL,
      sessionId TEXT           -- NULL: the originator is told as well
    );
    INSERT INTO members VALUES
      ('p1', 'ada'), ('p1', 'grace'), ('p1', 'linus'), ('p2', 'ada'), ('p2', 'grace'), ('p3', 'linus'), ('p3', 'ada');
  ]],
}

app:authenticate(function(req)
  local name = req.headers["X-User"] or req.query.user
  return name and { id = name }
end)

app:entity("task")
app:entity("notice")
app:entity("fence")

-- --- one mutation ---

---@class Mutation
---@field req table
---@field db table
---@field run string
---@field told table[] the changes, for the answer

local function begin(req, db)
  return { req = req, db = db, run = pillar.random(8), key = req.headers["Idempotency-Key"], told = {} }
end

local function members(db, project)
  return db:values("SELECT userId FROM members WHERE projectId = ? ORDER BY userId", project)
end

local function without(list, others)
  local set, left = {}, {}
  for _, user in ipairs(others) do
    set[user] = true
  end
  for _, user in ipairs(list) do
    if not set[user] then
      left[#left + 1] = user
    end
  end
  return left
end

local function emit(change, action, targets, row)
  if targets ~= pillar.everyone and #targets == 0 then
    return
  end
  emit_sync_event {
    entity = change.entity,
    action = action,
    entityId = change.entityId,
    targetUserIds = targets,
    sessionId = change.sessionId or false,
    data = { seq = change.seq, run = change.run, version = change.version, row = row },
  }
end

local function tell_everyone(change, row)
  emit(change, "updated", pillar.everyone, row)
end

local function tell_members(change, row)
  local kept = without(change.after, without(change.after, change.before))
  emit(change, "removed", change.action ~= "deleted" and without(change.before, change.after) or {})
  emit(change, "created", without(change.after, change.before), row)
  emit(change, "updated", change.action == "saved" and kept or {}, row)
  emit(change, "deleted", change.action == "deleted" and change.before or {})
end

--- Writes the record of a change. `before` and `after` are lists of users; nil: everybody.
local function record(mutation, change)
  change.run, change.key, change.userId = mutation.run, mutation.key, mutation.req.user.id
  change.sessionId = not change.from_server and mutation.req.sessionId or nil
  change.from_server = nil
  local before, after = change.before, change.after
  change.before = before and pillar.json.encode(pillar.list(before))
  change.after = after and pillar.json.encode(pillar.list(after))
  change.seq = mutation.db:insert("changes", change).seq
  change.before, change.after = before, after
  return change
end

local function tell(mutation, change, row)
  if change.before then
    tell_members(change, row)
  else
    tell_everyone(change, row)
  end
  change.row = row
  mutation.told[#mutation.told + 1] = change
end

local function answer(mutation, status)
  return status or 200, { changes = pillar.list(mutation.told) }
end

-- --- tasks ---

local function save_task(mutation, task, before, from_server)
  local db = mutation.db
  local after = members(db, task.projectId)
  local change = record(mutation, {
    entity = "task", entityId = task.id, action = "saved", version = task.version, before = before, after = after,
    from_server = from_server,
  })
  task.seq = change.seq
  db:exec("INSERT OR REPLACE INTO tasks VALUES (:id, :projectId, :title, :version, :seq)", task)
  tell(mutation, change, task)
end

local function create_task(mutation, project, title, from_server)
  save_task(mutation, { id = pillar.uuid(), projectId = project, title = title, version = 1 }, {}, from_server)
end

--- The task of the path, if the user may see it.
local function find_task(req, db)
  return db:row([[
    SELECT tasks.* FROM tasks JOIN members USING (projectId) WHERE tasks.id = ? AND members.userId = ?]],
    req.params.id, req.user.id) or pillar.fail(404, "not_found")
end

local function check_member(req, db, project)
  local found = db:row("SELECT * FROM members WHERE projectId = ? AND userId = ?", project, req.user.id)
  return found or pillar.fail(404, "not_found")
end

app:post("/api/tasks", { silent = true }, function(req, db)
  local mutation, input = begin(req, db), req:json()
  check_member(req, db, input.projectId)
  create_task(mutation, input.projectId, input.title)
  return answer(mutation, 201)
end)

-- A handler that holds nobody up, and commits by itself.
app:post("/api/free/tasks", { silent = true, transaction = false }, function(req, db)
  local mutation, input = begin(req, db), req:json()
  db:transaction(function()
    check_member(req, db, input.projectId)
    create_task(mutation, input.projectId, input.title)
  end)
  return answer(mutation, 201)
end)

app:patch("/api/tasks/:id", { silent = true }, function(req, db)
  local mutation, input = begin(req, db), req:json()
  local task = find_task(req, db)
  local before = members(db, task.projectId)
  task.title = input.title or task.title
  task.projectId = input.projectId or task.projectId
  task.version = task.version + 1
  save_task(mutation, task, before)
  return answer(mutation)
end)

-- The next of a series is the server's own doing, so the tab that completed the first is told of it.
app:post("/api/tasks/:id/complete", { silent = true }, function(req, db)
  local mutation = begin(req, db)
  local task = find_task(req, db)
  task.title, task.version = "done", task.version + 1
  save_task(mutation, task, members(db, task.projectId))
  create_task(mutation, task.projectId, "following", true)
  return answer(mutation)
end)

app:delete("/api/tasks/:id", { silent = true }, function(req, db)
  local mutation = begin(req, db)
  local task = find_task(req, db)
  local change = record(mutation, {
    entity = "task", entityId = task.id, action = "deleted", version = task.version,
    before = members(db, task.projectId), after = {},
  })
  db:delete("tasks", task.id)
  tell(mutation, change)
  return answer(mutation)
end)

-- What a handler has done that refuses in the end is undone, whoever shares its commit.
app:post("/api/tasks/:id/refuse", function(req, db)
  local mutation = begin(req, db)
  local task = find_task(req, db)
  task.title, task.version = "never", task.version + 1
  save_task(mutation, task, members(db, task.projectId))
  return 409, { error = { code = "refused", message = "on purpose" } }
end)

-- --- members ---

local function change_members(sql)
  return function(req, db)
    local mutation, project, user = begin(req, db), req.params.id, req.params.user
    local before = members(db, project)
    db:exec(sql, project, user)
    local after = members(db, project)
    local tasks = db:rows("SELECT * FROM tasks WHERE projectId = ? ORDER BY id", project)
    for _, task in ipairs(#before ~= #after and tasks or {}) do
      local change = record(mutation, {
        entity = "task", entityId = task.id, action = "members", version = task.version, before = before, after = after,
      })
      tell(mutation, change, task)
    end
    return answer(mutation)
  end
end

app:put("/api/projects/:id/members/:user", { silent = true }, change_members [[
  INSERT OR IGNORE INTO members VALUES (?, ?)]])

app:delete("/api/projects/:id/members/:user", { silent = true }, change_members [[
  DELETE FROM members WHERE projectId = ? AND userId = ?]])

-- --- notices ---

app:put("/api/notices/:id", function(req, db)
  local mutation, id = begin(req, db), req.params.id
  local version = (db:value("SELECT version FROM notices WHERE id = ?", id) or 0) + 1
  local change = record(mutation, { entity = "notice", entityId = id, action = "saved", version = version })
  local notice = { id = id, text = req:json().text, version = version, seq = change.seq }
  db:exec("INSERT OR REPLACE INTO notices VALUES (:id, :text, :version, :seq)", notice)
  tell(mutation, change, notice)
  return answer(mutation)
end)

-- --- reading ---

-- All that the user may see, and the last change that this snapshot shows.
app:get("/api/state", function(req, db)
  return {
    seq = db:value("SELECT coalesce(max(seq), 0) FROM changes"),
    task = db:rows("SELECT tasks.* FROM tasks JOIN members USING (projectId) WHERE userId = ?", req.user.id),
    notice = db:rows("SELECT * FROM notices"),
  }
end)

-- A marker for all: what was emitted before it has arrived before it.
app:post("/fence/:name", function(req)
  emit_sync_event { entity = "fence", action = req.params.name, targetUserIds = pillar.everyone, sessionId = false }
end)

return app
