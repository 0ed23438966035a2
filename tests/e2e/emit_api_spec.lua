-- POST /api/emit: events from back ends in other languages.

local cjson = require "cjson"
local Broker = require "support.broker"
local Socket = require "support.socket"

describe("POST /api/emit", function()
  local broker, ada, grace
  local key = "k3y-for-back-ends"

  setup(function()
    broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      env = { PILLAR_EMIT_KEY = key },
      args = { "--max-events", "100" },
    }
  end)
  before_each(function()
    ada = broker:stream { query = "?user=ada&sessionId=tab" }
    grace = broker:stream { query = "?user=grace" }
  end)
  after_each(function() Socket.close_all() end)
  teardown(function() broker:stop() end)

  local function emit(body, authorization)
    return broker:request("POST", "/api/emit",
      { headers = { Authorization = authorization or "Bearer " .. key }, json = body })
  end

  local function event(fields)
    local made = { entity = "note", action = "created", targetUserIds = { "ada" }, entityId = "1" }
    for name, value in pairs(fields or {}) do
      made[name] = value
    end
    return made
  end

  --- What the streams got, up to a fence.
  local function received()
    for _, stream in ipairs { ada, grace } do
      stream:fence(function(name)
        broker:request("POST", "/fence/" .. name, { headers = { ["X-User"] = "fence" } })
      end)
    end
    local function notes(stream)
      local found = {}
      for _, data in ipairs(stream:events()) do
        if data.entity == "note" then
          found[#found + 1] = data.action .. " " .. (data.entityId or "-")
        end
      end
      return found
    end
    return notes(ada), notes(grace)
  end

  it("emits one event", function()
    local answer = emit(event { data = { n = 9007199254740992, list = cjson.decode("[]"), nothing = cjson.null } })
    assert.equal(200, answer.status, answer.body)
    assert.same({ emitted = 1 }, answer:json())
    local to_ada, to_grace = received()
    assert.same({ "created 1" }, to_ada)
    assert.same({}, to_grace)
  end)

  it("emits to everyone", function()
    assert.same({ emitted = 1 }, emit({ entity = "note", action = "wide", everyone = true }):json())
    local to_ada, to_grace = received()
    assert.same({ "wide -" }, to_ada)
    assert.same({ "wide -" }, to_grace)
    for _, bad in ipairs { event { everyone = true }, { entity = "note", action = "x", everyone = "yes" } } do
      local answer = emit(bad)
      assert.equal(400, answer.status)
      assert.equal("everyone", answer:json().error.field)
    end
  end)

  it("refuses more than a handler may emit", function()
    local list = {}
    for i = 1, 101 do
      list[i] = event()
    end
    local answer = emit(list)
    assert.equal(400, answer.status)
    assert.truthy(answer:json().error.message:find("--max-events", 1, true))
    assert.same({}, (received()))
  end)

  it("emits a list in its order", function()
    local answer = emit { event(), event { action = "updated" }, event { targetUserIds = { "ada", "grace", 7 } } }
    assert.same({ emitted = 3 }, answer:json())
    local to_ada, to_grace = received()
    assert.same({ "created 1", "updated 1", "created 1" }, to_ada)
    assert.same({ "created 1" }, to_grace)
    assert.same({ emitted = 0 }, broker:request("POST", "/api/emit", {
      headers = { Authorization = "bearer " .. key, ["Content-Type"] = "application/json" }, body = "[]",
    }):json())
  end)

  it("takes JSON as others write it", function()
    local text = [[
      { "data" : { "t" : "a \n b" ,
                   "big": 9223372036854775807, "list" : [ ] }, "entity": "note", "action":"cre\u0061ted",
        "sessionId": null, "userId": false, "projectId": null, "entityId": 12e0, "targetUserIds": [ 7.0, "ad\u0061" ] }
    ]]
    local answer = broker:request("POST", "/api/emit", {
      headers = { Authorization = "Bearer " .. key, ["Content-Type"] = "Application/Vnd.board+JSON; charset=utf-8" },
      body = text,
    })
    assert.equal(200, answer.status, answer.body)
    local to_ada = received()
    assert.same({ "created 12" }, to_ada)
    local told = ada:named("sync")[1].text
    assert.truthy(told:find([["data":{"t":"a \n b","big":9223372036854775807,"list":[]}]], 1, true), told)
  end)

  it("refuses what is not said to be JSON", function()
    for _, kind in ipairs { "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "json" } do
      local answer = broker:request("POST", "/api/emit", {
        headers = { Authorization = "Bearer " .. key, ["Content-Type"] = kind }, body = cjson.encode(event()),
      })
      assert.equal(415, answer.status, kind)
      assert.equal("unsupported_media_type", answer:json().error.code)
    end
  end)

  it("refuses a body of which nothing is said", function()
    local answer = broker:request("POST", "/api/emit", {
      headers = { Authorization = "Bearer " .. key }, body = cjson.encode(event()),
    })
    assert.equal(415, answer.status)
    assert.same({ emitted = 1 }, emit(event()):json())
  end)

  it("leaves out the session that it names, together with its user", function()
    emit {
      event { userId = "ada", sessionId = "tab" },
      event { action = "other", userId = "grace", sessionId = "tab" },
    }
    assert.same({ "other 1" }, (received()))
  end)

  it("emits all of a list or none", function()
    for field, bad in pairs {
      entity = event { entity = "undeclared" },
      action = event { action = "" },
      targetUserIds = event { targetUserIds = "ada" },
      nonsense = event { nonsense = 1 },
      sessionId = event { sessionId = true },
      entityId = event { entityId = 1.5 },
      projectId = event { projectId = false },
      everyone = event { everyone = true },
      userId = event { userId = ("x"):rep(300) },
    } do
      local answer = emit { event(), event(), bad, event() }
      assert.equal(400, answer.status, field)
      assert.equal("invalid_field", answer:json().error.code)
      assert.equal(field, answer:json().error.field)
      assert.truthy(answer:json().error.message:find("^event 3: "))
    end
    assert.equal(400, emit({ event(), "text" }).status)
    local without = event()
    without.targetUserIds = nil
    assert.equal("targetUserIds", emit(without):json().error.field)
    local to_ada, to_grace = received()
    assert.same({}, to_ada)
    assert.same({}, to_grace)
  end)

  it("refuses data that is too large", function()
    local answer = emit(event { data = ("x"):rep(300 * 1024) })
    assert.equal(400, answer.status)
    assert.equal("data", answer:json().error.field)
  end)

  it("needs the key", function()
    local handlers = broker:metric("handlers_total")
    for _, wrong in ipairs { "Bearer nonsense", "Bearer ", "Bearer", key, "Basic " .. key, "Bearer " .. key .. "x" } do
      local answer = emit(event(), wrong)
      assert.equal(401, answer.status, wrong)
      assert.equal("Bearer", answer.headers["www-authenticate"])
    end
    assert.equal(handlers, broker:metric("handlers_total"))
    assert.equal(405, broker:request("GET", "/api/emit").status)
  end)

  it("does not exist without a key", function()
    local other = Broker.start { script = "tests/e2e/apps/lab.lua" }
    local answer = other:request("POST", "/api/emit", { headers = { Authorization = "Bearer " }, json = event() })
    other:stop()
    assert.equal(404, answer.status)
  end)

  it("refuses bodies that are no events", function()
    for _, body in ipairs { "", "7", "nonsense", '"text"' } do
      assert.equal(400, broker:request("POST", "/api/emit", {
        headers = { Authorization = "Bearer " .. key, ["Content-Type"] = "application/json" }, body = body,
      }).status)
    end
  end)
end)
