-- What is seen in process is what happens: one story, told to the harness and to a real broker, gives everybody the
-- same events.

local Broker = require "support.broker"
local Socket = require "support.socket"
local scenario = require "scenario"
local testing = require "pillar.testing"
local wait = require "support.wait"

local users = { "ada", "grace", "linus" }

--- What both worlds do alike: a fence is a label of each user's own, made in a session that listens nowhere.
local function add_settle(world, has_come)
  local fences = 0

  function world.settle()
    fences = fences + 1
    for _, user in ipairs(users) do
      world.ask(201, user, "fence", "POST", "/api/labels", { name = "fence " .. fences, color = "none" })
    end
    for name in pairs(world.streams) do
      has_come(name, "fence " .. fences)
    end
  end
end

local function check(status, answer, what)
  assert.equal(status, answer.status, what .. ": " .. answer.body)
  return answer.body ~= "" and answer:json() or nil
end

local function in_process()
  local world = { streams = {} }
  local t = testing.load("examples/pillar/app.lua", {
    signIn = function(user) return { ["X-Demo-User"] = user } end,
  })

  function world.connect(name, user, session, query)
    world.streams[name] = t:connect { user = user, session = session, query = query }
  end

  function world.offline(name) world.streams[name]:offline() end
  function world.online(name) world.streams[name]:online() end

  function world.ask(status, user, session, method, path, json)
    return check(status, t:request(method, path, { user = user, session = session, json = json }), path)
  end

  function world.events(name) return world.streams[name]:events() end

  add_settle(world, function() end)
  return world
end

local function over_sockets(args)
  local world = { streams = {} }
  local broker = Broker.start { script = "examples/pillar/app.lua", args = args }

  local function open(stream)
    local headers = { ["X-Demo-User"] = stream.user }
    if stream.last ~= "" then
      headers["Last-Event-ID"] = stream.last
    end
    stream.socket = broker:stream { query = stream.query, headers = headers }
  end

  local function take(stream)
    for _, event in ipairs(stream.socket:events()) do
      stream.events[#stream.events + 1] = event
    end
    stream.last = stream.socket.lastEventId
    stream.socket.all = {}
    return stream.events
  end

  function world.connect(name, user, session, query)
    local text = "?sessionId=" .. session .. (query and "&entities=" .. query.entities or "")
    world.streams[name] = { user = user, query = text, last = "", events = {} }
    open(world.streams[name])
  end

  function world.offline(name)
    take(world.streams[name])
    world.streams[name].socket:close()
  end

  function world.online(name) open(world.streams[name]) end

  function world.ask(status, user, session, method, path, json)
    local headers = { ["X-Demo-User"] = user, ["X-Session-Id"] = session }
    return check(status, broker:request(method, path, { headers = headers, json = json }), path)
  end

  function world.events(name) return take(world.streams[name]) end

  add_settle(world, function(name, fence)
    wait.until_true(fence, function()
      local events = world.events(name)
      local last = events[#events]
      return last and last.data and last.data.name == fence
    end)
  end)

  function world.close()
    Socket.close_all()
    broker:stop()
  end

  return world
end

--- The same text for the same story: ids are numbered as they come, and times are not looked at.
local function comparable(world)
  local ids, count, lines = {}, 0, {}

  local function text(value, key)
    if type(value) == "table" then
      local keys = {}
      for k in pairs(value) do
        keys[#keys + 1] = k
      end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      local parts = {}
      for i, k in ipairs(keys) do
        parts[i] = tostring(k) .. "=" .. text(value[k], k)
      end
      return "{" .. table.concat(parts, " ") .. "}"
    elseif key == "timestamp" or key == "createdAt" or key == "updatedAt" then
      return type(value)
    elseif type(value) == "string" and value:match("^%x+%-%x+%-7%x+%-%x+%-%x+$") then
      if not ids[value] then
        count = count + 1
        ids[value] = "id" .. count
      end
      return ids[value]
    end
    return type(value) == "number" and ("%g"):format(value) or tostring(value)
  end

  local names = {}
  for name in pairs(world.streams) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    for _, event in ipairs(world.events(name)) do
      lines[#lines + 1] = name .. ": " .. text(event):gsub("userdata: %(nil%)", "null"):gsub("userdata: NULL", "null")
    end
  end
  return table.concat(lines, "\n")
end

describe("a story", function()
  local told

  setup(function()
    local world = in_process()
    scenario(world)
    told = comparable(world)
  end)

  it("is about something", function()
    local _, lines = told:gsub("\n", "\n")
    assert.is_true(lines > 40, told)
    assert.is_nil(told:find("grace: {action=reordered", 1, true)) -- no echo, not in a replay either
    assert.truthy(told:find("grace: {action=removed entity=task entityId=id1 projectId=id2", 1, true), told)
  end)

  for loops = 1, 2 do
    it(("is the same over sockets, with --loops %d"):format(loops), function()
      local world = over_sockets { "--loops", tostring(loops) }
      scenario(world)
      local heard = comparable(world)
      world.close()
      assert.equal(told, heard)
    end)
  end
end)
