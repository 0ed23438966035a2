--- JSON Web Tokens that somebody else has issued (RFC 7519), verified as RFC 8725 recommends: the algorithm is the
--- script's choice and never the token's, and each claim that is there is checked.

local check = require "pillar.check"
local core = require "pillar.core"
local jwks = require "pillar.jwks"
local log = require "pillar.log"

local jwt = {}

---@class pillar.JwtOptions
---@field key? string a public key in PEM, or the secret of HS256
---@field keyFile? string a file with one, relative to the script's folder
---@field jwks? string a file with a JSON Web Key Set, relative to the script's folder
---@field algorithms string[] "RS256", "ES256", "EdDSA", "HS256": those that a token may be signed with
---@field audience? string|string[] whom a token is for: one of these must be among its `aud`
---@field issuer? string its `iss`
---@field leeway? number seconds by which clocks may differ, 0 by default
---@field requireExpiry? boolean false: a token without `exp` will do
---@field userId? string the claim that names the user, "sub" by default
---@field cookie? string the name of a cookie to look for a token in, when there is no Authorization
---@field query? string the name of a query parameter to look for one in, when there is neither

local most_bytes = 16 * 1024
local longest_leeway = 600
local latest_time = 2 ^ 53 // 1000 -- seconds; in milliseconds still a whole number, in JavaScript too

local known = {
  key = "string", keyFile = "string", jwks = "string", algorithms = "table", audience = "table", issuer = "string",
  leeway = "number", requireExpiry = "boolean", userId = "string", cookie = "string", query = "string",
}
local known_algorithms = { HS256 = true, RS256 = true, ES256 = true, EdDSA = true }
local token_types = { jwt = true, ["at+jwt"] = true }

--- Raised and caught in here: why a token is refused.
local function refuse(why)
  error({ why = why }, 0)
end

local function need(condition, why)
  if not condition then
    refuse(why)
  end
end

--- The options

local function read_list(what, list, level)
  local strings = {}
  for _, value in ipairs(list) do
    if type(value) ~= "string" or value == "" then
      error(("pillar.auth.jwt: '%s' must be a list of strings"):format(what), level + 1)
    end
    strings[value] = true
  end
  if next(strings) == nil then
    error(("pillar.auth.jwt: '%s' is empty"):format(what), level + 1)
  end
  return strings
end

local function read_algorithms(list, level)
  if not list then
    error("pillar.auth.jwt: name the algorithms, such as algorithms = { \"RS256\" }", level + 1)
  end
  local algorithms = read_list("algorithms", list, level + 1)
  for name in pairs(algorithms) do
    if name:lower() == "none" then
      error("pillar.auth.jwt: a token with the algorithm 'none' is signed by nobody; it cannot be allowed", level + 1)
    end
    if not known_algorithms[name] then
      error(("pillar.auth.jwt: the algorithm '%s' is not known; there are HS256, RS256, ES256 and EdDSA"):format(name),
        level + 1)
    end
  end
  return algorithms
end

local function open_keys(options, algorithms, level)
  local given = (options.key and 1 or 0) + (options.keyFile and 1 or 0) + (options.jwks and 1 or 0)
  if given ~= 1 then
    error("pillar.auth.jwt: give one of 'key', 'keyFile' and 'jwks'", level + 1)
  end
  local keys, problem
  if options.key then
    keys, problem = jwks.single(options.key, algorithms)
  elseif options.keyFile then
    keys, problem = jwks.single_file(options.keyFile, algorithms)
  else
    keys, problem = jwks.open(options.jwks, algorithms)
  end
  if not keys then
    error("pillar.auth.jwt: " .. problem, level + 1)
  end
  return keys
end

local function read_options(options, level)
  if type(options) ~= "table" then
    error("pillar.auth.jwt takes a table of options", level + 1)
  end
  local read = {}
  for name, value in pairs(options) do
    read[name] = value
  end
  if type(read.audience) == "string" then
    read.audience = { read.audience }
  end
  check.options("pillar.auth.jwt", read, known, level + 1)
  read.leeway = read.leeway or 0
  if not (read.leeway >= 0 and read.leeway <= longest_leeway) then
    error(("pillar.auth.jwt: 'leeway' must be from 0 to %d seconds"):format(longest_leeway), level + 1)
  end
  read.algorithms = read_algorithms(read.algorithms, level + 1)
  read.audience = read.audience and read_list("audience", read.audience, level + 1)
  read.userId = read.userId or "sub"
  read.keys = open_keys(read, read.algorithms, level + 1)
  return read
end

--- The token

--- A browser's EventSource sends no headers, which is what the cookie and the query parameter are for.
local function find_token(req, options)
  local authorization = req.headers["authorization"]
  local rest = authorization and authorization:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(.*)$")
  if rest then
    return rest:match("^.*[^ ]") or ""
  end
  return options.cookie and req.cookies[options.cookie] or options.query and req.query[options.query] or nil
end

local function decode_object(text, what)
  local bytes = core.base64url_decode(text)
  need(bytes, what .. " is not base64url")
  local ok, value = pcall(core.json_decode, bytes)
  need(ok, what .. " is not JSON")
  need(type(value) == "table" and not core.is_list(value), what .. " is no object")
  return value
end

--- RFC 7515 section 4.1. Tokens of other kinds, logout tokens say, may be signed with the same key (RFC 8725 section
--- 3.11).
local function check_header(header, options)
  need(type(header.alg) == "string" and options.algorithms[header.alg], "its algorithm is not one of those allowed")
  need(header.crit == nil, "its header wants something to be understood (crit)")
  need(header.kid == nil or type(header.kid) == "string", "its kid is no string")
  if header.typ ~= nil then
    need(type(header.typ) == "string", "its typ is no string")
    need(token_types[header.typ:lower():gsub("^application/", "")], "its typ is that of another kind of token")
  end
end

local function check_signature(header, message, text, options)
  local signature = core.base64url_decode(text)
  need(signature, "its signature is not base64url")
  local keys = options.keys:find(header.alg, header.kid)
  need(#keys > 0, "no key is known for it")
  for _, key in ipairs(keys) do
    if core.key_verify(key, message, signature) then
      return
    end
  end
  refuse("its signature is wrong")
end

--- RFC 7519 section 2, NumericDate: seconds since 1970. Nil for a claim that is not there.
local function read_time(claims, name)
  local time = claims[name]
  if time == nil then
    return nil
  end
  need(type(time) == "number" and time >= -latest_time and time <= latest_time, ("its %s is no time"):format(name))
  return time
end

local function check_times(claims, options)
  local now, leeway = core.now(), options.leeway * 1000
  local expires, starts = read_time(claims, "exp"), read_time(claims, "nbf")
  read_time(claims, "iat")
  need(expires or options.requireExpiry == false, "it has no exp")
  need(not expires or now < expires * 1000 + leeway, "it has expired")
  need(not starts or now >= starts * 1000 - leeway, "it is not valid yet")
  return expires and math.floor(expires * 1000 + leeway)
end

--- RFC 7519 section 4.1.3: a token that says whom it is for is for nobody else, so also not for one without a name.
local function check_audience(audience, wanted)
  if audience == nil then
    need(not wanted, "it has no aud")
    return
  end
  need(type(audience) == "string" or core.is_list(audience), "its aud is neither a string nor a list")
  local meant = false
  for _, name in ipairs(type(audience) == "string" and { audience } or audience) do
    need(type(name) == "string", "its aud holds something else than strings")
    meant = meant or wanted and wanted[name]
  end
  need(meant, "it is for another audience")
end

local function read_user_id(claims, name)
  local id = claims[name]
  if math.type(id) == "integer" then
    id = tostring(id)
  end
  need(type(id) == "string" and core.valid_user_id(id), "it names no user")
  return id
end

---@return pillar.User
local function verify(token, options)
  need(#token <= most_bytes, "it is too long")
  local head, body, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  need(head, "it does not have three parts of base64url")
  local header = decode_object(head, "its header")
  check_header(header, options)
  check_signature(header, head .. "." .. body, signature, options)
  local claims = decode_object(body, "its payload")
  local expires_at = check_times(claims, options)
  need(claims.iss == nil or type(claims.iss) == "string", "its iss is no string")
  need(not options.issuer or claims.iss == options.issuer, "it is of another issuer")
  check_audience(claims.aud, options.audience)
  return { id = read_user_id(claims, options.userId), claims = claims, expiresAt = expires_at }
end

--- A function for app:authenticate, that lets in who has a token that is signed, in time, and meant for us. The user is
--- `{ id, claims, expiresAt }`. Why a token is refused is in the log at level debug.
---@param options pillar.JwtOptions
---@return fun(req: pillar.Request): pillar.User?
function jwt.authenticator(options)
  local read = read_options(options, 2)
  return function(req)
    local token = find_token(req, read)
    if not token then
      return nil
    end
    local ok, result = pcall(verify, token, read)
    if ok then
      return result
    end
    if type(result) ~= "table" or not result.why then
      error(result, 0)
    end
    log.debug("jwt: a token is refused: %s", result.why)
    return nil
  end
end

return jwt
