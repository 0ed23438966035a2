--- JSON for people and for version control: indented, and with the keys of objects in order.

local core = require "pillar.core"

local document = {
  --- A key that stands for the path of the event stream, which only the broker knows. It is written as this one byte,
  --- without quotes, and no other part of a JSON text holds it.
  EVENTS_PATH = "\1",
}

--- Paths and the like may hold bytes that JSON may not. lua-cjson escapes slashes, which nobody needs to read.
local function encode_string(text)
  if not core.valid_utf8(text) then
    text = text:gsub("[\x80-\xff]", "\u{FFFD}")
  end
  return (core.json_encode(text):gsub("\\/", "/"))
end

local append

local function append_list(out, list, indent)
  out[#out + 1] = "["
  for i, value in ipairs(list) do
    out[#out + 1] = (i == 1 and "\n" or ",\n") .. indent .. "  "
    append(out, value, indent .. "  ")
  end
  out[#out + 1] = #list > 0 and "\n" .. indent .. "]" or "]"
end

local function append_object(out, object, indent)
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = name
  end
  table.sort(names)
  out[#out + 1] = "{"
  for i, name in ipairs(names) do
    out[#out + 1] = (i == 1 and "\n" or ",\n") .. indent .. "  "
    out[#out + 1] = name == document.EVENTS_PATH and name or encode_string(name)
    out[#out + 1] = ": "
    append(out, object[name], indent .. "  ")
  end
  out[#out + 1] = #names > 0 and "\n" .. indent .. "}" or "}"
end

function append(out, value, indent)
  if type(value) == "table" then
    (core.is_list(value) and append_list or append_object)(out, value, indent)
  else
    out[#out + 1] = type(value) == "string" and encode_string(value) or core.json_encode(value)
  end
end

--- The JSON text of a value. Lists are marked as such, and objects have string keys.
---@param value any
---@return string
function document.encode(value)
  local out = {}
  append(out, value, "")
  out[#out + 1] = "\n"
  return table.concat(out)
end

return document
