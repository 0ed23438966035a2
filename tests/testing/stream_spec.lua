-- Virtual streams: they get what a browser would get, from the broker's own log.

local support = require "support"

local script = [[
app:post("/emit", function(req)
  local event = req:json()
  if event.targetUserIds == "everyone" then
    event.targetUserIds = pillar.everyone
  end
  emit(event)
end)
]]

describe("a virtual stream", function()
  local t

  before_each(function()
    t = support.load(script, { settings = { heartbeat = "10s" } })
  end)

  local function emit(event)
    return t:post("/emit", { user = "linus", session = "tab", json = event or {} })
  end

  local function actions(stream)
    local list = {}
    for i, event in ipairs(stream:events()) do
      list[i] = event.action
    end
    return list
  end

  it("says ready first, and then what is meant for its user", function()
    local ada, linus = t:connect { user = "ada" }, t:connect { user = "linus" }
    local ready = ada:messages()[1]
    assert.equal("ready", ready.event)
    assert.equal(10000, ready.data.heartbeatMs)
    assert.equal("ada", ready.data.userId)
    assert.equal(ready.data.position, ada.lastEventId)
    assert.is_true(ada.retry >= 1000)
    emit { data = { title = "Ship" } }
    local event = ada:next()
    assert.same({ "task", "created", "linus", "tab", { title = "Ship" } },
      { event.entity, event.action, event.userId, event.sessionId, event.data })
    assert.same({}, linus:events())
    assert.is_nil(event.targetUserIds)
  end)

  it("gets no echo of its own session, and that of others", function()
    local own = t:connect { user = "linus", session = "tab" }
    local other = t:connect { user = "linus", session = "phone" }
    local borrowed = t:connect { user = "ada", session = "tab" }
    emit { targetUserIds = { "linus", "ada" } }
    assert.same({ 0, 1, 1 }, { #own:events(), #other:events(), #borrowed:events() })
    emit { targetUserIds = { "linus" }, sessionId = false }
    assert.equal(1, #own:events())
  end)

  it("may want some entities only", function()
    local some = t:connect { user = "ada", entities = { "label" } }
    emit { entity = "task" }
    emit { entity = "label", action = "updated" }
    assert.same({ "updated" }, actions(some))
    -- A list that goes on and on would be walked for each event.
    for _, wrong in ipairs { { "nothing" }, { "task", "label", "task" } } do
      local problem = support.problem(t.connect, t, { user = "ada", entities = wrong })
      assert.truthy(problem:find("the stream did not open: it was answered with 400", 1, true), problem)
    end
  end)

  it("goes offline and comes back, and has missed nothing", function()
    local ada = t:connect { user = "ada" }
    emit { action = "first" }
    ada:offline()
    assert.is_false(ada:isOpen())
    emit { action = "second" }
    emit { action = "third" }
    assert.same({ "first" }, actions(ada))
    ada:online()
    emit { action = "fourth" }
    assert.same({ "first", "second", "third", "fourth" }, actions(ada))
    assert.same({}, ada:messages("resync"))
  end)

  it("begins where a lastEventId says", function()
    local ada = t:connect { user = "ada" }
    emit { action = "first" }
    emit { action = "second" }
    local ids = {}
    for i, message in ipairs(ada:messages("sync")) do
      ids[i] = message.id
    end
    assert.same({ "second" }, actions(t:connect { user = "ada", lastEventId = ids[1] }))
    assert.same({}, actions(t:connect { user = "ada", lastEventId = ids[2] }))
    local lost = t:connect { user = "ada", lastEventId = "nonsense" }
    assert.equal("malformed", lost:messages("resync")[1].data.reason)
  end)

  it("begins at a GET's Sync-Position without a hole", function()
    t = support.load(script .. [[app:get("/tasks", function(_, db) return db:rows("SELECT * FROM tasks") end)]])
    emit { action = "before" }
    local position = t:get("/tasks", { user = "ada" }).headers["sync-position"]
    emit { action = "between" }
    assert.same({ "between" }, actions(t:connect { user = "ada", lastEventId = position }))
  end)

  it("stops reading and reads again, and catches up", function()
    local ada = t:connect { user = "ada" }
    ada:pause()
    for i = 1, 200 do
      emit { action = "a" .. i }
    end
    assert.same({}, ada:events())
    ada:resume()
    local got = actions(ada)
    assert.equal(200, #got)
    assert.same({ "a1", "a200" }, { got[1], got[200] })
  end)

  it("is told to refetch when the log went on without it", function()
    t = support.load(script, { settings = { history_events = 10 } })
    local ada = t:connect { user = "ada" }
    ada:pause()
    for i = 1, 30 do
      emit { action = "a" .. i }
    end
    ada:resume()
    assert.equal("lagged", ada:messages("resync")[1].data.reason)
    emit { action = "after" }
    assert.same({ "after" }, actions(ada))
  end)

  it("gets heartbeats as time passes, and forgets history as it grows old", function()
    local ada = t:connect { user = "ada" }
    t:advance("9s")
    ada:messages()
    local early = ada.heartbeats
    t:advance("60s")
    ada:messages()
    assert.is_true(early <= 1 and ada.heartbeats >= 6, ada.heartbeats)
    ada:offline()
    emit { action = "old" }
    t:advance("25h")
    ada:online()
    assert.equal("trimmed", ada:messages("resync")[1].data.reason)
  end)

  it("takes events one by one, and says when there is none", function()
    local ada = t:connect { user = "ada" }
    emit { action = "first" }
    emit { action = "second" }
    assert.equal("first", ada:next().action)
    assert.equal("second", ada:next().action)
    local problem = support.problem(function()
      local event = ada:next()
      return event
    end)
    assert.truthy(problem:find("^[^ ]*stream_spec.lua:%d+: no event has come"), problem)
    emit { action = "third" }
    ada:clear()
    assert.same({}, ada:events())
  end)

  it("is refused as authenticate says", function()
    local problem = support.problem(t.connect, t, {})
    assert.truthy(problem:find("answered with 401", 1, true), problem)
    assert.is_true(t:connect({ headers = { ["X-User"] = "ada" } }):isOpen())
  end)
end)
