-- Who gets an event, who does not, in which order, and what a stream says of itself.

local Broker = require "support.broker"
local Socket = require "support.socket"
local wait = require "support.wait"

local function as(user, session)
  return { ["X-User"] = user, ["X-Session-Id"] = session }
end

for loops = 1, 2 do
  describe(("delivery with --loops %d"):format(loops), function()
    local broker
    local notes = 0

    setup(function()
      broker = Broker.start {
        script = "tests/e2e/apps/lab.lua",
        args = { "--loops", tostring(loops), "--history-events", "200" },
      }
    end)

    teardown(function()
      Socket.close_all()
      broker:stop()
    end)

    after_each(function() Socket.close_all() end)

    local function open(user, session, rest)
      return broker:stream { query = ("?user=%s&sessionId=%s%s"):format(user, session or "", rest or "") }
    end

    --- Posts a note; `to` names the users it is for.
    local function post(user, session, to)
      notes = notes + 1
      local path = "/notes" .. (to and "?to=" .. to or "")
      local answer = broker:request("POST", path, { headers = as(user, session), json = { body = "note " .. notes } })
      assert.equal(201, answer.status, answer.body)
      return "note created " .. answer:json().id
    end

    --- Waits until everything so far has arrived at these streams.
    local function settle(...)
      for _, stream in ipairs { ... } do
        stream:fence(function(name)
          broker:request("POST", "/fence/" .. name, { headers = as("fence") })
        end)
      end
      -- Each stream has also seen the fences of the others.
      for _, stream in ipairs { ... } do
        for i = #stream.all, 1, -1 do
          if stream.all[i].event == "sync" and stream.all[i].data.entity == "fence" then
            table.remove(stream.all, i)
          end
        end
      end
    end

    it("goes to the targets and nobody else", function()
      local ada, grace, linus = open("ada"), open("grace"), open("linus")
      local note = post("ada", "x", "ada,grace")
      settle(ada, grace, linus)
      assert.same({ note }, ada:summary())
      assert.same({ note }, grace:summary())
      assert.same({}, linus:summary())
    end)

    it("leaves out the stream of the originator's user and session, and only that", function()
      local same, other = open("ada", "s1"), open("ada", "s2")
      local stranger = open("grace", "s1") -- who happens to use, or names on purpose, the same session
      local note = post("ada", "s1", "ada,grace")
      settle(same, other, stranger)
      assert.same({}, same:summary())
      assert.same({ note }, other:summary())
      assert.same({ note }, stranger:summary())
    end)

    it("leaves out nobody when there is no session", function()
      local without, with = open("ada"), open("ada", "s1")
      local note = post("ada", nil, "ada")
      settle(without, with)
      assert.same({ note }, without:summary())
      assert.same({ note }, with:summary())
    end)

    it("takes the session from the query or from X-Session-Id", function()
      local by_header = broker:stream { query = "?user=ada", headers = { ["X-Session-Id"] = "s1" } }
      post("ada", "s1", "ada")
      settle(by_header)
      assert.same({}, by_header:summary())
    end)

    it("narrows to the entities asked for", function()
      local only_fences = open("ada", "", "&entities=fence")
      local both = open("ada", "", "&entities=note,fence")
      local note = post("ada", "x", "ada")
      settle(only_fences, both)
      assert.same({}, only_fences:summary())
      assert.same({ note }, both:summary())
    end)

    it("refuses an entity that nobody declared, and a session that is no id", function()
      local answer = broker:request("GET", "/api/events?user=ada&entities=note,nonsense")
      assert.equal(400, answer.status)
      assert.equal("entities", answer:json().error.field)
      answer = broker:request("GET", "/api/events?user=ada&sessionId=" .. ("x"):rep(300))
      assert.equal(400, answer.status)
      assert.equal("sessionId", answer:json().error.field)
      answer = broker:request("POST", "/notes", { headers = as("ada", ("x"):rep(300)), json = { body = "x" } })
      assert.equal(400, answer.status)
      assert.equal("X-Session-Id", answer:json().error.field)
    end)

    it("reaches more users than are noted one by one", function()
      local targets, streams = {}, {}
      for i = 1, 20 do
        targets[i] = "user" .. i
        streams[i] = open(targets[i])
      end
      local outsider = open("outsider")
      local note = post("user3", "", table.concat(targets, ","))
      settle(outsider, table.unpack(streams))
      for i = 1, 20 do
        assert.same({ note }, streams[i]:summary())
      end
      assert.same({}, outsider:summary())
    end)

    it("never puts targets on the wire", function()
      local ada = open("ada")
      post("ada", "x", "ada,grace,secret-colleague")
      ada:wait_events(1)
      assert.is_nil(ada:named("sync")[1].text:find("secret-colleague", 1, true))
      assert.is_nil(ada:events()[1].targetUserIds)
    end)

    it("keeps one order for all streams, with ids that only grow", function()
      local streams = {}
      for i = 1, 6 do
        streams[i] = open("ada", "s" .. i)
      end
      local pending = {}
      for i = 1, 60 do
        notes = notes + 1
        pending[i] = broker:start_request("POST", "/notes?to=ada",
          { headers = as("grace", "x"), json = { body = "note " .. notes } })
      end
      for i = 1, 60 do
        assert.equal(201, require("support.http").finish(pending[i]).status)
      end
      settle(table.unpack(streams))
      local first = streams[1]:summary()
      assert.equal(60, #first)
      for i = 2, 6 do
        assert.same(first, streams[i]:summary())
      end
      local last = 0
      for _, event in ipairs(streams[1]:named("sync")) do
        local number = tonumber(event.id:match("^%x+%-(%d+)$"))
        assert.is_true(number > last)
        last = number
      end
    end)

    it("shows an event only when another connection can read the row", function()
      local ada = open("ada")
      for i = 1, 50 do
        local pending
        notes = notes + 1
        local body = "note " .. notes
        pending = broker:start_request("POST", "/notes?to=ada", { headers = as("grace"), json = { body = body } })
        ada:wait_events(i)
        local rows = broker:request("GET", "/notes", { headers = as("ada") }).body
        assert.truthy(rows:find('"' .. body .. '"', 1, true))
        require("support.http").finish(pending)
      end
      assert.equal("1", broker:sql(("SELECT count(*) FROM notes WHERE body = 'note %d'"):format(notes)))
    end)

    describe("a client that comes back", function()
      it("gets what it has missed, once, in order, without its own echo, and then what is new", function()
        local first = open("ada", "s1")
        post("ada", "x", "ada")
        first:wait_events(1)
        local seen = first.lastEventId
        first:close()
        local missed = { post("grace", "g", "ada"), post("grace", "g", "ada,grace") }
        post("grace", "g", "grace") -- not meant for ada
        post("ada", "s1", "ada")    -- ada's own, from this very session
        local others = {}
        for i = 1, 20 do
          others[i] = "user" .. i
        end
        post("grace", "g", table.concat(others, ","))
        missed[3] = post("grace", "g", "ada," .. table.concat(others, ","))

        local back = open("ada", "s1", "&lastEventId=" .. seen)
        settle(back)
        assert.same(missed, back:summary())
        assert.equal(seen, back:named("ready")[1].id)
        local by_header = broker:stream {
          query = "?user=ada&sessionId=s1&lastEventId=ignored",
          headers = { ["Last-Event-ID"] = seen },
        }
        local live = post("grace", "g", "ada")
        missed[4] = live
        settle(by_header)
        assert.same(missed, by_header:summary())
      end)

      it("is told to refetch when its id is unknown", function()
        post("ada", "x", "ada")
        local head = open("ada"):named("ready")[1].data.position
        local generation, number = head:match("^(%x+)%-(%d+)$")
        local cases = {
          malformed = "nonsense",
          generation = ("0"):rep(12) .. "-1",
          ahead = ("%s-%d"):format(generation, number + 1000),
        }
        for reason, id in pairs(cases) do
          local stream = open("ada", "", "&lastEventId=" .. id)
          wait.until_true("resync", function() return stream:named("resync")[1] end)
          assert.equal(reason, stream:named("resync")[1].data.reason)
          assert.equal(head, stream:named("resync")[1].data.position)
          assert.equal(head, stream.lastEventId)
          -- Cut before the resync, it would still have its old id, and be told again.
          assert.equal("", stream:named("ready")[1].id)
        end
      end)

      it("is told to refetch when the log has moved on", function()
        local stream = open("ada")
        post("ada", "x", "ada")
        stream:wait_events(1)
        local seen = stream.lastEventId
        stream:close()
        for _ = 1, 201 do
          broker:request("POST", "/fence/later", { headers = as("fence") })
        end
        local back = open("ada", "", "&lastEventId=" .. seen)
        wait.until_true("resync", function() return back:named("resync")[1] end)
        assert.equal("trimmed", back:named("resync")[1].data.reason)
      end)

      it("finds no hole between a fetch and the stream that starts at its Sync-Position", function()
        post("ada", "x", "ada")
        local fetched = broker:request("GET", "/notes", { headers = as("ada") })
        local position = fetched.headers["sync-position"]
        local missed = post("grace", "x", "ada")
        local stream = open("ada", "", "&lastEventId=" .. position)
        settle(stream)
        assert.same({ missed }, stream:summary())
      end)
    end)

    describe("a client that does not read", function()
      it("delays nobody, and gets the rest when it reads again", function()
        local slow, quick = open("ada", "slow"), open("ada", "quick")
        slow.socket:pause()
        local body = ("x"):rep(50000)
        local sent = {}
        for i = 1, 150 do
          notes = notes + 1
          local answer = broker:request("POST", "/notes?to=ada",
            { headers = as("grace"), json = { body = notes .. body } })
          sent[i] = "note created " .. answer:json().id
        end
        quick:wait_events(150)
        assert.same(sent, quick:summary())
        slow.socket:resume()
        slow:wait_events(150)
        assert.same(sent, slow:summary())
      end)

      it("is told to refetch when the log has moved on meanwhile", function()
        local slow = open("ada", "slow")
        slow.socket:pause()
        local body = ("x"):rep(100000)
        for _ = 1, 330 do
          notes = notes + 1
          broker:request("POST", "/notes?to=ada", { headers = as("grace"), json = { body = notes .. body } })
        end
        slow.socket:resume()
        wait.until_true("resync", function() return slow:named("resync")[1] end)
        assert.equal("lagged", slow:named("resync")[1].data.reason)
        local before = slow:named("resync")[1].id
        local note = post("grace", "x", "ada")
        settle(slow)
        local summary = slow:summary()
        assert.equal(note, summary[#summary])
        assert.equal(1, #slow:named("resync"))
        assert.truthy(before)
      end)
    end)
  end)
end

describe("a stream", function()
  local broker

  setup(function()
    broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      args = { "--heartbeat", "2s", "--retry-min", "2s", "--retry-max", "9s" },
    }
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  it("has the headers that keep it flowing", function()
    local stream = broker:stream { query = "?user=ada" }
    assert.truthy(stream.head:find("\r\nContent-Type: text/event-stream\r\n", 1, true))
    assert.truthy(stream.head:find("\r\nCache-Control: no-cache\r\n", 1, true))
    assert.truthy(stream.head:find("\r\nX-Accel-Buffering: no\r\n", 1, true))
  end)

  it("says ready at once, with its position, and a retry of its own", function()
    local drawn = {}
    for i = 1, 20 do
      local stream = broker:stream { query = "?user=ada" }
      local ready = stream:named("ready")[1]
      assert.equal(ready, stream.all[1])
      assert.equal(ready.id, ready.data.position)
      assert.is_true(stream.retry >= 2000 and stream.retry <= 9000)
      drawn[stream.retry] = true
      drawn.count = (drawn.count or 0) + 1
      stream:close()
      assert.equal(i, drawn.count)
    end
    local different = -1
    for _ in pairs(drawn) do
      different = different + 1
    end
    assert.is_true(different > 3)
  end)

  it("names its user, as events do", function()
    for _, user in ipairs { "ada", [[a"d\a]], "Ω 🦊" } do
      local stream = broker:stream { headers = { ["X-User"] = user } }
      assert.equal(user, stream:named("ready")[1].data.userId)
      stream:close()
    end
  end)

  it("is kept awake by comments", function()
    local stream = broker:stream { query = "?user=ada" }
    wait.until_true("comments", function() return stream.comments >= 1 end)
    assert.equal(1, #stream.all)
  end)

  it("is for GET", function()
    local answer = broker:request("POST", "/api/events?user=ada")
    assert.equal(405, answer.status)
    assert.equal("GET, OPTIONS", answer.headers.allow)
  end)

  it("needs somebody who is signed in", function()
    local answer = broker:request("GET", "/api/events")
    assert.equal(401, answer.status)
    assert.equal("unauthorized", answer:json().error.code)
  end)
end)
