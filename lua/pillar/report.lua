--- The lines of `pillar check`: what a script defines, and what is wrong with it.

local check = require "pillar.check"
local ScriptText = require "pillar.script_text"
local findings = require "pillar.findings"

local report = {}

local modes = { read = "reads", write = "writes", free = "free" }

--- "title, dueDate?", for the fields of a route's rules.
local function fields_text(rules)
  local names = {}
  for i, field in ipairs(rules.fields) do
    local optional = rules.partial or field.rule.optional or field.rule.default ~= nil
    names[i] = field.name .. (field.rule.kind == "list" and "[]" or "") .. (optional and "?" or "")
  end
  return ("  %s { %s }"):format(rules.where, table.concat(names, ", "))
end

local function add_routes(lines, app)
  for _, route in ipairs(app.routes) do
    if route.pattern ~= "" then
      lines[#lines + 1] = ("%-7s %-40s %-7s %s%s%s%s"):format(route.method, route.pattern, modes[route.mode],
        route.source, route.public and "  public" or "", route.silent and "  silent" or "",
        route.rules and fields_text(route.rules) or "")
    end
  end
end

local function add_entities(lines, app)
  for _, entity in ipairs(app.declared) do
    local targets = entity.spec and entity.spec.targets
    lines[#lines + 1] = ("%-7s %-48s %s%s"):format("entity", entity.name, entity.source,
      targets and "  targets " .. check.place(targets) or "")
  end
end

local function add_rest(lines, app)
  for _, mount in ipairs(app.mounts) do
    lines[#lines + 1] = ("%-7s %-48s %s  from %s"):format("files", mount.prefix .. "/", mount.source, mount.dir)
  end
  for i, step in ipairs(app.migrations) do
    lines[#lines + 1] = ("%-7s %d %s"):format("migration", i, step.name):gsub("%s+$", "")
  end
end

--- Returns the lines, and how many findings are among them.
---@param app pillar.App
---@param script string its path
---@param loaded string[] paths of the files that were loaded with it
---@param paths { own: string[], emit: string, explain: string } what the broker answers by itself
---@return string[] lines
---@return integer count
function report.make(app, script, loaded, paths)
  local lines, count = {}, 0
  add_routes(lines, app)
  add_entities(lines, app)
  add_rest(lines, app)
  for _, finding in ipairs(findings.list(app, ScriptText.new(script, loaded), paths)) do
    lines[#lines + 1] = ("%s: %s%s"):format(finding.place, finding.note and "note: " or "", finding.text)
    count = count + (finding.note and 0 or 1)
  end
  return lines, count
end

return report
