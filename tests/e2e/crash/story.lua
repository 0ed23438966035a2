--- What happened so far, for whoever reads of a failure: the last lines are kept. With `aloud` they are printed, too.
---
--- It also keeps the first error that was raised inside of a callback of libuv, which must not be raised there.

local wait = require "support.wait"

local KEPT = 60

local story = { lines = {}, problem = nil, aloud = false }

local began = wait.now()

function story.begin()
  story.lines, story.problem = {}, nil
  began = wait.now()
end

function story.add(format, ...)
  if #story.lines == KEPT then
    table.remove(story.lines, 1)
  end
  local line = ("%8.3f s  %s"):format((wait.now() - began) / 1000, format:format(...))
  story.lines[#story.lines + 1] = line
  if story.aloud then
    print(line)
  end
end

--- `fn` for a callback: what it raises is kept for story.check.
function story.guard(fn)
  return function(...)
    local ok, problem = xpcall(fn, debug.traceback, ...)
    if not ok and not story.problem then
      story.problem = problem
    end
  end
end

--- Raises what a callback has raised.
function story.check()
  if story.problem then
    error(story.problem, 0)
  end
end

function story.text()
  return table.concat(story.lines, "\n")
end

return story
