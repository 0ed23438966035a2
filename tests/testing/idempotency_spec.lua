-- Idempotency-Key: a mutation is carried out once, and who asks again gets the first answer. What needs sockets and
-- threads is in tests/e2e/idempotency_spec.lua.

local support = require "support"
local testing = require "pillar.testing"

local app = [[
app:migrate { "CREATE TABLE parts (taskId INTEGER REFERENCES tasks DEFERRABLE INITIALLY DEFERRED)" }
app:post("/silent", { silent = true }, function(_, db)
  db:insert("tasks", { title = "silent" })
  return 200, "done", { ["Set-Cookie"] = "a=b" }
end)
app:post("/free-silent", { silent = true, transaction = false }, function(_, db)
  db:transaction(function() db:insert("tasks", { title = "silent" }) end)
  error("after the commit")
end)
app:post("/tasks", function(req, db)
  local task = db:insert("tasks", { title = req:json().title })
  emit { entityId = task.id }
  return 201, task, { ["X-Made"] = "by a handler", Location = "/tasks/" .. task.id }
end)
app:put("/tasks", function(_, db)
  db:insert("tasks", { title = "put" })
  emit {}
  return { put = true }
end)
app:post("/projects/:id/tasks", function(req, db)
  db:insert("tasks", { title = req.params.id })
  emit {}
end)
app:post("/fails/:how", function(req, db)
  db:insert("tasks", { title = "x" })
  emit {}
  local how = req.params.how
  if #db:rows("SELECT * FROM labels WHERE name = 'mended'") > 0 then
    return { mended = true }
  elseif how == "raise" then
    error("on purpose")
  elseif how == "conflict" then
    return 409, { error = { code = "conflict" } }
  elseif how == "constraint" then
    db:insert("labels", { id = 1, name = "a" })
    db:insert("labels", { id = 1, name = "b" })
  elseif how == "runaway" then
    while true do end
  end
  pillar.fail(503, "unavailable")
end)
app:post("/answers/:what", function(req, db)
  local what, rows = req.params.what, tonumber(req.query.rows or "1")
  for _ = 1, rows do
    db:insert("tasks", { title = what })
    emit {}
  end
  if what == "cookie" then
    return 200, { signedIn = true }, { ["Set-Cookie"] = "session=secret", ["X-More"] = "1" }
  elseif what == "large" then
    return ("x"):rep(3000)
  elseif what == "event" then
    emit {}
    return 200, "told", { ["Set-Cookie"] = "a=b" }
  elseif what == "away" then
    return 303, nil, { Location = "/elsewhere" }
  elseif what == "bytes" then
    return 200, "\0\255\r\n\1", { ["Content-Type"] = "application/octet-stream" }
  end
end)
app:post("/public", { public = true }, function(_, db)
  local task = db:insert("tasks", { title = "public" })
  emit {}
  return task
end)
app:get("/tasks", function(_, db) return { count = db:value("SELECT count(*) FROM tasks") } end)

runs = 0
app:post("/free/:how", { transaction = false }, function(req, db)
  runs = runs + 1
  local how = req.params.how
  local function insert()
    emit {}
    return db:insert("tasks", { title = how })
  end
  if how == "plain" or how == "late" or how == "cookie" or how == "large" then
    local task = db:transaction(insert)
    if how == "late" and not req.query.good then
      error("after the commit")
    end
    return 201, how == "large" and ("x"):rep(3000) or task, { ["Set-Cookie"] = how == "cookie" and "a=b" or nil }
  elseif how == "twice" then
    db:transaction(insert)
    return 201, db:transaction(insert)
  elseif how == "second" then
    pcall(db.transaction, db, function() insert() error("undone") end)
    db:transaction(insert)
    error("after the second")
  elseif how == "broken" then
    local ok = pcall(db.transaction, db, function() insert() db:insert("parts", { taskId = -1 }) end)
    if not req.query.once then
      db:transaction(insert)
    end
    error(ok and "a broken key was committed" or "the commit failed")
  elseif how == "undone" then
    pcall(db.transaction, db, function() insert() error("undone") end)
    error("nothing was committed")
  elseif how == "empty" then
    db:transaction(function() return db:rows("SELECT * FROM tasks") end)
    error("nothing was changed")
  elseif how == "conflict" then
    db:transaction(insert)
    return 409, { error = { code = "no" } }
  elseif how == "nothing" then
    return 200, { runs = runs }
  elseif how == "login" then
    return 200, { runs = runs }, { ["Set-Cookie"] = "a=b" }
  end
end)
app:get("/runs", function() return { runs = runs } end)
]]

describe("an Idempotency-Key", function()
  local t

  local function load(options)
    t = support.load(app, options)
  end

  before_each(function() load() end)
  after_each(function() t:close() end)

  local function ask(method, path, key, options)
    options = options or {}
    local request = {
      user = options.user or "ada", session = options.session, query = options.query, expectError = true,
      headers = { ["Idempotency-Key"] = key, ["Content-Type"] = options.type },
    }
    request.body, request.json = options.body, not options.body and (options.json or { title = "Ship" }) or nil
    return t:request(method, path, request)
  end

  local function post(path, key, options)
    return ask("POST", path, key, options)
  end

  local function count()
    return t:sql("SELECT count(*) AS n FROM tasks")[1].n
  end

  local function records()
    return t:sql("SELECT count(*) AS n FROM pillar_idempotency")[1].n
  end

  local function metric(name)
    return tonumber(t:get("/metrics").body:match("\npillar_" .. name .. "_total (%d+)"))
  end

  local function refused(answer, status, code)
    assert.equal(status, answer.status, answer.body)
    assert.equal(code, answer:json().error.code)
    assert.is_nil(answer.headers["Idempotency-Replayed"])
    return answer:json().error
  end

  --- Asks once more, which must be answered as before and change nothing.
  local function check_repeated(first, again)
    assert.equal(first.status, again.status)
    assert.equal(first.body, again.body)
    assert.equal("true", again.headers["Idempotency-Replayed"])
    for name, value in pairs(first.headers) do
      assert.equal(value, again.headers[name], name)
    end
    for name in pairs(again.headers) do
      assert.truthy(first.headers[name] or name == "idempotency-replayed", name)
    end
  end

  it("has the first answer given again, and nothing done twice", function()
    local grace = t:connect { user = "grace" }
    local first = post("/tasks", "k1")
    assert.equal(201, first.status)
    assert.equal("by a handler", first.headers["X-Made"])
    assert.is_nil(first.headers["Idempotency-Replayed"])
    for _ = 1, 3 do
      check_repeated(first, post("/tasks", "k1"))
    end
    assert.equal(1, count())
    assert.equal(1, #grace:events())
    assert.equal(1, #t:events())
    assert.equal(3, metric "idempotency_replays")
    assert.equal(0, metric "idempotency_conflicts")
  end)

  it("keeps answers of every kind", function()
    for _, what in ipairs { "away", "bytes", "nothing" } do
      check_repeated(post("/answers/" .. what, "k1"), post("/answers/" .. what, "k1"))
    end
    assert.equal(3, count())
  end)

  it("is nothing to requests without one", function()
    post("/tasks")
    post("/tasks")
    assert.equal(2, count())
    assert.equal(0, records())
  end)

  it("is nothing to a GET", function()
    for _, key in ipairs { "k1", "", "not a key" } do
      assert.equal(0, ask("GET", "/tasks", key, { body = "" }):json().count)
    end
    post("/tasks", "k1")
    assert.equal(1, ask("GET", "/tasks", "k1", { body = "" }):json().count)
    assert.equal(1, records())
  end)

  it("belongs to a user, a method and a path", function()
    post("/tasks", "k1")
    post("/tasks", "k1", { user = "grace" })
    ask("PUT", "/tasks", "k1")
    post("/projects/1/tasks", "k1")
    post("/projects/2/tasks", "k1")
    post("/public", "k1")
    post("/tasks", "k2")
    assert.equal(7, count())
    check_repeated(post("/public", "k1"), post("/public", "k1", { user = "grace" })) -- there nobody is somebody
    assert.equal(7, count())
  end)

  it("may come back in another session, and in another spelling of the path", function()
    check_repeated(post("/projects/a%20b/tasks", "k1", { session = "one" }),
      post("/projects/%61%20b/tasks", "k1", { session = "two" }))
    assert.equal(1, count())
  end)

  it("goes with one body, content type and query", function()
    post("/tasks", "k1", { body = '{"title":"a"}', type = "application/json" })
    for _, other in ipairs {
      { body = '{"title":"b"}', type = "application/json" },
      { body = '{"title":"a"}', type = "application/json; charset=utf-8" },
      { body = '{"title":"a"}' },
      { body = '{"title":"a"}', type = "application/json", query = { dry = "yes" } },
    } do
      local problem = refused(post("/tasks", "k1", other), 422, "idempotency_key_reused")
      assert.equal("Idempotency-Key", problem.field)
    end
    assert.equal(1, count())
    assert.equal(4, metric "idempotency_conflicts")
    assert.equal(0, metric "idempotency_replays")
  end)

  it("needs a sign-in for the replay too", function()
    post("/tasks", "k1")
    local answer = t:post("/tasks", { json = { title = "Ship" }, headers = { ["Idempotency-Key"] = "k1" } })
    assert.equal(401, answer.status)
  end)

  it("is 1 to 255 visible ASCII characters", function()
    for _, key in ipairs { "", "a b", "a\tb", "\195\169", ("x"):rep(256) } do
      assert.equal("Idempotency-Key", refused(post("/tasks", key), 400, "invalid_field").field, key)
      refused(post("/free/plain", key), 400, "invalid_field")
    end
    assert.equal(0, count())
    for _, key in ipairs { "!", "~", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', ("x"):rep(255), "a,b;c=d" } do
      check_repeated(post("/tasks", key), post("/tasks", key))
    end
    assert.equal(5, count())
  end)

  it("is taken as it is written", function()
    post("/tasks", "k1")
    post("/tasks", "K1")
    post("/tasks", '"k1"')
    assert.equal(3, count())
  end)

  describe("of a request that failed", function()
    for how, status in pairs { raise = 500, conflict = 409, constraint = 409, fail = 503, runaway = 503 } do
      it(("with %d (%s) may be tried again"):format(status, how), function()
        load { settings = { handler_deadline = "100ms" } }
        for _ = 1, 2 do
          assert.equal(status, post("/fails/" .. how, "k1").status)
        end
        assert.equal(0, records())
        t:sql("INSERT INTO labels (name) VALUES ('mended')")
        local first = post("/fails/" .. how, "k1")
        assert.equal(200, first.status)
        check_repeated(first, post("/fails/" .. how, "k1"))
        assert.equal(1, count())
      end)
    end
  end)

  describe("whose answer is not to be kept", function()
    for _, what in ipairs { "cookie", "large" } do
      it(("(%s) keeps a change from being made twice"):format(what), function()
        load { settings = { idempotency_bytes = 2000 } }
        local first = post("/answers/" .. what, "k1")
        assert.equal(200, first.status)
        refused(post("/answers/" .. what, "k1"), 409, "idempotency_incomplete")
        refused(post("/answers/" .. what, "k1", { json = { other = 1 } }), 422, "idempotency_key_reused")
        assert.equal(1, count())
        assert.is_nil(t:sql("SELECT body, headers FROM pillar_idempotency")[1].body)
      end)

      it(("(%s) may come again as long as it changes nothing"):format(what), function()
        load { settings = { idempotency_bytes = 2000 } }
        for _ = 1, 2 do
          assert.equal(200, post("/answers/" .. what, "k1", { query = { rows = 0 } }).status)
        end
        assert.equal(0, records())
      end)
    end

    it("is not carried out again for an event either", function()
      assert.equal(200, post("/answers/event", "k1", { query = { rows = 0 } }).status)
      refused(post("/answers/event", "k1", { query = { rows = 0 } }), 409, "idempotency_incomplete")
      assert.equal(1, #t:events())
    end)

    it("is not carried out again for a change that nobody was told of", function()
      for where, status in pairs { ["/silent"] = 200, ["/free-silent"] = 500 } do
        assert.equal(status, post(where, "k1").status)
        refused(post(where, "k1"), 409, "idempotency_incomplete")
      end
      assert.equal(2, count())
    end)

    it("is larger than --idempotency-bytes by one byte", function()
      local size = 3000 + #"Content-Type: text/plain; charset=utf-8\n"
      load { settings = { idempotency_bytes = size } }
      check_repeated(post("/answers/large", "k1"), post("/answers/large", "k1"))
      load { settings = { idempotency_bytes = size - 1 } }
      post("/answers/large", "k1")
      refused(post("/answers/large", "k1"), 409, "idempotency_incomplete")
    end)
  end)

  describe("after --idempotency-age", function()
    it("is a new one", function()
      load { settings = { idempotency_age = "1h" } }
      post("/tasks", "k1")
      t:advance("59m")
      post("/tasks", "k1")
      assert.equal(1, count())
      t:advance("1m")
      local second = post("/tasks", "k1", { json = { title = "another" } })
      assert.equal(201, second.status)
      assert.equal(2, count())
      check_repeated(second, post("/tasks", "k1", { json = { title = "another" } }))
      assert.equal(1, records())
    end)

    it("makes room, for each new one as much as it takes", function()
      load { settings = { idempotency_age = "1h" } }
      for i = 1, 30 do
        post("/tasks", "k" .. i)
      end
      assert.equal(30, records())
      t:advance("2h")
      post("/tasks", "again")
      local left = records()
      assert.is_true(left < 30, left)
      for i = 1, 10 do
        post("/tasks", "again" .. i)
      end
      assert.equal(11, records())
    end)
  end)

  describe("when the process dies", function()
    it("before the commit has left nothing", function()
      t:crash("before commit")
      assert.is_nil(post("/tasks", "k1"))
      assert.equal(0, count())
      assert.equal(0, records())
      local first = post("/tasks", "k1")
      check_repeated(first, post("/tasks", "k1"))
      assert.equal(1, count())
    end)

    it("behind the commit has the answer that nobody got", function()
      t:crash("after commit")
      assert.is_nil(post("/tasks", "k1"))
      local again = post("/tasks", "k1")
      assert.equal(201, again.status)
      assert.equal("true", again.headers["Idempotency-Replayed"])
      assert.equal("Ship", again:json().title)
      assert.equal(1, count())
    end)

    it("is no commit by itself", function()
      post("/tasks", "k1")
      t:crash("before commit")
      assert.equal(201, post("/tasks", "k1").status)
      assert.is_nil(post("/tasks", "k2"))
    end)
  end)

  describe("of a route with transaction = false", function()
    local function runs()
      return t:get("/runs", { user = "ada" }):json().runs
    end

    it("has the first answer given again", function()
      local first = post("/free/plain", "k1")
      assert.equal(201, first.status)
      check_repeated(first, post("/free/plain", "k1"))
      assert.equal(1, count())
      assert.equal(1, runs())
      assert.equal(1, #t:events())
      refused(post("/free/plain", "k1", { json = { other = 1 } }), 422, "idempotency_key_reused")
      first = post("/free/twice", "k1")
      check_repeated(first, post("/free/twice", "k1"))
      assert.equal(3, count())
    end)

    it("has it also where nothing was committed", function()
      local first = post("/free/nothing", "k1")
      check_repeated(first, post("/free/nothing", "k1"))
      assert.equal(1, runs())
    end)

    it("that failed behind its commit is not tried again", function()
      for how, status in pairs { late = 500, second = 500, conflict = 409 } do
        assert.equal(status, post("/free/" .. how, "k1").status)
        local before = runs()
        local problem = refused(post("/free/" .. how, "k1"), 409, "idempotency_incomplete")
        assert.truthy(problem.message:find("its answer is not known", 1, true))
        assert.equal(before, runs())
      end
      assert.equal(3, count())
    end)

    it("is kept with the first commit that goes well", function()
      for _ = 1, 2 do
        assert.equal(500, post("/free/broken", "k1", { query = { once = 1 } }).status)
      end
      assert.equal(2, runs())
      assert.equal(500, post("/free/broken", "k2").status)
      refused(post("/free/broken", "k2"), 409, "idempotency_incomplete")
      assert.equal(3, runs())
      assert.equal(1, count())
    end)

    it("that failed and committed nothing may be tried again", function()
      for _, how in ipairs { "undone", "empty" } do
        for _ = 1, 2 do
          assert.equal(500, post("/free/" .. how, "k1").status)
        end
      end
      assert.equal(4, runs())
      assert.equal(0, records())
    end)

    it("keeps no session, and nothing large", function()
      load { settings = { idempotency_bytes = 2000 } }
      for _, how in ipairs { "cookie", "large" } do
        assert.equal(201, post("/free/" .. how, "k1").status)
        refused(post("/free/" .. how, "k1"), 409, "idempotency_incomplete")
      end
      assert.equal(2, runs())
      for _ = 1, 2 do
        assert.equal(200, post("/free/login", "k1").status)
      end
      assert.equal(4, runs())
    end)

    it("may be tried again after a crash before its commit, and not after one behind it", function()
      t:crash("before commit")
      assert.is_nil(post("/free/plain", "k1"))
      local first = post("/free/plain", "k1")
      check_repeated(first, post("/free/plain", "k1"))
      t:crash("after commit")
      assert.is_nil(post("/free/plain", "k2"))
      refused(post("/free/plain", "k2"), 409, "idempotency_incomplete")
      assert.equal(2, count())
    end)

    it("expires like any other", function()
      load { settings = { idempotency_age = "1h" } }
      post("/free/late", "k1")
      refused(post("/free/late", "k1"), 409, "idempotency_incomplete")
      t:advance("61m")
      local first = post("/free/late", "k1", { query = { good = 1 } })
      assert.equal(201, first.status)
      check_repeated(first, post("/free/late", "k1", { query = { good = 1 } }))
      assert.equal(2, count())
    end)
  end)

  describe("of POST /api/emit", function()
    local event = { entity = "task", action = "created", targetUserIds = { "ada" } }

    local function emit(key, json)
      return t:post("/api/emit", {
        json = json or event, headers = { Authorization = "Bearer the-emit-key", ["Idempotency-Key"] = key },
      })
    end

    it("emits once", function()
      load { settings = { emit_key = "the-emit-key" } }
      check_repeated(emit("k1"), emit("k1"))
      assert.equal(1, #t:events())
      refused(emit("k1", { event, event }), 422, "idempotency_key_reused")
      refused(emit("not a key"), 400, "invalid_field")
      emit("k2")
      emit()
      assert.equal(3, #t:events())
      assert.equal(400, emit("k3", { entity = "nonsense" }).status)
      assert.equal(200, emit("k3").status)
    end)
  end)
end)

describe("an Idempotency-Key without a database", function()
  local script = [[
    local pillar = require "pillar"
    local app = pillar.app { database = "none" }
    app:anonymous()
    app:entity("note")
    local function emit()
      emit_sync_event { entity = "note", action = "said", targetUserIds = pillar.everyone }
    end
    app:post("/say", function(req)
      emit()
      return 201, req:json()
    end)
    app:post("/raise", function() emit() error("on purpose") end)
    app:post("/free/:how", { transaction = false }, function(req, db)
      db:transaction(emit)
      if req.params.how == "late" then
        error("after the commit")
      end
      return 201, { ok = true }
    end)
    app:post("/sql", function(_, db) return db:rows("SELECT * FROM pillar_idempotency") end)
    return app
  ]]
  local path, t

  local function load(settings)
    t = testing.load(path, { settings = settings })
  end

  setup(function()
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
  end)
  before_each(function() load() end)
  after_each(function() t:close() end)
  teardown(function() os.remove(path) end)

  local function post(where, key, json)
    return t:post(where, { json = json or {}, headers = { ["Idempotency-Key"] = key }, expectError = true })
  end

  it("is kept in memory", function()
    for _, where in ipairs { "/say", "/free/plain" } do
      t:clear()
      local first, again = post(where, "k1"), post(where, "k1")
      assert.equal(201, first.status)
      assert.equal(first.body, again.body)
      assert.equal("true", again.headers["Idempotency-Replayed"])
      assert.equal(1, #t:events())
      assert.equal(422, post(where, "k1", { other = 1 }).status)
    end
  end)

  it("lets what failed be tried again, unless it has emitted", function()
    for _ = 1, 2 do
      local answer = post("/raise", "k1")
      assert.equal(500, answer.status)
      assert.is_nil(answer.headers["Idempotency-Replayed"])
    end
    assert.equal(500, post("/free/late", "k1").status)
    assert.equal(409, post("/free/late", "k1").status)
    assert.equal(1, #t:events())
  end)

  it("ends with the process, as the events do", function()
    post("/say", "k1")
    t:crash()
    assert.is_nil(post("/say", "k1").headers["Idempotency-Replayed"])
  end)

  it("makes room at --idempotency-memory, oldest first", function()
    load { idempotency_memory = "256KiB", idempotency_bytes = "1MiB" }
    local text = ("x"):rep(20000)
    for i = 1, 30 do
      post("/say", "k" .. i, { text = text })
    end
    assert.equal("true", post("/say", "k30", { text = text }).headers["Idempotency-Replayed"])
    assert.equal("true", post("/say", "k25", { text = text }).headers["Idempotency-Replayed"])
    assert.is_nil(post("/say", "k1", { text = text }).headers["Idempotency-Replayed"])
    post("/say", "large", { text = ("x"):rep(70000) }) -- more than a quarter
    assert.equal(409, post("/say", "large", { text = ("x"):rep(70000) }).status)
  end)

  it("is no database for scripts", function()
    assert.equal(500, post("/sql", "k1").status)
  end)
end)
