local core = require "pillar.core"
local pillar = require "pillar"
local Issuer = require "support.issuer"
local cjson = require "cjson"

local real_now, real_log = core.now, core.log
local now, logged -- milliseconds, and the last line of the log

local function seconds()
  return now // 1000
end

local function request(token)
  return { headers = { authorization = token and "Bearer " .. token }, cookies = {}, query = {} }
end

--- A table with changes.
local function with(base, changes)
  local result = {}
  for name, value in pairs(base) do
    result[name] = value
  end
  for name, value in pairs(changes or {}) do
    result[name] = value
  end
  return result
end

local function without(base, name)
  local result = with(base)
  result[name] = nil
  return result
end

local function write(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("pillar.auth.jwt", function()
  local issuers, other = {}, nil
  local keys -- options with the key, by algorithm
  local good -- claims

  setup(function()
    for _, algorithm in ipairs { "HS256", "RS256", "ES256", "EdDSA" } do
      issuers[algorithm] = Issuer.new(algorithm)
    end
    other = Issuer.new("RS256")
    keys = {}
    for algorithm, issuer in pairs(issuers) do
      keys[algorithm] = { key = issuer.pem or issuer.secret, algorithms = { algorithm } }
    end
  end)
  teardown(function()
    other:close()
    for _, issuer in pairs(issuers) do
      issuer:close()
    end
  end)

  before_each(function()
    now = 1700000000000
    logged = nil
    core.now = function() return now end
    core.log = function(level, message) logged = level .. ": " .. message end
    good = { sub = "ada", exp = seconds() + 60 }
  end)
  after_each(function()
    core.now, core.log = real_now, real_log
  end)

  local function accepts(authenticate, token)
    local user = authenticate(request(token))
    assert.is_not_nil(user, logged)
    return user
  end

  --- Refused, for this reason; and the log holds nothing of the token.
  local function refuses(authenticate, token, why)
    logged = nil
    assert.is_nil(authenticate(request(token)), why)
    assert.equal("debug: jwt: a token is refused: " .. why, logged)
  end

  local function fails(what, options)
    local ok, problem = pcall(function() pillar.auth.jwt(options) end)
    assert.is_false(ok, what)
    assert.truthy(problem:find(what, 1, true), problem)
    assert.truthy(problem:find("jwt_spec.lua:", 1, true), problem)
  end

  -- what is good

  it("lets in who has a good token, by each algorithm", function()
    for algorithm, issuer in pairs(issuers) do
      local user = accepts(pillar.auth.jwt(keys[algorithm]), issuer:token(with(good, { role = "admin" })))
      assert.same({
        id = "ada",
        claims = { sub = "ada", exp = seconds() + 60, role = "admin" },
        expiresAt = (seconds() + 60) * 1000,
      }, user)
    end
  end)

  it("knows the RFCs' own tokens", function() -- RFC 7515 appendices A.2 and A.3
    local payload = ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    local set = write(cjson.encode { keys = {
      { kty = "RSA", e = "AQAB", n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2"
        .. "mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
        .. "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8"
        .. "NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" },
      { kty = "EC", crv = "P-256", x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
    } })
    local authenticate = pillar.auth.jwt {
      jwks = set, algorithms = { "RS256", "ES256" }, issuer = "joe", userId = "iss",
    }
    os.remove(set)
    local tokens = {
      "eyJhbGciOiJSUzI1NiJ9" .. payload
        .. "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9"
        .. "CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOL"
        .. "n6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtV"
        .. "rBp0igcN_IoypGlUPQGe77Rw",
      "eyJhbGciOiJFUzI1NiJ9" .. payload
        .. "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    }
    for _, token in ipairs(tokens) do
      now = 1300819379999
      assert.equal("joe", accepts(authenticate, token).id)
      now = 1300819380000
      refuses(authenticate, token, "it has expired")
    end
  end)

  it("takes a key from a file", function()
    for algorithm, issuer in pairs(issuers) do
      local path = write((issuer.pem or issuer.secret) .. "\n")
      local authenticate = pillar.auth.jwt { keyFile = path, algorithms = { algorithm } }
      os.remove(path)
      accepts(authenticate, issuer:token(good))
    end
  end)

  -- where the token is

  it("looks for the token where it was told", function()
    local token = issuers.EdDSA:token(good)
    local function ask(options, req)
      return pillar.auth.jwt(with(keys.EdDSA, options))(req) ~= nil
    end
    for _, scheme in ipairs { "Bearer ", "bearer ", "BEARER   " } do
      assert.is_true(ask({}, { headers = { authorization = scheme .. token }, cookies = {}, query = {} }))
    end
    for _, header in ipairs { token, "Bearer" .. token, "Basic " .. token, "Bearer", "", "Bearer Bearer " .. token,
      "Bearer " .. token .. ", Bearer " .. token } do
      assert.is_false(ask({}, { headers = { authorization = header }, cookies = {}, query = {} }), header)
    end
    local with_cookie = { headers = {}, cookies = { jwt = token }, query = {} }
    local with_query = { headers = {}, cookies = {}, query = { token = token } }
    assert.is_false(ask({}, with_cookie))
    assert.is_true(ask({ cookie = "jwt" }, with_cookie))
    assert.is_false(ask({ cookie = "other" }, with_cookie))
    assert.is_false(ask({}, with_query))
    assert.is_true(ask({ query = "token" }, with_query))
    -- The header goes first, whatever it is worth.
    with_cookie.headers.authorization = "Bearer nonsense"
    assert.is_false(ask({ cookie = "jwt" }, with_cookie))
    with_cookie.headers.authorization = "Basic nonsense"
    assert.is_true(ask({ cookie = "jwt" }, with_cookie))
  end)

  it("says nothing of a request without a token", function()
    assert.is_nil(pillar.auth.jwt(keys.RS256)(request()))
    assert.is_nil(logged)
  end)

  -- signatures

  it("refuses a token that somebody else has signed", function()
    refuses(pillar.auth.jwt(keys.RS256), other:token(good), "its signature is wrong")
    for algorithm, issuer in pairs(issuers) do
      local stranger = Issuer.new(algorithm)
      local wrong = stranger:token(good)
      stranger:close()
      refuses(pillar.auth.jwt(keys[algorithm]), wrong, "its signature is wrong")
      accepts(pillar.auth.jwt(keys[algorithm]), issuer:token(good))
    end
  end)

  it("refuses a token with a payload that was changed", function()
    for algorithm, issuer in pairs(issuers) do
      local head, body, signature = issuer:token(good):match("^(.-)%.(.-)%.(.-)$")
      local edited = Issuer.base64url(cjson.encode(with(good, { sub = "grace" })))
      refuses(pillar.auth.jwt(keys[algorithm]), ("%s.%s.%s"):format(head, edited, signature), "its signature is wrong")
      local header = Issuer.base64url(cjson.encode { alg = algorithm, x = 1 })
      refuses(pillar.auth.jwt(keys[algorithm]), ("%s.%s.%s"):format(header, body, signature), "its signature is wrong")
    end
  end)

  it("refuses a token without a signature", function()
    for _, name in ipairs { "none", "None", "NONE", "nOnE" } do
      local head = Issuer.base64url(cjson.encode { alg = name })
      local body = Issuer.base64url(cjson.encode(good))
      for algorithm in pairs(issuers) do
        local authenticate = pillar.auth.jwt(keys[algorithm])
        refuses(authenticate, head .. "." .. body .. ".", "it does not have three parts of base64url")
        refuses(authenticate, head .. "." .. body .. ".AAAA", "its algorithm is not one of those allowed")
      end
    end
  end)

  it("refuses a token signed with HS256 and the public key", function()
    local set = write(cjson.encode { keys = { issuers.RS256:jwk("1"), issuers.HS256:jwk("2") } })
    local both = pillar.auth.jwt { jwks = set, algorithms = { "RS256", "HS256" } }
    os.remove(set)
    -- The last one is the empty secret: HMAC fills it up with zeros.
    for _, secret in ipairs { issuers.RS256.pem, (issuers.RS256.pem:gsub("\n$", "")), issuers.RS256:jwk().n, "\0" } do
      local forger = Issuer.new("HS256", secret)
      local token = forger:token(good)
      refuses(pillar.auth.jwt(keys.RS256), token, "its algorithm is not one of those allowed")
      refuses(both, token, "its signature is wrong")
      refuses(both, forger:token(good, { kid = "1" }), "no key is known for it")
      refuses(pillar.auth.jwt(keys.RS256), forger:token(good, { alg = "RS256" }), "its signature is wrong")
      forger:close()
    end
  end)

  it("refuses a token that says another algorithm than its signature's", function()
    for algorithm, issuer in pairs(issuers) do
      for said in pairs(issuers) do
        if said ~= algorithm then
          local token = issuer:token(good, { alg = said })
          refuses(pillar.auth.jwt(keys[algorithm]), token, "its algorithm is not one of those allowed")
          refuses(pillar.auth.jwt(keys[said]), token, "its signature is wrong")
        end
      end
    end
    refuses(pillar.auth.jwt(keys.HS256), issuers.HS256:token(good, { alg = "HS512" }),
      "its algorithm is not one of those allowed")
    refuses(pillar.auth.jwt(keys.HS256), issuers.HS256:token(good, { alg = "hs256" }),
      "its algorithm is not one of those allowed")
  end)

  -- form

  it("refuses a token that was cut, at each length", function()
    for algorithm, issuer in pairs(issuers) do
      local authenticate = pillar.auth.jwt(keys[algorithm])
      local token = issuer:token(good)
      for length = 0, #token - 1 do
        assert.is_nil(authenticate(request(token:sub(1, length))), length)
      end
      accepts(authenticate, token)
    end
  end)

  it("refuses a token with any character changed", function()
    local authenticate = pillar.auth.jwt(keys.EdDSA)
    local token = issuers.EdDSA:token(good)
    for i = 1, #token do
      local c = token:sub(i, i)
      for _, new in ipairs { c == "A" and "Q" or "A", "=", "+", ".", "" } do
        if new ~= c then
          assert.is_nil(authenticate(request(token:sub(1, i - 1) .. new .. token:sub(i + 1))), i)
        end
      end
    end
  end)

  it("refuses tokens of another form", function()
    local authenticate = pillar.auth.jwt(keys.HS256)
    local token = issuers.HS256:token(good)
    local three = "it does not have three parts of base64url"
    for _, bad in ipairs { "x", ".", "..", "...", "a.b", "a.b.c.d.e", token .. ".", token .. ".x", "." .. token,
      token .. "=", token .. "\0", token .. "." .. token:match("[^.]+$"), (token:gsub("%.", "..", 1)),
      (token:gsub("%.", " ")) } do
      refuses(authenticate, bad, three)
    end
    refuses(authenticate, "a.b.c", "its header is not base64url")
    refuses(authenticate, "AAAA.b.c", "its header is not JSON")
    for _, text in ipairs { "7", '"x"', "null", "[]", '["HS256"]', "true" } do
      refuses(authenticate, Issuer.base64url(text) .. ".AA.AA", "its header is no object")
    end
    refuses(authenticate, issuers.HS256:token("x"), "its payload is not JSON")
    refuses(authenticate, issuers.HS256:token("[]"), "its payload is no object")
    refuses(authenticate, issuers.HS256:token('{"sub":"ada","exp":NaN}'), "its payload is not JSON")
    refuses(authenticate, issuers.HS256:token(("["):rep(5000)), "its payload is not JSON")
  end)

  it("refuses long tokens before it looks at them", function()
    local authenticate = pillar.auth.jwt(keys.HS256)
    refuses(authenticate, issuers.HS256:token(with(good, { text = ("x"):rep(100 * 1024) })), "it is too long")
    refuses(authenticate, ("x"):rep(100 * 1024), "it is too long")
    refuses(authenticate, ("x"):rep(16 * 1024 + 1), "it is too long")
    accepts(authenticate, issuers.HS256:token(with(good, { text = ("x"):rep(12000) })))
  end)

  it("refuses headers that want too much", function()
    local authenticate = pillar.auth.jwt(keys.HS256)
    local function of(header)
      return issuers.HS256:token(good, header)
    end
    refuses(authenticate, of { crit = { "b64" } }, "its header wants something to be understood (crit)")
    refuses(authenticate, of { crit = cjson.null }, "its header wants something to be understood (crit)")
    refuses(authenticate, of { kid = 7 }, "its kid is no string")
    refuses(authenticate, of { typ = 7 }, "its typ is no string")
    refuses(authenticate, of { alg = 7 }, "its algorithm is not one of those allowed")
    refuses(authenticate, of { alg = { "HS256" } }, "its algorithm is not one of those allowed")
    refuses(authenticate, issuers.HS256:token(good, "{}"), "its algorithm is not one of those allowed")
    for _, kind in ipairs { "logout+jwt", "dpop+jwt", "application/secevent+jwt", "" } do
      refuses(authenticate, of { typ = kind }, "its typ is that of another kind of token")
    end
    for _, kind in ipairs { "JWT", "jwt", "at+jwt", "application/at+JWT" } do
      accepts(authenticate, of { typ = kind })
    end
    accepts(authenticate, issuers.HS256:token(good, '{"alg":"HS256"}'))
    -- A key in the token is nobody's.
    refuses(pillar.auth.jwt(keys.RS256), other:token(good, { jwk = other:jwk(), jku = "https://example.com" }),
      "its signature is wrong")
  end)

  -- claims

  it("refuses a token that is over, or not valid yet", function()
    local authenticate = pillar.auth.jwt(keys.HS256)
    local token = issuers.HS256:token(with(good, { nbf = seconds() + 10 }))
    now = now + 10 * 1000 - 1
    refuses(authenticate, token, "it is not valid yet")
    now = now + 1
    accepts(authenticate, token)
    now = now + 50 * 1000 - 1
    accepts(authenticate, token)
    now = now + 1
    refuses(authenticate, token, "it has expired")
  end)

  it("allows for clocks that differ, when it was told", function()
    local authenticate = pillar.auth.jwt(with(keys.HS256, { leeway = 5 }))
    local token = issuers.HS256:token(with(good, { nbf = seconds() + 10 }))
    now = now + 5 * 1000 - 1
    refuses(authenticate, token, "it is not valid yet")
    now = now + 1
    accepts(authenticate, token)
    now = now + 60 * 1000 - 1
    assert.equal(1700000065000, accepts(authenticate, token).expiresAt) -- until then its user is not refused
    now = now + 1
    refuses(authenticate, token, "it has expired")
  end)

  it("wants an exp, unless it was told otherwise", function()
    local token = issuers.HS256:token { sub = "ada" }
    refuses(pillar.auth.jwt(keys.HS256), token, "it has no exp")
    local lenient = pillar.auth.jwt(with(keys.HS256, { requireExpiry = false }))
    assert.same({ id = "ada", claims = { sub = "ada" } }, accepts(lenient, token))
    refuses(lenient, issuers.HS256:token { sub = "ada", exp = seconds() - 1 }, "it has expired")
  end)

  it("takes fractions of seconds", function()
    local token = issuers.HS256:token { sub = "ada", exp = seconds() + 0.5 }
    local authenticate = pillar.auth.jwt(keys.HS256)
    local user = accepts(authenticate, token)
    assert.equal(now + 500, user.expiresAt)
    assert.equal("integer", math.type(user.expiresAt))
    now = now + 500
    refuses(authenticate, token, "it has expired")
  end)

  it("refuses claims of wrong types", function()
    local lenient = pillar.auth.jwt(with(keys.HS256, { requireExpiry = false }))
    for _, name in ipairs { "exp", "nbf", "iat" } do
      for _, value in ipairs { tostring(seconds()), true, cjson.null, { 1 }, 1e300, -1e300, 2 ^ 53 } do
        refuses(lenient, issuers.HS256:token(with(good, { [name] = value })), ("its %s is no time"):format(name))
      end
      refuses(lenient, issuers.HS256:token(('{"sub":"ada","%s":9223372036854775807}'):format(name)),
        ("its %s is no time"):format(name))
    end
    for _, value in ipairs { true, cjson.null, { 1 }, "", 1.5, ("x"):rep(257), "a\nb" } do
      refuses(lenient, issuers.HS256:token(with(good, { sub = value })), "it names no user")
    end
    refuses(lenient, issuers.HS256:token(without(good, "sub")), "it names no user")
    for _, value in ipairs { 7, true, cjson.null, { "x" } } do
      refuses(lenient, issuers.HS256:token(with(good, { iss = value })), "its iss is no string")
    end
  end)

  it("names users by another claim, and by numbers", function()
    assert.equal("42", accepts(pillar.auth.jwt(keys.HS256), issuers.HS256:token(with(good, { sub = 42 }))).id)
    local authenticate = pillar.auth.jwt(with(keys.HS256, { userId = "email" }))
    assert.equal("ada@example.com",
      accepts(authenticate, issuers.HS256:token { email = "ada@example.com", exp = good.exp }).id)
    refuses(authenticate, issuers.HS256:token(good), "it names no user")
  end)

  it("wants a token of its issuer", function()
    local authenticate = pillar.auth.jwt(with(keys.HS256, { issuer = "https://issuer.example" }))
    accepts(authenticate, issuers.HS256:token(with(good, { iss = "https://issuer.example" })))
    for _, other_issuer in ipairs { "https://issuer.example/", "https://Issuer.example", "" } do
      refuses(authenticate, issuers.HS256:token(with(good, { iss = other_issuer })), "it is of another issuer")
    end
    refuses(authenticate, issuers.HS256:token(good), "it is of another issuer")
  end)

  it("wants a token for its audience", function()
    local one = pillar.auth.jwt(with(keys.HS256, { audience = "api" }))
    local two = pillar.auth.jwt(with(keys.HS256, { audience = { "api", "app" } }))
    local none = pillar.auth.jwt(keys.HS256)
    local function of(audience)
      return issuers.HS256:token(with(good, { aud = audience }))
    end
    for _, audience in ipairs { "api", { "api" }, { "x", "api" } } do
      accepts(one, of(audience))
      accepts(two, of(audience))
      refuses(none, of(audience), "it is for another audience")
    end
    accepts(two, of("app"))
    for _, audience in ipairs { "app", "API", "", { "x" }, { "api2" } } do
      refuses(one, of(audience), "it is for another audience")
    end
    refuses(one, issuers.HS256:token(good), "it has no aud")
    refuses(two, issuers.HS256:token(good), "it has no aud")
    local token = issuers.HS256:token('{"sub":"ada","exp":1700000060,"aud":[]}')
    refuses(one, token, "it is for another audience")
    refuses(none, token, "it is for another audience")
    for _, wrong in ipairs { 7, true, cjson.null, { x = "api" } } do
      refuses(one, of(wrong), "its aud is neither a string nor a list")
    end
    refuses(one, of { "api", 7 }, "its aud holds something else than strings")
  end)

  -- options

  it("does not load with options that make no sense", function()
    local pem = issuers.RS256.pem
    fails("takes a table", nil)
    fails("takes a table", "x")
    fails("did you mean 'algorithms'", { key = pem, algorithm = { "RS256" } })
    fails("name the algorithms", { key = pem })
    fails("'algorithms' must be a table", { key = pem, algorithms = "RS256" })
    fails("'algorithms' is empty", { key = pem, algorithms = {} })
    fails("'algorithms' must be a list of strings", { key = pem, algorithms = { 7 } })
    fails("signed by nobody", { key = pem, algorithms = { "none" } })
    fails("signed by nobody", { key = pem, algorithms = { "RS256", "None" } })
    fails("'RS512' is not known", { key = pem, algorithms = { "RS512" } })
    fails("'rs256' is not known", { key = pem, algorithms = { "rs256" } })
    fails("give one of", { algorithms = { "RS256" } })
    fails("give one of", { key = pem, keyFile = "x", algorithms = { "RS256" } })
    fails("'leeway' must be from 0", { key = pem, algorithms = { "RS256" }, leeway = -1 })
    fails("'leeway' must be from 0", { key = pem, algorithms = { "RS256" }, leeway = 601 })
    fails("'leeway' must be from 0", { key = pem, algorithms = { "RS256" }, leeway = 0 / 0 })
    fails("'audience' is empty", { key = pem, algorithms = { "RS256" }, audience = {} })
    fails("'audience' must be", { key = pem, algorithms = { "RS256" }, audience = 7 })
    fails("'audience' must be a list of strings", { key = pem, algorithms = { "RS256" }, audience = { "" } })
    fails("cannot open", { keyFile = "no/such/file.pem", algorithms = { "RS256" } })
    fails("cannot open", { jwks = "no/such/file.json", algorithms = { "RS256" } })
    fails("cannot read", { jwks = "/", algorithms = { "RS256" } })
  end)

  it("does not load with a key that does not fit", function()
    for algorithm in pairs(issuers) do
      for wanted in pairs(issuers) do
        if wanted ~= algorithm then
          local key = keys[algorithm].key
          fails(algorithm == "HS256" and ("%s needs a public key"):format(wanted)
            or ("the key is for %s, and not for %s"):format(algorithm, wanted), { key = key, algorithms = { wanted } })
        end
      end
    end
    fails("the key is for RS256, and not for HS256", { key = issuers.RS256.pem, algorithms = { "RS256", "HS256" } })
    fails("a secret of 0 bytes", { key = "", algorithms = { "HS256" } })
    fails("a secret of 31 bytes", { key = ("x"):rep(31), algorithms = { "HS256" } })
    fails("no secret", { key = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDAAAAAAAAA", algorithms = { "HS256" } })
    fails("no secret", { key = cjson.encode(issuers.RS256:jwk()), algorithms = { "HS256" } })
    fails("RS256 needs a public key", { key = "", algorithms = { "RS256" } })
    fails("PEM block is malformed", { key = "-----BEGIN PUBLIC KEY-----\nx", algorithms = { "RS256" } })
    for how, what in pairs {
      ["-algorithm RSA -pkeyopt rsa_keygen_bits:1024"] = "an RSA key of 1024 bits",
      ["-algorithm EC -pkeyopt ec_paramgen_curve:P-384"] = "secp384r1",
      ["-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"] = "secp256k1",
      ["-algorithm X25519"] = "another kind",
    } do
      local weak = Issuer.new("weak", how)
      for _, algorithm in ipairs { "RS256", "ES256", "EdDSA" } do
        fails(what, { key = weak.pem, algorithms = { algorithm } })
      end
      weak:close()
    end
    local file = assert(io.open(issuers.ES256.dir .. "/private.pem"))
    fails("this is a private key", { key = file:read("a"), algorithms = { "ES256" } })
    file:close()
  end)

  -- key sets

  describe("with a key set", function()
    local path

    before_each(function() path = os.tmpname() end)
    after_each(function() os.remove(path) end)

    local function put(...)
      local file = assert(io.open(path, "w"))
      file:write(cjson.encode { keys = { ... } })
      file:close()
    end

    local function open(...)
      return pillar.auth.jwt { jwks = path, algorithms = { ... } }
    end

    it("takes the key that the token names", function()
      put(other:jwk("other"), issuers.RS256:jwk("rsa"), issuers.ES256:jwk("ec"), issuers.EdDSA:jwk("ed"))
      local authenticate = open("RS256", "ES256", "EdDSA")
      accepts(authenticate, issuers.RS256:token(good, { kid = "rsa" }))
      accepts(authenticate, other:token(good, { kid = "other" }))
      accepts(authenticate, issuers.ES256:token(good, { kid = "ec" }))
      accepts(authenticate, issuers.EdDSA:token(good, { kid = "ed" }))
      refuses(authenticate, issuers.RS256:token(good, { kid = "other" }), "its signature is wrong")
      refuses(authenticate, issuers.RS256:token(good, { kid = "ec" }), "no key is known for it")
      refuses(authenticate, issuers.RS256:token(good, { kid = "unknown" }), "no key is known for it")
    end)

    it("tries those of the algorithm when it names none", function()
      put(other:jwk("other"), issuers.RS256:jwk("rsa"), issuers.ES256:jwk("ec"))
      local authenticate = open("RS256", "ES256")
      accepts(authenticate, issuers.RS256:token(good))
      accepts(authenticate, other:token(good))
      accepts(authenticate, issuers.ES256:token(good))
      refuses(authenticate, issuers.EdDSA:token(good, { alg = "ES256" }), "its signature is wrong")
    end)

    it("reads the file anew for an unknown key, at most once a minute", function()
      put(issuers.RS256:jwk("1"))
      local authenticate = open("RS256")
      local old, new = issuers.RS256:token(good, { kid = "1" }), other:token(good, { kid = "2" })
      put(other:jwk("2"))
      refuses(authenticate, new, "no key is known for it")
      now = now + 59999
      refuses(authenticate, new, "no key is known for it")
      accepts(authenticate, old)
      now = now + 1
      good.exp = seconds() + 1000
      new, old = other:token(good, { kid = "2" }), issuers.RS256:token(good, { kid = "1" })
      accepts(authenticate, new)
      refuses(authenticate, old, "no key is known for it")
      put(issuers.RS256:jwk("1"))
      refuses(authenticate, old, "no key is known for it")
      now = now + 60000
      accepts(authenticate, old)
    end)

    it("believes a key that was taken out for ten minutes at most", function()
      good.exp = seconds() + 10000
      put(issuers.RS256:jwk("1"))
      local authenticate = open("RS256")
      local token = issuers.RS256:token(good, { kid = "1" })
      put(other:jwk("2"))
      now = now + 599999
      accepts(authenticate, token)
      now = now + 1
      refuses(authenticate, token, "no key is known for it")
    end)

    it("keeps its keys when the file is broken", function()
      good.exp = seconds() + 10000
      put(issuers.RS256:jwk("1"))
      local authenticate = open("RS256")
      os.remove(path)
      now = now + 600000
      accepts(authenticate, issuers.RS256:token(good, { kid = "1" }))
      assert.truthy(logged:find("warn: jwks: the keys stay as they were: cannot open", 1, true), logged)
      logged = nil
      accepts(authenticate, issuers.RS256:token(good, { kid = "1" }))
      assert.is_nil(logged)
    end)

    it("leaves out what it cannot use", function()
      local weak = Issuer.new("weak", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024")
      weak.algorithm = "RS256"
      local encryption, for_ps256, signing = other:jwk("e"), other:jwk("p"), other:jwk("s")
      encryption.use = "enc"
      for_ps256.alg = "PS256"
      signing.key_ops = { "sign" }
      put(weak:jwk("weak"), { kty = "x" }, 7, encryption, for_ps256, signing, issuers.HS256:jwk("h"),
        issuers.ES256:jwk("ec"), issuers.RS256:jwk("1"))
      local authenticate = open("RS256")
      accepts(authenticate, issuers.RS256:token(good, { kid = "1" }))
      refuses(authenticate, weak:token(good, { kid = "weak" }), "no key is known for it")
      for _, kid in ipairs { "e", "p", "s" } do
        refuses(authenticate, other:token(good, { kid = kid }), "no key is known for it")
      end
      refuses(authenticate, issuers.HS256:token(good, { kid = "h" }), "its algorithm is not one of those allowed")
      weak:close()
    end)

    it("does not load without one that it can use", function()
      local private = issuers.RS256:jwk("1")
      private.d = "AAAA"
      local function fails_with(what, text)
        local file = assert(io.open(path, "w"))
        file:write(text)
        file:close()
        fails(what, { jwks = path, algorithms = { "RS256" } })
      end
      fails_with("not JSON", "x")
      fails_with("it is no key set", "[]")
      fails_with("it is no key set", "{}")
      fails_with("it is no key set", '{"keys":{}}')
      fails_with("it holds no key that can be used", '{"keys":[]}')
      fails_with("key 1: it is no object", '{"keys":[7]}')
      fails_with("key 1: this is a private key", cjson.encode { keys = { private } })
      fails_with("key 1: it is for ES256", cjson.encode { keys = { issuers.ES256:jwk("1") } })
      fails_with("more than 100 keys", '{"keys":[' .. ("7,"):rep(100) .. "7]}")
      fails_with("more than 1048576 bytes", (" "):rep(1024 * 1024 + 1))
    end)
  end)
end)
