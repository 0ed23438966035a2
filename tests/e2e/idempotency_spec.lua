-- Idempotency-Key over real sockets: answers that get lost, processes that die, and duplicates at the same time. What
-- else it means is in tests/testing/idempotency_spec.lua.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local raw = require "support.raw"
local wait = require "support.wait"

--- A script that says its version. Handlers that wait say so by a file, and end when there is another.
local function script(options)
  options = options or {}
  return ([[
    local pillar = require "pillar"
    local app = pillar.app { max_requests_per_user = 0 }
    local version = %q
    %s
    local has_database = %s
    local function pause(name)
      io.open(name .. ".begun", "w"):close()
      os.execute("while [ ! -e " .. name .. ".go ] && kill -0 $PPID; do sleep 0.02; done")
    end
    app:authenticate(function(req, db)
      local name = req.headers["X-User"] or req.query.user
      if has_database then
        db:value("SELECT count(*) FROM notes")
      end
      if req.headers["X-Pause"] then
        pause(req.headers["X-Pause"])
      end
      return name and { id = name }
    end)
    app:entity("note")
    local function insert(req, db)
      local note = { body = req:json().body, version = version }
      if has_database then
        note = db:insert("notes", note)
      end
      emit_sync_event { entity = "note", action = "created", targetUserIds = pillar.everyone, data = note }
      return note
    end
    app:post("/notes", function(req, db)
      return 201, insert(req, db), { ["X-Version"] = version, ["Content-Type"] = "application/json; v=1" }
    end)
    app:post("/slow/:name", { transaction = %s }, function(req, db)
      pause(req.params.name)
      local run = version == "free" and function(fn) return db:transaction(fn) end or function(fn) return fn() end
      return 201, run(function() return insert(req, db) end)
    end)
    app:post("/idle/:name", { transaction = false }, function(req)
      pause(req.params.name)
      return 201, {}
    end)
    app:post("/free/:name", { transaction = false }, function(req, db)
      local note
      if req.query.first then
        note = db:transaction(function() return insert(req, db) end)
      end
      pause(req.params.name)
      note = note or db:transaction(function() return insert(req, db) end)
      return 201, note
    end)
    return app
  ]]):format(options.version or "one",
    options.none and "" or [[app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, version TEXT)" }]],
    options.none and "false" or "true", options.slow_free and "false" or "true")
end

describe("an Idempotency-Key", function()
  local broker

  local function start(options)
    options = options or {}
    broker = Broker.start {
      text = script(options), dir = options.dir, prefix = options.prefix, env = options.env,
      database = options.none and "none" or nil,
      args = { "--handler-deadline", options.deadline or "60s", "--queue-timeout", "60s", "--loops", "2",
        table.unpack(options.args or {}) },
    }
  end

  --- The process is gone at once; the next one finds its folder.
  local function kill()
    broker:signal("sigkill")
    broker:wait_exit()
    Socket.close_all()
    return broker.dir
  end

  after_each(function()
    Socket.close_all()
    if broker then
      broker.owns_dir = true
      broker:stop()
      broker = nil
    end
  end)

  local function options_of(key, body, user)
    return { headers = { ["X-User"] = user or "ada", ["Idempotency-Key"] = key }, json = { body = body or "x" } }
  end

  local function post(path, key, body, user)
    return broker:request("POST", path, options_of(key, body, user))
  end

  local function begin(path, key, body, user)
    return broker:start_request("POST", path, options_of(key, body, user))
  end

  local function exists(name)
    local file = io.open(broker.dir .. "/" .. name)
    return file and file:close()
  end

  --- Waits until the handler of this name waits.
  local function begun(name)
    wait.until_true(name .. " to begin", function()
      broker:request("GET", "/healthz") -- a file that appears does not wake this loop
      return exists(name .. ".begun")
    end)
  end

  local function go(name)
    broker:write(name .. ".go", "")
  end

  local function rows()
    return tonumber(broker:sql("SELECT count(*) FROM notes"))
  end

  local function replayed(answer)
    return answer.headers["idempotency-replayed"] == "true"
  end

  local function refused(answer, status, code)
    assert.equal(status, answer.status, answer.body)
    assert.equal(code, answer:json().error.code)
    assert.is_false(replayed(answer))
  end

  it("brings the first answer again, byte for byte", function()
    start()
    local first, again = post("/notes", "k1"), post("/notes", "k1")
    assert.equal(201, first.status)
    assert.equal("one", first.headers["x-version"])
    assert.is_false(replayed(first))
    assert.is_true(replayed(again))
    assert.equal(first.status, again.status)
    assert.equal(first.body, again.body)
    assert.not_equal(first.headers["x-request-id"], again.headers["x-request-id"])
    for _, answer in ipairs { first, again } do
      answer.headers["x-request-id"], answer.headers["date"], answer.headers["idempotency-replayed"] = nil, nil, nil
    end
    assert.same(first.headers, again.headers)
    assert.equal(1, rows())
    refused(post("/notes", "k1", "another body"), 422, "idempotency_key_reused")
    assert.equal(1, broker:metric("idempotency_replays_total"))
    assert.equal(1, broker:metric("idempotency_conflicts_total"))
  end)

  it("is one header of visible ASCII", function()
    start()
    local function talk(...)
      return raw.talk(broker.port, raw.post("/notes", '{"body":"x"}', "X-User: ada", "Connection: close",
        "Content-Type: application/json", ...))[1]
    end
    for _, bad in ipairs { { "Idempotency-Key:" }, { "Idempotency-Key: a", "Idempotency-Key: b" },
      { "Idempotency-Key: a", "idempotency-key: a" }, { "Idempotency-Key: a b" }, { "Idempotency-Key: \195\169" } } do
      local answer = talk(table.unpack(bad))
      assert.equal(400, answer.status, bad[1])
      assert.equal("Idempotency-Key", answer:json().error.field)
    end
    assert.equal(0, rows())
    assert.is_false(replayed(talk "Idempotency-Key: \t k1  "))
    assert.is_true(replayed(talk "IDEMPOTENCY-KEY:k1"))
    assert.equal(1, rows())
  end)

  it("outlives the process", function()
    start()
    local first = post("/notes", "k1")
    local dir = broker.dir
    broker.owns_dir = false
    broker:stop()
    start { dir = dir }
    local again = post("/notes", "k1")
    assert.is_true(replayed(again))
    assert.equal(first.body, again.body)
    assert.equal(1, rows())
  end)

  describe("whose answer got lost", function()
    it("with the connection has it waiting", function()
      start()
      local lost = begin("/slow/a", "k1")
      begun("a")
      lost.socket:close()
      local again = begin("/slow/a", "k1")
      go("a")
      again = http.finish(again)
      assert.equal(201, again.status)
      assert.is_true(replayed(again))
      assert.equal(1, rows())
    end)

    it("with the process has it waiting", function()
      start()
      local stream = broker:stream { query = "?user=ada" }
      local lost = begin("/notes", "k1")
      stream:wait_events(1) -- committed; whether the answer has come, nobody knows
      lost.socket:close()
      start { dir = kill() }
      local again = post("/notes", "k1")
      assert.equal(201, again.status)
      assert.is_true(replayed(again))
      assert.equal(1, rows())
    end)

    it("before the commit has left nothing", function()
      start()
      begin("/slow/a", "k1")
      begun("a")
      start { dir = kill() }
      assert.equal(0, rows())
      go("a")
      local answer = post("/slow/a", "k1")
      assert.equal(201, answer.status)
      assert.is_false(replayed(answer))
      assert.equal(1, rows())
    end)

    it("is applied once, wherever the process died", function()
      start()
      local count, answered = 120, {}
      local function retry(i)
        local path = i % 4 == 0 and "/free/storm?first=1" or "/notes"
        return begin(path, "key" .. i % 60, "body" .. i % 60) -- each key twice
      end
      go("storm")
      for round = 1, 4 do
        local pending = {}
        for i = 1, count do
          pending[i] = retry(i)
        end
        wait.until_true("some answers", function()
          local done = 0
          for i = 1, count do
            done = done + (pending[i].response and 1 or 0)
          end
          return done >= 15 * round
        end)
        for i = 1, count do
          answered[i] = answered[i] or (pending[i].response and pending[i].response.status == 201
            and pending[i].response.body)
        end
        start { dir = kill() }
      end
      for i = 1, count do
        local answer = http.finish(retry(i))
        while answer.status == 409 and answer:json().error.code == "idempotency_in_progress" do
          answer = http.finish(retry(i))
        end
        if i % 4 == 0 and answer.status == 409 then
          assert.equal("idempotency_incomplete", answer:json().error.code)
        else
          assert.equal(201, answer.status, answer.body)
          assert.equal(answered[i] or answer.body, answer.body)
        end
      end
      assert.equal("60|60", broker:sql("SELECT count(*), count(DISTINCT body) FROM notes"))
    end)
  end)

  describe("that comes many times at once", function()
    it("is one change, in one batch", function()
      start()
      local first = begin("/slow/a", "blocks", "blocks")
      begun("a")
      local pending = {}
      for i = 1, 80 do
        pending[i] = begin("/notes", i % 2 == 0 and "k1" or "k2", i % 2 == 0 and "even" or "odd")
      end
      wait.until_true("all to wait", function() return broker:metric("queue_depth") == 80 end)
      go("a")
      assert.equal(201, http.finish(first).status)
      local bodies, replays = {}, 0
      for i = 1, 80 do
        local answer = http.finish(pending[i])
        assert.equal(201, answer.status, answer.body)
        replays = replays + (replayed(answer) and 1 or 0)
        assert.equal(bodies[i % 2] or answer.body, answer.body)
        bodies[i % 2] = answer.body
      end
      assert.equal(78, replays)
      assert.equal(3, rows())
      assert.is_true(broker:metric("commits_total") < 20)
    end)

    it("is one change, over connections that race", function()
      start()
      local stream = broker:stream { query = "?user=ada" }
      for round = 1, 10 do
        local pending, fresh = {}, 0
        for i = 1, 12 do
          pending[i] = begin("/notes", "k" .. round, "r" .. round)
        end
        for i = 1, 12 do
          local answer = http.finish(pending[i])
          assert.equal(201, answer.status)
          fresh = fresh + (replayed(answer) and 0 or 1)
        end
        assert.equal(1, fresh)
      end
      stream:wait_events(10)
      assert.equal(10, rows())
      assert.equal(10, #stream:events())
    end)

    it("is one change while the script is replaced", function()
      start()
      local first = begin("/slow/a", "k1")
      begun("a")
      assert.equal("SIGHUP: the script was reloaded", broker:reload(script { version = "two" }))
      local others = { begin("/slow/a", "k1"), begin("/slow/a", "k1") }
      -- The new writer has taken one, and waits for the old one's commit; the other waits for the new writer.
      wait.until_true("the new writer to wait", function() return broker:metric("queue_depth") == 1 end)
      go("a")
      first = http.finish(first)
      assert.equal("one", first:json().version)
      assert.is_false(replayed(first))
      for _, one in ipairs(others) do
        local again = http.finish(one)
        assert.equal(first.body, again.body)
        assert.is_true(replayed(again))
      end
      assert.equal(1, rows())
    end)
  end)

  it("of a request that ran past its deadline may be tried again", function()
    start { deadline = "300ms" }
    for _, path in ipairs { "/slow/a", "/free/b", "/idle/c" } do
      local name = path:match("%a$")
      local late = post(path, "k1")
      refused(late, 503, "deadline_exceeded")
      go(name)
      local answer
      repeat
        answer = post(path, "k1")
      until answer.status ~= 409 and answer.status ~= 503 -- while the first one is still on its way
      assert.equal(201, answer.status, answer.body)
      assert.is_false(replayed(answer))
    end
    assert.equal(2, rows())
  end)

  it("has no record of what was not committed", function()
    -- The file system takes no more of the database's log, as when the disk is full.
    start { prefix = { "sh", "-c", 'ulimit -f 800; exec "$@"', "sh" } }
    local body, stored, failed = ("x"):rep(20000), {}, 0
    for round = 1, 10 do
      local pending = {}
      for i = 1, 4 do
        pending[i] = begin("/notes", ("k%d-%d"):format(round, i % 2), body) -- each key twice, perhaps in one batch
      end
      for i = 1, 4 do
        local answer = http.finish(pending[i])
        if answer.status == 201 then
          stored[("k%d-%d"):format(round, i % 2)] = answer.body
        else
          refused(answer, 503, "unavailable")
          failed = failed + 1
        end
      end
    end
    assert.is_true(next(stored) ~= nil and failed > 0)
    local dir = broker.dir
    broker.owns_dir = false
    broker:stop()
    start { dir = dir }
    local count = 0
    for _ in pairs(stored) do
      count = count + 1
    end
    assert.equal(count, rows())
    for round = 1, 10 do
      for i = 0, 1 do
        local key = ("k%d-%d"):format(round, i)
        local answer = post("/notes", key, body)
        assert.equal(201, answer.status)
        assert.equal(stored[key] ~= nil, replayed(answer))
        assert.equal(stored[key] or answer.body, answer.body)
      end
    end
    assert.equal(20, rows())
  end)

  it("that cannot be recorded leaves no change", function()
    start()
    broker:sql("CREATE TRIGGER broken BEFORE INSERT ON pillar_idempotency BEGIN SELECT RAISE(ABORT, 'broken'); END")
    go("a")
    refused(post("/notes", "k1"), 503, "unavailable")
    assert.is_true(post("/free/a", "k1").status >= 400)
    assert.equal(0, rows())
    assert.equal(201, post("/notes").status)
    broker:sql("DROP TRIGGER broken")
    assert.is_false(replayed(post("/notes", "k1")))
    broker:sql("DROP TABLE pillar_idempotency")
    refused(post("/notes", "k1"), 503, "unavailable")
    refused(post("/free/a", "k2"), 503, "unavailable")
    assert.equal(2, rows())
  end)

  it("expires after --idempotency-age", function()
    start { args = { "--idempotency-age", "1s" } }
    post("/notes", "k1")
    local answer
    repeat
      answer = post("/notes", "k1")
      assert.equal(201, answer.status)
    until not replayed(answer)
    assert.equal(2, rows())
    assert.equal("1", broker:sql("SELECT count(*) FROM pillar_idempotency"))
  end)

  it("leaves no record behind once it has expired, though nothing happens", function()
    start { args = { "--idempotency-age", "1s" } }
    post("/notes", "k1")
    assert.equal("1", broker:sql("SELECT count(*) FROM pillar_idempotency"))
    wait.until_true("the record to go", function()
      return broker:sql("SELECT count(*) FROM pillar_idempotency") == "0"
    end)
  end)

  describe("of a route with transaction = false", function()
    it("is refused while the first one is on its way", function()
      start()
      for _, query in ipairs { "", "?first=1" } do
        local name = query == "" and "a" or "b"
        local path = "/free/" .. name .. query
        local first = begin(path, "k1", name)
        begun(name)
        for _ = 1, 3 do
          local again = post(path, "k1", name)
          refused(again, 409, "idempotency_in_progress")
          assert.equal("1", again.headers["retry-after"])
        end
        refused(post(path, "k1", "another body"), 409, "idempotency_in_progress")
        assert.equal(401, broker:request("POST", path, { headers = { ["Idempotency-Key"] = "k1" } }).status)
        go(name)
        first = http.finish(first)
        local again = post(path, "k1", name)
        assert.equal(201, again.status)
        assert.equal(first.body, again.body)
        assert.is_true(replayed(again))
      end
      assert.equal(2, rows())
      assert.equal(8, broker:metric("idempotency_conflicts_total"))
    end)

    it("is looked for behind all that was there when it began", function()
      start()
      local options = options_of("k1")
      options.headers["X-Pause"] = "who" -- it has seen the database, and waits before it gets to its key
      local late = broker:start_request("POST", "/free/a", options)
      begun("who")
      go("a")
      local first = post("/free/a", "k1")
      assert.equal(201, first.status)
      go("who")
      late = http.finish(late)
      assert.equal(first.body, late.body)
      assert.is_true(replayed(late))
      assert.equal(1, rows())
    end)

    it("keeps others with another key, or another user, from nothing", function()
      start()
      local pending = { begin("/free/a", "k1", "x"), begin("/free/a", "k2", "x"), begin("/free/a", "k1", "x", "grace") }
      wait.until_true("all to run", function() return broker:metric("jobs_taken_total") == 3 end)
      go("a")
      for _, one in ipairs(pending) do
        local answer = http.finish(one)
        assert.equal(201, answer.status)
        assert.is_false(replayed(answer))
      end
      assert.equal(3, rows())
    end)

    it("is answered although the client is gone", function()
      start()
      local lost = begin("/free/a", "k1")
      begun("a")
      lost.socket:close()
      refused(post("/free/a", "k1"), 409, "idempotency_in_progress")
      go("a")
      local again
      wait.until_true("the first to end", function()
        again = post("/free/a", "k1")
        return again.status ~= 409
      end)
      assert.equal(201, again.status)
      assert.is_true(replayed(again))
      assert.equal(1, rows())
    end)

    it("is not carried out again when the process died behind its commit", function()
      start()
      begin("/free/a?first=1", "k1")
      begin("/free/b", "k1")
      begun("a")
      begun("b")
      start { dir = kill() }
      go("a")
      go("b")
      refused(post("/free/a?first=1", "k1"), 409, "idempotency_incomplete")
      refused(post("/free/a?first=1", "k1", "another body"), 422, "idempotency_key_reused")
      assert.equal(1, rows())
      local answer = post("/free/b", "k1")
      assert.equal(201, answer.status)
      assert.is_false(replayed(answer))
      assert.equal(2, rows())
    end)

    it("is known to the next version of the script", function()
      start { version = "free", slow_free = true }
      local first, other = begin("/slow/a", "k1"), begin("/free/b", "k1")
      begun("a")
      begun("b")
      assert.equal("SIGHUP: the script was reloaded", broker:reload(script { version = "two" }))
      refused(post("/slow/a", "k1"), 409, "idempotency_in_progress") -- now a route of the writer
      refused(post("/free/b", "k1"), 409, "idempotency_in_progress")
      go("a")
      go("b")
      first, other = http.finish(first), http.finish(other)
      for path, answer in pairs { ["/slow/a"] = first, ["/free/b"] = other } do
        local again = post(path, "k1")
        assert.equal(answer.body, again.body)
        assert.is_true(replayed(again))
        assert.equal("free", again:json().version)
      end
      assert.equal(2, rows())
    end)
  end)

  it("holds across a reload that takes a route from the writer", function()
    start()
    local first = begin("/slow/a", "k1")
    begun("a")
    assert.equal("SIGHUP: the script was reloaded", broker:reload(script { version = "free", slow_free = true }))
    os.remove(broker.dir .. "/a.begun")
    local second = begin("/slow/a", "k1") -- sees no record, runs, and has to wait with its transaction
    begun("a")
    go("a")
    assert.equal(201, http.finish(first).status)
    refused(http.finish(second), 503, "busy")
    local again = post("/slow/a", "k1")
    assert.equal("one", again:json().version)
    assert.is_true(replayed(again))
    assert.equal(1, rows())
  end)

  it("is kept in memory with --database none", function()
    start { none = true }
    local stream = broker:stream { query = "?user=ada" }
    local pending, fresh = {}, 0
    go("a")
    for i = 1, 40 do
      pending[i] = begin(i % 2 == 0 and "/notes" or "/free/a", "k" .. i % 8 // 2)
    end
    for i = 1, 40 do
      local answer = http.finish(pending[i])
      if answer.status == 409 then
        refused(answer, 409, "idempotency_in_progress")
      else
        assert.equal(201, answer.status)
        fresh = fresh + (replayed(answer) and 0 or 1)
      end
    end
    assert.equal(8, fresh)
    stream:wait_events(8)
    assert.equal("SIGHUP: the script was reloaded", broker:reload(script { none = true, version = "two" }))
    for i = 1, 8 do
      local answer = post(i % 2 == 0 and "/notes" or "/free/a", "k" .. i % 8 // 2)
      assert.is_true(replayed(answer))
      assert.equal("one", answer:json().version)
    end
    assert.equal(8, #stream:events())
  end)

  it("is for POST /api/emit too", function()
    start { env = { PILLAR_EMIT_KEY = "the-emit-key" } }
    local stream = broker:stream { query = "?user=ada" }
    local function emit(key, bearer)
      return broker:request("POST", "/api/emit", {
        headers = { Authorization = "Bearer " .. (bearer or "the-emit-key"), ["Idempotency-Key"] = key },
        json = { entity = "note", action = "said", targetUserIds = { "ada" } },
      })
    end
    local first, again = emit("k1"), emit("k1")
    assert.equal(200, first.status)
    assert.equal(first.body, again.body)
    assert.is_true(replayed(again))
    assert.equal(401, emit("k1", "wrong").status)
    assert.equal(400, emit("not a key").status)
    emit("k2")
    stream:wait_events(2)
    assert.equal(2, #stream:events())
  end)
end)
