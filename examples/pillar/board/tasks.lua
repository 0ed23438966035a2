local pillar = require "pillar"
local access = require "board.access"
local marks = require "board.marks"

-- Beyond this one more would make no difference.
local place = "number -1000000000..1000000000"

-- A replacement sets what it does not name to its default as well; a change leaves it as it is.
local rules = {
  title = "string 1..200 trimmed",
  projectId = "id",
  description = "string ..10000 nullable default null",
  columnId = "string 1..100 default todo",
  assigneeId = "id nullable default null",
  dueDate = "date nullable default null",
  recurrence = "one of daily, weekly, monthly nullable default null",
  order = place .. " optional",
}

-- Later for each change of a row, whatever the clock says: who has a row knows by it which of two is the newer one.
local function stamp(task)
  return math.max(pillar.now(), task and task.updatedAt + 1 or 0)
end

-- Values for a new task, or a changed one: the project must be one that the user may edit, the assignee a member of it.
local function read(req, db, task)
  local values = req.input
  local project_id = values.projectId or task and task.projectId
  if project_id then
    access.require(db, project_id, req.user.id, "editor")
  end
  local assignee = values.assigneeId
  if assignee and assignee ~= pillar.null and not access.role(db, project_id, assignee) then
    pillar.fail(400, "invalid_field", "the assignee is not a member of the project", "assigneeId")
  end
  values.updatedAt = stamp(task)
  if values.columnId then
    values.done = values.columnId == "done"
  end
  return values
end

local function last_order(db, project_id)
  return db:value('SELECT coalesce(max("order"), 0) FROM tasks WHERE projectId = ?', project_id)
end

local function insert(req, db, values)
  values.id = pillar.uuid()
  values.createdBy = req.user.id
  values.createdAt = values.updatedAt
  values.order = values.order or last_order(db, values.projectId) + 1
  return db:insert("tasks", values)
end

local step = { daily = { day = 1 }, weekly = { day = 7 }, monthly = { month = 1 } }

local function day_of(year, month, day)
  return os.date("*t", os.time { year = year, month = month, day = day, hour = 12 })
end

-- What is due on the 31st is due on the last day of a shorter month.
local function next_date(date, recurrence)
  local y, m, d = (date or os.date("%Y-%m-%d")):match("(%d+)-(%d+)-(%d+)")
  local by = step[recurrence]
  local month = m + (by.month or 0)
  local last = by.month and day_of(y, month + 1, 0).day or math.huge
  local due = day_of(y, month, math.tointeger(math.min(d + (by.day or 0), last)))
  return ("%04d-%02d-%02d"):format(due.year, due.month, due.day)
end

local function find(db, id, req)
  return db:row([[
    SELECT tasks.* FROM tasks JOIN members USING (projectId)
    WHERE id = ? AND userId = ?]], id, req.user.id)
end

local function emit(action, db, task, session_id)
  emit_sync_event {
    entity = "task",
    action = action,
    entityId = task.id,
    projectId = task.projectId,
    targetUserIds = access.members(db, task.projectId),
    data = task,
    sessionId = session_id,
  }
end

-- The server makes the next task of a series by itself, so the tab that completed the last one is told as well.
local function create_next(req, db, task)
  local following = insert(req, db, {
    projectId = task.projectId,
    title = task.title,
    description = task.description,
    assigneeId = task.assigneeId,
    recurrence = task.recurrence,
    dueDate = next_date(task.dueDate, task.recurrence),
    updatedAt = pillar.now(),
  })
  emit("created", db, following, false)
  marks.copy(db, task, following)
end

-- What is done for the first time, and belongs to a series, is followed by the next one.
local function changed(req, db, before, values)
  local task = db:update("tasks", before.id, values)
  if task.done and not before.done and task.recurrence then
    create_next(req, db, task)
  end
  return task
end

local function complete(req, db)
  local task = find(db, req.params.id, req) or pillar.fail(404, "not_found", "there is no such task")
  access.require(db, task.projectId, req.user.id, "editor")
  if task.done then
    return task
  end
  task = db:update("tasks", task.id, { done = true, columnId = "done", updatedAt = stamp(task) })
  emit("updated", db, task)
  if task.recurrence then
    create_next(req, db, task)
  end
  return task
end

local places = { tasks = pillar.input.list({ id = "id", order = place }, "1..1000") }

-- One event for each project, with the new places of its tasks.
local function reorder(req, db)
  local moved = {}
  for _, one in ipairs(req.input.tasks) do
    local task = find(db, one.id, req) or pillar.fail(404, "not_found", "there is no task " .. one.id)
    access.require(db, task.projectId, req.user.id, "editor")
    db:update("tasks", task.id, { order = one.order, updatedAt = stamp(task) })
    moved[task.projectId] = moved[task.projectId] or pillar.list {}
    table.insert(moved[task.projectId], { id = task.id, order = one.order })
  end
  for project_id, tasks in pairs(moved) do
    emit_sync_event {
      entity = "task",
      action = "reordered",
      projectId = project_id,
      targetUserIds = access.members(db, project_id),
      data = { tasks = tasks },
    }
  end
  return { tasks = req.input.tasks }
end

return function(app)
  app:entity("task", {
    path = "/api/tasks",
    input = rules,
    query = { projectId = "id nullable default null" },

    list = function(req, db)
      return db:rows([[
        SELECT tasks.* FROM tasks JOIN members USING (projectId)
        WHERE userId = :user AND (:project IS NULL OR projectId = :project)
        ORDER BY projectId, "order", id]], { user = req.user.id, project = req.input.projectId })
    end,

    find = find,

    get = function(_, _, task)
      return task
    end,

    create = function(req, db)
      return insert(req, db, read(req, db))
    end,

    update = function(req, db, task)
      access.require(db, task.projectId, req.user.id, "editor")
      local values = read(req, db, task)
      local moved = values.projectId and values.projectId ~= task.projectId
      if moved and task.assigneeId and not access.role(db, values.projectId, task.assigneeId) then
        values.assigneeId = values.assigneeId or pillar.null
      end
      return changed(req, db, task, values)
    end,

    replace = function(req, db, task)
      access.require(db, task.projectId, req.user.id, "editor")
      return changed(req, db, task, read(req, db, task))
    end,

    delete = function(req, db, task)
      access.require(db, task.projectId, req.user.id, "editor")
      return db:delete("tasks", task.id)
    end,

    targets = function(db, task)
      return access.members(db, task.projectId)
    end,
  })

  app:post("/api/tasks/reorder", { input = places }, reorder)
  app:post("/api/tasks/:id/complete", complete)
end
