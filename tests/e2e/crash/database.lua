--- The broker's database, as somebody beside the broker sees it: read with the sqlite3 command, saved and restored.
---
--- A database whose broker is dead is only ever read in a copy: whoever opens it alone would clean up what the next
--- broker is to find.

local cjson = require "cjson"

---@class Database
---@field path string
local Database = {}
Database.__index = Database

local function run(format, ...)
  local command = format:format(...)
  local pipe = assert(io.popen("exec 2>&1; unset LD_PRELOAD; " .. command))
  local output = pipe:read("a")
  if not pipe:close() then
    error(command .. ": " .. output, 2)
  end
  return output
end

---@return Database
function Database.new(path)
  return setmetatable({ path = path }, Database)
end

--- The rows of several SELECTs, read in one transaction: a list of lists of rows. NULL is nil.
function Database:read(...)
  local script = self.path .. ".sql"
  local file = assert(io.open(script, "w"))
  file:write(".timeout 5000\nBEGIN;\n")
  for _, sql in ipairs { ... } do
    file:write("SELECT '--';\n", sql, ";\n")
  end
  file:write("COMMIT;\n")
  file:close()
  local output = run("sqlite3 -bail -json '%s' < '%s'", self.path, script)
  local answers = {}
  for text in (output .. '[{"\'--\'":"--"}]\n'):gmatch('(.-)%[{"\'%-%-\'":"%-%-"}%]\n') do
    answers[#answers + 1] = text:match("^%s*$") and {} or cjson.decode(text)
  end
  table.remove(answers, 1)
  for _, rows in ipairs(answers) do
    for _, row in ipairs(rows) do
      for name, value in pairs(row) do
        row[name] = value ~= cjson.null and (type(value) == "number" and math.tointeger(value) or value) or nil
      end
    end
  end
  return answers
end

--- A copy of the files as they are, for a broker that is dead.
function Database:copy(path)
  run("rm -f '%s' '%s-wal' '%s-shm'; cp '%s' '%s'; test ! -e '%s-wal' || cp '%s-wal' '%s-wal'",
    path, path, path, self.path, path, self.path, self.path, path)
  return Database.new(path)
end

--- What an operator does while the broker runs.
function Database:save(path)
  run("rm -f '%s'; sqlite3 -cmd '.timeout 5000' '%s' \".backup '%s'\"", path, self.path, path)
end

--- What an operator does when it does not.
function Database:restore(path)
  run("rm -f '%s-wal' '%s-shm'; cp '%s' '%s'", self.path, self.path, path, self.path)
end

return Database
