--- The forms that texts may have: dates, ids, addresses. Each function tells whether a string has the form.

local formats = {}

local days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_day(year, month, day)
  local leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month >= 1 and month <= 12 and day >= 1 and day <= days[month] + (leap and 1 or 0)
end

--- full-date of RFC 3339 section 5.6: 2026-12-31, a day that the calendar has.
---@param text string
---@return boolean
function formats.date(text)
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  return year ~= nil and is_day(tonumber(year), tonumber(month), tonumber(day))
end

--- Minutes that an offset is ahead of UTC; nil for none that there is.
local function offset_minutes(text)
  if text == "Z" or text == "z" then
    return 0
  end
  local sign, hours, minutes = text:match("^([+-])(%d%d):(%d%d)$")
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then
    return nil
  end
  return (tonumber(hours) * 60 + tonumber(minutes)) * (sign == "+" and 1 or -1)
end

--- date-time of RFC 3339 section 5.6: 2026-12-31T17:00:00Z, with an offset. A second 60 is the last of a day in UTC.
---@param text string
---@return boolean
function formats.datetime(text)
  local date, hour, minute, second, rest = text:match("^(%d%d%d%d%-%d%d%-%d%d)[Tt](%d%d):(%d%d):(%d%d)(.*)$")
  if not date or not formats.date(date) then
    return false
  end
  local offset = offset_minutes((rest:gsub("^%.%d+", "")))
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if not offset or hour > 23 or minute > 59 or second > 60 then
    return false
  end
  return second < 60 or (hour * 60 + minute - offset) % (24 * 60) == 24 * 60 - 1
end

local x = "%x"
local uuid_pattern = "^" .. table.concat({ x:rep(8), x:rep(4), x:rep(4), x:rep(4), x:rep(12) }, "%-") .. "$"

--- A UUID of whatever version (RFC 9562 section 4), in upper or lower case.
---@param text string
---@return boolean
function formats.uuid(text)
  return text:find(uuid_pattern) ~= nil
end

--- A valid e-mail address as the HTML standard has it for <input type=email>, of at most 254 bytes (RFC 5321).
---@param text string
---@return boolean
function formats.email(text)
  local name, domain = text:match("^([%w.!#$%%&'*+/=?^_`{|}~-]+)@([%w.-]+)$")
  if not name or #text > 254 or #name > 64 then
    return false
  end
  for label in (domain .. "."):gmatch("([^.]*)%.") do
    if #label < 1 or #label > 63 or label:find("^%-") or label:find("%-$") then
      return false
    end
  end
  return true
end

--- An id: 1 to 256 bytes without control characters, as events have them.
---@param text string
---@return boolean
function formats.id(text)
  return #text >= 1 and #text <= 256 and not text:find("%c")
end

--- White space beyond ASCII: what String.prototype.trim of ECMA-262 takes away too.
local wide_spaces = {}
for _, code in ipairs { 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF } do
  wide_spaces[utf8.char(code)] = true
end
for code = 0x2000, 0x200A do
  wide_spaces[utf8.char(code)] = true
end

local function is_space(char)
  return wide_spaces[char] or char:find("^%s$") ~= nil
end

--- The text without white space at both ends.
---@param text string UTF-8
---@return string
function formats.trim(text)
  local first, last = 1, #text
  while first <= last do
    local char = text:match("^" .. utf8.charpattern, first)
    if not char or not is_space(char) then
      break
    end
    first = first + #char
  end
  while first <= last do
    local start = utf8.offset(text, -1, last + 1)
    if not is_space(text:sub(start, last)) then
      break
    end
    last = start - 1
  end
  return text:sub(first, last)
end

return formats
