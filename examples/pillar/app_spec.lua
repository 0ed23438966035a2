-- Run by: pillar test examples/pillar
-- Every route, and for each kind of change who hears of it and who does not: Ada owns a project, Grace edits it, Vera
-- looks on, Linus is no member of it.
local testing = require "pillar.testing"

local people = { "ada", "grace", "vera", "linus" }

describe("the task board", function()
  local t, tabs, phone, ada, grace, vera, linus, project

  before_each(function()
    t = testing.load "app.lua"
    t:sql("INSERT INTO users (id, name) VALUES ('vera', 'Vera')")
    ada = t:client { user = "ada", session = "ada's laptop" }
    grace = t:client { user = "grace", session = "grace's laptop" }
    vera = t:client { user = "vera", session = "vera's laptop" }
    linus = t:client { user = "linus", session = "linus's laptop" }
    project = ada:post("/api/projects", { json = { name = "Ship it" } }):json()
    ada:post("/api/projects/" .. project.id .. "/members", { json = { userId = "grace", role = "editor" } })
    ada:post("/api/projects/" .. project.id .. "/members", { json = { userId = "vera", role = "viewer" } })
    tabs = {}
    for _, user in ipairs(people) do
      tabs[user] = t:connect { user = user, session = user .. "'s laptop" }
    end
    phone = t:connect { user = "ada", session = "ada's phone" }
    t:clear()
  end)

  --- What each has got since the last look, as { grace = "task created", ... }; Ada's other device is `phone`.
  local function heard()
    local found = {}
    local function look(name, stream)
      local list = {}
      for i, event in ipairs(stream:events()) do
        list[i] = event.entity .. " " .. event.action
      end
      found[name] = #list > 0 and table.concat(list, ", ") or nil
      stream:clear()
    end
    for _, user in ipairs(people) do
      look(user, tabs[user])
    end
    look("phone", phone)
    return found
  end

  --- Checks the status, and returns the body.
  local function expect(status, answer)
    assert.equal(status, answer.status, answer.body)
    return answer.body ~= "" and answer:json() or nil
  end

  local function refused(status, code, answer)
    local body = expect(status, answer)
    assert.equal(code, body.error.code)
    assert.same({}, t:events())
    return body.error
  end

  local function everybody(what)
    return { phone = what, grace = what, vera = what }
  end

  describe("sign-in", function()
    it("gives a token and a cookie, and log-out takes them back", function()
      local answer = t:post("/api/login", { json = { user = "grace" } })
      local token = expect(200, answer).token
      local bearer = { Authorization = "Bearer " .. token }
      assert.equal("grace", expect(200, t:get("/api/me", { headers = bearer })).id)
      local cookie = { Cookie = answer.headers["set-cookie"]:match("^[^;]+") }
      assert.equal("grace", expect(200, t:get("/api/me", { headers = cookie })).id)
      local stream = t:connect { headers = bearer }
      assert.equal(204, t:post("/api/logout", { headers = bearer }).status)
      assert.is_false(stream:isOpen())
      assert.equal(401, t:get("/api/me", { headers = bearer }).status)
      assert.equal(401, t:post("/api/login", { json = { user = "mallory" } }).status)
    end)

    it("makes a project to look at, when one is wanted and there is none", function()
      local function projects(user, wanted)
        expect(200, t:post("/api/login", { json = { user = user, demo = wanted } }))
        return expect(200, t:get("/api/projects", { user = user }))
      end
      assert.equal(0, #projects("linus", true)) -- there is Ada's
      expect(200, ada:delete("/api/projects/" .. project.id))
      heard()
      assert.equal(0, #projects("linus", false))
      local demo = projects("linus", true)[1]
      assert.equal("editor", demo.role)
      assert.same({ ada = "project created", phone = "project created", grace = "project created",
        linus = "project created" }, heard())
      assert.equal(1, #projects("linus", true))
      assert.equal(12, #expect(200, grace:get("/api/tasks?projectId=" .. demo.id)))
      assert.equal(4, #expect(200, grace:get("/api/labels")))
      assert.is_true(#expect(200, grace:get("/api/marks")) > 0)
    end)

    it("is needed for all the rest", function()
      assert.equal(401, t:get("/api/projects").status)
      assert.equal("Ada", expect(200, t:get("/api/me", { headers = { ["X-Demo-User"] = "ada" } })).name)
      assert.equal(4, #expect(200, ada:get("/api/users")))
    end)
  end)

  describe("a project", function()
    it("is its owner's at first", function()
      local made = expect(201, ada:post("/api/projects", { json = { name = "Secret" } }))
      assert.same({ phone = "project created" }, heard())
      assert.same({ "ada" }, t:events()[1].targetUserIds)
      assert.equal("Secret", expect(200, ada:get("/api/projects/" .. made.id)).name)
      assert.equal(404, grace:get("/api/projects/" .. made.id).status)
      assert.equal(2, #expect(200, ada:get("/api/projects")))
      assert.equal(1, #expect(200, grace:get("/api/projects")))
    end)

    it("changes for all its members", function()
      local path = "/api/projects/" .. project.id
      assert.equal("Shipped", expect(200, ada:patch(path, { json = { name = "Shipped" } })).name)
      assert.same(everybody "project updated", heard())
      expect(200, ada:put(path, { json = { name = "Again" } }))
      assert.same(everybody "project updated", heard())
      expect(200, ada:delete(path))
      assert.same(everybody "project deleted", heard())
      assert.equal(404, ada:get(path).status)
    end)

    it("is changed by its owner alone", function()
      local path = "/api/projects/" .. project.id
      refused(403, "forbidden", grace:patch(path, { json = { name = "Mine" } }))
      refused(403, "forbidden", vera:put(path, { json = { name = "Mine" } }))
      refused(403, "forbidden", grace:delete(path))
      refused(404, "not_found", linus:patch(path, { json = { name = "Mine" } }))
      refused(400, "invalid_field", ada:patch(path, { json = { name = "" } }))
      refused(400, "invalid_field", ada:post("/api/projects", { json = {} }))
    end)
  end)

  describe("a member", function()
    local path

    before_each(function() path = "/api/projects/" .. project.id .. "/members" end)

    it("who comes in sees the project appear", function()
      expect(201, ada:post(path, { json = { userId = "linus", role = "viewer" } }))
      assert.same({
        phone = "member created", grace = "member created", vera = "member created",
        linus = "member created, project created",
      }, heard())
      assert.equal("Ship it", t:events()[2].data.name)
      assert.equal(4, #expect(200, linus:get(path)))
      assert.equal(4, #expect(200, linus:get("/api/members")))
      assert.equal("viewer", expect(200, linus:get(path .. "/linus")).role)
    end)

    it("who changes is told to all", function()
      assert.equal("viewer", expect(200, ada:patch(path .. "/grace", { json = { role = "viewer" } })).role)
      assert.same(everybody "member updated", heard())
      expect(200, ada:put(path .. "/grace", { json = { role = "editor" } }))
      assert.same(everybody "member updated", heard())
    end)

    it("who goes loses the project, and the others see who went", function()
      expect(200, ada:delete(path .. "/grace"))
      assert.same({
        phone = "member deleted", grace = "member deleted, project removed", vera = "member deleted",
      }, heard())
      assert.is_nil(t:events()[2].data)
      assert.equal(404, grace:get("/api/projects/" .. project.id).status)
      expect(200, vera:delete(path .. "/vera")) -- everybody may go
      assert.same({ ada = "member deleted", phone = "member deleted" }, heard())
    end)

    it("is let in and sent away by an owner, of whom one must stay", function()
      refused(403, "forbidden", grace:post(path, { json = { userId = "linus", role = "viewer" } }))
      refused(403, "forbidden", grace:delete(path .. "/vera"))
      refused(403, "forbidden", grace:patch(path .. "/grace", { json = { role = "owner" } }))
      refused(404, "not_found", linus:get(path))
      assert.equal(0, #expect(200, linus:get("/api/members")))
      refused(404, "not_found", ada:patch(path .. "/linus", { json = { role = "viewer" } }))
      refused(409, "unique", ada:post(path, { json = { userId = "grace", role = "viewer" } }))
      refused(400, "invalid_field", ada:post(path, { json = { userId = "nobody", role = "viewer" } }))
      refused(400, "invalid_field", ada:post(path, { json = { userId = "linus", role = "king" } }))
      refused(409, "last_owner", ada:delete(path .. "/ada"))
      refused(409, "last_owner", ada:patch(path .. "/ada", { json = { role = "editor" } }))
    end)
  end)

  describe("a task", function()
    local task

    before_each(function()
      task = expect(201, ada:post("/api/tasks", { json = { title = "Write it", projectId = project.id } }))
    end)

    it("appears for the project's other members", function()
      assert.same(everybody "task created", heard())
      local event = t:events()[1]
      assert.same({ "ada", "grace", "vera" }, event.targetUserIds)
      assert.same({ task.id, project.id, "ada", "ada's laptop" },
        { event.entityId, event.projectId, event.userId, event.sessionId })
      assert.same(task, event.data)
    end)

    it("is seen by members alone", function()
      assert.equal("Write it", expect(200, vera:get("/api/tasks/" .. task.id)).title)
      assert.equal(404, linus:get("/api/tasks/" .. task.id).status)
      assert.equal(1, #expect(200, grace:get("/api/tasks?projectId=" .. project.id)))
      assert.equal(0, #expect(200, linus:get("/api/tasks")))
    end)

    it("changes, and goes", function()
      heard()
      local path = "/api/tasks/" .. task.id
      expect(200, grace:patch(path, { json = { title = "Rewrite it", assigneeId = "vera" } }))
      assert.same({ ada = "task updated", phone = "task updated", vera = "task updated" }, heard())
      local replaced = expect(200, ada:put(path, { json = { title = "Done over", projectId = project.id } }))
      assert.is_nil(replaced.assigneeId ~= testing.null and replaced.assigneeId or nil)
      assert.same(everybody "task updated", heard())
      expect(200, ada:delete(path))
      assert.same(everybody "task deleted", heard())
    end)

    it("that moves to another project leaves some people's sight, and comes into others'", function()
      local other = expect(201, ada:post("/api/projects", { json = { name = "Elsewhere" } }))
      ada:post("/api/projects/" .. other.id .. "/members", { json = { userId = "linus", role = "editor" } })
      t:clear()
      expect(200, ada:patch("/api/tasks/" .. task.id, { json = { projectId = other.id } }))
      local removed = tabs.grace:events()[1]
      assert.same({ phone = "task updated", grace = "task removed", vera = "task removed", linus = "task created" },
        heard())
      assert.same({ task.id, nil }, { removed.entityId, removed.data })
    end)

    it("is completed", function()
      heard()
      local path = "/api/tasks/" .. task.id .. "/complete"
      assert.is_true(expect(200, grace:post(path)).done)
      assert.same({ ada = "task updated", phone = "task updated", vera = "task updated" }, heard())
      t:clear()
      expect(200, grace:post(path)) -- it is done already
      assert.same({}, t:events())
      assert.equal(404, linus:post(path).status)
    end)

    it("of a series makes the next one, which the tab that completed it sees appear as well", function()
      local weekly = expect(201, ada:post("/api/tasks", {
        json = { title = "Water", projectId = project.id, recurrence = "weekly", dueDate = "2026-12-28" },
      }))
      heard()
      t:clear()
      expect(200, ada:post("/api/tasks/" .. weekly.id .. "/complete"))
      local both = "task updated, task created"
      assert.same({ ada = "task created", phone = both, grace = both, vera = both }, heard())
      local following = t:events()[2]
      assert.same({ "2027-01-04", false }, { following.data.dueDate, following.data.done })
      assert.is_nil(following.sessionId)
    end)

    it("goes to a place in another column by one change, and comes back", function()
      heard()
      local path = "/api/tasks/" .. task.id
      local moved = expect(200, grace:patch(path, { json = { columnId = "doing", order = 2.5 } }))
      assert.same({ "doing", 2.5, false }, { moved.columnId, moved.order, moved.done })
      assert.same({ ada = "task updated", phone = "task updated", vera = "task updated" }, heard())
      assert.is_true(expect(200, grace:patch(path, { json = { columnId = "done" } })).done)
      assert.is_false(expect(200, grace:patch(path, { json = { columnId = "todo" } })).done)
      assert.equal(0.5, expect(201, ada:post("/api/tasks", {
        json = { title = "First", projectId = project.id, order = 0.5 },
      })).order)
      t:clear()
      refused(400, "invalid_field", grace:patch(path, { json = { order = "first" } }))
      refused(400, "invalid_field", grace:patch(path, { json = { order = 1e308 } }))
    end)

    it("of a series by the month falls on the last day of a month that is too short", function()
      for date, following in pairs {
        ["2026-01-31"] = "2026-02-28", ["2028-01-30"] = "2028-02-29", ["2026-03-31"] = "2026-04-30",
        ["2026-12-31"] = "2027-01-31", ["2026-02-28"] = "2026-03-28", ["0001-01-01"] = "0001-02-01",
      } do
        local made = ada:post("/api/tasks", {
          json = { title = "Rent", projectId = project.id, recurrence = "monthly", dueDate = date },
        }):json()
        t:clear()
        expect(200, ada:post("/api/tasks/" .. made.id .. "/complete"))
        assert.equal(following, t:events()[2].data.dueDate)
      end
    end)

    it("of a series makes the next one, too, when it is moved to the end", function()
      local path = "/api/tasks/" .. task.id
      expect(200, ada:patch(path, { json = { recurrence = "daily", dueDate = "2026-12-31" } }))
      heard()
      t:clear()
      expect(200, ada:patch(path, { json = { columnId = "done" } }))
      local both = "task created, task updated"
      assert.same({ ada = "task created", phone = both, grace = both, vera = both }, heard())
      assert.equal("2027-01-01", t:events()[1].data.dueDate)
      t:clear()
      expect(200, ada:patch(path, { json = { columnId = "done", title = "Still done" } }))
      assert.equal(1, #t:events())
    end)

    it("is newer after each change, though no time passes", function()
      local now = t:now()
      local first = expect(200, ada:patch("/api/tasks/" .. task.id, { json = { title = "One" } }))
      t:sql("UPDATE tasks SET updatedAt = ?", now + 60000)
      local second = expect(200, ada:post("/api/tasks/" .. task.id .. "/complete"))
      assert.is_true(first.updatedAt > task.updatedAt)
      assert.equal(now + 60001, second.updatedAt)
    end)

    it("finds its place among the others", function()
      local second = expect(201, ada:post("/api/tasks", { json = { title = "Test it", projectId = project.id } }))
      heard()
      t:clear()
      local order = { { id = second.id, order = 0.5 }, { id = task.id, order = 2 } }
      expect(200, grace:post("/api/tasks/reorder", { json = { tasks = order } }))
      assert.same({ ada = "task reordered", phone = "task reordered", vera = "task reordered" }, heard())
      assert.same(order, t:events()[1].data.tasks)
      assert.equal(second.id, expect(200, ada:get("/api/tasks"))[1].id)
    end)

    describe("that is filed by a member", function()
      local label, category, path

      before_each(function()
        label = expect(201, vera:post("/api/labels", { json = { name = "later", color = "blue" } }))
        category = expect(201, vera:post("/api/categories", { json = { name = "home" } }))
        path = "/api/tasks/" .. task.id .. "/marks"
        heard()
        t:clear()
      end)

      it("is so for that member alone, on all devices", function()
        local tablet = t:connect { user = "vera", session = "vera's tablet" }
        local marks = expect(200, vera:put(path, { json = { labelIds = { label.id }, categoryId = category.id } }))
        assert.same({ taskId = task.id, labelIds = { label.id }, categoryId = category.id }, marks)
        assert.same({}, heard())
        local event = tablet:next()
        assert.same({ "task", "marked", task.id, marks }, { event.entity, event.action, event.entityId, event.data })
        assert.same({ marks }, expect(200, vera:get("/api/marks")))
        assert.same({}, expect(200, ada:get("/api/marks")))
        expect(200, vera:put(path, { json = { labelIds = testing.list {} } }))
        assert.same({}, expect(200, vera:get("/api/marks")))
      end)

      it("is so under labels and categories of that member's own", function()
        refused(400, "invalid_field", ada:put(path, { json = { labelIds = { label.id } } }))
        refused(400, "invalid_field", ada:put(path, {
          json = { labelIds = testing.list {}, categoryId = category.id },
        }))
        refused(404, "not_found", linus:put(path, { json = { labelIds = testing.list {} } }))
        refused(404, "not_found", ada:put("/api/tasks/none/marks", { json = { labelIds = testing.list {} } }))
        refused(400, "invalid_field", vera:put(path, { json = {} }))
      end)

      it("forgets what is deleted", function()
        expect(200, vera:put(path, { json = { labelIds = { label.id }, categoryId = category.id } }))
        expect(200, vera:delete("/api/labels/" .. label.id))
        expect(200, vera:delete("/api/categories/" .. category.id))
        assert.same({}, expect(200, vera:get("/api/marks")))
      end)

      it("has a successor that is filed in the same way", function()
        expect(200, ada:patch("/api/tasks/" .. task.id, { json = { recurrence = "daily" } }))
        expect(200, vera:put(path, { json = { labelIds = { label.id }, categoryId = category.id } }))
        heard()
        expect(200, grace:post("/api/tasks/" .. task.id .. "/complete"))
        assert.equal("task updated, task created, task marked", heard().vera)
        local all = expect(200, vera:get("/api/marks"))
        assert.same({ 2, { label.id }, category.id }, { #all, all[2].labelIds, all[2].categoryId })
      end)
    end)

    it("is changed by editors, with what it can hold", function()
      t:clear()
      local path = "/api/tasks/" .. task.id
      refused(403, "forbidden", vera:patch(path, { json = { title = "No" } }))
      refused(403, "forbidden", vera:delete(path))
      refused(403, "forbidden", vera:post(path .. "/complete"))
      refused(403, "forbidden", vera:post("/api/tasks", { json = { title = "No", projectId = project.id } }))
      refused(403, "forbidden", vera:put(path, { json = { title = "No", projectId = project.id } }))
      refused(403, "forbidden", vera:post("/api/tasks/reorder", { json = { tasks = { { id = task.id, order = 1 } } } }))
      refused(404, "not_found", linus:post("/api/tasks", { json = { title = "No", projectId = project.id } }))
      refused(404, "not_found", linus:patch(path, { json = { title = "No" } }))
      for _, wrong in ipairs {
        { title = "" }, { title = ("x"):rep(201) }, { title = 7 }, { dueDate = "2026-02-30" },
        { recurrence = "hourly" }, { assigneeId = "linus" }, { colour = "red" },
      } do
        refused(400, "invalid_field", ada:patch(path, { json = wrong }))
      end
      refused(400, "invalid_field", ada:post("/api/tasks/reorder", { json = { tasks = testing.list {} } }))
      refused(400, "invalid_field", ada:post("/api/tasks", { json = { projectId = project.id } }))
    end)

    it("is either stored and told, or neither, when the broker dies", function()
      t:clear()
      t:crash("before commit")
      assert.is_nil(ada:patch("/api/tasks/" .. task.id, { json = { title = "Lost" } }))
      assert.equal("Write it", expect(200, ada:get("/api/tasks/" .. task.id)).title)
      assert.same({}, t:events())
      tabs.grace:online()
      assert.same({}, tabs.grace:events())
    end)

    it("that was changed while somebody was offline is told when they are back", function()
      tabs.grace:offline()
      tabs.grace:clear()
      expect(200, ada:patch("/api/tasks/" .. task.id, { json = { title = "Meanwhile" } }))
      tabs.grace:online()
      assert.equal("Meanwhile", tabs.grace:next().data.title)
    end)
  end)

  for entity, path in pairs { label = "/api/labels", category = "/api/categories" } do
    describe("a " .. entity, function()
      local values = entity == "label" and { name = "urgent", color = "red" } or { name = "urgent" }
      local row

      before_each(function() row = expect(201, ada:post(path, { json = values })) end)

      it("is its owner's own, on all devices", function()
        assert.same({ phone = entity .. " created" }, heard())
        expect(200, ada:patch(path .. "/" .. row.id, { json = { name = "later" } }))
        expect(200, ada:put(path .. "/" .. row.id, { json = values }))
        expect(200, ada:delete(path .. "/" .. row.id))
        assert.same({ phone = ("%s updated, %s updated, %s deleted"):format(entity, entity, entity) }, heard())
        for _, event in ipairs(t:events()) do
          assert.same({ "ada" }, event.targetUserIds)
        end
      end)

      it("is nobody else's to see", function()
        assert.equal(row.id, expect(200, ada:get(path .. "/" .. row.id)).id)
        assert.equal(1, #expect(200, ada:get(path)))
        assert.equal(0, #expect(200, grace:get(path)))
        assert.equal(404, grace:get(path .. "/" .. row.id).status)
        assert.equal(404, grace:delete(path .. "/" .. row.id).status)
        t:clear()
        refused(409, "unique", ada:post(path, { json = values }))
        refused(400, "invalid_field", ada:post(path, { json = { name = 7 } }))
        expect(201, grace:post(path, { json = values }))
      end)
    end)
  end

  it("serves the page to anybody, or says how to build it", function()
    local answer = t:get("/")
    assert.truthy(answer.status == 200 or answer:json().error.message:find("examples/run.sh", 1, true), answer.body)
  end)
end)
