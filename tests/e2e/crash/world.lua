--- Who there is, and what they do.

local world = {}

world.projects = { "p1", "p2", "p3" }
world.topics = { "n1", "n2", "n3", "n4" }

--- Users who are members of projects at times. Eve never is.
world.members = { "ada", "grace", "linus" }

--- Each is a tab of a user; `entities` narrows its stream, and one that `reloads` begins anew where others only fetch.
--- Eve's tab sees nothing at all.
world.tabs = {
  { user = "ada", session = "laptop" },
  { user = "ada", session = "phone", reloads = true },
  { user = "grace", session = "laptop" },
  { user = "grace", session = "phone", entities = { "notice" } },
  { user = "linus", session = "desk" },
  { user = "linus", session = "train", reloads = true },
  { user = "eve", session = "home", entities = { "task" } },
}

local TASKS_WANTED = 6 -- that a tab sees; there it creates as often as it deletes

local function create(dice)
  local path = dice:chance(40) and "/api/free/tasks" or "/api/tasks"
  return "POST", path, { projectId = dice:pick(world.projects), title = "task " .. dice:number(1, 1000) }
end

local function of_task(method, rest, body)
  return function(dice, tasks)
    return method, "/api/tasks/" .. dice:pick(tasks) .. rest, body and body(dice)
  end
end

local function member(method)
  return function(dice)
    return method, ("/api/projects/%s/members/%s"):format(dice:pick(world.projects), dice:pick(world.members))
  end
end

local function notice(dice)
  return "PUT", "/api/notices/" .. dice:pick(world.topics), { text = "text " .. dice:number(1, 1000) }
end

local update = of_task("PATCH", "", function(dice) return { title = "title " .. dice:number(1, 1000) } end)
local move = of_task("PATCH", "", function(dice) return { projectId = dice:pick(world.projects) } end)
local complete = of_task("POST", "/complete")
local delete = of_task("DELETE", "")
local refuse = of_task("POST", "/refuse")

--- What a tab does next that sees these tasks (a list of ids): method, path, body.
---@param dice Dice
---@param tasks string[]
function world.draw(dice, tasks)
  local roll = dice:number(1, 100)
  if roll <= 10 then
    return notice(dice)
  elseif roll <= 15 then
    return member("DELETE")(dice)
  elseif roll <= 25 then
    return member("PUT")(dice)
  elseif #tasks == 0 then
    return create(dice)
  elseif roll <= 55 then
    return update(dice, tasks)
  elseif roll <= 65 then
    return move(dice, tasks)
  elseif roll <= 70 then
    return refuse(dice, tasks)
  elseif #tasks > TASKS_WANTED then
    return delete(dice, tasks)
  elseif roll <= 80 then
    return complete(dice, tasks)
  end
  return create(dice)
end

return world
