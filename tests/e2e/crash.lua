--- Kills the broker again and again, and checks that nothing is lost and nothing comes twice:
---
---   lua5.4 tests/e2e/crash.lua [--seed N] [--kills N] [--random] [--verbose]
---
--- --random kills at random instants only, as it has to be for a binary with a sanitizer; --verbose tells the story as
--- it happens. PILLAR_BINARY names another binary, PILLAR_CRASH_PRELOAD the libcrash_preload.so of another build. The
--- status is 0 when all went well, 1 when something was wrong, and 3 when 200 kills or more hit some places too rarely.

local folder = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = folder .. "/?.lua;" .. package.path

local uv = require "luv"
local Broker = require "support.broker"
local Run = require "crash.run"
local close = require "support.closing"
local plan = require "crash.plan"
local report = require "crash.report"
local story = require "crash.story"

local function usage()
  io.stderr:write("usage: lua5.4 tests/e2e/crash.lua [--seed N] [--kills N] [--random] [--verbose]\n")
  os.exit(2)
end

local function read_options()
  local options, at = { seed = os.time(), kills = 200 }, 1
  while arg[at] do
    local name = arg[at]:match("^%-%-(%l+)$")
    if name == "random" or name == "verbose" then
      options[name] = true
    elseif (name == "seed" or name == "kills") and math.tointeger(tonumber(arg[at + 1])) then
      options[name], at = math.tointeger(tonumber(arg[at + 1])), at + 1
    else
      usage()
    end
    at = at + 1
  end
  options.preload = not options.random and (os.getenv("PILLAR_CRASH_PRELOAD") or
    Broker.binary:match("^(.*)/[^/]*$") .. "/tests/e2e/libcrash_preload.so") or nil
  return options
end

--- Runs it, and returns the status.
local function judge(options)
  local ok, run = pcall(Run.execute, options)
  if not ok then
    io.stderr:write(run, "\n")
    return 1
  end
  print(report.success(run))
  local short = options.preload and plan.shortfall(run.hits, options.kills)
  if short then
    io.stderr:write("hit too rarely: ", short, "\n")
  end
  return short and 3 or 0
end

local sigpipe = uv.new_signal()
sigpipe:start("sigpipe", function() end)
sigpipe:unref()

local options = read_options()
story.aloud = options.verbose
print(("seed %d, %d kills"):format(options.seed, options.kills))
local status = judge(options)
-- luv does not bear it when Lua ends with handles open.
uv.walk(close)
uv.run()
os.exit(status)
