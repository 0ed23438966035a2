-- A mutation that changes a table and tells nobody fails the test, with the route and the tables.

local support = require "support"

describe("a mutation that tells nobody", function()
  local function post(body, options)
    local t = support.load(body)
    local answer = t:post("/x", { user = "ada", json = options or {} })
    return answer
  end

  local function complaint(body, options)
    return support.problem(post, body, options)
  end

  it("fails the test, with its route, its line and its tables", function()
    local text = complaint [[
      app:post("/x", function(_, db)
        db:insert("tasks", { title = "a" })
        db:insert("labels", { name = "b" })
      end)]]
    assert.truthy(text:find("POST /x (", 1, true), text)
    assert.truthy(text:find(":18) changed tasks, labels and emitted nothing", 1, true), text)
    assert.truthy(text:find("^[^ ]*silence_spec.lua:8: POST /x "), text)
  end)

  it("is one that updates or deletes, too, in whatever way", function()
    for _, statement in ipairs {
      'db:update("tasks", 1, { title = "b" })',
      'db:delete("tasks", 1)',
      'db:exec("DELETE FROM tasks")',
      'db:rows("UPDATE tasks SET title = 1 RETURNING *")',
    } do
      local t = support.load(([[
        app:post("/seed", { silent = true }, function(_, db) db:insert("tasks", { id = 1, title = "a" }) end)
        app:post("/x", function(_, db) %s end)]]):format(statement))
      t:post("/seed", { user = "ada" })
      local text = support.problem(t.post, t, "/x", { user = "ada" })
      assert.truthy(text:find("changed tasks and emitted nothing", 1, true), text)
    end
  end)

  it("may say that it is silent", function()
    assert.equal(204, post([[
      app:post("/x", { silent = true }, function(_, db) db:insert("tasks", { title = "a" }) end)]]).status)
  end)

  it("is not one that emits, changes nothing, answers with an error, or rolls back what it changed", function()
    for _, handler in ipairs {
      'db:insert("tasks", { title = "a" }) emit {}',
      'db:update("tasks", 7, { title = "a" })',
      'db:insert("tasks", { title = "a" }) return 409, { error = {} }',
      'db:insert("tasks", { title = "a" }) pillar.fail(404, "not_found")',
      [[db:try(function()
          db:insert("labels", { name = "a" })
          db:insert("labels", { name = "a" })
        end)]],
      [[pcall(db.transaction, db, function()
          db:insert("tasks", { title = "a" })
          error("no")
        end)]],
    } do
      post(('app:post("/x", function(_, db) %s end)'):format(handler))
    end
  end)

  it("is one whose events were rolled back", function()
    local text = complaint [[
      app:post("/x", function(_, db)
        db:insert("tasks", { title = "a" })
        pcall(db.transaction, db, function() emit {} error("no") end)
      end)]]
    assert.truthy(text:find("changed tasks and emitted nothing", 1, true), text)
  end)

  it("is one without a transaction of its own, if none of those that it opened emits", function()
    local free = [[
      app:post("/x", { transaction = false }, function(_, db)
        db:transaction(function() db:insert("tasks", { title = "a" }) end)
        db:transaction(function() %s end)
      end)]]
    local text = complaint(free:format 'db:insert("labels", { name = "a" })')
    assert.truthy(text:find("changed tasks, labels and emitted nothing", 1, true), text)
    assert.equal(204, post(free:format "emit {}").status)
  end)

  it("is one that commits by itself and then answers with an error", function()
    local text = complaint [[
      app:post("/x", { transaction = false }, function(_, db)
        db:transaction(function() db:insert("tasks", { title = "a" }) end)
        return 409, {}
      end)]]
    assert.truthy(text:find("changed tasks and emitted nothing", 1, true), text)
  end)

  it("is an entity's whose targets are nobody", function()
    local entity = [[
      app:entity("note", {
        path = "/x", %s
        create = function(_, db) return db:insert("tasks", { title = "a" }) end,
        targets = function() return {} end,
      })]]
    local text = complaint(entity:format "")
    assert.truthy(text:find("changed tasks and emitted nothing", 1, true), text)
    assert.equal(201, post(entity:format "silent = true,").status)
  end)
end)

describe("an event with an empty target list", function()
  it("fails the test", function()
    local t = support.load [[
      app:post("/x", function() emit { targetUserIds = {} } end)
      app:post("/free", { transaction = false }, function(_, db)
        db:transaction(function() emit { targetUserIds = {} } end)
      end)
      app:post("/silent", { silent = true }, function() emit { targetUserIds = {} } end)]]
    for _, path in ipairs { "/x", "/free" } do
      local text = support.problem(t.post, t, path, { user = "ada" })
      assert.truthy(text:find("emitted task created with an empty target list", 1, true), text)
    end
    assert.equal(204, t:post("/silent", { user = "ada" }).status)
  end)
end)
