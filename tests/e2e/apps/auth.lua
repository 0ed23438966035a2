-- Signs people in with sessions or with tokens; see auth_spec.lua, which writes the keys beside a copy of this file.
local pillar = require "pillar"
local app = pillar.app()

app:migrate { "CREATE TABLE calls (id INTEGER PRIMARY KEY, userId TEXT)" }

local token = pillar.auth.jwt {
  jwks = "keys/set.json",
  algorithms = { "HS256", "RS256", "ES256", "EdDSA" },
  issuer = "https://issuer.example",
  audience = "api",
  query = "token",
}

app:authenticate(function(req)
  return pillar.auth.session(req) or token(req)
end)

app:entity("call")

app:post("/sign-in", { public = true }, function(req)
  local user = req:json()
  return 200, user, pillar.auth.signIn(req, user)
end)

app:post("/sign-out", function(req)
  return 204, nil, pillar.auth.signOut(req)
end)

app:get("/me", function(req)
  return req.user
end)

app:post("/call", function(req, db)
  return db:insert("calls", { userId = req.user.id })
end)

app:get("/environment", { public = true }, function()
  local file = assert(io.open("/proc/self/environ"))
  local text = file:read("a")
  file:close()
  local pipe = assert(io.popen("env"))
  local child = pipe:read("a")
  pipe:close()
  return { secret = os.getenv("PILLAR_SECRET"), home = os.getenv("HOME"), own = text, child = child }
end)

-- How long a password's hash holds things up; the deadline ends a loop of them.
app:post("/hash", { public = true, transaction = false }, function(req)
  return { hash = pillar.auth.hashPassword(req:json().password) }
end)

app:get("/hash-for-ever", { public = true }, function()
  while true do
    pcall(pillar.auth.verifyPassword, "p", nil)
  end
end)

return app
