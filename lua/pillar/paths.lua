--- Where the files are that a script names: relative to its own folder.

local paths = {}

local current = "" -- the script that is being loaded

---@param script string
function paths.set_script(script)
  current = script
end

---@param path string
---@param script? string that being loaded by default
---@return string
function paths.resolve(path, script)
  local folder = (script or current):match("^(.*)/[^/]*$") or "."
  return path:sub(1, 1) == "/" and path or folder .. "/" .. path
end

--- What is in a file, or nil and why not.
---@param path string as resolve returns it
---@param most integer bytes
---@return string?
---@return string? problem
function paths.read(path, most)
  local file, problem = io.open(path, "r")
  if not file then
    return nil, "cannot open " .. problem
  end
  local text
  text, problem = file:read(most + 1)
  file:close()
  if problem then
    return nil, ("cannot read %s: %s"):format(path, problem)
  end
  if #(text or "") > most then
    return nil, ("%s has more than %d bytes"):format(path, most)
  end
  return text or ""
end

return paths
