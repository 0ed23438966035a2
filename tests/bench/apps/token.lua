-- Who asks is told by a JSON Web Token, whose secret is beside this file.
local pillar = require "pillar"
local app = pillar.app()

app:authenticate(pillar.auth.jwt { algorithms = { "HS256" }, keyFile = os.getenv("BENCH_KEY") })
app:entity("task", { external = true })

return app
