-- What happens when changes cannot be stored: the disk is full or fails, another program holds the lock, the file is
-- damaged, read-only, deleted or replaced. Whoever wrote is told so with a 503, nothing is published, everything else
-- goes on, and when the cause is gone the next change is stored without a restart.

local uv = require "luv"
local Broker = require "support.broker"
local Disk = require "support.disk"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local script = "tests/e2e/apps/storage.lua"

--- A broker with a stream open, and what both have stored and told so far.
local Scene = {}
Scene.__index = Scene

function Scene.new(broker, sql)
  return setmetatable({
    broker = broker,
    stream = broker:stream { query = "?user=grace" },
    sql = sql or function(statement) return broker:sql(statement) end,
    stored = 0,
    failures = 0,
  }, Scene)
end

function Scene:post(path)
  return self.broker:request("POST", path, { headers = { ["X-Session-Id"] = "other" } })
end

function Scene:start_post(path)
  return self.broker:start_request("POST", path, { headers = { ["X-Session-Id"] = "other" } })
end

--- A change that is stored, and its event, which comes behind everything that came before and with the next id.
function Scene:works(path)
  local answer = self:post(path or "/notes")
  assert.equal(201, answer.status, answer.body)
  self:has_stored(1)
  assert.equal(answer:json().id, self.stream:events()[self.stored].data.id)
end

--- So many changes more were stored: rows and events are theirs and nobody else's.
function Scene:has_stored(count)
  self.stored = self.stored + count
  self.stream:wait_events(self.stored)
  local synced = self.stream:named("sync")
  assert.equal(self.stored, #synced)
  local history, first = synced[1].id:match("^(.*)-(%d+)$")
  for i, event in ipairs(synced) do
    assert.equal(("%s-%d"):format(history, tonumber(first) + i - 1), event.id)
  end
  assert.equal(0, #self.stream:named("resync"))
  assert.equal(("%d %d"):format(self.stored, self.stored),
    self.sql("SELECT (SELECT count(*) FROM notes) || ' ' || (SELECT count(*) FROM audit)"))
end

--- A change that cannot be stored, and what goes on meanwhile.
function Scene:fails(path, code)
  local answer = self:post(path or "/notes")
  assert.equal(503, answer.status, answer.body)
  assert.equal(code or "unavailable", answer:json().error.code)
  assert.equal("1", answer.headers["retry-after"])
  assert.equal("application/json", answer.headers["content-type"])
  self.failures = self.failures + 1
  self:goes_on()
end

function Scene:goes_on()
  local notes = self.broker:request("GET", "/notes")
  assert.equal(200, notes.status, notes.body)
  assert.equal(self.stored, notes:json().count)
  assert.equal(200, self.broker:request("GET", "/healthz").status)
  assert.equal(200, self.broker:request("GET", "/readyz").status)
  assert.is_nil(self.broker.exit)
  assert.is_false(self.stream.socket.closed)
  self.broker:stream({ query = "?user=lin" }):close()
end

--- Many changes at a time; returns the statuses, counted.
function Scene:post_many(count, path)
  local pending, statuses = {}, {}
  for i = 1, count do
    pending[i] = self:start_post(path or "/notes?size=2000")
  end
  for i = 1, count do
    local status = http.finish(pending[i]).status
    statuses[status] = (statuses[status] or 0) + 1
  end
  return statuses
end

--- The log has a line with all of these.
function Scene:logs(...)
  local wanted = { ... }
  wait.until_true("the log to say: " .. table.concat(wanted, ", "), function()
    for line in self.broker.log:gmatch("[^\n]+") do
      local found = true
      for _, text in ipairs(wanted) do
        found = found and line:find(text, 1, true)
      end
      if found then
        return true
      end
    end
  end)
end

--- Starts what must not start, and returns its last words, one line.
local function does_not_start(options)
  local process = Broker.spawn({ "run", options.script or Broker.source .. "/" .. script, "--listen", "127.0.0.1:0",
    "--database", options.database }, options)
  process:wait_exit()
  wait.until_true("the error", function() return process.log:find("\n", 1, true) end)
  assert.same({ code = 1, signal = 0 }, process.exit)
  assert.equal("", process.output)
  return assert(process.log:match("^pillar: ([^\n]+)\n$"), process.log)
end

local function has(text, ...)
  for _, part in ipairs { ... } do
    assert.truthy(text:find(part, 1, true), ("%q lacks %q"):format(text, part))
  end
end

describe("a full disk", function()
  local disk, broker, scene

  before_each(function()
    disk = Disk.new(32)
    broker = disk:start { script = script }
    scene = Scene.new(broker, function(statement) return disk:sql(statement) end)
    scene:works()
  end)
  after_each(function()
    Socket.close_all()
    broker:stop()
    disk:remove()
  end)

  it("is told to who writes, and to nobody else", function()
    disk:fill(broker)
    scene:fails("/notes?size=20000")
    scene:fails("/notes?size=20000")
    scene:fails("/free/notes?size=20000")
    scene:fails("/refused?size=20000&a=4xx-may-have-come-of-what-was-lost")
    assert.same({ [503] = 40 }, scene:post_many(40, "/notes?size=20000"))
    scene:goes_on()
    assert.equal(204, scene:post("/nothing").status)
    scene:logs("error db: changes are not stored in sqlite:" .. disk.dir .. "/app.db, mutations are answered with 503:",
      disk.kind == "limit" and "raise the file size limit" or "free space")
    assert.is_true(broker:metric("commit_failures_total") >= 4)
    assert.falsy(broker.log:find("stored again", 1, true))
    disk:free(broker)
    scene:works()
    scene:works("/free/notes")
    scene:logs("info  db: changes are stored again, after")
  end)

  it("leaves nothing of a handler that looks at no error", function()
    disk:fill(broker)
    for _, path in ipairs { "/swallow", "/free/swallow" } do
      local pending = scene:start_post(path)
      local statuses = scene:post_many(20)
      assert.equal(503, http.finish(pending).status)
      assert.is_nil(statuses[500])
      scene.stored = scene.stored + (statuses[201] or 0)
      scene:goes_on()
      assert.equal("0 0", disk:sql("SELECT (SELECT count(*) FROM big) || ' ' || (SELECT count(*) FROM names)"))
    end
    scene:has_stored(0)
    scene:logs("the database has rolled the transaction back")
    disk:free(broker)
    scene:works()
  end)

  it("stores each change whole or not at all while room comes and goes", function()
    for round = 1, 4 do
      local pending = {}
      for i = 1, 60 do
        pending[i] = scene:start_post(i % 3 == 0 and "/free/notes?size=9000" or "/notes?size=9000")
      end
      http.finish(pending[1 + round])
      disk:fill(broker)
      http.finish(pending[50])
      disk:free(broker)
      local stored = 0
      for i = 1, 60 do
        local status = (pending[i].response or http.finish(pending[i])).status
        assert.is_true(status == 201 or status == 503, status)
        stored = stored + (status == 201 and 1 or 0)
      end
      scene:has_stored(stored)
    end
    scene:works()
  end)

  it("at a checkpoint leaves the commits that stand", function()
    -- The -wal has its room from before, the database does not: it is what has to grow.
    for _ = 1, 15 do
      assert.equal(201, scene:post("/notes?size=1000000").status)
    end
    scene:has_stored(15)
    local wal = Disk.size_of(disk:path("app.db-wal"))
    local before = Disk.size_of(disk:path("app.db"))
    assert.is_true(before > wal and wal > 4000000, ("%d, %d"):format(before, wal))
    disk:fill(broker, before)
    local stored = 0
    wait.until_true("a checkpoint to fail", function()
      assert.equal(201, scene:post("/notes?size=200000").status)
      stored = stored + 1
      return broker.log:find("cannot be written back into the database", 1, true)
    end)
    scene:has_stored(stored)
    scene:goes_on()
    disk:free(broker)
    scene:works()
    scene:logs("info  db: the -wal was written back into the database again")
    assert.equal("ok", disk:sql("PRAGMA integrity_check"))
    assert.is_true(Disk.size_of(disk:path("app.db")) > before)
  end)

  it("stops neither the log nor what it is written by", function()
    local other = Broker.start { script = script, prefix = { "sh", "-c", 'exec "$@" 2>/dev/full', "sh" } }
    for _ = 1, 50 do
      assert.equal(500, other:request("POST", "/raise").status)
    end
    assert.equal(201, other:request("POST", "/notes").status)
    other:stop()
  end)
end)

describe("a start on a full disk", function()
  it("fails with one line that says what to do", function()
    local disk = Disk.new(1)
    local prefix = disk:prefix() or { "sh", "-c", 'ulimit -f 0; exec "$@"', "sh" }
    if disk.kind ~= "limit" then
      disk:fill()
    end
    has(does_not_start { database = "sqlite:" .. disk.dir .. "/app.db", prefix = prefix },
      "cannot open the database " .. disk.dir .. "/app.db", disk.kind == "limit" and "file size limit" or "disk")
    disk:remove()
  end)

  it("fails with one line for a file that may not grow, whatever the signal", function()
    local dir = assert(uv.fs_mkdtemp("/tmp/pillar-XXXXXX"))
    local file = assert(io.open(dir .. "/app.lua", "w"))
    file:write('local app = require("pillar").app()\napp:anonymous()\n'
      .. 'app:migrate { "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))" }\nreturn app\n')
    file:close()
    -- The shell counts in 512 bytes: there is room for the -shm, and none for the table.
    local line = does_not_start { script = dir .. "/app.lua", database = "sqlite:" .. dir .. "/app.db",
      prefix = { "sh", "-c", 'ulimit -f 64; exec "$@"', "sh" } }
    has(line, "the database sqlite:" .. dir .. "/app.db: ", "File too large", "file size limit (ulimit -f")
    os.execute("rm -rf '" .. dir .. "'")
  end)
end)

describe("a disk that fails", function()
  local library = os.getenv("PILLAR_FAULTS")
  local dir, control, broker, scene

  --- From now on; without a text nothing fails any more.
  local function fault(text)
    if not text then
      os.remove(control)
      return
    end
    local file = assert(io.open(control .. ".new", "w"))
    file:write(text)
    file:close()
    assert(os.rename(control .. ".new", control))
  end

  local function start()
    broker = Broker.start { script = script, dir = dir, args = { "--workers", "1", "--batch-size", "8" },
      env = { LD_PRELOAD = library, FAULTY_DISK = control } }
    scene = Scene.new(broker)
  end

  before_each(function()
    if not library then
      return
    end
    dir = assert(uv.fs_mkdtemp("/tmp/pillar-XXXXXX"))
    control = dir .. "/faults"
    start()
    scene:works()
  end)
  after_each(function()
    if not library then
      return
    end
    Socket.close_all()
    broker:stop()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  local function with_faults(name, run)
    it(name, function()
      if not library then
        pending("PILLAR_FAULTS names no library to be preloaded: not with sanitizers")
        return
      end
      run()
    end)
  end

  local at_commit = {
    ["pwrite64 -wal EIO"] = { "Input/output error", "look at the disk" },
    ["pwrite64 -wal ENOSPC"] = { "full", "free space" },
    ["pwrite64 -wal EDQUOT"] = { "quota" },
    ["pwrite64 -wal EROFS"] = { "Read-only file system", "mounted read-only" },
    ["pwrite64 -wal EIO 2"] = { "Input/output error" },
    ["fdatasync -wal EIO"] = { "Input/output error", "look at the disk" },
  }

  for what, words in pairs(at_commit) do
    with_faults(("with %s fails the commits, until it works again"):format(what), function()
      fault(what)
      scene:fails()
      scene:fails("/free/notes")
      scene:fails("/refused")
      assert.same({ [503] = 20 }, scene:post_many(20))
      scene:goes_on()
      scene:logs("error db: changes are not stored", table.unpack(words))
      fault()
      scene:works()
      scene:works("/free/notes")
    end)
  end

  with_faults("for one operation in the middle of many fails those whose commit it was", function()
    for _, what in ipairs { "pwrite64 -wal EIO 9 1", "fdatasync -wal EIO 2 1", "pwrite64 -wal ENOSPC 4 2" } do
      fault(what)
      local statuses = scene:post_many(60)
      assert.is_true((statuses[503] or 0) > 0 and (statuses[201] or 0) > 0, what)
      assert.equal(60, statuses[503] + statuses[201])
      fault()
      scene:has_stored(statuses[201])
      scene:works()
    end
  end)

  for _, what in ipairs { "pwrite64 app.db EIO", "fdatasync app.db EIO" } do
    with_faults(("with %s at a checkpoint leaves the commits that stand"):format(what), function()
      fault(what)
      local stored = 0
      wait.until_true("a checkpoint to fail", function()
        assert.equal(201, scene:post("/notes?size=200000").status)
        stored = stored + 1
        return broker.log:find("cannot be written back into the database", 1, true)
      end)
      scene:has_stored(stored)
      scene:goes_on()
      scene:logs("app.db-wal cannot be written back", "Input/output error", "nothing is lost")
      fault()
      scene:works()
      scene:logs("info  db: the -wal was written back into the database again")
      assert.equal("ok", broker:sql("PRAGMA integrity_check"))
    end)
  end

  local function restart()
    Socket.close_all()
    broker:signal("sigkill")
    broker:wait_exit()
    start()
  end

  with_faults("behind the write of a commit has it come back whole, if the process dies before the next", function()
    fault("fdatasync -wal EIO")
    scene:fails()
    fault()
    local stored = scene.stored
    restart()
    scene.stored = stored + 1
    scene:goes_on()
    assert.equal(("%d %d"):format(stored + 1, stored + 1),
      broker:sql("SELECT (SELECT count(*) FROM notes) || ' ' || (SELECT count(*) FROM audit)"))
  end)

  with_faults("behind the write of a commit has it gone for ever, once another was stored", function()
    fault("fdatasync -wal EIO")
    scene:fails("/notes?size=50000")
    fault()
    scene:works()
    local stored = scene.stored
    restart()
    scene.stored = stored
    scene:goes_on()
    assert.equal("0", broker:sql("SELECT count(*) FROM notes WHERE length(body) = 50000"))
    assert.equal("ok", broker:sql("PRAGMA integrity_check"))
  end)

  with_faults("at a read is told to who reads, and to nobody else", function()
    -- All have the schema. What is changed from outside is not in their caches, and not in the -wal.
    assert.equal(200, broker:request("GET", "/big").status)
    scene:works("/big")
    fault("pread64 app.db EIO")
    broker:sql("INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) "
      .. "SELECT i, randomblob(2000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)")
    local answer = broker:request("GET", "/big")
    assert.equal(503, answer.status, answer.body)
    assert.equal("unavailable", answer:json().error.code)
    assert.equal(503, scene:post("/big").status)
    assert.equal(200, broker:request("GET", "/readyz").status)
    assert.is_false(scene.stream.socket.closed)
    fault()
    assert.equal(200, broker:request("GET", "/big").status)
    scene:works("/big")
  end)
end)

describe("a transaction that the database ends by itself", function()
  local broker, scene

  local function start(...)
    broker = Broker.start { script = script, args = { ... } }
    scene = Scene.new(broker)
    scene:works()
  end

  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  it("for a script that says OR ROLLBACK takes nothing of what comes behind it", function()
    start()
    scene:fails("/or-rollback")
    assert.equal("0", broker:sql("SELECT count(*) FROM names"))
    scene:logs("the database has rolled the transaction back: UNIQUE constraint failed: names.name", "say ABORT")
    scene:works()
  end)

  it("for a write that was interrupted takes nothing of it", function()
    start("--handler-deadline", "1s")
    scene:fails("/endless", "deadline_exceeded")
    assert.equal("0", broker:sql("SELECT count(*) FROM big"))
    scene:logs("the database has rolled the transaction back: interrupted")
    scene:works()
  end)

  it("takes with it who was before it, and not who comes behind it", function()
    start("--handler-deadline", "30s", "--queue-timeout", "30s")
    local function queued(count)
      wait.until_true("the queue to fill", function() return broker:metric("queue_depth") >= count end)
    end
    local taken = broker:metric("jobs_taken_total")
    local held = scene:start_post("/held?file=" .. broker.dir .. "/go")
    wait.until_true("the writer to be busy", function() return broker:metric("jobs_taken_total") > taken end)
    local before = { scene:start_post("/notes"), scene:start_post("/nothing"), scene:start_post("/refused") }
    queued(3)
    local cause = scene:start_post("/or-rollback")
    queued(4)
    local behind = {}
    for i = 1, 10 do
      behind[i] = scene:start_post("/notes")
    end
    queued(14)
    broker:write("go", "")
    assert.equal(204, http.finish(held).status)
    for _, pending in ipairs(before) do
      local answer = http.finish(pending)
      assert.equal(503, answer.status)
      assert.equal("unavailable", answer:json().error.code)
    end
    assert.equal(503, http.finish(cause).status)
    for i = 1, 10 do
      assert.equal(201, http.finish(behind[i]).status)
    end
    scene:has_stored(10)
    assert.equal(1, broker:metric("commit_failures_total"))
  end)
end)

describe("a lock of another program", function()
  local deadline_ms = 1500
  local broker, scene

  --- A program that runs these statements and stays; `finish(statements)` has it run some more, and end. Unbuffered:
  --- it says at once what it has found.
  local function program(statements)
    local input, output = uv.new_pipe(false), uv.new_pipe(false)
    local other = { said = "" }
    local handle
    handle = uv.spawn("sh", {
      args = { "-c", 'exec stdbuf -o0 sqlite3 "$1" 2>&1', "sh", broker.dir .. "/app.db" },
      stdio = { input, output, nil },
    }, function()
      other.ended = true
      handle:close()
      input:close()
    end)
    output:read_start(function(_, data)
      if data then
        other.said = other.said .. data
      else
        output:close()
      end
    end)
    function other.run(text)
      input:write(text .. "\n")
    end
    function other.finish(text)
      input:write((text or "") .. "\n.quit\n")
      wait.until_true("the other program to end", function() return other.ended end)
    end
    other.run(statements)
    return other
  end

  local function holds_lock()
    local other = program("BEGIN IMMEDIATE; SELECT 'locked';")
    wait.until_true("the lock", function() return other.said:find("locked", 1, true) end)
    return other
  end

  before_each(function()
    broker = Broker.start { script = script, args = { "--handler-deadline", deadline_ms .. "ms" },
      env = { PILLAR_EMIT_KEY = "key" } }
    scene = Scene.new(broker)
    scene:works()
  end)
  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  it("is waited for", function()
    local other = holds_lock()
    local requests, asked = broker:metric("requests_total"), 0
    local pending = scene:start_post("/notes")
    wait.until_true("the request to arrive", function()
      asked = asked + 1
      return broker:metric("requests_total") > requests + asked
    end)
    wait.until_true("the writer to have it", function() return broker:metric("queue_depth") == 0 end)
    other.finish("COMMIT;")
    assert.equal(201, http.finish(pending).status)
    scene:has_stored(1)
  end)

  it("is told to all who wait for it, each in time", function()
    local other = holds_lock()
    local pending = {}
    local emission = broker:start_request("POST", "/api/emit", { headers = { Authorization = "Bearer key" },
      json = { entity = "note", action = "created", targetUserIds = { "grace" } } })
    for i = 1, 60 do
      pending[i] = scene:start_post(i % 10 == 0 and "/free/notes" or "/notes")
    end
    for i = 1, 60 do
      local answer = http.finish(pending[i])
      assert.equal(503, answer.status, answer.body)
      if i % 10 ~= 0 then -- the others may find their own deadline first
        assert.equal("busy", answer:json().error.code)
      end
      assert.is_true(pending[i].took < 5 * deadline_ms, ("%.0f ms"):format(pending[i].took))
    end
    assert.equal(503, http.finish(emission).status)
    scene:logs("error db: changes are not stored", "another program holds its lock")
    scene:fails(nil, "busy")
    other.finish("COMMIT;")
    scene:works()
    scene:works("/free/notes")
  end)

  it("for a checkpoint is told in the same way", function()
    -- It waits for this reader, and lets nobody write meanwhile.
    local reader = program("BEGIN; SELECT count(*) FROM notes; SELECT 'reads';")
    wait.until_true("the reader", function() return reader.said:find("reads", 1, true) end)
    scene:works()
    local other = program("PRAGMA busy_timeout = 60000; PRAGMA wal_checkpoint(TRUNCATE); SELECT 'done';")
    local answer
    wait.until_true("the lock", function()
      answer = scene:post("/notes")
      scene.stored = scene.stored + (answer.status == 201 and 1 or 0)
      return answer.status ~= 201
    end)
    assert.equal(503, answer.status)
    assert.equal("busy", answer:json().error.code)
    scene:goes_on()
    reader.finish("COMMIT;")
    other.finish()
    assert.truthy(other.said:find("done", 1, true), other.said)
    scene:works()
    scene:has_stored(0)
  end)
end)

describe("a damaged file", function()
  --- Replaces the second half of the database by something else; returns what puts it back.
  local function damage(path)
    local file = assert(io.open(path, "r+b"))
    local from = file:seek("end") // 2
    file:seek("set", from)
    local kept = file:read("a")
    file:seek("set", from)
    file:write(("\xff"):rep(#kept))
    file:flush()
    return function()
      file:seek("set", from)
      file:write(kept)
      file:close()
    end
  end

  it("is told to those who need what is damaged, until it is mended", function()
    local broker = Broker.start { script = script }
    local scene = Scene.new(broker)
    scene:works()
    broker:sql("INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 6000) "
      .. "SELECT i, randomblob(1000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)")
    local mend = damage(broker.dir .. "/app.db")
    local answer = broker:request("GET", "/big")
    assert.equal(503, answer.status, answer.body)
    scene:fails("/big")
    scene:works()
    scene:fails("/big")
    scene:logs("database disk image is malformed", "restore a backup")
    mend()
    assert.equal(6000000, broker:request("GET", "/big"):json().bytes)
    scene:works("/big")
    assert.equal("ok", broker:sql("PRAGMA integrity_check"))
    Socket.close_all()
    broker:stop()
  end)

  it("at the start is an error that names it", function()
    local dir = assert(uv.fs_mkdtemp("/tmp/pillar-XXXXXX"))
    local path = dir .. "/app.db"
    local function make(bytes, at)
      os.remove(path)
      assert(Disk.run(("sqlite3 '%s' 'PRAGMA journal_mode = WAL; CREATE TABLE t (a)'"):format(path)))
      local file = assert(io.open(path, "r+b"))
      file:seek("set", at)
      file:write(bytes)
      file:close()
    end
    make("no SQLite", 0)
    has(does_not_start { database = "sqlite:" .. path }, "cannot open the database " .. path, "not a database",
      "restore a backup")
    make(("\xff"):rep(3996), 100)
    has(does_not_start { database = "sqlite:" .. path }, "cannot open the database " .. path, "malformed",
      "restore a backup")
    os.execute("rm -rf '" .. dir .. "'")
  end)
end)

describe("a read-only", function()
  local dir

  --- Root may write everything, so the broker is somebody else then.
  local function prefix()
    return Disk.is_root and { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups" } or nil
  end

  before_each(function()
    dir = assert(uv.fs_mkdtemp("/tmp/pillar-XXXXXX"))
    assert(Disk.run(("sqlite3 '%s/app.db' 'PRAGMA journal_mode = WAL; CREATE TABLE t (a)'"):format(dir)))
  end)
  after_each(function()
    os.execute(("chmod -R u+w '%s'; rm -rf '%s'"):format(dir, dir))
  end)

  local function says(...)
    if Disk.is_root and not Disk.run(("setpriv --reuid=65534 --regid=65534 --clear-groups test -x '%s' -a -r '%s/%s'")
      :format(Broker.binary, Broker.source, script)) then
      pending("another user may not run the binary where it is")
      return
    end
    has(does_not_start { database = "sqlite:" .. dir .. "/app.db", prefix = prefix() },
      "cannot open the database " .. dir .. "/app.db", ...)
  end

  it("file is an error that says so", function()
    os.execute(("chmod 0777 '%s'; chmod 0444 '%s/app.db'"):format(dir, dir))
    says("the broker may only read it", "owner and mode")
  end)

  it("folder is an error that says so", function()
    os.execute(("chmod 0666 '%s/app.db'; chmod 0555 '%s'"):format(dir, dir))
    says("Permission denied", "may the broker write there?")
  end)

  it("folder without a database is an error that says so", function()
    os.execute(("rm '%s/app.db'; chmod 0555 '%s'"):format(dir, dir))
    says("may the broker write there?")
  end)
end)

describe("a file system that becomes read-only", function()
  it("fails the changes, and what is read goes on", function()
    local disk = Disk.new_ext4()
    if not disk then
      pending("no file system can be mounted here")
      return
    end
    local broker = disk:start { script = script }
    local scene = Scene.new(broker, function(statement) return disk:sql(statement) end)
    scene:works()
    disk:make_read_only()
    scene:fails()
    scene:fails("/free/notes")
    scene:logs("error db: changes are not stored", "mounted read-only")
    Socket.close_all()
    broker:stop()
    disk:remove()
  end)
end)

describe("a database that is moved away under the broker", function()
  local broker, scene

  local function move(from, to)
    assert(os.rename(broker.dir .. "/" .. from, broker.dir .. "/" .. to))
  end

  before_each(function()
    broker = Broker.start { script = script }
    scene = Scene.new(broker)
    scene:works()
  end)
  after_each(function()
    Socket.close_all()
    broker:stop()
  end)

  for _, name in ipairs { "app.db", "app.db-wal", "app.db-shm" } do
    it(("(%s) is written to no more, until it is back"):format(name), function()
      move(name, "aside")
      scene:fails()
      scene:fails("/free/notes")
      scene:logs("error db: changes are not stored", broker.dir .. "/" .. name,
        "is not the file that the broker has open", "restart the broker", "/proc/" .. broker.pid .. "/fd")
      move("aside", name)
      scene:works()
    end)
  end

  it("and replaced by another is written to no more", function()
    move("app.db", "aside")
    assert(Disk.run(("cp '%s/aside' '%s/app.db'"):format(broker.dir, broker.dir)))
    scene:fails()
    scene:logs("app.db is not the file that the broker has open", "it was replaced")
    move("aside", "app.db")
    scene:works()
  end)

  it("is not made anew by a reload", function()
    move("app.db", "aside")
    local outcome = broker:reload()
    has(outcome, "SIGHUP: the script was not reloaded, the old one goes on", "is not the file that the broker has open")
    assert.is_nil(uv.fs_stat(broker.dir .. "/app.db"))
    scene:fails()
    move("aside", "app.db")
    has(broker:reload(), "the script was reloaded")
    scene:works()
  end)
end)
