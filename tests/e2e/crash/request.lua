--- Requests that are sent again, the same to the byte, until somebody answers them.

local Link = require "crash.link"
local http = require "support.http"

local request = {}

local PAUSE_MS = 10

--- One attempt: on_answer(response), or on_answer(nil) when the connection was lost before the answer was whole.
local function attempt(port, method, bytes, on_answer)
  Link.open(port, bytes, function(link)
    local response = http.take_response(link, method)
    if response then
      link:close()
      on_answer(response)
    end
  end, function(link)
    on_answer(http.take_response(link, method))
  end)
end

--- The code of an error, as in {"error":{"code":"not_found"}}; nil for an answer that is none.
function request.error_code(response)
  local body = response.status >= 400 and response:json()
  return body and body.error and body.error.code
end

--- Whether the answer does not say that it would be another one later.
local function is_final(response)
  return response ~= nil and response.status ~= 503 and request.error_code(response) ~= "idempotency_in_progress"
end

--- Sends a request until it is answered by something else than "later". options: headers, json; on_attempt() is called
--- before each attempt, and on_answer(response) once.
function request.send(port, method, path, options, on_answer)
  local bytes = http.format(method, path, options)
  local function try()
    if options.on_attempt then
      options.on_attempt()
    end
    attempt(port, method, bytes, function(response)
      if is_final(response) then
        on_answer(response)
      else
        Link.after(PAUSE_MS, try)
      end
    end)
  end
  try()
end

return request
