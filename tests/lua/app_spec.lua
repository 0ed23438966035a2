local pillar = require "pillar"

describe("an app", function()
  local function message(fn)
    local ok, problem = pcall(fn)
    assert.is_false(ok)
    return tostring(problem)
  end

  it("points at the script's line for a mistake", function()
    local app = pillar.app()
    local line = debug.getinfo(1, "l").currentline
    local messages = {
      message(function() app:get("x", print) end),
      message(function() app:entity("a b") end),
      message(function() app:entity("a", { paht = "/" }) end),
      message(function() app:migrate { 7 } end),
      message(function() app:static("x", ".") end),
      message(function() app:static("/x", ".", { immutable = "assets" }) end),
      message(function() app:static("/x", ".", { immutable = "/assets/" }) end),
      message(function() app:authenticate(7) end),
    }
    for i, text in ipairs(messages) do
      assert.truthy(text:find(("app_spec.lua:%d:"):format(line + 1 + i), 1, true), text)
    end
  end)

  it("suggests the field that was meant", function()
    local app = pillar.app()
    assert.truthy(message(function() app:entity("a", { tragets = print }) end):find("did you mean 'targets'?", 1, true))
    assert.is_nil(message(function() app:entity("b", { zebra = print }) end):find("did you mean", 1, true))
  end)

  it("asks one function only who is asking", function()
    local app = pillar.app()
    app:anonymous()
    assert.truthy(message(function() app:authenticate(print) end):find("was called already", 1, true))
  end)

  it("describes itself", function()
    local app = pillar.app { loops = 2, dev = true }
    app:anonymous()
    app:entity("task", { path = "/tasks", list = print, create = print, targets = print })
    app:post("/free", { transaction = false, public = true }, print)
    app:static("/", "public")
    app:migrate { "one", { name = "second", sql = "two" } }
    local d = app:describe("dir/app.lua")
    local routes = {}
    for i, route in ipairs(d.routes) do
      routes[i] = ("%s %s %s"):format(route.method, route.pattern, route.mode)
    end
    assert.same({ "POST /free free", "GET /tasks read", "POST /tasks write", "POST  write" }, routes)
    assert.same({ "task" }, d.entities)
    assert.equal("dir/public", d.mounts[1].dir)
    assert.equal("", d.mounts[1].prefix)
    assert.same({ { name = "", sql = "one" }, { name = "second", sql = "two" } }, d.migrations)
    table.sort(d.settings, function(a, b) return a.name < b.name end)
    assert.same({ { name = "dev", value = "on" }, { name = "loops", value = "2" } }, d.settings)
    assert.is_true(d.anonymous)
  end)

  it("raises failures with pillar.fail", function()
    local ok, failure = pcall(pillar.fail, 409, "taken", "it is taken", "name")
    assert.is_false(ok)
    assert.same({ status = 409, code = "taken", message = "it is taken", field = "name" }, failure)
    assert.equal("it is taken", tostring(failure))
    assert.truthy(message(function() pillar.fail(200, "x") end):find("400 to 599", 1, true))
    assert.truthy(message(function() pillar.fail(400) end):find("the code must be a string", 1, true))
  end)

  it("knows that a handler is needed for the database and for events", function()
    assert.truthy(message(function()
      require("pillar.core").emit { entity = "task", action = "x", targetUserIds = {} }
    end):find("inside handlers only", 1, true))
  end)
end)
