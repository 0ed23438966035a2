--- What is changed in the standard library: code is loaded from text only, since bytecode can break the interpreter.

local real_load, real_loadfile = load, loadfile

---@diagnostic disable-next-line: duplicate-set-field
function _G.load(chunk, name, _, ...)
  return real_load(chunk, name, "t", ...)
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.loadfile(path, _, ...)
  return real_loadfile(path, "t", ...)
end

---@diagnostic disable-next-line: duplicate-set-field
function _G.dofile(path)
  local chunk, problem = real_loadfile(path, "t")
  if not chunk then
    error(problem, 0)
  end
  return chunk()
end

return true
