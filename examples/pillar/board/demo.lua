-- A project for the first visitor to look at. It is made when somebody signs in who wants one, and there is none.
local pillar = require "pillar"

local day = 24 * 3600 * 1000

local members = { ada = "owner", grace = "editor", linus = "editor" }

local labels = { Design = "violet", Docs = "blue", Bug = "red", Research = "amber" }

local categories = { "Launch", "Everyday" }

-- `due` is in days from now, `age` in hours before now.
local tasks = {
  { "Write the launch announcement", column = "todo", by = "ada", assignee = "grace", due = 2, age = 50,
    description = "Two paragraphs for the blog, one for the newsletter. What is new, and how to try it in a minute.",
    label = "Docs", category = "Launch" },
  { "Collect questions from the beta testers", column = "todo", by = "linus", assignee = "linus", due = 4, age = 44,
    label = "Research", category = "Launch" },
  { "Draw the empty states", column = "todo", by = "grace", age = 30, label = "Design",
    description = "A new project, a filter that finds nothing, somebody who is offline." },
  { "Water the plants in the office", column = "todo", by = "ada", assignee = "ada", due = 0, recurrence = "weekly",
    age = 28, category = "Everyday",
    description = "Complete it, and the next one appears: the server makes it, and every tab is told." },
  { "Try the sign-up on an old phone", column = "todo", by = "grace", assignee = "linus", due = 6, age = 9,
    category = "Launch" },
  { "Check contrast in the dark theme", column = "doing", by = "grace", assignee = "grace", due = 1, age = 40,
    label = "Design" },
  { "Imports stop at the first empty line", column = "doing", by = "linus", assignee = "linus", due = -1, age = 26,
    label = "Bug",
    description = "Seen with files from a spreadsheet. The rest of the file is left out without a word." },
  { "Record a two-minute tour", column = "doing", by = "ada", assignee = "ada", due = 3, age = 20,
    label = "Docs", category = "Launch" },
  { "Choose a name", column = "done", by = "ada", assignee = "ada", age = 98, category = "Launch" },
  { "Talk to five people who would use it", column = "done", by = "linus", assignee = "grace", age = 96,
    label = "Research" },
  { "Send the weekly notes", column = "done", by = "grace", assignee = "grace", due = -2, age = 72,
    category = "Everyday" },
  { "Fix the flicker when a list reloads", column = "done", by = "linus", assignee = "linus", age = 60, label = "Bug" },
}

local function date(now, days)
  return days and os.date("!%Y-%m-%d", (now + days * day) // 1000)
end

-- Returns their ids.
local function make_tasks(db, project_id, now)
  local ids = {}
  for i, task in ipairs(tasks) do
    ids[i] = pillar.uuid()
    local at = now - task.age * 3600 * 1000
    db:insert("tasks", {
      id = ids[i],
      projectId = project_id,
      title = task[1],
      description = task.description,
      columnId = task.column,
      assigneeId = task.assignee,
      dueDate = date(now, task.due),
      recurrence = task.recurrence,
      done = task.column == "done",
      order = i,
      createdBy = task.by,
      createdAt = at,
      updatedAt = at,
    })
  end
  return ids
end

-- A name that the user has given to something already is left as it is.
local function named(db, name, values)
  return db:row(("SELECT * FROM %s WHERE ownerId = ? AND name = ?"):format(name), values.ownerId, values.name)
    or db:insert(name, values)
end

local function make_marks(db, user_id, task_ids)
  local ids = {}
  for name, color in pairs(labels) do
    ids[name] = named(db, "labels", { id = pillar.uuid(), ownerId = user_id, name = name, color = color }).id
  end
  for _, name in ipairs(categories) do
    ids[name] = named(db, "categories", { id = pillar.uuid(), ownerId = user_id, name = name }).id
  end
  for i, task in ipairs(tasks) do
    if task.label then
      db:exec("INSERT INTO task_labels (taskId, labelId) VALUES (?, ?)", task_ids[i], ids[task.label])
    end
    if task.category then
      db:insert("task_categories", { taskId = task_ids[i], ownerId = user_id, categoryId = ids[task.category] })
    end
  end
end

local demo = {}

function demo.make(db)
  if db:row("SELECT 1 FROM projects") then
    return
  end
  local now = pillar.now()
  local project = db:insert("projects", {
    id = pillar.uuid(),
    name = "Launch week",
    createdBy = "ada",
    createdAt = now - 4 * day - day // 4,
  })
  for user_id, role in pairs(members) do
    db:insert("members", { projectId = project.id, userId = user_id, role = role })
  end
  local task_ids = make_tasks(db, project.id, now)
  for user_id in pairs(members) do
    make_marks(db, user_id, task_ids)
  end
  emit_sync_event {
    entity = "project",
    action = "created",
    entityId = project.id,
    projectId = project.id,
    targetUserIds = { "ada", "grace", "linus" },
    data = project,
    sessionId = false,
  }
end

return demo
