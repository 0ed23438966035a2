--- Shorthands of `db`, over the statements that the C side runs.

local core = require "pillar.core"
local failure = require "pillar.failure"

---@class pillar.Blob bytes that are stored as a BLOB, made by pillar.blob

---@alias pillar.Value string|number|boolean|lightuserdata|pillar.Blob|nil

---@class pillar.Database
---@field row fun(db: pillar.Database, sql: string, ...): table? the first row, or nil
---@field rows fun(db: pillar.Database, sql: string, ...): table[]
---@field value fun(db: pillar.Database, sql: string, ...): any the first column of the first row
---@field values fun(db: pillar.Database, sql: string, ...): any[] the first column of every row
---@field exec fun(db: pillar.Database, sql: string, ...): integer the number of rows changed
local methods = core.db_methods

local function quote(name)
  if type(name) ~= "string" or name == "" or name:find("\0", 1, true) then
    error("a table or column must be named by a string", 4)
  end
  return '"' .. name:gsub('"', '""') .. '"'
end

-- What statements are made of, by the columns in the order in which pairs() gives them: a script has few such sets, and
-- writes each of them often.
local shapes, shape_count = {}, 0
local SHAPES_MAX = 1024
local SHAPE_BYTES_MAX = 1024 -- of the names: a client may make them up, where a script passes them on

---@class pillar.Shape
---@field columns string[] sorted, so that the same columns give the same statement
---@field names string '"a", "b"'
---@field marks string "?, ?"
---@field sets string '"a" = ?, "b" = ?'

local function make_shape(columns)
  table.sort(columns)
  local names, marks, sets = {}, {}, {}
  for i, column in ipairs(columns) do
    names[i], marks[i], sets[i] = quote(column), "?", quote(column) .. " = ?"
  end
  return {
    columns = columns,
    names = table.concat(names, ", "),
    marks = table.concat(marks, ", "),
    sets = table.concat(sets, ", "),
  }
end

---@return pillar.Shape
local function shape_of(values, what)
  if type(values) ~= "table" then
    error(what .. " must be a table of columns and values", 3)
  end
  local columns, count = {}, 0
  for column in pairs(values) do
    if type(column) ~= "string" then
      quote(column)
    end
    count = count + 1
    columns[count] = column
  end
  local key = table.concat(columns, "\0")
  local shape = shapes[key]
  -- A name that holds a NUL, or is empty, may look like other names that are known. It is none: make_shape says so.
  if shape and #shape.columns == count then
    return shape
  end
  shape = make_shape(columns)
  if #key <= SHAPE_BYTES_MAX then
    if shape_count == SHAPES_MAX then
      shapes, shape_count = {}, 0
    end
    shapes[key], shape_count = shape, shape_count + 1
  end
  return shape
end

--- A value that came as a table would be taken for named parameters. It came from a client, as a rule.
local function check_value(column, value)
  if type(value) == "table" and not core.is_blob(value) then
    failure.raise(400, "invalid_field", column .. " must be a string, a number, a boolean or null", column)
  end
  return value
end

--- The condition for rows with these columns, or with this id; appends its parameters.
local function condition(where, parameters)
  if type(where) ~= "table" then
    if where == nil then
      error("which row? give an id, or a table of columns and values", 3)
    end
    where = { id = where }
  end
  local parts = {}
  for _, column in ipairs(shape_of(where, "the condition").columns) do
    if where[column] == core.null then
      parts[#parts + 1] = quote(column) .. " IS NULL"
    else
      parts[#parts + 1] = quote(column) .. " = ?"
      parameters[#parameters + 1] = check_value(column, where[column])
    end
  end
  if #parts == 0 then
    error("an empty condition would mean every row; write that as SQL", 3)
  end
  return table.concat(parts, " AND ")
end

--- Inserts a row and returns it whole, defaults included.
---@param name string the table
---@param values table<string, pillar.Value>
---@return table row
function methods:insert(name, values)
  local shape, parameters = shape_of(values, "the row"), {}
  for i, column in ipairs(shape.columns) do
    parameters[i] = check_value(column, values[column])
  end
  local into = "INSERT INTO " .. quote(name)
  if #parameters == 0 then
    return self:row(into .. " DEFAULT VALUES RETURNING *")
  end
  local sql = into .. " (" .. shape.names .. ") VALUES (" .. shape.marks .. ") RETURNING *"
  return self:row(sql, table.unpack(parameters))
end

--- Changes the rows that fit and returns the first of them as it is now; nil when none fits.
---@param name string the table
---@param where pillar.Value|table<string, pillar.Value> an id, or columns and values
---@param values table<string, pillar.Value> pillar.null for NULL
---@return table? row
function methods:update(name, where, values)
  local shape, parameters = shape_of(values, "the changes"), {}
  for i, column in ipairs(shape.columns) do
    parameters[i] = check_value(column, values[column])
  end
  local fits = condition(where, parameters)
  if shape.sets == "" then
    return self:row(("SELECT * FROM %s WHERE %s"):format(quote(name), fits), table.unpack(parameters))
  end
  local sql = ("UPDATE %s SET %s WHERE %s RETURNING *"):format(quote(name), shape.sets, fits)
  return self:row(sql, table.unpack(parameters))
end

--- Deletes the rows that fit and returns the first of them as it was; nil when none fits.
---@param name string the table
---@param where pillar.Value|table<string, pillar.Value> an id, or columns and values
---@return table? row
function methods:delete(name, where)
  local parameters = {}
  local fits = condition(where, parameters)
  return self:row(("DELETE FROM %s WHERE %s RETURNING *"):format(quote(name), fits), table.unpack(parameters))
end

local constraints = { unique = true, foreign_key = true, not_null = true, check = true }

--- Calls fn(...) so that a constraint it breaks is a value: nil and the failure, with everything that fn wrote and
--- emitted undone.
--- Any other error goes on.
---@param fn function
---@return any ... what fn returns; or nil and a pillar.Failure whose code is unique, foreign_key, not_null or check
function methods:try(fn, ...)
  local writes = core.in_transaction()
  local depth, events
  if writes then
    depth, events = core.savepoint(self)
  end
  local result = table.pack(pcall(fn, ...))
  if result[1] then
    if writes then
      core.release(self, depth)
    end
    return table.unpack(result, 2, result.n)
  end
  if writes then
    core.rollback_to(self, depth, events)
  end
  local problem = result[2]
  if failure.is(problem) and constraints[problem.code] then
    return nil, problem
  end
  error(problem, 0)
end

--- Runs fn(...) as a transaction: what it writes and emits is committed when it returns, and vanishes when it raises.
--- For routes with transaction = false; in any other mutation it is a part of the handler's own transaction, and only
--- what fn did is undone when it raises.
---@param fn function
---@return any ... what fn returns
function methods:transaction(fn, ...)
  local nested = core.in_transaction()
  local depth, events = (nested and core.savepoint or core.begin)(self)
  local result = table.pack(pcall(fn, ...))
  if result[1] then
    (nested and core.release or core.commit)(self, depth)
    return table.unpack(result, 2, result.n)
  end
  (nested and core.rollback_to or core.rollback)(self, depth, events)
  error(result[2], 0)
end

return methods
