std = "lua54"
max_line_length = 120
globals = { "emit_sync_event" }
files["lua/pillar/sandbox.lua"] = { globals = { "load", "loadfile", "dofile", "os.time", "os.date" } }
files["lua/pillar/runtime.lua"] = { globals = { "_G" } }
files["**/*_spec.lua"] = { std = "+busted" }
files["tests/**"] = { std = "+busted" }
