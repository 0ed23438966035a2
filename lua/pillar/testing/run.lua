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

-- busted looks into ./spec by default; a script's tests lie beside it.
local has_path = false
for _, word in ipairs(arg) do
  has_path = has_path or word:sub(1, 1) ~= "-"
end
if not has_path then
  table.insert(arg, ".")
end

runner { standalone = false }
