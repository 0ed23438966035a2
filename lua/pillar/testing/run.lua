--- What `pillar test` runs: busted, with the library and the harness on its path. Its arguments are the two folders,
--- and then busted's own.

local library, modules = table.remove(arg, 1), table.remove(arg, 1)

package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(library, library, package.path)
package.cpath = ("%s/?.so;%s"):format(modules, package.cpath)

local ok, runner = pcall(require, "busted.runner")
if not ok then
  io.stderr:write("pillar: pillar test needs busted (on Debian: apt install lua-busted):\n", tostring(runner), "\n")
  os.exit(1)
end

local function fail(message)
  io.stderr:write("pillar: ", message, "\n")
  os.exit(1)
end

-- busted looks into ./spec by default; a script's tests lie beside it.
local has_path, has_help = false, false
for _, word in ipairs(arg) do
  local file = word:sub(1, 1) ~= "-" and io.open(word)
  if file then
    file:close()
    has_path = true
    if word:match("%.lua$") and not word:match("_spec%.lua$") then
      fail(word .. " is no test: name a folder, or a file that ends with _spec.lua")
    end
  end
  has_help = has_help or word == "--help" or word == "-h"
end
if not has_path and not has_help then
  table.insert(arg, ".")
end

runner { standalone = false }
