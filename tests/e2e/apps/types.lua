-- What goes into the database and into JSON comes out as it was.
local pillar = require "pillar"
local app = pillar.app()
app:anonymous()

app:migrate {
  [[
    CREATE TABLE things (
      id INTEGER PRIMARY KEY,
      i INTEGER,
      r REAL,
      t TEXT UNIQUE,
      b BLOB,
      flag BOOLEAN,
      must TEXT NOT NULL DEFAULT 'there' CHECK (length(must) > 0)
    );
    CREATE TABLE parts (id INTEGER PRIMARY KEY, thing INTEGER REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED);
  ]],
}

app:entity("thing")

-- Runs Lua text as a handler, so that each case stands beside what it expects.
local function run(req, db)
  local chunk = assert(load("local db, req, pillar = ... " .. req.body, "=case"))
  return chunk(db, req, pillar)
end

app:post("/run", run)
app:get("/run", function(req, db)
  return assert(load("local db = ... " .. req.query.code))(db)
end)

return app
