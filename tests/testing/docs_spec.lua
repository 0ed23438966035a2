-- lua/README.md: every example runs, and every public function is documented and has one.
--
-- A block of code begins with ```lua and perhaps one more word, which says what it is:
--   (nothing)   a fragment of a script, or a whole one, which is loaded
--   handler     the body of a handler, which is called
--   spec        the body of a test of the last whole script
--   describe    a whole spec of it, which `pillar test` runs
-- A comment before the block, <!-- GET /path -> 200 -->, asks what was loaded, one request a line.

local testing = require "pillar.testing"

local source = os.getenv("PILLAR_SOURCE") or "."
local page = source .. "/lua/README.md"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- All Lua blocks: { line, kind, code, asks }.
local function blocks_of(text)
  local list, at, asks, line = {}, nil, nil, 0
  for content in (text .. "\n"):gmatch("(.-)\n") do
    line = line + 1
    if at and content == "```" then
      at.code, at = table.concat(at, "\n"), nil
    elseif at then
      at[#at + 1] = content
    elseif content:match("^```lua") then
      at = { line = line, kind = content:match("^```lua%s*(%w*)"), asks = asks or {} }
      list[#list + 1], asks = at, nil
    elseif content:match("%->%s*%d+") and (asks or content:match("^<!%-%-")) then
      asks = asks or {}
      asks[#asks + 1] = content:gsub("^<!%-%-", ""):gsub("%-%->%s*$", ""):match("^%s*(.-)%s*$")
    end
  end
  return list
end

local tables = [[
app:migrate { [==[
  CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT, passwordHash TEXT);
  CREATE TABLE sessions (token TEXT PRIMARY KEY, userId TEXT);
  CREATE TABLE members (projectId TEXT, userId TEXT, role TEXT, PRIMARY KEY (projectId, userId));
  CREATE TABLE tasks (
    id TEXT PRIMARY KEY, projectId TEXT, title TEXT NOT NULL, done BOOLEAN NOT NULL DEFAULT FALSE, dueDate TEXT);
  CREATE TABLE labels (id TEXT PRIMARY KEY, ownerId TEXT, name TEXT UNIQUE);
  INSERT INTO users (id, name) VALUES ('ada', 'Ada'), ('grace', 'Grace');
  INSERT INTO members VALUES ('p1', 'ada', 'owner'), ('p1', 'grace', 'editor');
  INSERT INTO labels VALUES ('l1', 'ada', 'later');
  INSERT INTO tasks (id, projectId, title) VALUES ('t1', 'p1', 'Ship');
]==] }
]]

--- The script that a fragment is a part of.
local function complete(code, kind)
  if code:find("return app%s*$") then
    return code
  end
  local parts = { 'local pillar = require "pillar"' }
  local function add(text, unless)
    if not code:find(unless) then
      parts[#parts + 1] = text
    end
  end
  add("local app = pillar.app()", "local app =")
  if not code:find("app:authenticate(", 1, true) then
    add("app:anonymous()", "app:anonymous")
  end
  add(tables, "app:migrate")
  add('app:entity("task")', 'app:entity%("task"')
  add('app:entity("label")', 'app:entity%("label"')
  if kind == "handler" then
    code = ('app:post("/example", { silent = true }, function(req, db)\n%s\nend)'):format(code)
  end
  parts[#parts + 1] = code
  parts[#parts + 1] = "return app"
  return table.concat(parts, "\n")
end

describe("lua/README.md", function()
  local text = read(page)
  local blocks = blocks_of(text)
  local dir

  setup(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir '%s'"):format(dir)))
  end)
  teardown(function() os.execute(("rm -r '%s'"):format(dir)) end)

  local function load_app(code, kind)
    write(dir .. "/app.lua", complete(code, kind))
    return testing.load(dir .. "/app.lua")
  end

  local function ask(t, line)
    local method, path, json, status = line:match("^(%u+)%s+(%S+)%s*(.-)%s*%->%s*(%d+)$")
    assert(method, "not a request: " .. line)
    local answer = t:request(method, path, {
      user = "ada", body = json, headers = json ~= "" and { ["Content-Type"] = "application/json" } or nil,
      expectError = true,
    })
    assert.equal(tonumber(status), answer.status, line .. ": " .. answer.body)
  end

  local run = {}

  function run.fragment(block)
    local t = load_app(block.code)
    for _, line in ipairs(block.asks) do
      ask(t, line)
    end
  end

  function run.handler(block)
    local t = load_app(block.code, "handler")
    local answer = t:post("/example?tag=a&tag=b", { user = "ada", json = { title = "Ship", projectId = "p1" } })
    local wanted = block.asks[1] and tonumber(block.asks[1]:match("%d+"))
    if wanted then
      assert.equal(wanted, answer.status, answer.body)
    else
      assert.is_true(answer.status < 400, answer.body)
    end
  end

  --- What `load "app.lua"` in the block means: the last whole script before it.
  local function whole_script(block)
    local found
    for _, other in ipairs(blocks) do
      if other.line < block.line and other.kind == "" and other.code:find("return app%s*$") then
        found = other.code
      end
    end
    return found
  end

  function run.spec(block)
    write(dir .. "/app.lua", whole_script(block))
    local env = setmetatable({ t = testing.load(dir .. "/app.lua") }, { __index = _G })
    env.assert = assert
    env.testing = setmetatable({
      load = function(path, options) return testing.load(dir .. "/" .. path, options) end,
    }, { __index = testing })
    assert(load(block.code, ("=README.md, the block at line %d"):format(block.line), "t", env))()
  end

  function run.describe(block)
    write(dir .. "/app.lua", whole_script(block))
    write(dir .. "/app_spec.lua", block.code)
    local command = ("LD_PRELOAD=\"$PILLAR_PRELOAD\" '%s' test '%s/app_spec.lua' 2>&1"):format(
      os.getenv("PILLAR_BINARY") or "build/pillar", dir)
    local pipe = assert(io.popen(command))
    local output = pipe:read("a")
    assert.is_true(pipe:close(), output)
    assert.truthy(output:find("1 success", 1, true), output)
  end

  for _, block in ipairs(blocks) do
    it(("runs the block at line %d"):format(block.line), function()
      run[block.kind == "" and "fragment" or block.kind](block)
    end)
  end

  --- --- that nothing is left out ---

  local examples = {}
  for i, block in ipairs(blocks) do
    examples[i] = block.code
  end
  examples = table.concat(examples, "\n")

  --- Fails unless the page says `name(`, and an example calls it.
  local function check(name, call)
    local plain = name:gsub("%p", "%%%0")
    local described = text:find("`" .. plain .. "[`( ]") or text:find("`" .. plain .. "$")
    assert.truthy(described, ("lua/README.md does not describe %s"):format(name))
    local pattern = (call or name):gsub("%p", "%%%0") .. "[ ({\"]"
    assert.truthy(examples:find(pattern), ("lua/README.md has no example of %s"):format(name))
  end

  it("describes every function of pillar", function()
    local t = load_app [[
      app:get("/names", function()
        local names = {}
        local function look(prefix, found)
          for name, value in pairs(found) do
            if type(value) == "function" then
              names[#names + 1] = prefix .. name
            elseif type(value) == "table" and type(name) == "string" and prefix == "pillar." and next(value) then
              look(prefix .. name .. ".", value)
            end
          end
        end
        look("pillar.", pillar)
        return names
      end)]]
    local names = t:get("/names", { user = "ada" }):json()
    assert.is_true(#names > 12)
    local levels = { debug = true, info = true, warn = true, error = true }
    for _, name in ipairs(names) do
      local level = name:match("^pillar%.log%.(%w+)$")
      if level and levels[level] then
        assert.truthy(examples:find(name .. "(", 1, true), name)
      else
        check(name)
      end
    end
  end)

  --- The public methods that a file of the library defines: those without ---@package above them.
  local function methods(file, class)
    local found, private = {}, false
    for line in (read(source .. "/lua/pillar/" .. file) .. "\n"):gmatch("(.-)\n") do
      private = private or line:find("---@package", 1, true) ~= nil
      local name = line:match("^function " .. class .. "[.:]([%a_]%w*)%(") or line:match("^" .. class .. "%.(%w+) = ")
      if name and not name:find("^__") and not private then
        found[#found + 1] = name
      end
      if line == "" or line:find("^end") or name then
        private = false
      end
    end
    assert.is_true(#found > 0, file)
    return found
  end

  it("describes every method of the app", function()
    for _, name in ipairs(methods("app.lua", "App")) do
      check("app:" .. name)
    end
  end)

  it("describes every method of the database and of a request", function()
    for _, name in ipairs(methods("db.lua", "methods")) do
      assert.truthy(examples:find("db:" .. name .. "(", 1, true), name)
    end
    for _, name in ipairs { "row", "rows", "value", "values", "exec" } do
      assert.truthy(examples:find("db:" .. name .. "(", 1, true), name)
    end
    check("req:json")
    check("req:queryAll")
  end)

  it("describes every function of pillar.testing", function()
    for _, name in ipairs(methods("testing/init.lua", "testing")) do
      check("testing." .. name)
    end
    for _, name in ipairs(methods("testing/app.lua", "App")) do
      check("t:" .. name)
    end
    for _, name in ipairs(methods("testing/stream.lua", "Stream")) do
      check("stream:" .. name, ":" .. name)
    end
    check("answer:json", ":json")
  end)

  it("describes emit_sync_event", function()
    check("emit_sync_event")
  end)
end)
