local core = require "pillar.core"
local input = require "pillar.input"
local json = require "pillar.json"
local pillar = require "pillar"

--- A request as Rules:read sees it; `query` holds lists of values.
local function request(body, query)
  local first = {}
  for name, values in pairs(query or {}) do
    first[name] = values[1]
  end
  return {
    body = body or "",
    query = first,
    json = function() return json.decode(body) end,
    queryAll = function(_, name) return core.list { table.unpack(query[name]) } end,
  }
end

local function compile(rules, where)
  return input.compile(rules, where or "body", "test", 1)
end

--- What is wrong with a JSON text, "title is missing; ..."; or nil and the values.
local function try(rules, body)
  local values, problems = rules:read(request(body))
  local list = {}
  for i, problem in ipairs(problems) do
    list[i] = problem.field .. " " .. problem.message
  end
  return list[1] and table.concat(list, "; "), values
end

--- Checks which of the JSON values of `good` and `bad` a rule lets through.
local function check(text, good, bad, problem)
  local rules = compile { v = text }
  for _, value in ipairs(good) do
    assert.is_nil((try(rules, ('{"v":%s}'):format(value))), text .. ": " .. value)
  end
  for _, value in ipairs(bad) do
    assert.equal("v " .. problem, (try(rules, ('{"v":%s}'):format(value))), text .. ": " .. value)
  end
end

local function value_of(text, value)
  local problem, values = try(compile { v = text }, ('{"v":%s}'):format(value))
  assert.is_nil(problem)
  return values.v
end

describe("an input rule", function()
  it("knows strings, whose length is in characters", function()
    check("string", { '""', '"ä"', '"\\u0000"' }, { "1", "true", "{}", "[]" }, "must be a string")
    check("string 1..3", { '"a"', '"äöü"', '"日本語"', '"   "' }, { '"abcd"', '"äöüß"' }, "must be 1 to 3 characters long")
    check("string 1..3", {}, { '""' }, "must not be empty")
    check("string 2..", { '"ab"' }, { '"a"', '""' }, "must be at least 2 characters long")
    check("string ..2", { '""', '"ab"' }, { '"abc"' }, "must be at most 2 characters long")
    check("string 0..2", { '""' }, { '"abc"' }, "must be 0 to 2 characters long")
  end)

  it("trims white space, that of Unicode too", function()
    check("string 1..5 trimmed", { '" a "' }, { '"   "', '"\\u00a0\\u3000 \\t"', '""' }, "must not be empty")
    assert.equal("a b", value_of("string 1..5 trimmed", '" \\n\\u00a0 a b\\u2003 \\ufeff"'))
    assert.equal("ä", value_of("string 1..1 trimmed", '"  ä  "'))
    -- Not in a time that grows with the square of it: this took minutes.
    assert.equal("x", value_of("string 1..200 trimmed", '"x' .. ("\\u3000"):rep(150000) .. '"'))
    assert.equal("x", value_of("string 1..200 trimmed", '"' .. ("\\u3000"):rep(150000) .. 'x"'))
    assert.equal(" a ", value_of("string", '" a "'))
    assert.equal("2026-01-01", value_of("date trimmed", '" 2026-01-01 "'))
  end)

  it("matches a Lua pattern, after the length", function()
    check("string 1..20 matching ^%l[%w-]*$", { '"a"', '"a-1"' }, { '"A"', '"a_"', '"1"' },
      "must match the pattern ^%l[%w-]*$")
    check("string ..3 matching ^a", { '"abc"' }, { '"bbbb"' }, "must be at most 3 characters long")
    check("string ..9 matching b", { '"abc"' }, { '"a"' }, "must match the pattern b")
    check("string ..9 matching a b", { '"xa bx"' }, { '"ab"' }, "must match the pattern a b")
  end)

  it("knows numbers", function()
    check("integer", { "0", "-1", "7.0", "9007199254740993", "1e15" }, { "1.5", '"1"', "true" }, "must be an integer")
    check("integer", { "1e18" }, { "1e30" }, "must fit into 64 bits")
    check("integer", { "9223372036854775807", "-9223372036854775808" },
      { "9223372036854775808", "-9223372036854775809", "-9.3e18" }, "must fit into 64 bits")
    check("integer 0..100", { "0", "100" }, { "-1", "101" }, "must be from 0 to 100")
    check("integer -5..", { "-5" }, { "-6" }, "must be at least -5")
    check("number ..0.5", { "0.5", "-1e300" }, { "0.51" }, "must be at most 0.5")
    check("number", { "0", "1.5" }, { '"1"', "false" }, "must be a number")
    assert.equal("integer", math.type(value_of("integer", "1e18")))
  end)

  it("knows booleans", function()
    check("boolean", { "true", "false" }, { "0", "1", '"true"', '""' }, "must be true or false")
  end)

  it("knows ids, which become strings", function()
    check("id", { '"a"', "7", ('"%s"'):format(("x"):rep(256)) }, { "1.5", "true", "{}" },
      "must be a string or an integer")
    check("id", {}, { '""', ('"%s"'):format(("x"):rep(257)), '"a\\u0000"', '"\\n"' },
      "must be 1 to 256 bytes long, without control characters")
    assert.equal("7", value_of("id", "7"))
    assert.equal("9007199254740993", value_of("id", "9007199254740993"))
  end)

  it("knows UUIDs, which become lower case", function()
    check("uuid", { '"01890a5d-ac96-774b-bcce-b302099a8057"' }, { '"01890a5dac96774bbcceb302099a8057"', "1", '""',
      '"01890a5d-ac96-774b-bcce-b302099a805g"', '"{01890a5d-ac96-774b-bcce-b302099a8057}"' }, "must be a UUID")
    assert.equal("01890a5d-ac96-774b-bcce-b302099a8057", value_of("uuid", '"01890A5D-AC96-774B-BCCE-B302099A8057"'))
  end)

  it("knows dates, days that there are", function()
    check("date", { '"2026-12-31"', '"2024-02-29"', '"2000-02-29"', '"0001-01-01"' }, { '"2026-02-29"', '"1900-02-29"',
      '"2026-13-01"', '"2026-00-01"', '"2026-04-31"', '"2026-01-00"', '"2026-1-1"', '"2026-12-31T00:00Z"', "2026",
      '" 2026-12-31"' }, "must be a date such as 2026-12-31")
  end)

  it("knows dates with a time (RFC 3339)", function()
    check("datetime", { '"2026-12-31T17:00:00Z"', '"2026-12-31t17:00:00.123z"', '"2026-12-31T17:00:00+05:30"',
      '"2016-12-31T23:59:60Z"', '"2016-12-31T18:59:60-05:00"' }, { '"2026-12-31"', '"2026-12-31T17:00:00"',
      '"2026-02-30T17:00:00Z"', '"2026-12-31T24:00:00Z"', '"2026-12-31T17:60:00Z"', '"2026-12-31T17:00:61Z"',
      '"2016-12-31T18:59:60Z"', '"2026-12-31 17:00:00Z"', '"2026-12-31T17:00:00.Z"', '"2026-12-31T17:00:00+24:00"',
      '"2026-12-31T17:00:00+0530"' }, "must be a date and time such as 2026-12-31T17:00:00Z")
  end)

  it("knows e-mail addresses, as browsers do", function()
    check("email", { '"ada@example.org"', '"a.b+c@x-y.museum"', '"root@localhost"' }, { '"ada"', '"@x.org"', '"a@"',
      '"a b@x.org"', '"a@-x.org"', '"a@x-.org"', '"a@x..org"', '"ä@x.org"', '"a@b@c"', "1",
      ('"%s@x.org"'):format(("a"):rep(65)), ('"a@%s.org"'):format(("x"):rep(64)) }, "must be an e-mail address")
  end)

  it("knows choices", function()
    check("one of todo, doing,done", { '"todo"', '"doing"', '"done"' }, { '"other"', "1", '"to"', '"todo,"', "{}" },
      "must be one of todo, doing, done")
    check("one of a, b optional", { '"b"' }, { '"optional"' }, "must be one of a, b")
  end)

  it("lets anything through", function()
    check("any", { "1", '"a"', "[]", "{}", '{"a":[1]}', "false" }, { "null" }, "must not be null")
    assert.same({ a = { 1 } }, value_of("any nullable", '{"a":[1]}'))
  end)

  it("says whether null will do", function()
    check("string", {}, { "null" }, "must not be null")
    assert.equal(pillar.null, value_of("string nullable", "null"))
    assert.equal(pillar.null, value_of("string 1..9 trimmed nullable matching a", "null"))
  end)

  it("says whether a field may be missing, and what stands for it then", function()
    local rules = compile {
      a = "string",
      b = "string optional",
      c = "integer 0..9 default 5",
      d = "boolean default false",
      e = "date nullable default null",
      f = 'string default "two words"',
      g = 'string default ""',
      h = "string nullable",
      i = "one of x, y default y",
      j = 'string nullable default "null"',
    }
    assert.equal("a is missing; h is missing", (try(rules, "{}")))
    local problem, values = try(rules, '{"a":"","h":null}')
    assert.is_nil(problem)
    local null = pillar.null
    assert.same({ a = "", c = 5, d = false, e = null, f = "two words", g = "", h = null, i = "y", j = "null" },
      values)
    assert.equal(7, select(2, try(rules, '{"a":"","h":null,"c":7}')).c)
  end)
end)

describe("rules for what is nested", function()
  local rules = compile {
    name = "string",
    address = { city = "string 1..", zip = "string optional" },
    seat = pillar.input.object({ row = "integer" }, "optional nullable"),
    tags = pillar.input.list("string 1..5", "..2 optional"),
    tasks = pillar.input.list({ id = "id", order = "number", at = "integer default 0" }, "optional nullable"),
  }
  local base = '{"name":"x","address":{"city":"y"}%s}'

  it("let through what fits, in fresh tables", function()
    local problem, values = try(rules, base:format ',"tags":[],"tasks":[{"id":7,"order":1.5}],"seat":null')
    assert.is_nil(problem)
    assert.same({ name = "x", address = { city = "y" }, tags = {}, tasks = { { id = "7", order = 1.5, at = 0 } },
      seat = pillar.null }, values)
    assert.equal('[]', json.encode(values.tags))
  end)

  it("say where something is wrong, elements counted from 0", function()
    assert.equal("address is missing", (try(rules, '{"name":"x"}')))
    assert.equal("address must be an object", (try(rules, '{"name":"x","address":[]}')))
    assert.equal("address must be an object", (try(rules, '{"name":"x","address":"y"}')))
    assert.equal("address.city is missing", (try(rules, '{"name":"x","address":{}}')))
    assert.equal("address.street is not a known field", (try(rules, '{"name":"","address":{"city":"y","street":""}}')))
    assert.equal("seat.row must not be null", (try(rules, base:format ',"seat":{"row":null}')))
    assert.equal("tags[1] must be 1 to 5 characters long", (try(rules, base:format ',"tags":["a","toolong"]')))
    assert.equal("tags[0] must not be null", (try(rules, base:format ',"tags":[null]')))
    assert.equal("tags must have at most 2 elements", (try(rules, base:format ',"tags":["a","b","c"]')))
    assert.equal("tags must be a list", (try(rules, base:format ',"tags":{}')))
    assert.equal("tasks[0].order must be a number; tasks[2] must be an object",
      (try(rules, base:format ',"tasks":[{"id":1,"order":"1"},{"id":1,"order":1},7]')))
  end)

  it("know lists in lists, and that a list is not empty", function()
    local nested = compile { rows = pillar.input.list(pillar.input.list("integer", "1..")) }
    assert.equal("rows[1][0] must be an integer; rows[2] must not be empty",
      (try(nested, '{"rows":[[1],["x"],[]]}')))
  end)
end)

describe("everything that is wrong", function()
  it("is told at once: what is missing, what is unknown, what does not fit, each by name", function()
    local rules = compile { title = "string", dueDate = "date", body = "string", n = "integer" }
    assert.equal("body is missing; title is missing; x is not a known field; y is not a known field; "
      .. "dueDate must be a date such as 2026-12-31; n must be an integer",
      (try(rules, '{"dueDate":"x","n":"1","y":1,"x":2}')))
  end)

  it("is told up to a bound, and repeats no long names", function()
    local rules = compile { list = pillar.input.list("integer", "optional") }
    local guard = rules:guard(function() return 200 end)
    local status, answer = guard(request('{"list":[' .. ('"x",'):rep(9999) .. '"x"]}'))
    assert.equal(400, status)
    assert.equal(20, #answer.error.fields)
    assert.equal("list[19]", answer.error.fields[20].field)
    assert.truthy(answer.error.message:find("; and more$"))
    assert.truthy(#answer.error.message < 1000)

    local values, problems = rules:read(request('{"list":[' .. ('"x",'):rep(9999) .. '"x"]}'))
    assert.equal(21, #problems)
    assert.is_nil(values.list[30])

    status, answer = guard(request('{"' .. ("ä"):rep(100000) .. '":1}'))
    assert.equal(400, status)
    assert.equal(("ä"):rep(64) .. "...", answer.error.field)
    assert.truthy(#answer.error.message < 400)

    local names = {}
    for i = 1, 50000 do
      names[i] = ('"n%d":1'):format(i)
    end
    local many = request("{" .. table.concat(names, ",") .. "}")
    assert.equal(20, #select(2, guard(many)).error.fields)
    assert.equal(21, #select(2, rules:read(many)))
  end)

  it("is answered with one error that names the first field", function()
    local called = false
    local guard = compile({ title = "string 1..5", dueDate = "date optional" }):guard(function() called = true end)
    local status, answer = guard(request '{"dueDate":"tomorrow"}')
    assert.is_false(called)
    assert.equal(400, status)
    assert.same({
      error = {
        code = "invalid_field",
        message = "title is missing; dueDate must be a date such as 2026-12-31",
        field = "title",
        fields = {
          { field = "title", message = "is missing" },
          { field = "dueDate", message = "must be a date such as 2026-12-31" },
        },
      },
    }, answer)
  end)
end)

describe("a request's input", function()
  it("reaches the handler, whose answer is the answer", function()
    local seen
    local guard = compile({ a = "integer" }):guard(function(req, db)
      seen = { req.input, db }
      return 201, "body", { X = "1" }
    end)
    assert.same({ 201, "body", { X = "1" } }, { guard(request '{"a":1}', "db") })
    assert.same({ { a = 1 }, "db" }, seen)
  end)

  it("is an object", function()
    local rules = compile { a = "integer optional" }
    for _, body in ipairs { "[]", "[1]" } do
      local ok, failure = pcall(rules.read, rules, request(body))
      assert.is_false(ok)
      assert.same({ 400, "invalid_json" }, { failure.status, failure.code })
    end
  end)

  it("may be no body at all where nothing has to be in it", function()
    assert.is_nil((try(compile { a = "integer optional" }, "")))
    assert.equal("a is missing", (try(compile { a = "integer" }, "")))
    assert.is_nil((try(compile {}, "{}")))
    assert.equal("a is not a known field", (try(compile {}, '{"a":1}')))
  end)

  it("of a change holds any of the fields, without defaults", function()
    local rules = compile { a = "string", b = "integer default 5", c = { d = "string", e = "integer default 1" },
      f = "string nullable" }:part()
    local problem, values = try(rules, "{}")
    assert.is_nil(problem)
    assert.same({}, values)
    assert.same({ a = "x", f = pillar.null }, select(2, try(rules, '{"a":"x","f":null}')))
    assert.equal("a must not be null", (try(rules, '{"a":null}')))
    assert.equal("g is not a known field", (try(rules, '{"g":1}')))
    assert.equal("c.d is missing", (try(rules, '{"c":{}}')))
    assert.same({ c = { d = "x", e = 1 } }, select(2, try(rules, '{"c":{"d":"x"}}')))
  end)

  it("of a GET is the query, its texts as the values they stand for", function()
    local rules = compile({ n = "integer 0..100 default 50", x = "number optional", b = "boolean optional",
      s = "string ..3 optional", id = "id optional", tag = pillar.input.list("integer", "optional"),
      any = "any optional" }, "query")
    local function read(query)
      local values, problems = rules:read(request(nil, query))
      return problems[1] and problems[1].field .. " " .. problems[1].message or values
    end
    assert.same({ n = 50 }, read {})
    assert.same({ n = 7, x = 1.5, b = false, s = "7", id = "7", tag = { 1, 2 }, any = "1" }, read {
      n = { "7" }, x = { "1.5" }, b = { "false" }, s = { "7" }, id = { "7" }, tag = { "1", "2" }, any = { "1" },
    })
    assert.equal("n must be an integer", read { n = { "x" } })
    assert.equal("n must be an integer", read { n = { "" } })
    assert.equal("n must be an integer", read { n = { "0x10" } })
    assert.equal("n must be an integer", read { n = { "99999999999999999999" } })
    assert.equal("n must be from 0 to 100", read { n = { "101" } })
    assert.equal("x must be a number", read { x = { "1e999" } })
    assert.equal("x must be a number", read { x = { "nan" } })
    assert.equal("b must be true or false", read { b = { "1" } })
    assert.equal("s must be at most 3 characters long", read { s = { "abcd" } })
    assert.equal("tag[1] must be an integer", read { tag = { "1", "b" } })
    assert.equal("n is there more than once", read { n = { "1", "2" } })
    assert.equal("y is not a known field", read { y = { "1" } })
  end)
end)

describe("a malformed rule", function()
  local function problem(spec, where)
    local ok, message = pcall(compile, { v = spec }, where)
    assert.is_false(ok, tostring(spec))
    return tostring(message)
  end

  it("is refused, naming the field and the problem", function()
    for spec, text in pairs {
      [""] = "the rule is empty",
      ["strin"] = "'strin' is not a type; did you mean 'string'?",
      ["one todo"] = "'one' goes with 'of'",
      ["one of"] = "a choice is missing",
      ["one of a, "] = "a choice is missing",
      ["one of a,,b"] = "a choice is missing",
      ["one of a, a"] = "the choice 'a' is there twice",
      ["string 1..b"] = "'1..b' is not a range",
      ["string .."] = "'..' is not a range",
      ["string 1...2"] = "is not a range",
      ["string 5..1"] = "the end is before the beginning",
      ["string -1..1"] = "must be a whole number",
      ["string 0.5..1"] = "must be a whole number",
      ["boolean 1..2"] = "'boolean' has no range",
      ["string optinal"] = "'optinal' is not known here; did you mean 'optional'?",
      ["string optional optional"] = "'optional' is there twice",
      ["string optional 1..2"] = "'1..2' is not known here",
      ["integer trimmed"] = "'trimmed' is for texts",
      ["string default"] = "a value is missing behind 'default'",
      ['string default "a"b'] = "goes a space",
      ["integer 0..10 default 11"] = "the default 11 does not fit: it must be from 0 to 10",
      ["integer default x"] = "the default x does not fit",
      ["boolean default 1"] = "the default 1 does not fit",
      ["one of a, b default c"] = "the default c does not fit",
      ["string default null"] = "'default null' needs 'nullable'",
      ["string default a default b"] = "'default' is there twice",
      ["string matching"] = "a pattern is missing",
      ["integer matching x"] = "'matching' is for strings",
      ["string matching a"] = "'matching' needs a greatest length",
      ["string 1.. matching a"] = "'matching' needs a greatest length",
      ["string ..9 matching [a"] = "'[a' is not a Lua pattern: a ] is missing",
      ["string \xff"] = "not UTF-8",
      [7] = "must be a string or a table, not a number",
      [true] = "must be a string or a table, not a boolean",
    } do
      local message = problem(spec)
      assert.truthy(message:find("'v'", 1, true), message)
      assert.truthy(message:find(text, 1, true), message)
    end
  end)

  it("is named by its place", function()
    assert.truthy(problem({ a = { b = "nonsense" } }):find("the rule of 'v.a.b': 'nonsense' is not a type", 1, true))
    assert.truthy(problem({ "string" }):find("v: a field is named by a string, not by 1", 1, true))
    local loop = {}
    loop.loop = loop
    assert.truthy(problem(loop):find("nested too deeply", 1, true))
  end)

  it("is refused where a query cannot hold it", function()
    for _, spec in ipairs { { a = "string" }, pillar.input.list { a = "string" },
      pillar.input.list(pillar.input.list("string")), "string nullable", pillar.input.list("string", "nullable") } do
      assert.truthy(problem(spec, "query"):find("the query of a GET", 1, true))
    end
  end)

  it("is refused at the script's line", function()
    local app = pillar.app()
    local line = debug.getinfo(1, "l").currentline
    for i, fn in ipairs {
      function() app:post("/a", { input = { a = "x" } }, print) end,
      function() app:get("/a", { input = { a = "x" } }, print) end,
      function() app:entity("a", { path = "/", create = print, targets = print, input = { a = "x" } }) end,
      function() app:post("/a", { input = pillar.input.list("string") }, print) end,
      function() pillar.input.object({ a = "x" }) end,
      function() pillar.input.object({ a = "string" }, "optionl") end,
      function() pillar.input.object("string") end,
      function() pillar.input.object({ a = "string" }, "1..2") end,
      function() pillar.input.list("x") end,
      function() pillar.input.list("string optional") end,
      function() pillar.input.list("string default x") end,
      function() pillar.input.list("string", "-1..2") end,
      function() pillar.input.list("string", "trimmed") end,
      function() pillar.input.list("string", 7) end,
      function() return pillar.input.lits end,
    } do
      local ok, message = pcall(fn)
      assert.is_false(ok)
      assert.truthy(message:find(("input_spec.lua:%d:"):format(line + 1 + i), 1, true), message)
    end
  end)
end)
