-- Demo sign-in: whoever says to be ada, grace or linus is. Each sign-in is a row with a random token, so that signing
-- out ends it. Browsers have the token in a signed cookie, other programs send it as a bearer token.
local pillar = require "pillar"
local demo = require "board.demo"

local session = {}

local function token_of(req)
  local bearer = (req.headers["Authorization"] or ""):match("^[Bb]earer%s+(%S+)%s*$")
  return bearer or (pillar.auth.session(req) or {}).token
end

function session.user(req, db)
  local token = token_of(req)
  if token then
    return db:row("SELECT users.* FROM sessions JOIN users ON users.id = userId WHERE token = ?", token)
  end
  -- For trying things out with curl: signing in takes no password here, so a name will do.
  local name = req.headers["X-Demo-User"]
  return name and db:row("SELECT * FROM users WHERE id = ?", name)
end

function session.routes(app)
  local input = { user = "string 1..100", demo = "boolean default false" }

  app:post("/api/login", { public = true, silent = true, input = input }, function(req, db)
    local user = db:row("SELECT * FROM users WHERE id = ?", req.input.user)
    if not user then
      pillar.fail(401, "unknown_user", "the demo users are ada, grace and linus", "user")
    end
    if req.input.demo then
      demo.make(db)
    end
    local token = pillar.random(24)
    db:insert("sessions", { token = token, userId = user.id, createdAt = pillar.now() })
    return 200, { token = token, user = user }, pillar.auth.signIn(req, { id = user.id, token = token })
  end)

  -- All streams of the user end; those of other devices, which are signed in still, come back by themselves.
  app:post("/api/logout", function(req, db)
    db:exec("DELETE FROM sessions WHERE token = ?", token_of(req))
    pillar.disconnect { userId = req.user.id }
    return 204, nil, pillar.auth.signOut(req)
  end)

  app:get("/api/me", function(req)
    return req.user
  end)

  app:get("/api/users", function(_, db)
    return db:rows("SELECT * FROM users ORDER BY name")
  end)
end

return session
