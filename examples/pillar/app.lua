-- The task board: projects with members, tasks, labels, categories. Who may see a project sees its changes as they
-- happen; labels and categories are their owner's own.
local pillar = require "pillar"
local app = pillar.app()

app:migrate(require "board.schema")
app:authenticate(require "board.session".user)

require "board.session".routes(app)
require "board.projects"(app)
require "board.members"(app)
require "board.tasks"(app)
require "board.marks".routes(app)
require "board.own"(app, "label", "labels", { name = "string 1..100 trimmed", color = "string 1..50 trimmed" })
require "board.own"(app, "category", "categories", { name = "string 1..100 trimmed" })

app:static("/", "public", { immutable = "assets/", missing = "build the page and run the board with examples/run.sh" })

return app
