-- The annotations by which an editor's language server (LuaLS) completes and checks scripts: there is none for it in
-- Debian, so this only sees that they are whole.

local files = {}
for path in io.popen("ls lua/pillar/*.lua"):lines() do
  local file = assert(io.open(path))
  files[path] = file:read("a")
  file:close()
end

--- The modules that scripts see.
local public = { "init", "app", "db", "request", "json", "input", "failure" }

--- Calls fn(place, block, name, parameters) for every function of a module, with the comments right above it.
local function each_function(text, path, fn)
  local block, number = {}, 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local name, parameters = line:match("^function ([%w_.:]+)%((.-)%)")
    if name and name:find("[.:]") then
      fn(("%s:%d %s"):format(path, number, name), table.concat(block, "\n"), parameters)
    end
    if line:find("^%-%-%-") then
      block[#block + 1] = line
    else
      block = {}
    end
  end
end

describe("the annotations", function()
  it("name every parameter of every public function", function()
    local missing, count = {}, 0
    for _, module in ipairs(public) do
      local path = ("lua/pillar/%s.lua"):format(module)
      each_function(files[path], path, function(place, block, parameters)
        count = count + 1
        for name in parameters:gmatch("[%a_][%w_]*") do
          if name ~= "_" and not block:find("@param " .. name .. "%??%s") and not block:find("@package", 1, true) then
            missing[#missing + 1] = place .. " " .. name
          end
        end
      end)
    end
    table.sort(missing)
    assert.same({}, missing)
    assert.is_true(count > 30, count)
  end)

  it("define every type that they name", function()
    local defined, used, missing = {}, {}, {}
    for _, text in pairs(files) do
      for name in text:gmatch("%-%-%-@class (pillar[%w_.]*)") do
        defined[name] = true
      end
      for name in text:gmatch("%-%-%-@alias (pillar[%w_.]*)") do
        defined[name] = true
      end
      for line in text:gmatch("%-%-%-(@[^\n]*)") do
        for name in line:gmatch("pillar%.%u[%w_]*") do
          used[name] = true
        end
      end
    end
    for name in pairs(used) do
      missing[#missing + 1] = not defined[name] and name or nil
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("know the fields of an entity and the options of a route that there are", function()
    local function fields(path, class)
      local list = {}
      local block = files[path]:match("%-%-%-@class " .. class .. "[^\n]*\n(.-)\n[^-]")
      for name in block:gmatch("@field ([%w_]+)") do
        list[#list + 1] = name
      end
      table.sort(list)
      return list
    end
    local function known(path, name)
      local list = {}
      for field in files[path]:match("local " .. name .. " = (%b{})"):gmatch("([%w_]+) = \"") do
        list[#list + 1] = field
      end
      table.sort(list)
      return list
    end
    assert.same(known("lua/pillar/entity.lua", "known"), fields("lua/pillar/entity.lua", "pillar.EntitySpec"))
    assert.same(known("lua/pillar/app.lua", "route_options"), fields("lua/pillar/app.lua", "pillar.RouteOptions"))
    assert.same(known("lua/pillar/app.lua", "openapi_options"),
      fields("lua/pillar/openapi.lua", "pillar.OpenApiOptions"))
  end)

  it("tell of the global emit_sync_event", function()
    local text = files["lua/pillar/runtime.lua"]
    assert.truthy(text:find("---@param event pillar.Event\nfunction _G.emit_sync_event", 1, true))
  end)
end)
