--- Paths of routes: "/api/tasks/:id", "/files/*path".

local pattern = {}

local function check_segment(path, segment, names)
  local kind, name = segment:match("^([:*])(.*)$")
  if not kind then
    if segment:find("[:*]") then
      return ("'%s' in the path %s: a : or * begins a segment"):format(segment, path)
    end
    return nil
  end
  if not name:match("^[%a_][%w_]*$") then
    return ("'%s' in the path %s: a parameter is named like a variable"):format(segment, path)
  end
  if names[name] then
    return ("the path %s names the parameter '%s' twice"):format(path, name)
  end
  names[name] = true
end

--- Nil for a good path; else what is wrong with it.
---@param path any
---@return string?
function pattern.problem(path)
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    return "a path is a string that begins with /"
  end
  if path:find("[%c%s?#%%\\]") or path:find("//", 1, true) then
    return ("the path %s holds a space, control character, //, ?, #, %% or \\"):format(path)
  end
  local names = {}
  for segment in path:gmatch("[^/]+") do
    if segment == "." or segment == ".." then
      return ("the path %s has a segment . or .."):format(path)
    end
    local problem = check_segment(path, segment, names)
    if problem then
      return problem
    end
  end
  if path:find("/%*[^/]*/") then
    return ("the path %s goes on behind a *rest"):format(path)
  end
end

return pattern
