-- GET /pillar.js: the browser's client, where it was built, and what the broker says where it was not.

local Broker = require "support.broker"
local Socket = require "support.socket"
local uv = require "luv"

local client = 'export const createSync = () => "\u{3a9}"\n'

local app = [[
  local pillar = require "pillar"
  local app = pillar.app(%s)
  app:authenticate(function() end)
  app:cors { origins = { "https://app.example" } }
  %s
  return app
]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("the browser's client", function()
  local dir

  -- Binaries that have, and have not, a client beside them, whatever was built.
  setup(function()
    dir = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-XXXXXX"))
    for _, tree in ipairs { "with", "without" } do
      assert(uv.fs_mkdir(dir .. "/" .. tree, 448))
      assert(uv.fs_copyfile(Broker.binary, dir .. "/" .. tree .. "/pillar"))
      assert(uv.fs_symlink(Broker.source .. "/lua", dir .. "/" .. tree .. "/lua"))
    end
    assert(uv.fs_mkdir(dir .. "/with/client", 448))
    write(dir .. "/with/client/pillar.js", client)
    write(dir .. "/with/client/other.js", "not for others")
  end)

  teardown(function()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  local function start(tree, options)
    options = options or {}
    return Broker.start {
      binary = dir .. "/" .. tree .. "/pillar",
      text = app:format(options.settings or "", options.more or ""),
      args = options.args,
      env = options.env,
    }
  end

  local function serves_client(broker, path)
    local answer = broker:request("GET", path)
    assert.equal(200, answer.status)
    assert.equal(client, answer.body)
    return answer
  end

  describe("that was built", function()
    local broker

    setup(function()
      broker = start "with"
    end)

    teardown(function()
      Socket.close_all()
      broker:stop()
    end)

    it("is there for everybody, as a script, to be asked for anew", function()
      local answer = serves_client(broker, "/pillar.js")
      assert.equal("text/javascript; charset=utf-8", answer.headers["content-type"])
      assert.equal("no-cache", answer.headers["cache-control"])
      assert.equal("nosniff", answer.headers["x-content-type-options"])
      serves_client(broker, "/pillar.js?v=1")
    end)

    it("is sent once, until it is another", function()
      local first = serves_client(broker, "/pillar.js")
      local function again(name, value)
        return broker:request("GET", "/pillar.js", { headers = { [name] = value } }).status
      end
      assert.equal(304, again("If-None-Match", first.headers.etag))
      assert.equal(304, again("If-Modified-Since", first.headers["last-modified"]))
      assert.equal(200, again("If-None-Match", '"another"'))
      write(dir .. "/with/client/pillar.js", client .. "//")
      assert.equal(200, again("If-None-Match", first.headers.etag))
      write(dir .. "/with/client/pillar.js", client)
    end)

    it("is read only", function()
      local head = broker:request("HEAD", "/pillar.js")
      assert.equal(200, head.status)
      assert.equal(#client, tonumber(head.headers["content-length"]))
      local post = broker:request("POST", "/pillar.js", { json = {} })
      assert.equal(405, post.status)
      assert.equal("GET, HEAD, OPTIONS", post.headers.allow)
    end)

    it("can be imported by the pages that app:cors lets in", function()
      local function allowed(origin)
        return broker:request("GET", "/pillar.js", { headers = { Origin = origin } })
          .headers["access-control-allow-origin"]
      end
      assert.equal("https://app.example", allowed "https://app.example")
      assert.is_nil(allowed "https://evil.example")
    end)

    it("is alone: nothing else of its folder is reachable", function()
      for _, path in ipairs { "/other.js", "/pillar.js/", "/pillar.js/other.js", "/pillar.js/../other.js" } do
        local status = broker:request("GET", path).status
        assert.is_true(status == 404 or status == 400, path .. ": " .. status)
      end
    end)
  end)

  it("is served elsewhere, or not at all", function()
    local broker = start("with", { args = { "--client-path", "/assets/sync.js" } })
    assert.equal(404, broker:request("GET", "/pillar.js").status)
    serves_client(broker, "/assets/sync.js")
    broker:stop()
    broker = start("with", { env = { PILLAR_CLIENT_PATH = "none" } })
    assert.equal(404, broker:request("GET", "/pillar.js").status)
    assert.equal(404, broker:request("GET", "/none").status)
    broker:stop()
  end)

  it("leaves its path to a script that turns it off, and to no other", function()
    local own = [[app:get("/pillar.js", { public = true }, function() return "my own" end)]]
    local broker = start("with", { settings = [[{ client_path = "none" }]], more = own })
    assert.equal("my own", broker:request("GET", "/pillar.js").body)
    broker:stop()
    local ok, problem = pcall(start, "with", { more = own })
    assert.is_false(ok)
    assert.truthy(problem:find("app.lua:5: the broker itself answers /pillar.js", 1, true), problem)
  end)

  it("goes before the files of a folder", function()
    local broker = start("with", { more = [[app:static("/", ".")]] })
    write(broker.dir .. "/pillar.js", "another")
    serves_client(broker, "/pillar.js")
    broker:stop()
  end)

  it("that was not built is missing, and the answer says how to build it", function()
    if uv.fs_stat("/usr/local/share/pillar/client") then
      return pending "one is installed on this machine"
    end
    local broker = start "without"
    local answer = broker:request("GET", "/pillar.js")
    assert.equal(404, answer.status)
    assert.equal("not_found", answer:json().error.code)
    assert.truthy(answer:json().error.message:find("cmake -B build -DPILLAR_CLIENT=ON", 1, true), answer.body)
    assert.equal(404, broker:request("HEAD", "/pillar.js").status)
    assert.equal(405, broker:request("POST", "/pillar.js", { json = {} }).status)
    broker:stop()
  end)
end)
