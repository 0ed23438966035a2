-- A thousand reloads, and nothing of the programs before is left: memory, descriptors and threads stay what they were.
-- PILLAR_RELOADS sets another number. A sanitizer's build keeps freed memory back, so its memory is not compared.

local Broker = require "support.broker"
local wait = require "support.wait"

local sanitized = os.getenv("PILLAR_SANITIZED") == "1"
local reloads = tonumber(os.getenv("PILLAR_RELOADS")) or (sanitized and 200 or 1000)
local warm = reloads // 10

--- What may come and go by the accidents of an allocator with several threads.
local slack_kib = 1024

local script = [[
  local pillar = require "pillar"
  local app = pillar.app()
  app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)" }
  app:anonymous()
  app:entity("note")
  app:get("/version", function() return "%d" end)
  app:post("/notes", function(req, db)
    local note = db:insert("notes", { body = req:json().body })
    emit_sync_event { entity = "note", action = "created", entityId = note.id, targetUserIds = pillar.everyone }
    return note
  end)
  return app
]]

local function count_of(path)
  local pipe = assert(io.popen("ls " .. path .. " | wc -l"))
  local count = tonumber(pipe:read("a"))
  pipe:close()
  return count
end

--- What the kernel says of the process: resident memory in KiB, threads, descriptors.
local function usage(pid)
  local file = assert(io.open(("/proc/%d/status"):format(pid)))
  local text = file:read("a")
  file:close()
  return {
    kib = tonumber(text:match("VmRSS:%s+(%d+) kB")),
    threads = tonumber(text:match("Threads:%s+(%d+)")),
    descriptors = count_of(("/proc/%d/fd"):format(pid)),
  }
end

describe(("%d reloads"):format(reloads), function()
  it("leave nothing behind", function()
    wait.patience = 120000
    local broker = Broker.start { text = script:format(0) }
    local stream = broker:stream {}
    local before
    local threads = usage(broker.pid).threads
    local started = wait.now()
    for i = 1, reloads do
      assert.equal("SIGHUP: the script was reloaded", broker:reload(script:format(i)))
      broker.log = ""
      -- SQLite keeps a descriptor for each connection that was ever open at a time: these are two programs'.
      wait.until_true("the program before to be gone", function() return broker:metric("scripts_retiring") == 0 end)
      if i % 10 == 0 then
        assert.equal(tostring(i), broker:request("GET", "/version").body)
        assert.equal(200, broker:request("POST", "/notes", { json = { body = "note " .. i } }).status)
      end
      if i == warm or i == reloads then
        wait.until_true("the connections to be gone", function() return broker:metric("connections") == 2 end)
        wait.until_true("the threads to be gone", function() return usage(broker.pid).threads == threads end)
      end
      if i == warm then
        before = usage(broker.pid)
      end
    end
    local after = usage(broker.pid)
    if os.getenv("PILLAR_RELOADS") then
      print(("\nafter %d reloads: %d KiB, %d threads, %d descriptors; after %d: %d KiB, %d threads, %d descriptors; "
        .. "%.1f ms each"):format(warm, before.kib, before.threads, before.descriptors, reloads, after.kib,
        after.threads, after.descriptors, (wait.now() - started) / reloads))
    end
    assert.is_true(after.descriptors <= before.descriptors,
      after.descriptors .. " descriptors, after " .. before.descriptors)
    assert.is_true(sanitized or after.kib <= before.kib + slack_kib,
      ("%d KiB, after %d"):format(after.kib, before.kib))
    stream:wait_events(reloads // 10)
    assert.is_false(stream.socket.closed)
    broker:stop()
  end)
end)
