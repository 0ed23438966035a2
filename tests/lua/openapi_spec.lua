local json = require "pillar.json"
local pillar = require "pillar"
local problems_of = dofile "tests/e2e/support/openapi.lua"

--- The description of an app that `define` makes: its text, and the text's value.
local function describe_app(define, anonymous)
  local app = pillar.app()
  define(app)
  if anonymous then
    app:anonymous()
  else
    app:authenticate(print)
  end
  local text = app:describe("app.lua", true).openapi:gsub("\1", '"/api/events"')
  local document = json.decode(text)
  assert.same({}, problems_of(document))
  return document, text
end

local function define_all(app)
  app:entity("task", {
    path = "/api/tasks",
    input = { title = "string 1..200 trimmed", done = "boolean default false" },
    query = {
      limit = "integer 1..100 default 50",
      tag = pillar.input.list("one of a, b", "..5 optional"),
      q = "string",
    },
    list = print, get = print, find = print, create = print, update = print, replace = print, delete = print,
    targets = print,
  })
  app:entity("label")
  app:post("/api/tasks/:id/complete", print)
  app:get("/files/*rest", print)
  app:get("/", print)
  app:post("/login", { public = true, input = { user = "string" } }, print)
  app:delete("/things/:thing", { input = { why = "string optional" } }, print)
end

describe("the description of an app", function()
  local document, text

  setup(function() document, text = describe_app(define_all) end)

  it("names every route once, with its parameters", function()
    local list = {}
    for path, item in pairs(document.paths) do
      for method, op in pairs(item) do
        list[#list + 1] = ("%s %s %s %s"):format(method, path, op.operationId, op.tags and op.tags[1] or "-")
      end
    end
    table.sort(list)
    assert.same({
      "delete /api/tasks/{id} deleteTask task",
      "delete /things/{thing} deleteThingsByThing -",
      "get / getRoot -",
      "get /api/events openEventStream events",
      "get /api/tasks listTask task",
      "get /api/tasks/{id} getTask task",
      "get /files/{rest} getFilesRest -",
      "patch /api/tasks/{id} updateTask task",
      "post /api/tasks createTask task",
      "post /api/tasks/{id}/complete postApiTasksByIdComplete task",
      "post /login postLogin -",
      "put /api/tasks/{id} replaceTask task",
    }, list)
    local rest = document.paths["/files/{rest}"].get.parameters[1]
    assert.same({ "rest", "path", true }, { rest.name, rest["in"], rest.required })
  end)

  it("has the parameters of a query", function()
    assert.same({
      { ["in"] = "query", name = "limit", required = false,
        schema = { type = "integer", minimum = 1, maximum = 100, default = 50 } },
      { ["in"] = "query", name = "q", required = true, schema = { type = "string" } },
      { ["in"] = "query", name = "tag", required = false,
        schema = { type = "array", maxItems = 5, items = { type = "string", enum = { "a", "b" } } } },
    }, document.paths["/api/tasks"].get.parameters)
  end)

  it("says of mutations that they may have a session, an Idempotency-Key and, if not public, a user", function()
    local function refs(...)
      local list = {}
      for i, name in ipairs { ... } do
        list[i] = { ["$ref"] = "#/components/parameters/" .. name }
      end
      return list
    end
    assert.same(refs("SessionId", "IdempotencyKey", "UserId"), document.paths["/api/tasks"].post.parameters)
    assert.same(refs("SessionId", "IdempotencyKey"), document.paths["/login"].post.parameters)
    local key = document.components.parameters.IdempotencyKey
    assert.same({ "header", "Idempotency-Key", false }, { key["in"], key.name, key.required })
    assert.equal(255, key.schema.maxLength)
    local user = document.components.parameters.UserId
    assert.same({ "header", "X-User-Id", false }, { user["in"], user.name, user.required })
  end)

  it("has bodies, those of an entity by name", function()
    local function body(path, method)
      local of = document.paths[path][method].requestBody
      return of and { of.required, of.content["application/json"].schema }
    end
    local input = { ["$ref"] = "#/components/schemas/taskInput" }
    local patch = { ["$ref"] = "#/components/schemas/taskPatch" }
    assert.same({ true, input }, body("/api/tasks", "post"))
    assert.same({ true, input }, body("/api/tasks/{id}", "put"))
    assert.same({ false, patch }, body("/api/tasks/{id}", "patch"))
    assert.is_nil(body("/api/tasks/{id}", "delete"))
    assert.is_nil(body("/api/tasks", "get"))
    assert.same({ true, { type = "object", properties = { user = { type = "string" } }, required = { "user" },
      additionalProperties = false } }, body("/login", "post"))
    assert.is_false(body("/things/{thing}", "delete")[1])
    local title = { type = "string", minLength = 1, maxLength = 200, pattern = "\\S" }
    assert.same({ type = "object", properties = { title = title, done = { type = "boolean", default = false } },
      required = { "title" }, additionalProperties = false }, document.components.schemas.taskInput)
    assert.same({ type = "object", properties = { title = title, done = { type = "boolean" } },
      additionalProperties = false }, document.components.schemas.taskPatch)
  end)

  it("tells the answers", function()
    local function statuses(path, method)
      local list = {}
      for status in pairs(document.paths[path][method].responses) do
        list[#list + 1] = status
      end
      table.sort(list)
      return table.concat(list, " ")
    end
    assert.equal("200 400 401 default", statuses("/api/tasks", "get"))
    assert.equal("201 400 401 409 415 422 default", statuses("/api/tasks", "post"))
    assert.equal("200 401 404 default", statuses("/api/tasks/{id}", "get"))
    assert.equal("200 400 401 404 409 415 422 default", statuses("/api/tasks/{id}", "patch"))
    assert.equal("200 400 401 404 409 415 422 default", statuses("/api/tasks/{id}", "put"))
    assert.equal("200 204 401 404 409 422 default", statuses("/api/tasks/{id}", "delete"))
    assert.equal("200 204 401 409 422 default", statuses("/api/tasks/{id}/complete", "post"))
    assert.equal("200 204 400 409 415 422 default", statuses("/login", "post"))
    assert.equal("200 401 default", statuses("/", "get"))
    assert.equal("200 400 401", statuses("/api/events", "get"))
  end)

  it("says who must sign in", function()
    assert.same({ { bearer = {} }, { cookie = {} } }, document.security)
    assert.same({}, document.paths["/login"].post.security)
    assert.is_nil(document.paths["/"].get.security)
    local open = describe_app(define_all, true)
    assert.is_nil(open.security)
    assert.is_nil(open.components.securitySchemes)
    assert.is_nil(open.paths["/login"].post.security)
    assert.is_nil(open.paths["/api/events"].get.responses["401"])
  end)

  it("names the entities that events are of", function()
    assert.same({ "label", "task" }, document.components.schemas.SyncEvent.properties.entity.enum)
    local none = describe_app(function() end)
    assert.is_nil(none.components.schemas.SyncEvent.properties.entity.enum)
  end)

  it("is the same text each time, its keys in order", function()
    for _ = 1, 5 do
      assert.equal(text, (select(2, describe_app(define_all))))
    end
    assert.truthy(text:find('\n  "components": {\n    "headers": {\n', 1, true))
    local last = ""
    for path in text:match('\n  "paths": (.-)\n  },?\n'):gmatch('\n    "(/[^"]*)": {') do
      assert.truthy(path == "/api/events" or last < path)
      last = path == "/api/events" and last or path
    end
  end)

  it("carries what the script says of it", function()
    local info = describe_app(function(app)
      app:openapi { title = "Board", version = "1.2.3", description = "All of it.", cookie = "sid" }
    end)
    assert.same({ title = "Board", version = "1.2.3", description = "All of it." }, info.info)
    assert.equal("sid", info.components.securitySchemes.cookie.name)
    assert.same({ title = "API", version = "0.0.0" }, document.info)
    local app = pillar.app()
    for _, bad in ipairs { { 7 }, { { titel = "x" } }, { { title = 7 } }, { { title = "\xff" } } } do
      local ok, message = pcall(function() app:openapi(bad[1]) end)
      assert.is_false(ok)
      assert.truthy(message:find("openapi_spec.lua:", 1, true), message)
    end
    app:openapi {}
    assert.is_false(pcall(app.openapi, app, {}))
  end)

  it("makes one path of those that differ in the names of their parameters", function()
    local merged = describe_app(function(app)
      app:get("/a/:id", print)
      app:put("/a/:name", print)
      app:post("/a/*rest", print)
      app:get("/a/*rest", print)
      app:get("/b/{x}/\xff", print)
    end)
    local item = merged.paths["/a/{id}"]
    assert.equal("id", item.put.parameters[1].name)
    assert.equal("postARest", item.post.operationId)
    assert.equal("getAById", item.get.operationId)
    assert.is_table(merged.paths["/b/%7Bx%7D/\u{FFFD}"])
  end)

  it("gives every operation a name of its own", function()
    local names = describe_app(function(app)
      app:get("/a/b", print)
      app:get("/a-b", print)
      app:get("/a.b", print)
      app:entity("x-y", { path = "/x", list = print })
      app:entity("x.y", { path = "/y", list = print })
    end)
    assert.equal("getAB", names.paths["/a-b"].get.operationId)
    assert.equal("getAB2", names.paths["/a.b"].get.operationId)
    assert.equal("getAB3", names.paths["/a/b"].get.operationId)
    assert.equal("listXY", names.paths["/x"].get.operationId)
    assert.equal("listXY2", names.paths["/y"].get.operationId)
  end)

  it("tags routes with the entity whose path they lie below", function()
    local tagged = describe_app(function(app)
      app:entity("task", { path = "/tasks/", list = print })
      app:entity("step", { path = "/tasks/steps", list = print })
      app:entity("quiet")
      app:post("/tasks", { input = { a = "string", z = "string optional" } }, print)
      app:post("/tasks/steps/sort", print)
      app:post("/tasksteps", print)
    end)
    local function tags(path, method)
      return tagged.paths[path][method].tags
    end
    assert.same({ "task" }, tags("/tasks", "post"))
    assert.same({ "task" }, tags("/tasks/", "get"))
    assert.same({ "step" }, tags("/tasks/steps/sort", "post"))
    assert.is_nil(tags("/tasksteps", "post"))
    assert.same({ { name = "events" }, { name = "step" }, { name = "task" } }, tagged.tags)
    assert.is_true(tagged.paths["/tasks"].post.requestBody.required)
  end)

  it("has a schema for each rule", function()
    local rules = {
      ["string"] = { type = "string" },
      ["string 1..5"] = { type = "string", minLength = 1, maxLength = 5 },
      ["string ..5 trimmed"] = { type = "string", maxLength = 5 },
      ["string 1.. trimmed"] = { type = "string", minLength = 1, pattern = "\\S" },
      ["string ..9 matching ^%l+$"] = { type = "string", maxLength = 9, pattern = "^[a-z]+$" },
      ["string 1..9 trimmed matching ^%l+$"] = { type = "string", minLength = 1, maxLength = 9, pattern = "^[a-z]+$" },
      ["string ..9 matching ^.$"] = { type = "string", maxLength = 9 },
      ["string nullable default null"] = { type = { "string", "null" }, default = pillar.null },
      ["integer 0..9 default 5"] = { type = "integer", minimum = 0, maximum = 9, default = 5 },
      ["number ..0.5"] = { type = "number", maximum = 0.5 },
      ["boolean default false"] = { type = "boolean", default = false },
      ["id"] = { type = { "string", "integer" }, minLength = 1, maxLength = 256 },
      ["id nullable"] = { type = { "string", "integer", "null" }, minLength = 1, maxLength = 256 },
      ["uuid"] = { type = "string", format = "uuid" },
      ["date"] = { type = "string", format = "date" },
      ["datetime"] = { type = "string", format = "date-time" },
      ["email"] = { type = "string", format = "email" },
      ["one of a, b"] = { type = "string", enum = { "a", "b" } },
      ["one of a, b nullable"] = { type = { "string", "null" }, enum = { "a", "b", pillar.null } },
      ["any"] = { type = { "string", "number", "boolean", "object", "array" } },
      ["any nullable"] = { type = { "string", "number", "boolean", "object", "array", "null" } },
      [pillar.input.list({ a = "date" }, "1..2 nullable")] = { type = { "array", "null" }, minItems = 1, maxItems = 2,
        items = { type = "object", properties = { a = { type = "string", format = "date" } },
          required = { "a" }, additionalProperties = false } },
      [pillar.input.object({ a = "string optional" }, "optional nullable")] = { type = { "object", "null" },
        properties = { a = { type = "string" } }, additionalProperties = false },
    }
    local input, wanted, n = {}, {}, 0
    for rule, schema in pairs(rules) do
      n = n + 1
      input["f" .. n], wanted["f" .. n] = rule, schema
    end
    local found = describe_app(function(app) app:post("/x", { input = input }, print) end)
    local body = found.paths["/x"].post.requestBody.content["application/json"].schema
    for name, schema in pairs(wanted) do
      assert.same(schema, body.properties[name], tostring(input[name]))
    end
  end)
end)

describe("the check of descriptions", function()
  it("finds what is wrong", function()
    local text = select(2, describe_app(define_all))
    for _, change in ipairs {
      { '"openapi": "3.1.0"', '"openapi": "3.0.0"' },
      { '"title": "API",?', '' },
      { '#/components/schemas/Row', '#/components/schemas/None' },
      { '#/components/responses/NotFound', '#/components/responses/None' },
      { '"operationId": "getTask"', '"operationId": "listTask"' },
      { '"name": "id"', '"name": "other"' },
      { '"in": "query"', '"in": "nowhere"' },
      { '"type": "boolean"', '"type": "bool"' },
      { '"minLength": 1', '"minLength": 201' },
      { '"204": {', '"none": {' },
      { '"bearer": %[%]', '"other": []' },
      { '"schema": {', '"scheme": {' },
      { '"description": "The new row%."', '"descriptoin": ""' },
    } do
      local broken, count = text:gsub(change[1], change[2], 1)
      assert.equal(1, count, change[1])
      broken = broken:gsub(",(%s*})", "%1")
      assert.truthy(problems_of(json.decode(broken))[1], change[1])
    end
  end)
end)
