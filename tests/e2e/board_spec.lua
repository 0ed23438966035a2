-- The task board of examples/pillar: every kind of change reaches the other sessions of those whom it concerns, once,
-- and nobody else; with one I/O loop and with two.

local Broker = require "support.broker"
local Socket = require "support.socket"
local wait = require "support.wait"

local function board(loops)
  local self = { broker = Broker.start { script = "examples/pillar/app.lua", args = { "--loops", tostring(loops) } } }
  self.tokens = {}
  for _, user in ipairs { "ada", "grace", "linus" } do
    local answer = self.broker:request("POST", "/api/login", { json = { user = user } })
    assert(answer.status == 200, answer.body)
    self.tokens[user] = answer:json().token
  end
  self.fences = 0

  function self.headers(user, session)
    return { Authorization = "Bearer " .. self.tokens[user], ["X-Session-Id"] = session }
  end

  function self.stream(user, session, query)
    return self.broker:stream {
      query = ("?sessionId=%s%s"):format(session, query or ""),
      headers = { Authorization = "Bearer " .. self.tokens[user] },
    }
  end

  --- A request; fails the test unless it is answered with `status`.
  function self.ask(status, user, session, method, path, body)
    local answer = self.broker:request(method, path, { headers = self.headers(user, session), json = body })
    assert.equal(status, answer.status, method .. " " .. path .. ": " .. answer.body)
    return answer.body ~= "" and answer:json() or nil
  end

  --- Takes what has reached a user's stream. A label of the user's own, made in yet another session, is the fence:
  --- whatever was emitted before has arrived when it has. Fences reach all of the user's streams, so they are left out.
  function self.settle(user, stream)
    self.fences = self.fences + 1
    local last = "fence " .. self.fences
    self.ask(201, user, "fence", "POST", "/api/labels", { name = last, color = "fence" })
    local taken
    local function take()
      taken = {}
      for _, data in ipairs(stream:events()) do
        if data.entity ~= "label" or data.action ~= "created" or data.data.color ~= "fence" then
          taken[#taken + 1] = ("%s %s %s"):format(data.entity, data.action, data.entityId or "-")
        elseif data.data.name == last then
          return true
        end
      end
    end
    wait.until_true("the fence", take)
    stream.all = {}
    return taken
  end

  return self
end

for loops = 1, 2 do
  describe(("the task board with --loops %d"):format(loops), function()
    local b, ada1, ada2, grace, linus, project

    --- Checks what each of the streams got since the last look; ada1 made the change.
    local function expect(to_ada2, to_grace)
      assert.same(to_ada2, b.settle("ada", ada2))
      assert.same(to_grace, b.settle("grace", grace))
      assert.same({}, b.settle("ada", ada1))
      assert.same({}, b.settle("linus", linus))
    end

    setup(function()
      b = board(loops)
      ada1, ada2 = b.stream("ada", "ada1"), b.stream("ada", "ada2")
      grace, linus = b.stream("grace", "grace1"), b.stream("linus", "linus1")
    end)

    teardown(function()
      Socket.close_all()
      b.broker:stop()
    end)

    it("tells a new project to its owner's other sessions alone", function()
      project = b.ask(201, "ada", "ada1", "POST", "/api/projects", { name = "Ship" })
      assert.equal("Ship", project.name)
      assert.is_string(project.id)
      expect({ "project created " .. project.id }, {})
    end)

    it("shares a project", function()
      local member = b.ask(201, "ada", "ada1", "POST", "/api/projects/" .. project.id .. "/members",
        { userId = "grace", role = "editor" })
      assert.equal("editor", member.role)
      expect({ "member created grace" }, { "member created grace", "project created " .. project.id })
    end)

    it("tells the changes of tasks to the members", function()
      local task = b.ask(201, "ada", "ada1", "POST", "/api/tasks", { title = "Write", projectId = project.id })
      assert.equal("Write", task.title)
      assert.is_false(task.done)
      expect({ "task created " .. task.id }, { "task created " .. task.id })

      local path = "/api/tasks/" .. task.id
      assert.equal("Rewrite", b.ask(200, "ada", "ada1", "PATCH", path, { title = "Rewrite" }).title)
      expect({ "task updated " .. task.id }, { "task updated " .. task.id })

      assert.equal("Replaced",
        b.ask(200, "ada", "ada1", "PUT", path, { title = "Replaced", projectId = project.id }).title)
      expect({ "task updated " .. task.id }, { "task updated " .. task.id })

      b.ask(200, "ada", "ada1", "POST", "/api/tasks/reorder", { tasks = { { id = task.id, order = 7 } } })
      expect({ "task reordered -" }, { "task reordered -" })
      assert.equal(7, b.ask(200, "grace", "grace1", "GET", path).order)

      assert.is_true(b.ask(200, "ada", "ada1", "POST", path .. "/complete").done)
      expect({ "task updated " .. task.id }, { "task updated " .. task.id })

      assert.equal(task.id, b.ask(200, "ada", "ada1", "DELETE", path).id)
      expect({ "task deleted " .. task.id }, { "task deleted " .. task.id })
      b.ask(404, "ada", "ada1", "GET", path)
    end)

    it("tells the next task of a series to the tab that completed the last one too", function()
      local task = b.ask(201, "ada", "ada1", "POST", "/api/tasks",
        { title = "Water", projectId = project.id, recurrence = "weekly", dueDate = "2026-01-28" })
      expect({ "task created " .. task.id }, { "task created " .. task.id })
      b.ask(200, "ada", "ada1", "POST", "/api/tasks/" .. task.id .. "/complete")
      local next_task
      for _, one in ipairs(b.ask(200, "ada", "ada1", "GET", "/api/tasks?projectId=" .. project.id)) do
        next_task = one.id ~= task.id and one or next_task
      end
      assert.equal("2026-02-04", next_task.dueDate)
      local both = { "task updated " .. task.id, "task created " .. next_task.id }
      assert.same(both, b.settle("ada", ada2))
      assert.same(both, b.settle("grace", grace))
      assert.same({ "task created " .. next_task.id }, b.settle("ada", ada1))
      assert.same({}, b.settle("linus", linus))
    end)

    it("tells the changes of a project to its members", function()
      local path = "/api/projects/" .. project.id
      b.ask(200, "ada", "ada1", "PATCH", path, { name = "Ship it" })
      expect({ "project updated " .. project.id }, { "project updated " .. project.id })
      b.ask(200, "ada", "ada1", "PUT", path, { name = "Ship it now" })
      expect({ "project updated " .. project.id }, { "project updated " .. project.id })
    end)

    it("tells the changes of members to the members", function()
      local path = "/api/projects/" .. project.id .. "/members/grace"
      b.ask(200, "ada", "ada1", "PATCH", path, { role = "viewer" })
      expect({ "member updated grace" }, { "member updated grace" })
      b.ask(200, "ada", "ada1", "PUT", path, { role = "editor" })
      expect({ "member updated grace" }, { "member updated grace" })
      b.ask(200, "ada", "ada1", "DELETE", path)
      expect({ "member deleted grace" }, { "member deleted grace", "project removed " .. project.id })
      b.ask(404, "grace", "grace1", "GET", "/api/projects/" .. project.id)
      b.ask(201, "ada", "ada1", "POST", "/api/projects/" .. project.id .. "/members",
        { userId = "grace", role = "editor" })
      expect({ "member created grace" }, { "member created grace", "project created " .. project.id })
    end)

    it("takes a task out of somebody's sight when it moves to another project", function()
      local private = b.ask(201, "ada", "ada1", "POST", "/api/projects", { name = "Mine" })
      local task = b.ask(201, "ada", "ada1", "POST", "/api/tasks", { title = "Secret", projectId = project.id })
      expect({ "project created " .. private.id, "task created " .. task.id }, { "task created " .. task.id })
      local path = "/api/tasks/" .. task.id
      b.ask(200, "ada", "ada1", "PATCH", path, { projectId = private.id })
      expect({ "task updated " .. task.id }, { "task removed " .. task.id })
      b.ask(200, "ada", "ada1", "PATCH", path, { projectId = project.id })
      expect({ "task updated " .. task.id }, { "task created " .. task.id })
    end)

    for entity, body in pairs { label = { name = "Blue", color = "blue" }, category = { name = "Home" } } do
      it(("tells a %s to its owner's other sessions alone"):format(entity), function()
        local path = entity == "label" and "/api/labels" or "/api/categories"
        local row = b.ask(201, "ada", "ada1", "POST", path, body)
        expect({ ("%s created %s"):format(entity, row.id) }, {})
        b.ask(409, "ada", "ada1", "POST", path, body)
        expect({}, {})
        body.name = "Other"
        b.ask(200, "ada", "ada1", "PATCH", path .. "/" .. row.id, { name = "Changed" })
        b.ask(200, "ada", "ada1", "PUT", path .. "/" .. row.id, body)
        b.ask(404, "grace", "grace1", "GET", path .. "/" .. row.id)
        b.ask(404, "grace", "grace1", "DELETE", path .. "/" .. row.id)
        b.ask(200, "ada", "ada1", "DELETE", path .. "/" .. row.id)
        local updated = ("%s updated %s"):format(entity, row.id)
        expect({ updated, updated, ("%s deleted %s"):format(entity, row.id) }, {})
      end)
    end

    it("tells the end of a project to those who were its members", function()
      b.ask(200, "ada", "ada1", "DELETE", "/api/projects/" .. project.id)
      expect({ "project deleted " .. project.id }, { "project deleted " .. project.id })
    end)
  end)
end

describe("the task board's answers", function()
  local b, project, task

  setup(function()
    b = board(1)
    project = b.ask(201, "ada", nil, "POST", "/api/projects", { name = "P" })
    task = b.ask(201, "ada", nil, "POST", "/api/tasks", { title = "T", projectId = project.id })
    b.ask(201, "ada", nil, "POST", "/api/projects/" .. project.id .. "/members", { userId = "grace", role = "viewer" })
  end)

  teardown(function()
    Socket.close_all()
    b.broker:stop()
  end)

  local function error_of(status, ...)
    local problem = b.ask(status, ...).error
    return problem.code, problem.field
  end

  it("give back rows whole, with null for what is not set", function()
    local names = {}
    for name in pairs(task) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "assigneeId", "columnId", "createdAt", "createdBy", "description", "done", "dueDate", "id", "order",
      "projectId", "recurrence", "title", "updatedAt" }, names)
    assert.equal(require("cjson").null, task.dueDate)
  end)

  it("are 401 for somebody who is not signed in", function()
    for _, name in ipairs { "projects", "tasks", "labels", "categories", "events", "me" } do
      local path = "/api/" .. name
      assert.equal(401, b.broker:request("GET", path).status)
    end
    assert.equal(401, b.broker:request("POST", "/api/tasks", { json = { title = "x" } }).status)
    assert.equal(401, b.broker:request("POST", "/api/login", { json = { user = "mallory" } }).status)
    assert.equal(401, b.broker:request("GET", "/api/me", { headers = { Authorization = "Bearer nonsense" } }).status)
  end)

  it("are 400 for bodies that do not fit, naming the field", function()
    local post = { "POST", "/api/tasks" }
    local function try(body)
      local code, field = error_of(400, "ada", nil, post[1], post[2], body)
      assert.equal("invalid_field", code)
      return field
    end
    assert.equal("title", try { projectId = project.id })
    assert.equal("title", try { projectId = project.id, title = "" })
    assert.equal("title", try { projectId = project.id, title = 7 })
    assert.equal("title", try { projectId = project.id, title = ("x"):rep(201) })
    assert.equal("projectId", try { title = "x" })
    assert.equal("dueDate", try { projectId = project.id, title = "x", dueDate = "2026-02-30" })
    assert.equal("recurrence", try { projectId = project.id, title = "x", recurrence = "hourly" })
    assert.equal("assigneeId", try { projectId = project.id, title = "x", assigneeId = "linus" })
    assert.equal("colour", try { projectId = project.id, title = "x", colour = "red" })
    assert.equal("userId", select(2, error_of(400, "ada", nil, "POST", "/api/projects/" .. project.id .. "/members",
      { userId = "nobody", role = "editor" })))
  end)

  it("are 403 for a role that is too small, 404 for a project one is no member of", function()
    assert.equal("forbidden", error_of(403, "grace", nil, "PATCH", "/api/tasks/" .. task.id, { title = "x" }))
    assert.equal("forbidden", error_of(403, "grace", nil, "DELETE", "/api/projects/" .. project.id))
    assert.equal("not_found", error_of(404, "linus", nil, "GET", "/api/tasks/" .. task.id))
    assert.equal("not_found", error_of(404, "linus", nil, "POST", "/api/tasks",
      { title = "x", projectId = project.id }))
    assert.equal("not_found", error_of(404, "linus", nil, "GET", "/api/projects/" .. project.id .. "/members"))
  end)

  it("are 409 for what is there already, and for the last owner", function()
    assert.equal("unique", error_of(409, "ada", nil, "POST", "/api/projects/" .. project.id .. "/members",
      { userId = "grace", role = "editor" }))
    assert.equal("last_owner", error_of(409, "ada", nil, "DELETE", "/api/projects/" .. project.id .. "/members/ada"))
    assert.equal("ada", b.ask(200, "ada", nil, "GET", "/api/projects/" .. project.id .. "/members/ada").userId)
  end)

  it("list what one may see", function()
    assert.equal(1, #b.ask(200, "ada", nil, "GET", "/api/projects"))
    assert.equal(1, #b.ask(200, "grace", nil, "GET", "/api/tasks"))
    assert.equal(0, #b.ask(200, "linus", nil, "GET", "/api/tasks"))
    assert.equal("[]", b.broker:request("GET", "/api/labels", { headers = b.headers("linus") }).body)
  end)

  it("sign in with a cookie as well as with a token", function()
    local answer = b.broker:request("POST", "/api/login", { json = { user = "ada" } })
    local cookie = answer.headers["set-cookie"]
    assert.truthy(cookie:find("HttpOnly", 1, true) and cookie:find("SameSite=Lax", 1, true))
    local pair = cookie:match("^[^;]+")
    assert.equal("ada", b.broker:request("GET", "/api/me", { headers = { Cookie = pair } }):json().id)
    assert.equal(204, b.broker:request("POST", "/api/logout", { headers = { Cookie = pair } }).status)
    assert.equal(401, b.broker:request("GET", "/api/me", { headers = { Cookie = pair } }).status)
  end)

  it("believe a name in X-Demo-User", function()
    assert.equal("grace", b.broker:request("GET", "/api/me", { headers = { ["X-Demo-User"] = "grace" } }):json().id)
    assert.equal(401, b.broker:request("GET", "/api/me", { headers = { ["X-Demo-User"] = "mallory" } }).status)
  end)

  it("serve the page, or say how to build it", function()
    local page = b.broker:request("GET", "/")
    if page.status == 404 then
      assert.truthy(page:json().error.message:find("examples/run.sh", 1, true), page.body)
      return
    end
    assert.equal(200, page.status)
    assert.equal("text/html; charset=utf-8", page.headers["content-type"])
    local script = b.broker:request("GET", "/" .. page.body:match('src="%.?/?([^"]+%.js)"'))
    assert.equal(200, script.status)
    assert.equal("text/javascript; charset=utf-8", script.headers["content-type"])
  end)
end)
