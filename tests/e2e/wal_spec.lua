-- The database's write-ahead log begins anew only while nobody reads from it. Here somebody always does.

local uv = require "luv"
local Broker = require "support.broker"
local Disk = require "support.disk"
local http = require "support.http"
local wait = require "support.wait"

-- A read is to end well within the first wait for it, half a second; a sanitizer makes it many times slower.
local STEPS = os.getenv("PILLAR_SANITIZED") == "1" and 10000 or 200000

local script = ([[
local pillar = require "pillar"
local app = pillar.app()
app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT INTO notes VALUES (1, '')" }
app:anonymous()
app:entity("note")
app:get("/slow", function(_, db)
  local before = db:value("SELECT body FROM notes")
  db:value("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) SELECT count(*) FROM n")
  return { same = before == db:value("SELECT body FROM notes") }
end)
local function write(db)
  db:exec("UPDATE notes SET body = hex(randomblob(50000))")
  emit_sync_event { entity = "note", action = "updated", targetUserIds = pillar.everyone, sessionId = false }
end
app:post("/notes", function(_, db) write(db) return 204 end)
app:post("/free", { transaction = false }, function(_, db)
  db:value("SELECT body FROM notes")
  db:transaction(write, db)
  return 204
end)
return app
]]):format(STEPS)

local LIMIT = 256 * 1024

--- Reads that overlap, and mutations, for some seconds; the largest size of the -wal, and how often each was answered.
local function run(broker, dir)
  local pending, answered, largest = {}, { ["/slow"] = 0, ["/notes"] = 0, ["/free"] = 0 }, 0
  local wanted = { { "POST", "/notes" }, { "POST", "/free" } }
  for i = 3, 8 do
    wanted[i] = { "GET", "/slow" } -- more than there are workers, so that each has one to begin with at once
  end
  for i, request in ipairs(wanted) do
    pending[i] = broker:start_request(request[1], request[2])
  end
  local ends = uv.hrtime() + 4e9
  wait.until_true("the time to pass", function()
    for i, request in ipairs(wanted) do
      if pending[i].response then
        local answer = http.finish(pending[i])
        assert.equal(i > 2 and 200 or 204, answer.status, answer.body)
        assert.is_true(i <= 2 or answer:json().same)
        answered[request[2]] = answered[request[2]] + 1
        pending[i] = broker:start_request(request[1], request[2])
      end
    end
    largest = math.max(largest, Disk.size_of(dir .. "/app.db-wal"))
    return uv.hrtime() >= ends
  end)
  for _, request in ipairs(pending) do
    http.finish(request)
  end
  return largest, answered
end

describe("the write-ahead log", function()
  it("stays small while reads overlap", function()
    local broker = Broker.start { text = script, args = { "--wal-bytes", "256KiB", "--workers", "4" } }
    local largest, answered = run(broker, broker.dir)
    for path, count in pairs(answered) do
      assert.is_true(count > 10, path .. " was answered " .. count .. " times")
    end
    -- Ten times as much was written. An attempt may fail, and one mutation may pass a limit by a batch.
    local written = (answered["/notes"] + answered["/free"]) * 100000
    assert.is_true(written > 10 * LIMIT, ("only %d bytes were written"):format(written))
    assert.is_true(largest > 0 and largest <= 3 * LIMIT, ("the -wal had %d bytes"):format(largest))
    assert.equal(Disk.size_of(broker.dir .. "/app.db-wal"), broker:metric("wal_bytes"))
    broker:stop()
  end)
end)
