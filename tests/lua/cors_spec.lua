local pillar = require "pillar"

local function described(options)
  local app = pillar.app()
  app:anonymous()
  app:cors(options)
  return app:describe("app.lua").cors
end

local function message(options)
  local app = pillar.app()
  local ok, problem = pcall(function() app:cors(options) end)
  assert.is_false(ok)
  assert.truthy(problem:find("cors_spec.lua:12: app:cors", 1, true), problem)
  return problem
end

describe("app:cors", function()
  it("is off unless a script asks for it", function()
    local app = pillar.app()
    app:anonymous()
    assert.is_false(app:describe("app.lua").cors)
  end)

  it("has defaults for all but the origins", function()
    assert.same({
      origins = { "https://app.example" },
      any = false,
      credentials = false,
      maxAge = "600",
      headers = "",
      exposed = "Sync-Position, X-Request-Id, Retry-After, Location, Idempotency-Replayed",
    }, described { origins = { "https://app.example" } })
    assert.same({
      origins = {},
      any = true,
      credentials = false,
      maxAge = "0",
      headers = "Content-Type, X-Session-Id, Idempotency-Key, X-User-Id",
      exposed = "Sync-Position, X-Request-Id, Retry-After, Location, Idempotency-Replayed, X-Total",
    }, described {
      origins = "*", credentials = false, maxAge = 0, headers = { "Content-Type", "X-Session-Id" },
      exposeHeaders = { "X-Total" },
    })
  end)

  it("lets pages send an Idempotency-Key and an X-User-Id, and says so once", function()
    local function headers(list)
      return described({ origins = "*", headers = list }).headers
    end
    assert.equal("", headers(nil))
    assert.equal("", headers {})
    assert.equal("X-A, Idempotency-Key, X-User-Id", headers { "X-A" })
    assert.equal("idempotency-key, X-A, X-User-Id", headers { "idempotency-key", "X-A" })
    assert.equal("x-user-id, Idempotency-Key", headers { "x-user-id" })
  end)

  it("writes origins as browsers do", function()
    local cases = {
      ["https://App.Example"] = "https://app.example",
      ["HTTPS://app.example:443"] = "https://app.example",
      ["http://app.example:80"] = "http://app.example",
      ["http://app.example:443"] = "http://app.example:443",
      ["http://localhost:5173"] = "http://localhost:5173",
      ["http://[::1]:3000"] = "http://[::1]:3000",
      ["capacitor://localhost"] = "capacitor://localhost",
    }
    for given, expected in pairs(cases) do
      assert.same({ expected }, described({ origins = { given } }).origins)
    end
  end)

  it("names what is no origin", function()
    local cases = {
      ["https://app.example/"] = "without '/'",
      ["https://app.example/path"] = "without '/path'",
      ["https://app.example?x"] = "without '?x'",
      ["https://*.app.example"] = "there are no wildcards",
      ["*"] = "there are no wildcards",
      ["app.example"] = "'app.example' is not an origin",
      ["https://"] = "is not an origin",
      ["https://user@app.example"] = "is not an origin",
      ["https://app.example:x"] = "is not an origin",
      ["https://app.example:65536"] = "is not an origin",
      ["https://app example"] = "is not an origin",
      ["null"] = "is not an origin",
    }
    for given, expected in pairs(cases) do
      local problem = message { origins = { "https://good.example", given } }
      assert.truthy(problem:find(expected, 1, true), problem)
    end
    assert.truthy(message { origins = { 7 } }:find("'7' must be a string", 1, true))
  end)

  it("refuses what it cannot do", function()
    local good = { "https://app.example" }
    local cases = {
      { nil, "takes a table" },
      { {}, "'origins' must be a list of origins" },
      { { origins = {} }, "'origins' must be a list of origins" },
      { { origins = "https://app.example" }, "'origins' must be a list of origins" },
      { { origins = "*", credentials = true }, "goes without credentials" },
      { { origins = good, credential = true }, "unknown field 'credential'; did you mean 'credentials'?" },
      { { origins = good, credentials = "yes" }, "'credentials' must be a boolean" },
      { { origins = good, maxAge = "600" }, "'maxAge' must be an integer" },
      { { origins = good, maxAge = -1 }, "'maxAge' must be an integer" },
      { { origins = good, maxAge = 86401 }, "'maxAge' must be an integer" },
      { { origins = good, headers = "X" }, "'headers' must be a list" },
      { { origins = good, headers = { "X Y" } }, "'headers' holds 'X Y'" },
      { { origins = good, exposeHeaders = { "" } }, "'exposeHeaders' holds ''" },
    }
    for _, case in ipairs(cases) do
      local problem = message(case[1])
      assert.truthy(problem:find(case[2], 1, true), problem)
    end
  end)

  it("is said once", function()
    local app = pillar.app()
    app:cors { origins = "*" }
    local ok, problem = pcall(function() app:cors { origins = "*" } end)
    assert.is_false(ok)
    assert.truthy(problem:find("cors_spec.lua:121: app:cors was called already", 1, true), problem)
  end)
end)
