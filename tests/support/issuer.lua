--- Somebody who issues tokens, with keys and signatures by the openssl command, so that nothing of ours is needed.

local cjson = require "cjson"

---@class Issuer
---@field algorithm string
---@field pem? string the public key
---@field secret? string
local Issuer = {}
Issuer.__index = Issuer

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

function Issuer.base64url(bytes)
  local text = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local number = a << 16 | (b or 0) << 8 | (c or 0)
    for j = 1, c and 4 or b and 3 or 2 do
      local at = (number >> (24 - 6 * j) & 63) + 1
      text[#text + 1] = alphabet:sub(at, at)
    end
  end
  return table.concat(text)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- What a command of openssl's prints. A sanitizer that is preloaded is for us alone.
local function openssl(...)
  local pipe = assert(io.popen("env -u LD_PRELOAD openssl " .. string.format(...) .. " 2>/dev/null"))
  local text = pipe:read("a")
  assert(pipe:close(), "openssl " .. string.format(...))
  return text
end

local function make_dir()
  local pipe = assert(io.popen("mktemp -d /tmp/pillar-issuer-XXXXXX"))
  local dir = pipe:read()
  pipe:close()
  return dir
end

local generate = {
  RS256 = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
  ES256 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
  EdDSA = "-algorithm ED25519",
}

--- A new issuer. `how` replaces the options of openssl genpkey; for HS256 it is the secret.
---@param algorithm string
---@param how? string
---@return Issuer
function Issuer.new(algorithm, how)
  local self = setmetatable({ algorithm = algorithm, dir = make_dir() }, Issuer)
  if algorithm == "HS256" then
    self.secret = how or openssl("rand -hex 32"):gsub("%s", "")
    return self
  end
  openssl("genpkey %s -out %s/private.pem", how or generate[algorithm], self.dir)
  self.pem = openssl("pkey -in %s/private.pem -pubout", self.dir)
  return self
end

function Issuer:close()
  os.execute("rm -rf '" .. self.dir .. "'")
end

--- Two DER integers as 32 bytes each.
local function raw_signature(der)
  local r_size = der:byte(4)
  local r = der:sub(5, 4 + r_size)
  local s = der:sub(7 + r_size, 6 + r_size + der:byte(6 + r_size))
  local function number(bytes)
    bytes = bytes:gsub("^%z+", "")
    return ("\0"):rep(32 - #bytes) .. bytes
  end
  return number(r) .. number(s)
end

--- The signature's bytes.
function Issuer:signature(message)
  local file = self.dir .. "/message"
  write(file, message)
  if self.algorithm == "HS256" then
    local hex = self.secret:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    return openssl("dgst -sha256 -mac HMAC -macopt hexkey:%s -binary %s", hex, file)
  elseif self.algorithm == "EdDSA" then
    return openssl("pkeyutl -sign -inkey %s/private.pem -rawin -in %s", self.dir, file)
  end
  local bytes = openssl("dgst -sha256 -sign %s/private.pem -binary %s", self.dir, file)
  return self.algorithm == "ES256" and raw_signature(bytes) or bytes
end

local function encode(value)
  return Issuer.base64url(type(value) == "string" and value or cjson.encode(value))
end

--- A token. Claims and header are tables, or texts that are taken as they are; the header has `alg` and `typ`
--- by itself.
---@param claims table|string
---@param header? table|string
---@return string
function Issuer:token(claims, header)
  if type(header) ~= "string" then
    local whole = { alg = self.algorithm, typ = "JWT" }
    for name, value in pairs(header or {}) do
      whole[name] = value
    end
    header = whole
  end
  local message = encode(header) .. "." .. encode(claims)
  return message .. "." .. Issuer.base64url(self:signature(message))
end

--- The public key as a JSON Web Key.
function Issuer:jwk(kid)
  if self.secret then
    return { kty = "oct", kid = kid, k = Issuer.base64url(self.secret) }
  end
  local der = openssl("pkey -in %s/private.pem -pubout -outform DER", self.dir)
  if self.algorithm == "EdDSA" then
    return { kty = "OKP", crv = "Ed25519", kid = kid, x = Issuer.base64url(der:sub(-32)) }
  elseif self.algorithm == "ES256" then
    return { kty = "EC", crv = "P-256", kid = kid, x = Issuer.base64url(der:sub(-64, -33)),
      y = Issuer.base64url(der:sub(-32)) }
  end
  local hex = openssl("rsa -in %s/private.pem -noout -modulus", self.dir):match("=(%x+)")
  local modulus = hex:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end)
  return { kty = "RSA", kid = kid, n = Issuer.base64url(modulus), e = "AQAB" }
end

return Issuer
