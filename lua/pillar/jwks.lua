--- Keys from a file: one, or a JSON Web Key Set (RFC 7517), which is read anew as keys come and go.

local core = require "pillar.core"
local log = require "pillar.log"
local paths = require "pillar.paths"

local jwks = {}

local most_bytes = 1024 * 1024
local most_keys = 100
local soonest = 60 * 1000     -- between two readings, however many unknown keys are asked for
local latest = 10 * 60 * 1000 -- after this a key that was taken out is believed no more

--- RFC 7517 sections 4.2 and 4.3: is the key one that verifies?
local function is_for_verifying(jwk)
  if jwk.use ~= nil and jwk.use ~= "sig" then
    return false
  end
  if jwk.key_ops == nil then
    return true
  end
  for _, operation in ipairs(type(jwk.key_ops) == "table" and jwk.key_ops or {}) do
    if operation == "verify" then
      return true
    end
  end
  return false
end

--- A key with one of the algorithms; else nil and why not.
local function load_key(jwk, algorithms)
  if type(jwk) ~= "table" then
    return nil, "it is no object"
  end
  if not is_for_verifying(jwk) then
    return nil, "it is not for signatures"
  end
  local key, problem = core.key_from_jwk(jwk)
  if not key then
    return nil, problem
  end
  local algorithm = core.key_algorithm(key)
  if not algorithms[algorithm] or (jwk.alg ~= nil and jwk.alg ~= algorithm) then
    return nil, ("it is for %s"):format(type(jwk.alg) == "string" and jwk.alg or algorithm)
  end
  return { key = key, kid = jwk.kid, algorithm = algorithm }
end

--- What cannot be used is left out, as RFC 7517 section 5 wants it.
local function load_keys(set, algorithms)
  local list = type(set) == "table" and set.keys
  if type(list) ~= "table" or not core.is_list(list) then
    return nil, "it is no key set: a JSON object with a list 'keys'"
  end
  if #list > most_keys then
    return nil, ("it holds more than %d keys"):format(most_keys)
  end
  local keys, left_out = {}, {}
  for i, jwk in ipairs(list) do
    local key, problem = load_key(jwk, algorithms)
    keys[#keys + 1] = key
    left_out[#left_out + 1] = problem and ("key %d: %s"):format(i, problem)
  end
  if #keys == 0 then
    return nil, ("it holds no key that can be used%s%s"):format(#left_out > 0 and "; " or "", left_out[1] or "")
  end
  return keys
end

---@class pillar.KeySet
---@field package path string
---@field package algorithms table<string, boolean>
---@field package keys table[]
---@field package read_at integer
local KeySet = {}
KeySet.__index = KeySet

---@package
function KeySet:read()
  self.read_at = core.now()
  local text, problem = paths.read(self.path, most_bytes)
  if not text then
    return problem
  end
  local ok, set = pcall(core.json_decode, text)
  if not ok then
    return ("%s: %s"):format(self.path, set.message or set)
  end
  local keys
  keys, problem = load_keys(set, self.algorithms)
  if not keys then
    return ("%s: %s"):format(self.path, problem)
  end
  self.keys = keys
end

---@package
function KeySet:read_anew()
  local problem = self:read()
  if problem then
    log.warn("jwks: the keys stay as they were: %s", problem)
  end
end

---@package
function KeySet:knows(kid)
  for _, entry in ipairs(self.keys) do
    if entry.kid == kid then
      return true
    end
  end
  return false
end

--- The keys that a token may have been signed with. A token without a kid may be signed with any of its algorithm.
---@param algorithm string
---@param kid? string
---@return userdata[]
function KeySet:find(algorithm, kid)
  local age = math.abs(core.now() - self.read_at) -- the clock may have been set back
  if age >= latest or (age >= soonest and kid and not self:knows(kid)) then
    self:read_anew()
  end
  local found = {}
  for _, entry in ipairs(self.keys) do
    if entry.algorithm == algorithm and (kid == nil or entry.kid == kid) then
      found[#found + 1] = entry.key
    end
  end
  return found
end

--- The keys of a file. Nil and why not for a file that cannot be used.
---@param path string
---@param algorithms table<string, boolean>
---@return pillar.KeySet?
---@return string? problem
function jwks.open(path, algorithms)
  local set = setmetatable({ path = paths.resolve(path), algorithms = algorithms, keys = {} }, KeySet)
  local problem = set:read()
  if problem then
    return nil, problem
  end
  return set
end

--- One key: PEM, or a secret. Nil and why not for one that cannot be used.
---@param text string
---@param algorithms table<string, boolean>
---@return table?
---@return string? problem
function jwks.single(text, algorithms)
  local is_pem = text:find("-----BEGIN ", 1, true) ~= nil
  if not is_pem and not algorithms.HS256 then
    return nil, ("%s needs a public key in PEM, and this is none"):format((next(algorithms)))
  end
  local key, problem = (is_pem and core.key_from_pem or core.key_from_secret)(text)
  if not key then
    return nil, problem
  end
  local fitting = core.key_algorithm(key)
  for algorithm in pairs(algorithms) do
    if algorithm ~= fitting then
      return nil, ("the key is for %s, and not for %s"):format(fitting, algorithm)
    end
  end
  return {
    find = function()
      return { key }
    end,
  }
end

--- The same from a file. The line end behind a secret does not belong to it.
---@param path string
---@param algorithms table<string, boolean>
---@return table?
---@return string? problem
function jwks.single_file(path, algorithms)
  local file = paths.resolve(path)
  local text, problem = paths.read(file, most_bytes)
  if not text then
    return nil, problem
  end
  local keys
  keys, problem = jwks.single((text:gsub("[\r\n]+$", "")), algorithms)
  if not keys then
    return nil, ("%s: %s"):format(file, problem)
  end
  return keys
end

return jwks
