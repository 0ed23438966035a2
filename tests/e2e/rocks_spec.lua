-- Other people's modules work in handlers: an HTTP call to another server with luasocket, in a route that waits outside
-- of a transaction, and a folder read with lua-filesystem.

local Broker = require "support.broker"
local wait = require "support.wait"

local other = [[
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()
app:get("/rate/:currency", function(req) return { currency = req.params.currency, rate = 1.25 } end)
return app
]]

local script = [[
local http = require "socket.http"
local lfs = require "lfs"
local pillar = require "pillar"
local app = pillar.app()

app:migrate { "CREATE TABLE prices (id TEXT PRIMARY KEY, amount REAL NOT NULL)" }
app:anonymous()
app:entity("price")

app:post("/prices/:currency", { transaction = false }, function(req, db)
  local body, status = http.request(("http://127.0.0.1:%s/rate/%s"):format(req.query.port, req.params.currency))
  if status ~= 200 then
    pillar.fail(502, "no_rate", tostring(status))
  end
  local rate = pillar.json.decode(body).rate
  return 201, db:transaction(function()
    local price = db:insert("prices", { id = pillar.uuid(), amount = rate * 100 })
    emit_sync_event {
      entity = "price", action = "created", entityId = price.id, targetUserIds = pillar.everyone, data = price,
    }
    return price
  end)
end)

app:get("/files", function()
  local names = pillar.list {}
  for name in lfs.dir(".") do
    if not name:find("^%.") then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end)

return app
]]

describe("a handler with luasocket and lua-filesystem", function()
  local broker, rates

  setup(function()
    rates = Broker.start { text = other }
    broker = Broker.start { text = script }
  end)
  teardown(function()
    broker:stop()
    rates:stop()
  end)

  it("asks another server, and commits what it made of the answer", function()
    local stream = broker:stream()
    local answer = broker:request("POST", "/prices/EUR?port=" .. rates.port)
    assert.equal(201, answer.status, answer.body)
    assert.equal(125, answer:json().amount)
    wait.until_true("the event", function() return #stream:events() == 1 end)
    assert.equal("125.0", broker:sql("SELECT amount FROM prices"))
    stream:close()
  end)

  it("answers for a server that does not", function()
    local answer = broker:request("POST", "/prices/EUR?port=1")
    assert.equal(502, answer.status)
    assert.truthy(answer:json().error.message:find("refused", 1, true))
  end)

  it("reads a folder", function()
    local names = broker:request("GET", "/files"):json()
    assert.equal("app.db", names[1])
    assert.truthy(table.concat(names, " "):find("app.lua", 1, true))
  end)
end)
