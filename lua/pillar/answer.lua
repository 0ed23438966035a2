--- What a handler returns, made into status, body and headers for the C side.

local core = require "pillar.core"

local answer = {}

local json_headers = { "Content-Type", "application/json" }
local text_headers = { "Content-Type", "text/plain; charset=utf-8" }
local no_content = { [204] = true, [205] = true, [304] = true }

--- The body of an error answer for which the handler gave none.
local default_errors = {
  [400] = { "bad_request", "the request is not right" },
  [401] = { "unauthorized", "sign in first" },
  [403] = { "forbidden", "this is not allowed" },
  [404] = { "not_found", "there is no such thing" },
  [409] = { "conflict", "this conflicts with what is there" },
  [422] = { "unprocessable", "this cannot be done with the data given" },
  [429] = { "too_many_requests", "try again later" },
  [503] = { "unavailable", "the server cannot do this right now" },
}

local function default_error(status)
  local text = default_errors[status] or { "error", ("status %d"):format(status) }
  return { error = { code = text[1], message = text[2] } }
end

local function flatten(headers)
  if type(headers) ~= "table" then
    error("a handler's third result must be a table of headers", 0)
  end
  local flat, typed = {}, false
  for name, value in pairs(headers) do
    if type(name) ~= "string" then
      error("a header must be named by a string", 0)
    end
    typed = typed or name:lower() == "content-type"
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      if type(one) ~= "string" and math.type(one) ~= "integer" then
        error(("the header %s must be a string, an integer, or a list of strings"):format(name), 0)
      end
      flat[#flat + 1] = name
      flat[#flat + 1] = tostring(one)
    end
  end
  return flat, typed
end

local function encode(body)
  if type(body) == "string" then
    return body, text_headers
  end
  local ok, text = pcall(core.json_encode, body)
  if not ok then
    error(type(text) == "string" and "the handler's answer: " .. text or text, 0)
  end
  return text, json_headers
end

--- A handler returns a body, or a status, a body and headers. A table is answered as JSON, a string as text, nothing
--- with 204.
---@return integer status
---@return string? body
---@return string[] headers names and values in turn
function answer.make(default_status, ...)
  local status, body, headers = ...
  if math.type(status) ~= "integer" then
    status, body, headers = (status == nil and 204 or default_status), status, body
  end
  if status < 200 or status > 599 then
    error(("the handler answered with the status %d; it must be from 200 to 599 (a number alone is a status: to answer "
      .. "with a number, return 200, %d)"):format(status, status), 0)
  end
  if body ~= nil and no_content[status] then
    error(("an answer with status %d has no body"):format(status), 0)
  end
  if body == nil and status >= 400 then
    body = default_error(status)
  end
  local text, plain
  if body ~= nil then
    text, plain = encode(body)
  end
  if headers == nil then
    return status, text, plain
  end
  local flat, typed = flatten(headers)
  if plain and not typed then
    flat[#flat + 1], flat[#flat + 2] = plain[1], plain[2]
  end
  return status, text, flat
end

return answer
