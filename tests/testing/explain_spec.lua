-- GET /api/events/explain, over virtual streams: a test may ask why somebody did not get what it expected.

local support = require "support"

describe("explain", function()
  local t
  local key = "k3y"

  before_each(function()
    t = support.load([[
app:post("/emit", function(req) emit(req:json()) end)
]], { settings = { emit_key = key, history_events = 3 } })
  end)

  local function emit(event)
    t:post("/emit", { user = "linus", session = "tab", json = event or {} })
  end

  local function explain(event, user, session)
    local answer = t:get("/api/events/explain",
      { headers = { Authorization = "Bearer " .. key }, query = { event = event, user = user, session = session } })
    assert.equal(200, answer.status)
    return answer:json()
  end

  it("says what became of an event", function()
    local ada = t:connect { user = "ada", session = "laptop" }
    local labels = t:connect { user = "grace", session = "phone", entities = { "label" } }
    local linus = t:connect { user = "linus", session = "tab" }
    emit { targetUserIds = { "ada", "grace", "linus" } }
    local id = ada:messages("sync")[1].id
    local answer = explain(id, "ada")
    assert.equal("delivered", answer.outcome)
    assert.same({ { sessionId = "laptop", outcome = "delivered", at = answer.event.timestamp, open = true } },
      answer.streams)
    assert.equal("filtered", explain(id, "grace").outcome)
    assert.equal("echo", explain(id, "linus").outcome)
    assert.equal("not_targeted", explain(id, "ken").outcome)
    ada:offline()
    assert.same({ { sessionId = "laptop", outcome = "delivered", at = answer.event.timestamp, open = false } },
      explain(id, "ada", "laptop").streams)
    assert.equal("not_connected", explain(id, "ada", "other").outcome)
    labels:offline()
    linus:offline()
    for _ = 1, 3 do
      emit()
    end
    assert.equal("trimmed", explain(id, "ada").outcome)
  end)

  it("tells of a client that does not read, by the clock of the test", function()
    local ada = t:connect { user = "ada", session = "laptop" }
    local watcher = t:connect { user = "grace" }
    ada:pause()
    emit()
    local id = watcher:messages("sync")[1].id
    assert.equal("lagging", explain(id, "ada").outcome)
    t:advance("1m")
    ada:resume()
    local answer = explain(id, "ada")
    assert.equal("delivered", answer.outcome)
    assert.is_true(answer.streams[1].at >= answer.event.timestamp + 60000)
  end)

  it("needs the key, and is not there without", function()
    assert.equal(401, t:get("/api/events/explain").status)
    local other = support.load("")
    assert.equal(404, other:get("/api/events/explain").status)
  end)
end)
