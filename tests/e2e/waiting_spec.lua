-- Routes with transaction = false wait for something outside: however many of them wait, reads, new streams, mutations
-- and deliveries go on.

local Broker = require "support.broker"
local Socket = require "support.socket"
local wait = require "support.wait"

local script = [[
local pillar = require "pillar"
local app = pillar.app()
app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY)" }
app:anonymous()
app:entity("note")
app:post("/wait/:name", { transaction = false }, function(req)
  io.open(req.params.name, "w"):close()
  os.execute("while [ ! -e go ] && kill -0 $PPID; do sleep 0.02; done")
  return { waited = true }
end)
app:get("/notes", function(_, db) return db:rows("SELECT * FROM notes") end)
app:post("/notes", function(_, db)
  local note = db:insert("notes", {})
  emit_sync_event { entity = "note", action = "created", targetUserIds = pillar.everyone, sessionId = false }
  return 201, note
end)
return app
]]

describe("handlers that wait for something outside", function()
  it("hold up nobody but one another", function()
    local broker = Broker.start {
      text = script,
      args = { "--workers", "1", "--free-workers", "2", "--handler-deadline", "60s" },
    }
    local waiting = {}
    for i = 1, 5 do
      waiting[i] = broker:start_request("POST", "/wait/w" .. i)
    end
    local function begun()
      local count = 0
      for i = 1, 5 do
        local file = io.open(broker.dir .. "/w" .. i)
        count = count + (file and 1 or 0)
        if file then
          file:close()
        end
      end
      return count
    end
    wait.until_true("two of them to begin", function()
      broker:request("GET", "/healthz") -- a file that appears does not wake this loop
      return begun() == 2
    end)
    local stream = broker:stream()
    assert.equal(200, broker:request("GET", "/notes").status)
    assert.equal(201, broker:request("POST", "/notes").status)
    stream:wait_events(1)
    assert.equal(2, begun())
    io.open(broker.dir .. "/go", "w"):close()
    for i = 1, 5 do
      wait.until_true("an answer", function() return waiting[i].response end)
      assert.equal(200, waiting[i].response.status)
    end
    Socket.close_all()
    broker:stop()
  end)
end)
