local json = require "pillar.json"
local pillar = require "pillar"

describe("pillar.json", function()
  it("gives integers back as integers, up to 64 bits", function()
    for _, n in ipairs { 0, 7, -7, 2 ^ 53 | 0, -(2 ^ 53) | 0, (2 ^ 53 | 0) + 1, math.maxinteger, math.mininteger } do
      local text = json.encode { n }
      assert.equal(("[%d]"):format(n), text)
      assert.equal("integer", math.type(json.decode(text)[1]))
      assert.equal(n, json.decode(text)[1])
    end
    assert.equal("integer", math.type(json.decode("[7.0]")[1]))
    assert.equal("float", math.type(json.decode("[7.5]")[1]))
  end)

  it("round-trips every float", function()
    local seed = 42
    for _ = 1, 2000 do
      seed = (seed * 6364136223846793005 + 1442695040888963407)
      local f = string.unpack("d", string.pack("j", seed))
      if f == f and math.abs(f) ~= math.huge then
        assert.equal(f, json.decode(json.encode { f })[1] + 0.0)
      end
    end
  end)

  it("writes integers as keys, and what is missing in a list", function()
    assert.equal('{"-7":1}', json.encode { [-7] = 1 })
    assert.equal('{"a":1}', json.encode { a = 1 })
    assert.equal("[null,2]", json.encode { nil, 2 })
    assert.equal("[1,null,3]", json.encode { 1, nil, 3 })
  end)

  it("escapes what has to be escaped", function()
    assert.equal([["\"\\\n\u0001\u001f/é"]], json.encode '"\\\n\1\31/é')
    assert.equal([[{"\"":0}]], json.encode { ['"'] = 0 })
  end)

  it("keeps an empty list a list", function()
    assert.equal("[]", json.encode(json.decode("[]")))
    assert.equal('{"a":[]}', json.encode(json.decode('{"a":[]}')))
    assert.equal('{"b":{}}', json.encode(json.decode('{"b":{}}')))
    local list = json.decode("[1]")
    list[1] = nil
    assert.equal("[]", json.encode(list))
    assert.equal("[]", json.encode(pillar.list {}))
    assert.equal("{}", json.encode {})
  end)

  it("leaves what it encodes as it was", function()
    local value = { big = math.maxinteger, list = pillar.list {}, nested = { f = 0.1 + 0.2 } }
    json.encode(value)
    assert.same({ big = math.maxinteger, list = {}, nested = { f = 0.1 + 0.2 } }, value)
  end)

  it("is not changed by a script that configures lua-cjson", function()
    require("cjson").encode_number_precision(3)
    require("cjson").decode_max_depth(2)
    assert.equal("[3.14159]", json.encode { 3.14159 })
    assert.same({ { { 1 } } }, json.decode("[[[1]]]"))
  end)

  it("refuses with a failure that a handler answers with 400", function()
    local ok, failure = pcall(json.decode, "[NaN]")
    assert.is_false(ok)
    assert.equal(400, failure.status)
    assert.equal("invalid_json", failure.code)
    assert.truthy(tostring(failure):find("byte 1", 1, true))
  end)

  it("names the place of what it cannot encode", function()
    for text, value in pairs {
      ["a%.b%[2%] is a function"] = { a = { b = { 1, print } } },
      ["x is a number that is not finite"] = { x = 1 / 0 },
      ["%[1%] is a string that is not UTF%-8"] = { "\xff" },
      ["cannot encode as JSON: a function"] = print,
      ["key that is not UTF%-8"] = { ["\xff"] = 1 },
      ["l is a list with keys that are not"] = { l = pillar.list { a = 1 } },
      ["m is a list with keys that are not"] = { m = pillar.list { 1, a = 1 } },
      ["a table with integer keys most of which are missing"] = { byId = { [42] = "x" } },
    } do
      local ok, message = pcall(json.encode, value)
      assert.is_false(ok)
      assert.truthy(tostring(message):find(text), tostring(message))
    end
  end)

  it("survives collection at every step", function()
    collectgarbage("generational")
    local text = '{"a":[],"n":12345678901234567,"s":"x","deep":[[[{"e":[]}]]]}'
    for _ = 1, 300 do
      local value = json.decode(text)
      collectgarbage("step")
      assert.equal(12345678901234567, value.n)
      assert.equal(#text, #json.encode(value))
    end
    collectgarbage("incremental")
  end)
end)
