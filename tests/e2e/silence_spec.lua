-- In production a mutation that tells nobody is answered as ever, counted, and said in the log, once a minute a route.

local Broker = require "support.broker"

local script = [[
local pillar = require "pillar"
local app = pillar.app()
app:migrate { "CREATE TABLE notes (id INTEGER PRIMARY KEY)" }
app:anonymous()
app:entity("note")
app:post("/forgets", function(_, db) db:insert("notes", {}) return 201 end)
app:post("/nobody", function()
  emit_sync_event { entity = "note", action = "created", targetUserIds = {} }
  return 201
end)
app:post("/silent", { silent = true }, function(_, db) db:insert("notes", {}) return 201 end)
return app
]]

describe("a change that nobody is told of", function()
  local broker

  setup(function() broker = Broker.start { text = script } end)
  teardown(function() broker:stop() end)

  local function warnings(text)
    local count = 0
    for _ in broker.log:gmatch(text) do
      count = count + 1
    end
    return count
  end

  it("is in the log and in the metrics", function()
    for _ = 1, 3 do
      for _, path in ipairs { "/forgets", "/nobody", "/silent" } do
        assert.equal(201, broker:request("POST", path).status)
      end
    end
    assert.equal(6, broker:metric("silent_changes_total"))
    broker:stop()
    assert.equal(1, warnings("POST /forgets %(.-app.lua:6%) changed notes and emitted nothing"))
    assert.equal(1, warnings("POST /nobody %(.-app.lua:7%) emitted note created with an empty target list"))
    assert.equal(0, warnings("/silent"))
    broker = Broker.start { text = script }
  end)
end)
