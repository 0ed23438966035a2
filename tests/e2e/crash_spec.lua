-- The broker is killed with SIGKILL again and again, at all the places where something could be lost or come twice,
-- while tabs post mutations and listen: see crash/. PILLAR_CRASH_KILLS and PILLAR_CRASH_SEED set another number and
-- another run; `lua5.4 tests/e2e/crash.lua` is the same by hand. A binary with a sanitizer takes no library of ours
-- ahead of its runtime, so it is killed at random instants only.

local Run = require "crash.run"
local plan = require "crash.plan"
local report = require "crash.report"

local sanitized = os.getenv("PILLAR_SANITIZED") == "1"
local kills = tonumber(os.getenv("PILLAR_CRASH_KILLS")) or (sanitized and 25 or 200)
local preload = not sanitized and os.getenv("PILLAR_CRASH_PRELOAD") or nil
local seed = tonumber(os.getenv("PILLAR_CRASH_SEED")) or os.time()

describe(("%d kills"):format(kills), function()
  it("lose nothing and bring nothing twice", function()
    local run = Run.execute { seed = seed, kills = kills, preload = preload }
    if not preload or kills < 200 then
      return
    end
    local oracle = run.oracle
    assert.is_nil(plan.shortfall(run.hits, kills), report.success(run))
    -- What was to be tried out has happened.
    assert.is_true(oracle.replayed >= 50, report.success(run))
    assert.is_true(oracle.resyncs.trimmed >= 20, report.success(run))
    assert.is_true(oracle.resyncs.generation >= 20, report.success(run))
    assert.is_true(run.restores >= 5 and run.stops >= 3, report.success(run))
  end)
end)
