-- Who asks is whoever the request says; what is measured is all the rest.
local pillar = require "pillar"
local app = pillar.app()

app:authenticate(function(req)
  local user = req.headers["X-User"]
  return user and { id = user }
end)
app:entity("task", { external = true })

return app
