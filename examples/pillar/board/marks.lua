-- How a user files the tasks that others see as well: under labels and a category of the user's own. Nobody else sees
-- that, so it is no part of the task, and only the user's other tabs are told.
local pillar = require "pillar"
local access = require "board.access"

local marks = {}

local function of(db, task_id, user_id)
  return {
    taskId = task_id,
    labelIds = db:values([[
      SELECT labelId FROM task_labels JOIN labels ON labels.id = labelId
      WHERE taskId = ? AND ownerId = ? ORDER BY name]], task_id, user_id),
    categoryId = db:value("SELECT categoryId FROM task_categories WHERE taskId = ? AND ownerId = ?", task_id, user_id)
      or pillar.null,
  }
end

local function emit(db, task, user_id, session_id)
  local data = of(db, task.id, user_id)
  emit_sync_event {
    entity = "task",
    action = "marked",
    entityId = task.id,
    projectId = task.projectId,
    targetUserIds = { user_id },
    data = data,
    sessionId = session_id,
  }
  return data
end

local function own(db, name, id, user_id, field)
  if not db:row(("SELECT 1 FROM %s WHERE id = ? AND ownerId = ?"):format(name), id, user_id) then
    pillar.fail(400, "invalid_field", "you have none with the id " .. id, field)
  end
  return id
end

local function set_labels(db, task_id, user_id, ids)
  db:exec([[
    DELETE FROM task_labels WHERE taskId = ? AND labelId IN (SELECT id FROM labels WHERE ownerId = ?)]],
    task_id, user_id)
  for _, id in ipairs(ids) do
    db:exec("INSERT OR IGNORE INTO task_labels (taskId, labelId) VALUES (?, ?)",
      task_id, own(db, "labels", id, user_id, "labelIds"))
  end
end

local function set_category(db, task_id, user_id, id)
  db:exec("DELETE FROM task_categories WHERE taskId = ? AND ownerId = ?", task_id, user_id)
  if id ~= pillar.null then
    db:insert("task_categories", {
      taskId = task_id,
      ownerId = user_id,
      categoryId = own(db, "categories", id, user_id, "categoryId"),
    })
  end
end

-- Files a task as another one is filed, for everybody who has done so. No tab asked for that, so all are told.
function marks.copy(db, from, to)
  db:exec("INSERT INTO task_labels (taskId, labelId) SELECT ?, labelId FROM task_labels WHERE taskId = ?",
    to.id, from.id)
  db:exec([[
    INSERT INTO task_categories (taskId, ownerId, categoryId)
    SELECT ?, ownerId, categoryId FROM task_categories WHERE taskId = ?]], to.id, from.id)
  local users = db:values([[
    SELECT userId FROM members WHERE projectId = :project AND userId IN (
      SELECT ownerId FROM task_categories WHERE taskId = :task
      UNION SELECT ownerId FROM task_labels JOIN labels ON labels.id = labelId WHERE taskId = :task)]],
    { task = to.id, project = to.projectId })
  for _, user_id in ipairs(users) do
    emit(db, to, user_id, false)
  end
end

function marks.routes(app)
  app:get("/api/marks", function(req, db)
    local ids = db:values([[
      SELECT taskId FROM task_categories WHERE ownerId = :user
      UNION SELECT taskId FROM task_labels JOIN labels ON labels.id = labelId WHERE ownerId = :user]],
      { user = req.user.id })
    local all = pillar.list {}
    for i, id in ipairs(ids) do
      all[i] = of(db, id, req.user.id)
    end
    return all
  end)

  local input = { labelIds = pillar.input.list("id", "..50"), categoryId = "id nullable default null" }

  app:put("/api/tasks/:id/marks", { input = input }, function(req, db)
    local task = db:row("SELECT * FROM tasks WHERE id = ?", req.params.id)
    if not task or not access.role(db, task.projectId, req.user.id) then
      pillar.fail(404, "not_found", "there is no such task")
    end
    set_labels(db, task.id, req.user.id, req.input.labelIds)
    set_category(db, task.id, req.user.id, req.input.categoryId)
    return emit(db, task, req.user.id)
  end)
end

return marks
