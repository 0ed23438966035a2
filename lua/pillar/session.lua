--- Sessions in a signed cookie: who signed in and until when, as JSON, and the broker's signature. Nothing is kept on
--- the server.

local check = require "pillar.check"
local core = require "pillar.core"

local session = {}

---@class pillar.SessionOptions
---@field cookie? string the cookie's name, "pillar_session" by default
---@field maxAge? integer seconds until the session ends, 30 days by default
---@field sameSite? "Lax"|"Strict"|"None" "Lax" by default; "None" goes with Secure
---@field secure? boolean Secure, or not; by default as the request came, by https or not

local default_cookie = "pillar_session"
local default_age = 30 * 24 * 3600
local longest_age = 400 * 24 * 3600 -- for longer browsers keep no cookie (RFC 6265bis section 5.5)
local most_bytes = 4096 -- what each browser takes, with name and attributes (RFC 6265 section 6.1)
local purpose = "session cookie 1"

local known = { cookie = "string", maxAge = "number", sameSite = "string", secure = "boolean" }
local same_site = { Lax = true, Strict = true, None = true }
local none = {}

--- Browsers take such a cookie only when it is Secure.
local function needs_secure(options)
  return options.sameSite == "None" or (options.cookie or ""):find("^__%a+%-") ~= nil -- __Host-, __Secure-
end

---@return pillar.SessionOptions
local function check_options(what, options, level)
  if options == nil then
    return none
  end
  if type(options) ~= "table" then
    error(("%s: the options must be a table, not a %s"):format(what, type(options)), level + 1)
  end
  check.options(what, options, known, level + 1)
  local name, age = options.cookie, options.maxAge
  if name and (#name > 64 or not name:find("^[%w!#$%%&'*+.^_`|~-]+$")) then
    error(what .. ": 'cookie' must be a name of 1 to 64 letters, digits, '_' or '-'", level + 1)
  end
  if age and (math.type(age) ~= "integer" or age < 1 or age > longest_age) then
    error(("%s: 'maxAge' must be a whole number of seconds from 1 to %d"):format(what, longest_age), level + 1)
  end
  if options.sameSite and not same_site[options.sameSite] then
    error(what .. ": 'sameSite' must be \"Lax\", \"Strict\" or \"None\"", level + 1)
  end
  if options.secure == false and needs_secure(options) then
    error(what .. ": browsers take this cookie only when it is secure", level + 1)
  end
  return options
end

local function check_request(what, req, level)
  if type(req) ~= "table" or type(req.headers) ~= "table" then
    error(what .. ": the first argument must be the request", level + 1)
  end
end

--- Proxies append to the list, so its first word is what the browser spoke.
local function came_by_https(req)
  local protocol = req.headers["x-forwarded-proto"]
  return protocol ~= nil and protocol:lower():match("^%s*(%a*)") == "https"
end

local function is_secure(req, options)
  if options.secure ~= nil then
    return options.secure
  end
  return needs_secure(options) or came_by_https(req)
end

local function cookie_of(req, options, value, age)
  return ("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=%s%s"):format(options.cookie or default_cookie, value, age,
    options.sameSite or "Lax", is_secure(req, options) and "; Secure" or "")
end

--- What is signed: the name too, so that a cookie is none under another name.
local function signed_text(options, payload)
  return (options.cookie or default_cookie) .. "=" .. payload
end

--- A copy of what the cookie is to say. A password's hash is for the database alone.
local function check_user(user, level)
  local id = type(user) == "table" and user.id
  if math.type(id) == "integer" then
    id = tostring(id)
  end
  if type(id) ~= "string" or not core.valid_user_id(id) then
    error("pillar.auth.signIn: the user must be a table with an id, an integer or a text of 1 to 256 bytes", level + 1)
  end
  local copy = {}
  for name, value in pairs(user) do
    if type(value) == "string" and value:find("^%$scrypt%$") then
      error(("pillar.auth.signIn: '%s' is a password hash, and who has a cookie can read it; give a table with what "
        .. "the session needs"):format(name), level + 1)
    end
    copy[name] = value
  end
  copy.expiresAt = nil
  return copy
end

--- Signs a user in. The handler returns the headers: `return 200, user, pillar.auth.signIn(req, user)`.
---@param req pillar.Request
---@param user pillar.User with an id, and what else the session is to know; JSON, and readable for who has the cookie
---@param options? pillar.SessionOptions
---@return table<string, string> headers
function session.sign_in(req, user, options)
  check_request("pillar.auth.signIn", req, 2)
  options = check_options("pillar.auth.signIn", options, 2)
  local age = options.maxAge or default_age
  local said = { user = check_user(user, 2), expiresAt = core.now() + age * 1000 }
  local ok, text = pcall(core.json_encode, said)
  if not ok then
    error(("pillar.auth.signIn: %s"):format(tostring(text)), 2)
  end
  local payload = core.base64url_encode(text)
  local signature = core.base64url_encode(core.sign(purpose, signed_text(options, payload)))
  local cookie = cookie_of(req, options, payload .. "." .. signature, age)
  if #cookie > most_bytes then
    error(("pillar.auth.signIn: the cookie would have %d bytes, and browsers take %d; keep the user's data in the "
      .. "database, and its id in the session"):format(#cookie, most_bytes), 2)
  end
  return { ["Set-Cookie"] = cookie }
end

--- The headers that take the cookie away. A copy of it that somebody has kept stays good until it expires.
---@param req pillar.Request
---@param options? pillar.SessionOptions
---@return table<string, string> headers
function session.sign_out(req, options)
  check_request("pillar.auth.signOut", req, 2)
  options = check_options("pillar.auth.signOut", options, 2)
  return { ["Set-Cookie"] = cookie_of(req, options, "", 0) }
end

local function is_signed(options, payload, signature)
  signature = core.base64url_decode(signature)
  return signature ~= nil and core.verify(purpose, signed_text(options, payload), signature)
end

--- The user who has signed in with signIn, as it was given then, and `expiresAt` (milliseconds since 1970). Nil without
--- a cookie, and for one that is not the broker's or has expired.
---@param req pillar.Request
---@param options? pillar.SessionOptions|pillar.Database those of signIn; the database that authenticate gets is none
---@return pillar.User?
function session.get(req, options)
  check_request("pillar.auth.session", req, 2)
  if type(options) == "userdata" and options ~= core.null then
    options = nil -- app:authenticate(pillar.auth.session) gives the database
  end
  options = check_options("pillar.auth.session", options, 2)
  local value = req.cookies[options.cookie or default_cookie]
  if not value or #value > most_bytes then
    return nil
  end
  local payload, signature = value:match("^([%w_-]+)%.([%w_-]+)$")
  if not payload or not is_signed(options, payload, signature) then
    return nil
  end
  local said = core.json_decode(core.base64url_decode(payload))
  if said.expiresAt <= core.now() then
    return nil
  end
  local user = said.user
  for name, field in pairs(user) do
    if field == core.null then
      user[name] = nil
    end
  end
  user.expiresAt = said.expiresAt
  return user
end

return session
