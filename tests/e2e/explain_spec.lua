-- GET /api/events/explain: why a user did, or did not, get an event.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local key = "k3y-for-operators"
local authorized = { Authorization = "Bearer " .. key }

local function start(args)
  return Broker.start { script = "tests/e2e/apps/lab.lua", env = { PILLAR_EMIT_KEY = key }, args = args }
end

local function query(parts)
  local list = {}
  for name, value in pairs(parts) do
    list[#list + 1] = name .. "=" .. value
  end
  return "/api/events/explain?" .. table.concat(list, "&")
end

local function explain(broker, event, user, session)
  local path = query { event = event, user = user, session = session }
  local answer = broker:request("GET", path, { headers = authorized })
  assert.equal(200, answer.status, answer.body)
  return answer:json(), answer
end

--- The id of the newest event.
local function newest(broker)
  local generation = broker.generation
  if not generation then
    local stream = broker:stream { query = "?user=nobody" }
    generation = stream.lastEventId:match("^%x+")
    stream:close()
    broker.generation = generation
  end
  return ("%s-%d"):format(generation, broker:metric("position"))
end

--- Emits an event for the users of `to` (everyone without) and returns its id.
local function emit(broker, to, fields)
  local event = { entity = "note", action = "created", everyone = not to or nil, targetUserIds = to }
  for name, value in pairs(fields or {}) do
    event[name] = value
  end
  local answer = broker:request("POST", "/api/emit", { headers = authorized, json = event })
  assert.equal(200, answer.status, answer.body)
  return newest(broker)
end

--- "delivered laptop", sorted; * behind the outcome of a stream that is open.
local function streams(answer)
  local list = {}
  for i, stream in ipairs(answer.streams) do
    list[i] = ("%s%s %s"):format(stream.outcome, stream.open and "*" or "", stream.sessionId or "-")
  end
  table.sort(list)
  return list
end

for _, loops in ipairs { 1, 3 } do
  describe(("explain with --loops %d"):format(loops), function()
    local broker

    setup(function()
      broker = start { "--loops", tostring(loops), "--history-events", "200" }
    end)

    teardown(function()
      Socket.close_all()
      broker:stop()
    end)

    after_each(function()
      Socket.close_all()
      -- What a test leaves open would be told of in the next one.
      wait.until_true("the streams to be gone", function() return broker:metric("streams") == 0 end)
    end)

    local function open(user, session, rest)
      return broker:stream { query = ("?user=%s&sessionId=%s%s"):format(user, session or "", rest or "") }
    end

    local function close(stream)
      local before = broker:metric("streams_closed_total")
      stream:close()
      wait.until_true("the stream to be gone", function() return broker:metric("streams_closed_total") > before end)
    end

    it("tells of every delivery, and the event without its data", function()
      local opened = {}
      for i = 1, 12 do -- enough to be on each of the loops
        opened[i] = open("ada", "s" .. i)
      end
      local id = emit(broker, { "ada", "a-colleague" },
        { entityId = "7", projectId = "p", userId = "grace", sessionId = "g", data = { word = "confidential" } })
      for _, stream in ipairs(opened) do
        stream:wait_events(1)
      end
      local answer, raw = explain(broker, id, "ada")
      assert.equal("delivered", answer.outcome)
      assert.equal("The event was handed to 12 of the 12 streams of the user that are known.", answer.explanation)
      assert.equal("ada", answer.user)
      assert.is_true(answer.targeted)
      assert.equal(12, #answer.streams)
      local seen = {}
      for _, stream in ipairs(answer.streams) do
        assert.equal("delivered", stream.outcome)
        assert.is_true(stream.open)
        assert.is_true(stream.at >= answer.event.timestamp)
        assert.is_true(stream.at <= answer.event.timestamp + wait.patience)
        seen[stream.sessionId] = true
      end
      for i = 1, 12 do
        assert.is_true(seen["s" .. i])
      end
      assert.is_true(math.type(answer.event.timestamp) ~= nil)
      answer.event.timestamp = nil
      assert.same({ id = id, entity = "note", action = "created", entityId = "7", projectId = "p", userId = "grace",
        sessionId = "g" }, answer.event)
      assert.is_nil(raw.body:find("colleague", 1, true))
      assert.is_nil(raw.body:find("confidential", 1, true))
      assert.equal("no-store", raw.headers["cache-control"])
      assert.is_true(answer.deliveriesSince <= opened[1]:events()[1].timestamp)
      for i = 1, 6 do
        close(opened[i])
      end
      answer = explain(broker, id, "ada")
      assert.equal("delivered", answer.outcome)
      assert.equal(12, #answer.streams)
      assert.same({ "delivered -", "delivered -", "delivered -", "delivered -", "delivered -", "delivered -",
        "delivered* s10", "delivered* s11", "delivered* s12", "delivered* s7", "delivered* s8", "delivered* s9" },
        streams(answer))
      answer = explain(broker, id, "ada", "s3")
      assert.same({ "delivered s3" }, streams(answer))
      assert.equal("The event was handed to the user's stream.", answer.explanation)
    end)

    it("tells whom an event is not meant for", function()
      open("grace", "laptop")
      local answer = explain(broker, emit(broker, { "ada" }), "grace")
      assert.equal("not_targeted", answer.outcome)
      assert.is_false(answer.targeted)
      assert.same({}, answer.streams)
    end)

    it("tells of more targets than are noted one by one, and of everyone", function()
      local many = {}
      for i = 1, 20 do
        many[i] = "user" .. i
      end
      local stream = open("user20", "laptop")
      assert.equal("delivered", explain(broker, emit(broker, many), "user20").outcome)
      assert.equal("not_targeted", explain(broker, emit(broker, many), "user21").outcome)
      local id = emit(broker)
      assert.equal("delivered", explain(broker, id, "user20").outcome)
      assert.equal("not_connected", explain(broker, id, "user21").outcome)
      stream:wait_events(3)
    end)

    it("tells of an echo, while the session is there and afterwards", function()
      local laptop = open("ada", "laptop")
      open("ada", "phone")
      local id = emit(broker, { "ada" }, { userId = "ada", sessionId = "laptop" })
      local answer = explain(broker, id, "ada")
      assert.equal("delivered", answer.outcome)
      assert.same({ "delivered* phone", "echo* laptop" }, streams(answer))
      answer = explain(broker, id, "ada", "laptop")
      assert.equal("echo", answer.outcome)
      assert.truthy(answer.explanation:find("own session", 1, true))
      close(laptop)
      assert.same({ "delivered* phone", "echo laptop" }, streams(explain(broker, id, "ada")))
      assert.equal("echo", explain(broker, id, "ada", "laptop").outcome)
    end)

    it("tells of entities that the client did not ask for", function()
      open("ada", "laptop", "&entities=fence")
      local answer = explain(broker, emit(broker, { "ada" }), "ada")
      assert.equal("filtered", answer.outcome)
      assert.same({ "filtered* laptop" }, streams(answer))
      assert.equal("The user's stream asked for other entities than note.", answer.explanation)
    end)

    it("tells of a user who is not connected", function()
      local id = emit(broker, { "ken" })
      local answer = explain(broker, id, "ken")
      assert.equal("not_connected", answer.outcome)
      assert.same({}, answer.streams)
      open("ken", "laptop", "&lastEventId=" .. id)
      answer = explain(broker, id, "ken", "phone")
      assert.equal("not_connected", answer.outcome)
      assert.truthy(answer.explanation:find("with this session", 1, true))
    end)

    it("tells of a stream that opened later, with a replay and without", function()
      local before = emit(broker, { "ada" })
      local id = emit(broker, { "ada" })
      open("ada", "without")
      local answer = explain(broker, id, "ada")
      assert.equal("missed", answer.outcome)
      assert.equal("opened", answer.streams[1].reason)
      open("ada", "with", "&lastEventId=" .. before):wait_events(1)
      assert.same({ "delivered* with", "missed* without" }, streams(explain(broker, id, "ada")))
      assert.same({ "missed* without", "resumed* with" }, streams(explain(broker, before, "ada")))
      assert.equal("resumed", explain(broker, before, "ada").outcome)
      open("ada", "refused", "&lastEventId=nonsense")
      answer = explain(broker, id, "ada", "refused")
      assert.equal("missed", answer.outcome)
      assert.equal("resync", answer.streams[1].reason)
    end)

    it("tells of a client that does not read, and of one that was slower than the log", function()
      local slow = open("ada", "slow")
      slow.socket:pause()
      --- So far that the kernel's buffers take no more of it, and do not grow either; returns the newest id.
      local function fill()
        local ids = {}
        wait.until_true("the socket to be full", function()
          ids[#ids + 1] = emit(broker, { "ada" }, { data = ("x"):rep(200000) })
          return #ids > 20 and explain(broker, ids[#ids - 20], "ada").outcome == "lagging"
        end)
        return ids[#ids]
      end
      local id = fill()
      local answer = explain(broker, id, "ada")
      assert.same({ "lagging* slow" }, streams(answer))
      assert.is_nil(answer.streams[1].at)
      slow.socket:resume()
      wait.until_true("the event", function() return slow.lastEventId == id end)
      answer = explain(broker, id, "ada")
      assert.same({ "delivered* slow" }, streams(answer))
      assert.is_true(answer.streams[1].at >= answer.event.timestamp)

      slow.socket:pause()
      fill()
      for _ = 1, 201 do
        id = emit(broker, { "ada" })
      end
      answer = explain(broker, id, "ada")
      assert.equal("missed", answer.outcome)
      assert.same({ "missed* slow" }, streams(answer))
      assert.equal("resync", answer.streams[1].reason)
      slow.socket:resume()
      wait.until_true("resync", function() return slow:named("resync")[1] end)
      assert.same({ "missed* slow" }, streams(explain(broker, id, "ada")))
      id = emit(broker, { "ada" })
      assert.same({ "delivered* slow" }, streams(explain(broker, id, "ada")))
    end)

    it("tells of ids that no event has", function()
      open("ada", "laptop")
      local id = emit(broker, { "ada" })
      for _ = 1, 201 do
        emit(broker, { "grace" })
      end
      local answer = explain(broker, id, "ada")
      assert.equal("trimmed", answer.outcome)
      assert.same({ id = id }, answer.event)
      assert.is_nil(answer.targeted)
      assert.is_nil(answer.streams[1].open)
      assert.same({ "delivered -" }, streams(answer)) -- which is remembered longer than the event
      assert.truthy(answer.explanation:find("it was handed to 1 stream of the user", 1, true))
      assert.same({ "delivered laptop" }, streams(explain(broker, id, "ada", "laptop")))

      local generation, number = newest(broker):match("^(%x+)%-(%d+)$")
      local ahead = ("%s-%d"):format(generation, number + 1)
      answer = explain(broker, ahead, "ada")
      assert.equal("ahead", answer.outcome)
      assert.same({ id = ahead }, answer.event)
      assert.truthy(answer.explanation:find(newest(broker), 1, true))
      answer = explain(broker, ("0"):rep(12) .. "-1", "ada")
      assert.equal("generation", answer.outcome)
      assert.same({ id = ("0"):rep(12) .. "-1" }, answer.event)
      assert.truthy(answer.explanation:find(generation, 1, true))
    end)

    it("knows an event as soon as it is answered", function()
      open("ada", "laptop")
      for _ = 1, 50 do
        assert.equal("delivered", explain(broker, emit(broker, { "ada" }), "ada").outcome)
      end
    end)
  end)
end

describe("a request to explain", function()
  local broker

  setup(function() broker = start {} end)
  after_each(function() Socket.close_all() end)
  teardown(function() broker:stop() end)

  it("needs the key", function()
    local path = query { event = newest(broker), user = "ada" }
    for _, wrong in ipairs { "Bearer nonsense", "Bearer ", "Bearer", key, "Basic " .. key, "Bearer " .. key .. "x" } do
      local answer = broker:request("GET", path, { headers = { Authorization = wrong } })
      assert.equal(401, answer.status, wrong)
      assert.equal("Bearer", answer.headers["www-authenticate"])
      assert.equal("unauthorized", answer:json().error.code)
    end
    assert.equal(401, broker:request("GET", path).status)
    assert.equal(401, broker:request("GET", "/api/events/explain").status) -- nothing is said of the question before
    assert.equal(200, broker:request("GET", path, { headers = { Authorization = "bearer " .. key } }).status)
  end)

  it("does not exist without a key", function()
    local other = Broker.start { script = "tests/e2e/apps/lab.lua" }
    local path = query { event = "x", user = "ada" }
    local answer = other:request("GET", path, { headers = { Authorization = "Bearer " } })
    other:stop()
    assert.equal(404, answer.status)
  end)

  it("is a GET or a HEAD", function()
    local path = query { event = newest(broker), user = "ada" }
    local answer = broker:request("POST", path, { headers = authorized })
    assert.equal(405, answer.status)
    assert.equal("GET, HEAD, OPTIONS", answer.headers.allow)
    local get = broker:request("GET", path, { headers = authorized })
    local head = broker:request("HEAD", path, { headers = authorized })
    assert.equal(200, head.status)
    assert.equal("", head.body)
    assert.equal(get.headers["content-length"], head.headers["content-length"])
    assert.equal(404, broker:request("GET", "/api/events/explainx", { headers = authorized }).status)
    assert.equal(404, broker:request("GET", "/api/events/explain/", { headers = authorized }).status)
  end)

  it("is refused when it makes no sense", function()
    local id = newest(broker)
    local cases = {
      { "event", "user=ada" }, { "event", "event=&user=ada" }, { "event", "event=nonsense&user=ada" },
      { "event", "event=" .. id .. "x&user=ada" }, { "event", ("event=%s&event=%s&user=ada"):format(id, id) },
      { "user", "event=" .. id }, { "user", "event=" .. id .. "&user=" },
      { "user", "event=" .. id .. "&user=" .. ("x"):rep(257) }, { "user", "event=" .. id .. "&user=a%0Ab" },
      { "session", "event=" .. id .. "&user=ada&session=" },
      { "session", "event=" .. id .. "&user=ada&session=" .. ("x"):rep(257) },
      { "sessionId", "event=" .. id .. "&user=ada&sessionId=tab" },
    }
    for _, case in ipairs(cases) do
      local answer = broker:request("GET", "/api/events/explain?" .. case[2], { headers = authorized })
      assert.equal(400, answer.status, case[2])
      local problem = answer:json().error
      assert.equal("invalid_field", problem.code)
      assert.equal(case[1], problem.field, case[2])
      assert.is_true(#problem.message > 10)
    end
  end)

  it("takes any id of a user or a session", function()
    local strange = ("%C3%A9%22%5C%3C" .. "x"):rep(3)
    local stream = broker:stream { query = "?user=" .. strange .. "&sessionId=" .. strange }
    local id = emit(broker)
    stream:wait_events(1)
    local answer = explain(broker, id, strange, strange)
    assert.equal(('é"\\<x'):rep(3), answer.user)
    assert.equal(answer.user, answer.streams[1].sessionId)
    assert.equal("delivered", answer.outcome)
  end)

  it("is found below the stream, wherever that is", function()
    local other = start { "--events-path", "/live" }
    local answer = other:request("GET", "/live/explain?event=nonsense&user=ada", { headers = authorized })
    assert.equal(400, answer.status)
    assert.equal(404, other:request("GET", "/api/events/explain", { headers = authorized }).status)
    other:stop()
  end)
end)

describe("--delivery-log", function()
  after_each(function() Socket.close_all() end)

  it("bounds what is remembered of streams that are gone", function()
    local broker = start { "--delivery-log", "3" }
    local stream = broker:stream { query = "?user=ada&sessionId=tab" }
    local ids = {}
    for i = 1, 5 do
      ids[i] = emit(broker, { "ada" })
    end
    stream:wait_events(5)
    -- While the stream is there, it knows by itself what it has passed, though not when.
    local first = explain(broker, ids[1], "ada")
    assert.equal("delivered", first.outcome)
    assert.is_nil(first.streams[1].at)
    assert.is_number(explain(broker, ids[3], "ada").streams[1].at)
    stream:close()
    wait.until_true("the stream to be gone", function() return broker:metric("streams") == 0 end)
    assert.equal("delivered", explain(broker, ids[3], "ada").outcome)
    first = explain(broker, ids[1], "ada")
    assert.equal("not_connected", first.outcome)
    assert.truthy(first.explanation:find("remembers its deliveries since 20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ only"))
    broker:stop()
  end)

  it("can be off", function()
    local broker = start { "--delivery-log", "0" }
    local stream = broker:stream { query = "?user=ada&sessionId=tab" }
    local id = emit(broker, { "ada" })
    stream:wait_events(1)
    local answer = explain(broker, id, "ada")
    assert.equal("delivered", answer.outcome)
    assert.is_nil(answer.streams[1].at)
    assert.is_nil(answer.deliveriesSince)
    stream:close()
    wait.until_true("the stream to be gone", function() return broker:metric("streams") == 0 end)
    answer = explain(broker, id, "ada")
    assert.equal("not_connected", answer.outcome)
    assert.truthy(answer.explanation:find("--delivery-log", 1, true))
    broker:stop()
  end)
end)

describe("explain, while everything moves", function()
  after_each(function() Socket.close_all() end)

  local outcomes = { delivered = true, resumed = true, lagging = true, missed = true, filtered = true, echo = true,
    not_connected = true, not_targeted = true, trimmed = true, ahead = true }

  --- Starts to ask, about an event near the newest one.
  local function ask(broker, i, position)
    local event = ("%s-%d"):format(broker.generation, math.max(1, position - i % 40))
    local path = query { event = event, user = "user" .. i % 5, session = i % 3 == 0 and "s" .. i % 4 or nil }
    return broker:start_request("GET", path, { headers = authorized })
  end

  local function start_emit(broker, i)
    return broker:start_request("POST", "/api/emit", { headers = authorized, json = {
      entity = i % 7 == 0 and "fence" or "note", action = "created", everyone = i % 5 == 0 or nil,
      targetUserIds = i % 5 ~= 0 and { "user" .. i % 5, "user" .. (i + 1) % 5 } or nil,
      userId = "user" .. i % 3, sessionId = "s" .. i % 4, data = ("x"):rep(i % 11 * 1000),
    } })
  end

  it("is answered, whoever comes and goes", function()
    local broker = start { "--loops", "3", "--history-events", "60", "--delivery-log", "200" }
    newest(broker)
    local opened, questions, emits = {}, {}, {}
    for i = 1, 400 do
      emits[#emits + 1] = start_emit(broker, i)
      local last = i % 4 == 0 and ("&lastEventId=%s-%d"):format(broker.generation, i // 2) or ""
      opened[#opened + 1] = broker:start_stream {
        query = ("?user=user%d&sessionId=s%d%s%s"):format(i % 5, i % 4, last, i % 6 == 0 and "&entities=fence" or ""),
      }
      if i % 9 == 0 then
        opened[#opened].socket:pause()
      end
      if #opened > 30 then
        table.remove(opened, 1):close()
      end
      local pending = ask(broker, i, i)
      if i % 3 == 0 then
        pending.socket:close() -- before the answer has come
      else
        questions[#questions + 1] = pending
      end
      if #questions > 20 then
        local answer = http.finish(table.remove(questions, 1))
        assert.equal(200, answer.status, answer.body)
        assert.is_true(outcomes[answer:json().outcome], answer.body)
      end
      if #emits > 20 then
        assert.equal(200, http.finish(table.remove(emits, 1)).status)
      end
    end
    for _, pending in ipairs(questions) do
      assert.is_true(outcomes[http.finish(pending):json().outcome])
    end
    for _, pending in ipairs(emits) do
      assert.equal(200, http.finish(pending).status)
    end
    Socket.close_all()
    wait.until_true("the connections to be gone", function() return broker:metric("connections") == 1 end)
    local stream = broker:stream { query = "?user=user1&sessionId=tab" }
    local id = emit(broker, { "user1" })
    stream:wait_events(1)
    assert.equal("delivered", explain(broker, id, "user1", "tab").outcome)
    broker:stop()
  end)

  it("keeps nobody from going, with questions on their way", function()
    for round = 1, 8 do
      local broker = start { "--loops", "4", "--drain-timeout", "0s" }
      newest(broker)
      broker:stream { query = "?user=user1" }
      local path = query { event = emit(broker, { "user1" }), user = "user1" }
      local sockets = {}
      for i = 1, 20 do -- each with more of them than it gets answers to
        sockets[i] = broker:socket()
        sockets[i]:send(http.format("GET", path, { headers = authorized }):rep(2000))
      end
      sockets[20]:wait_for("HTTP/1.1 200 ")
      broker:signal("sigterm") -- once: a second one would have it end without its loops
      if round % 2 == 0 then
        Socket.close_all()
      end
      broker:wait_exit()
      broker:stop() -- fails unless every handle was closed, and the status is 0
    end
  end)
end)
