-- Run by: pillar test examples/quickstart
local testing = require "pillar.testing"

describe("the shared list", function()
  local t, ada, grace -- the app on a fresh database, and two open tabs

  before_each(function()
    t = testing.load "app.lua"
    ada = t:connect { user = "ada", session = "laptop" }
    grace = t:connect { user = "grace" }
  end)

  -- What Ada does in her tab.
  local function ask(method, path, json)
    return t:request(method, path, { user = "ada", session = "laptop", json = json })
  end

  it("shows a new item to everybody but the tab that made it", function()
    local answer = ask("POST", "/api/items", { title = "Milk" })
    assert.equal(201, answer.status)
    local event = grace:next()
    assert.same({ "item", "created" }, { event.entity, event.action })
    assert.same(answer:json(), event.data)
    assert.same({}, ada:events())
    assert.is_true(t:events()[1].everyone)
  end)

  it("ticks off and removes", function()
    local id = ask("POST", "/api/items", { title = "Milk" }):json().id
    t:clear()
    assert.is_true(ask("PATCH", "/api/items/" .. id, { done = true }):json().done)
    assert.equal("updated", grace:next().action)
    assert.equal(200, ask("DELETE", "/api/items/" .. id).status)
    assert.equal("deleted", grace:next().action)
    assert.same({}, ask("GET", "/api/items"):json())
  end)

  it("lists what there is, in order", function()
    ask("POST", "/api/items", { title = "Milk" })
    ask("POST", "/api/items", { title = "Bread" })
    local items = ask("GET", "/api/items"):json()
    assert.same({ "Milk", "Bread" }, { items[1].title, items[2].title })
  end)

  it("refuses what is no item, and tells nobody", function()
    assert.equal(400, ask("POST", "/api/items", { title = "  " }).status)
    assert.equal(400, ask("POST", "/api/items", {}).status)
    assert.equal(404, ask("PATCH", "/api/items/none", { done = true }).status)
    assert.same({}, t:events())
  end)

  it("is for people with a name", function()
    assert.equal(401, t:get("/api/items").status)
    assert.equal(200, t:get("/api/items?user=linus").status)
  end)
end)
