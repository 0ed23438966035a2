--- Who somebody is: sessions in a signed cookie, tokens of other issuers, passwords.

local check = require "pillar.check"
local core = require "pillar.core"
local failure = require "pillar.failure"
local jwt = require "pillar.jwt"
local session = require "pillar.session"

---@class pillar.auth
local auth = {
  signIn = session.sign_in,
  signOut = session.sign_out,
  session = session.get,
  jwt = jwt.authenticator,
}

--- What a password is compared with where there is no hash, so that the time does not tell whether a user exists. The
--- cost is that of hashPassword.
local nobody = "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$" .. ("A"):rep(43)

local function is_password(value)
  return type(value) == "string" and #value >= 1 and #value <= core.password_max
end

--- A hash of a password, to keep in its place. Ends the handler with 400 for what is not a string of 1 to 1024 bytes.
---@param password string
---@return string hash scrypt, in the PHC string format
function auth.hashPassword(password)
  if not is_password(password) then
    failure.raise(400, "invalid_field", ("the password must have from 1 to %d bytes"):format(core.password_max),
      "password")
  end
  return core.hash_password(password)
end

--- Is this the password that the hash was made of? False too for a hash that is malformed or takes too long. Without
--- a hash, for a user who does not exist, it takes as long.
---@param password any what a client has sent
---@param hash string?
---@return boolean
function auth.verifyPassword(password, hash)
  if not is_password(password) then
    return false
  end
  if type(hash) ~= "string" then
    core.verify_password(password, nobody)
    return false
  end
  return core.verify_password(password, hash)
end

return setmetatable(auth, { __index = check.closed(auth, "pillar.auth.") })
