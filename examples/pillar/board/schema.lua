-- Applied steps stay as they are; a change is a new step at the end.
return {
  {
    name = "people",
    sql = [[
      CREATE TABLE users (
        id   TEXT PRIMARY KEY,
        name TEXT NOT NULL
      );
      INSERT INTO users (id, name) VALUES ('ada', 'Ada'), ('grace', 'Grace'), ('linus', 'Linus');
      CREATE TABLE sessions (
        token     TEXT PRIMARY KEY,
        userId    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        createdAt INTEGER NOT NULL
      );
    ]],
  },
  {
    name = "projects",
    sql = [[
      CREATE TABLE projects (
        id        TEXT PRIMARY KEY,
        name      TEXT NOT NULL,
        createdBy TEXT NOT NULL REFERENCES users (id),
        createdAt INTEGER NOT NULL
      );
      CREATE TABLE members (
        projectId TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        userId    TEXT NOT NULL REFERENCES users (id),
        role      TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
        PRIMARY KEY (projectId, userId)
      ) WITHOUT ROWID;
      CREATE INDEX members_by_user ON members (userId);
    ]],
  },
  {
    name = "tasks",
    sql = [[
      CREATE TABLE tasks (
        id          TEXT PRIMARY KEY,
        projectId   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        title       TEXT NOT NULL,
        description TEXT,
        columnId    TEXT NOT NULL DEFAULT 'todo',
        assigneeId  TEXT REFERENCES users (id),
        dueDate     TEXT,
        recurrence  TEXT CHECK (recurrence IN ('daily', 'weekly', 'monthly')),
        done        BOOLEAN NOT NULL DEFAULT FALSE,
        "order"     REAL NOT NULL DEFAULT 0,
        createdBy   TEXT NOT NULL REFERENCES users (id),
        createdAt   INTEGER NOT NULL,
        updatedAt   INTEGER NOT NULL
      );
      CREATE INDEX tasks_by_project ON tasks (projectId, "order");
    ]],
  },
  {
    name = "labels and categories",
    sql = [[
      CREATE TABLE labels (
        id      TEXT PRIMARY KEY,
        ownerId TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name    TEXT NOT NULL,
        color   TEXT NOT NULL,
        UNIQUE (ownerId, name)
      );
      CREATE TABLE categories (
        id      TEXT PRIMARY KEY,
        ownerId TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name    TEXT NOT NULL,
        UNIQUE (ownerId, name)
      );
    ]],
  },
  {
    name = "marks",
    sql = [[
      CREATE TABLE task_labels (
        taskId  TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        labelId TEXT NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
        PRIMARY KEY (taskId, labelId)
      ) WITHOUT ROWID;
      CREATE INDEX task_labels_by_label ON task_labels (labelId);
      CREATE TABLE task_categories (
        taskId     TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        ownerId    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        categoryId TEXT NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
        PRIMARY KEY (taskId, ownerId)
      ) WITHOUT ROWID;
      CREATE INDEX task_categories_by_category ON task_categories (categoryId);
    ]],
  },
}
