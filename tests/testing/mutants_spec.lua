-- The spec of examples/pillar is one to copy, so it must notice when the script is wrong: each of these mistakes, made
-- in a copy, breaks at least one of its tests.

local source = os.getenv("PILLAR_SOURCE") or "."
local binary = os.getenv("PILLAR_BINARY") or "build/pillar"

local members = "return access.members(db, task.projectId)"

local mistakes = {
  ["a task's targets are its author alone"] = { "tasks", members, "return { task.createdBy }" },
  ["a project's targets are its author alone"] =
    { "projects", "return access.members(db, project.id)", "return { project.createdBy }" },
  ["a label's targets are nobody"] = { "own", "return { row.ownerId }", "return {}" },
  ["the targets of a task are missing"] =
    { "tasks", "    targets = function(db, task)\n      " .. members .. "\n    end,\n", "" },
  ["the targets of a project are missing"] =
    { "projects", "    targets = function(db, project)\n      return access.members(db, project.id)\n    end,\n", "" },

  ["completing forgets to emit"] = { "tasks", '  emit("updated", db, task)\n', "" },
  ["the next one of a series is not told"] = { "tasks", '  emit("created", db, following, false)\n', "" },
  ["a new order is not told"] = { "tasks", "pairs(moved) do\n    emit_sync_event", "pairs(moved) do\n    local _ =" },
  ["who comes in does not see the project"] = { "members", '    emit_project("created", db, member)\n', "" },
  ["who goes keeps the project"] = { "members", '    emit_project("removed", db, member)\n', "" },
  ["who goes is not told to the others"] = { "members", '    emit("deleted", member, before)\n', "" },
  ["a changed role is not told"] = { "members", '  emit("updated", member, access.members(db, id), member)\n', "" },

  ["completing emits before it finds out that it may not"] = { "tasks", 'complete", complete)', [[complete",
    { transaction = false }, function(req, db)
    db:transaction(function()
      local task = find(db, req.params.id, req)
      if task then
        emit("updated", db, task)
      end
    end)
    return db:transaction(complete, req, db)
  end)]] },

  ["everybody hears of a task's order"] =
    { "tasks", "targetUserIds = access.members(db, project_id)", "targetUserIds = pillar.everyone" },
  ["everybody hears of tasks"] = { "tasks", members, "return pillar.everyone" },
  ["all users count as members"] =
    { "access", "SELECT userId FROM members WHERE projectId = ?", "SELECT id FROM users WHERE ? <> ''" },
  ["anybody finds any task"] = { "tasks", "WHERE id = ? AND userId = ?", "WHERE id = ? AND ? <> ''" },
  ["who was sent away is told what the project is"] =
    { "members", 'data = action == "created" and ', "data = " },

  ["the tab that completed a task hears of it"] = { "tasks", "sessionId = session_id", "sessionId = false" },
  ["the tab that completed a task does not see the next one"] =
    { "tasks", 'emit("created", db, following, false)', 'emit("created", db, following)' },
  ["how a task is filed is told to everybody"] =
    { "marks", "targetUserIds = { user_id }", "targetUserIds = pillar.everyone" },
  ["how a task is filed is told to nobody"] =
    { "marks", "return emit(db, task, req.user.id)", "return of(db, task.id, req.user.id)" },
  ["anybody's labels will do"] = { "marks", "WHERE id = ? AND ownerId = ?", "WHERE id = ? AND ? <> ''" },
  ["the next one of a series is filed nowhere"] = { "tasks", "  marks.copy(db, task, following)\n", "" },
  ["moving a task to the end makes no next one"] = { "tasks", "if task.done and not before.done and", "if false and" },
  ["a task that is done makes one more next one"] = { "tasks", "and not before.done and", "and" },
  ["a row may be changed and be no newer"] =
    { "tasks", "math.max(pillar.now(), task and task.updatedAt + 1 or 0)", "pillar.now()" },
  ["members of other projects are listed"] = { "members", "WHERE own.userId = ?", "WHERE own.userId <> ?" },

  ["whoever signs out keeps the session"] =
    { "session", 'db:exec("DELETE FROM sessions WHERE token = ?", token_of(req))', "" },
  ["whoever signs out keeps the streams"] = { "session", "pillar.disconnect { userId = req.user.id }", "" },
}

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

describe("the spec of the task board", function()
  local dir

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    local copy = "mkdir '%s' && cd '%s/examples/pillar' && cp -r app.lua app_spec.lua board '%s'"
    assert(os.execute(copy:format(dir, source, dir)))
  end)
  after_each(function() os.execute(("rm -r '%s'"):format(dir)) end)

  local function passes()
    return os.execute(("'%s' test --no-keep-going '%s/app_spec.lua' >/dev/null 2>&1"):format(binary, dir)) == true
  end

  it("passes as it is", function()
    assert.is_true(passes())
  end)

  for what, mistake in pairs(mistakes) do
    it("notices that " .. what, function()
      local path = ("%s/board/%s.lua"):format(dir, mistake[1])
      local text = read(path)
      local from, to = text:find(mistake[2], 1, true)
      assert(from, "the mistake cannot be made any more: " .. mistake[2])
      local file = assert(io.open(path, "w"))
      file:write(text:sub(1, from - 1), mistake[3], text:sub(to + 1))
      file:close()
      assert.is_false(passes())
    end)
  end
end)
