local answer = require "pillar.answer"
local pillar = require "pillar"

local function headers(flat)
  local found = {}
  for i = 1, #(flat or {}), 2 do
    found[#found + 1] = flat[i] .. "=" .. flat[i + 1]
  end
  table.sort(found)
  return found
end

describe("what a handler returns", function()
  it("may be a body alone", function()
    local status, body, flat = answer.make(200, { a = 1 })
    assert.equal(200, status)
    assert.equal('{"a":1}', body)
    assert.same({ "Content-Type=application/json" }, headers(flat))
    status, body, flat = answer.make(201, "text")
    assert.equal(201, status)
    assert.equal("text", body)
    assert.same({ "Content-Type=text/plain; charset=utf-8" }, headers(flat))
    assert.equal("false", (select(2, answer.make(200, false))))
    assert.equal("null", (select(2, answer.make(200, pillar.null))))
  end)

  it("may be nothing", function()
    assert.equal(204, (answer.make(200)))
    assert.equal(204, (answer.make(200, nil)))
    assert.is_nil((select(2, answer.make(200))))
  end)

  it("may be a status, a body and headers", function()
    local status, body, flat = answer.make(200, 202, { ok = true }, { ["X-A"] = { "1", "2" }, ["X-B"] = 3 })
    assert.equal(202, status)
    assert.equal('{"ok":true}', body)
    assert.same({ "Content-Type=application/json", "X-A=1", "X-A=2", "X-B=3" }, headers(flat))
    local html = select(3, answer.make(200, 200, "<p>", { ["content-type"] = "text/html" }))
    assert.same({ "content-type=text/html" }, headers(html))
  end)

  it("gets a body when it is an error without one", function()
    local _, body = answer.make(200, 404)
    assert.equal("not_found", pillar.json.decode(body).error.code)
    _, body = answer.make(200, 418)
    assert.equal("error", pillar.json.decode(body).error.code)
  end)

  it("is refused when it makes no sense", function()
    for _, case in ipairs { { 99 }, { 100 }, { 600 }, { 204, "body" }, { 304, {} }, { 200, {}, "headers" },
      { 200, {}, { [1] = "x" } }, { 200, {}, { ["X-A"] = {} , ["X-B"] = true } }, { 200, print } } do
      assert.is_false(pcall(answer.make, 200, table.unpack(case)))
    end
  end)
end)
