-- GET /openapi.json: what is served, where, and that it fits what is there.

local Broker = require "support.broker"
local problems_of = require "support.openapi"

local function start(options)
  options.text = options.text or [[
    local pillar = require "pillar"
    local app = pillar.app()
    app:anonymous()
    app:post("/a/:id", { input = { title = "string" } }, print)
    return app
  ]]
  return Broker.start(options)
end

describe("the description of the API", function()
  it("is served, valid, for every app that there is", function()
    for _, name in ipairs { "examples/pillar/app.lua", "examples/quickstart/app.lua", "tests/e2e/apps/lab.lua",
      "tests/e2e/apps/types.lua" } do
      local broker = Broker.start { script = name }
      local answer = broker:request("GET", "/openapi.json")
      assert.equal(200, answer.status)
      assert.equal("application/json", answer.headers["content-type"])
      assert.equal("no-cache", answer.headers["cache-control"])
      assert.same({}, problems_of(answer:json()), name)
      assert.equal(answer.body, broker:request("GET", "/openapi.json").body)
      broker:stop()
    end
  end)

  it("is read only", function()
    local broker = start {}
    local head = broker:request("HEAD", "/openapi.json")
    assert.equal(200, head.status)
    assert.equal(#broker:request("GET", "/openapi.json").body, tonumber(head.headers["content-length"]))
    local post = broker:request("POST", "/openapi.json", { json = {} })
    assert.equal(405, post.status)
    assert.equal("GET, HEAD, OPTIONS", post.headers.allow)
    broker:stop()
  end)

  it("has the path of the stream that the options say", function()
    local broker = start { args = { "--events-path", '/a"b' } }
    local paths = broker:request("GET", "/openapi.json"):json().paths
    assert.equal("openEventStream", paths['/a"b'].get.operationId)
    assert.equal("postAById", paths["/a/{id}"].post.operationId)
    broker:stop()
  end)

  it("is served elsewhere, or not at all", function()
    local broker = start { args = { "--openapi-path", "/api/description" } }
    assert.equal(404, broker:request("GET", "/openapi.json").status)
    assert.equal(200, broker:request("GET", "/api/description").status)
    broker:stop()
    broker = start { env = { PILLAR_OPENAPI_PATH = "none" } }
    assert.equal(404, broker:request("GET", "/openapi.json").status)
    assert.equal(404, broker:request("GET", "/none").status)
    broker:stop()
  end)

  it("leaves its path to a script that turns it off, and to no other", function()
    local text = [[
      local pillar = require "pillar"
      local app = pillar.app %s
      app:anonymous()
      app:get("/openapi.json", function() return "my own" end)
      return app
    ]]
    local broker = start { text = text:format '{ openapi_path = "none" }' }
    assert.equal("my own", broker:request("GET", "/openapi.json").body)
    broker:stop()
    local ok, problem = pcall(start, { text = text:format "{}" })
    assert.is_false(ok)
    assert.truthy(problem:find("app.lua:4: the broker itself answers /openapi.json", 1, true), problem)
  end)
end)
