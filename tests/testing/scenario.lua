-- One story on the task board. It is told twice, in process and to a real broker over sockets, and must be the same.
--
-- `world` has: connect(name, user, session, query), offline(name), online(name); ask(status, user, session, method,
-- path, json), which returns the body; and settle(), which waits until everything has arrived everywhere.

return function(world)
  local function ask(...)
    return world.ask(...)
  end

  world.connect("ada 1", "ada", "a1")
  world.connect("ada 2", "ada", "a2")
  world.connect("ada's labels", "ada", "a3", { entities = "label,category" })
  world.connect("grace", "grace", "g1")
  world.connect("linus", "linus", "l1")

  -- A project comes to be, and people come in.
  local project = ask(201, "ada", "a1", "POST", "/api/projects", { name = "Ship it" })
  local members = ("/api/projects/%s/members"):format(project.id)
  ask(201, "ada", "a1", "POST", members, { userId = "grace", role = "editor" })
  ask(409, "ada", "a1", "POST", members, { userId = "grace", role = "editor" })

  -- Tasks, by whom it may be and by whom it may not.
  local task = ask(201, "grace", "g1", "POST", "/api/tasks", { title = "Write", projectId = project.id })
  ask(404, "linus", "l1", "PATCH", "/api/tasks/" .. task.id, { title = "Mine" })
  ask(400, "grace", "g1", "PATCH", "/api/tasks/" .. task.id, { title = "" })
  ask(200, "ada", "a2", "PATCH", "/api/tasks/" .. task.id, { title = "Write — well", assigneeId = "grace" })
  ask(200, "ada", "a2", "PUT", "/api/tasks/" .. task.id, { title = "Rewrite", projectId = project.id })

  -- Somebody who is offline misses some of it, and gets it later.
  world.settle()
  world.offline("grace")
  local second = ask(201, "ada", "a1", "POST", "/api/tasks", {
    title = "Water the plants", projectId = project.id, recurrence = "weekly", dueDate = "2026-12-28",
  })
  ask(200, "ada", "a1", "POST", ("/api/tasks/%s/complete"):format(second.id))
  ask(200, "grace", "g1", "POST", "/api/tasks/reorder", { tasks = { { id = task.id, order = 9 } } })
  world.online("grace")

  -- A task goes where others see it; labels go nowhere but to their owner.
  local other = ask(201, "ada", "a1", "POST", "/api/projects", { name = "Elsewhere" })
  ask(201, "ada", "a1", "POST", ("/api/projects/%s/members"):format(other.id), { userId = "linus", role = "viewer" })
  ask(200, "ada", "a1", "PATCH", "/api/tasks/" .. task.id, { projectId = other.id })
  local label = ask(201, "ada", "a1", "POST", "/api/labels", { name = "urgent", color = "red" })
  ask(200, "ada", "a1", "PATCH", "/api/labels/" .. label.id, { color = "blue" })
  ask(201, "ada", "a2", "POST", "/api/categories", { name = "home" })
  ask(200, "ada", "a1", "DELETE", "/api/labels/" .. label.id)

  -- The end of it.
  ask(200, "ada", "a1", "DELETE", members .. "/grace")
  ask(200, "ada", "a1", "DELETE", "/api/projects/" .. project.id)
  world.settle()
end
