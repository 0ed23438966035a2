-- Files of a directory: what they are served as, conditional requests, ranges, and that nothing outside of the
-- directory, or hidden in it, is ever served.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local raw = require "support.raw"
local uv = require "luv"
local wait = require "support.wait"

local app = [[
local app = require("pillar").app()
app:anonymous()
app:get("/hit", function() return "hit" end)
app:get("/files/route", function() return "route" end)
app:post("/files/post-only", function() return "posted" end)
app:static("/files", "public")
app:static("/files/deep/er", "deeper")
app:static("/spa/", "public", { fallback = "index.html" })
app:static("/built", "built", { fallback = "assets/shell.html", immutable = "assets/" })
app:static("/", "root")
return app
]]

local digits = "0123456789"
local outside = "what lies outside"

local files = {
  ["public/index.html"] = "<h1>top</h1>",
  ["public/a.txt"] = digits,
  ["public/empty.txt"] = "",
  ["public/sp ace.txt"] = "space",
  ["public/\u{fc}ml\u{e4}ut.txt"] = "umlaut",
  ["public/100%.txt"] = "percent",
  ["public/back\\slash.txt"] = "backslash",
  ["public/sub/index.html"] = "<h1>sub</h1>",
  ["public/sub/b.txt"] = "b",
  ["public/bare/c.txt"] = "c",
  ["public/odd/index.html/x.txt"] = "x",
  ["public/.secret"] = outside,
  ["public/.git/config"] = outside,
  ["public/sub/.hidden"] = outside,
  ["public/route"] = "shadowed",
  ["public/post-only"] = "shadowed",
  ["public-other/x.txt"] = outside,
  ["deeper/d.txt"] = "d",
  ["built/index.html"] = "<h1>built</h1>",
  ["built/assets.txt"] = "beside",
  ["built/assets/shell.html"] = "<h1>shell</h1>",
  ["built/assets/index-B1x2Y3z4.js"] = digits,
  ["root/index.html"] = "<h1>root</h1>",
  ["root/healthz"] = "shadowed",
  ["outside.txt"] = outside,
}

local links = {
  ["public/inside.txt"] = "sub/b.txt",
  ["public/inside-up.txt"] = "sub/../a.txt",
  ["public/inside-dir"] = "sub",
  ["public/outside.txt"] = "../outside.txt",
  ["public/outside-absolute.txt"] = "/etc/passwd",
  ["public/outside-dir"] = "..",
  ["public/outside-root"] = "/",
  ["public/sub/outside-far.txt"] = "../../outside.txt",
  ["public/loop"] = "loop",
  ["public/dangling"] = "nothing",
}

local types = {
  ["x.html"] = "text/html; charset=utf-8",
  ["x.css"] = "text/css; charset=utf-8",
  ["x.js"] = "text/javascript; charset=utf-8",
  ["x.mjs"] = "text/javascript; charset=utf-8",
  ["x.json"] = "application/json",
  ["x.svg"] = "image/svg+xml",
  ["x.PNG"] = "image/png",
  ["x.min.js.map"] = "application/json",
  ["x.wasm"] = "application/wasm",
  ["x.woff2"] = "font/woff2",
  ["x.webmanifest"] = "application/manifest+json",
  ["x.txt"] = "text/plain; charset=utf-8",
  ["x.unknown"] = "application/octet-stream",
  ["x"] = "application/octet-stream",
  ["x."] = "application/octet-stream",
  ["html"] = "application/octet-stream",
}

local function write(path, text)
  os.execute(("mkdir -p '%s'"):format(path:match("^(.*)/")))
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("static files", function()
  local broker, dir

  setup(function()
    dir = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-XXXXXX"))
    for name, text in pairs(files) do
      write(dir .. "/" .. name, text)
    end
    for name in pairs(types) do
      write(dir .. "/public/types/" .. name, "x")
    end
    for name, to in pairs(links) do
      assert(uv.fs_symlink(to, dir .. "/" .. name))
    end
    assert(os.execute(("mkfifo '%s/public/pipe'"):format(dir)))
    broker = Broker.start { text = app, dir = dir }
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  --- One answer, on a connection that must still be good for another request.
  local function ask(method, target, ...)
    local socket = broker:socket()
    socket:send(raw.head(method .. " " .. target .. " HTTP/1.1", "Host: test", ...))
    local response = http.read_response(socket, method)
    if response.headers["connection"] ~= "close" then
      socket:send(raw.head("GET /hit HTTP/1.1", "Host: test"))
      assert.equal("hit", http.read_response(socket, "GET").body)
      assert.equal("", socket.received)
    end
    socket:close()
    return response
  end

  local function get(target, ...)
    return ask("GET", target, ...)
  end

  local function check_file(response, body)
    assert.equal(200, response.status, response.body)
    assert.equal(body, response.body)
    assert.equal(tostring(#body), response.headers["content-length"])
  end

  local function check_missing(response)
    assert.equal(404, response.status, response.body)
    assert.equal("not_found", response:json().error.code)
  end

  describe("are served", function()
    for name, kind in pairs(types) do
      it(("as what they are: %s"):format(name), function()
        local response = get("/files/types/" .. name)
        check_file(response, "x")
        assert.equal(kind, response.headers["content-type"])
        assert.equal("nosniff", response.headers["x-content-type-options"])
      end)
    end

    it("whole, and also when they are empty", function()
      check_file(get "/files/a.txt", digits)
      check_file(get "/files/empty.txt", "")
    end)

    it("whatever their names hold", function()
      check_file(get "/files/sp%20ace.txt", "space")
      check_file(get "/files/%C3%BCml%C3%A4ut.txt", "umlaut")
      check_file(get "/files/100%25.txt", "percent")
      check_file(get "/files/back%5Cslash.txt", "backslash")
    end)

    it("whatever their query says", function()
      check_file(get "/files/a.txt?v=1", digits)
    end)

    it("from directories below", function()
      check_file(get "/files/sub/b.txt", "b")
    end)

    it("from the longest prefix that fits", function()
      check_file(get "/files/deep/er/d.txt", "d")
      check_missing(get "/files/deep/d.txt")
    end)

    it("where neither a route nor the broker answers", function()
      assert.equal("route", get("/files/route").body)
      assert.equal("ok", get("/healthz"):json().status)
      assert.equal(405, get("/files/post-only").status)
    end)

    it("through links that stay inside", function()
      check_file(get "/files/inside.txt", "b")
      check_file(get "/files/inside-up.txt", digits)
      check_file(get "/files/inside-dir/b.txt", "b")
    end)

    it("several in one write, in order", function()
      local socket = broker:socket()
      local text = ""
      for _, name in ipairs { "a.txt", "sub/b.txt", "nothing", "a.txt", "empty.txt", "sub/" } do
        text = text .. raw.head("GET /files/" .. name .. " HTTP/1.1", "Host: test")
      end
      socket:send(text)
      local bodies = {}
      for i, response in ipairs(raw.read(socket, 6)) do
        bodies[i] = response.status == 200 and response.body or response.status
      end
      assert.same({ digits, "b", 404, digits, "", "<h1>sub</h1>" }, bodies)
      socket:close()
    end)
  end)

  describe("are kept by caches", function()
    local lasting = "public, max-age=31536000, immutable"

    local function kept(target, ...)
      return get(target, ...).headers["cache-control"]
    end

    it("for good, below the folder whose names change with the files", function()
      assert.equal(lasting, kept "/built/assets/index-B1x2Y3z4.js")
      assert.equal(lasting, kept("/built/assets/index-B1x2Y3z4.js", "Range: bytes=0-1"))
      assert.equal(lasting, kept "/built/assets/shell.html")
      local etag = get("/built/assets/index-B1x2Y3z4.js").headers.etag
      local again = get("/built/assets/index-B1x2Y3z4.js", "If-None-Match: " .. etag)
      assert.same({ 304, lasting }, { again.status, again.headers["cache-control"] })
    end)

    it("until they are asked for anew, all others", function()
      for _, target in ipairs { "/built/", "/built/index.html", "/built/assets.txt", "/files/a.txt", "/spa/any" } do
        assert.equal("no-cache", kept(target), target)
      end
      assert.equal("no-cache", kept("/built/assets/index-B1x2Y3z4.js", "Range: bytes=99-"))
    end)

    it("not for good, in the place of one that is not there", function()
      local response = get "/built/assets/index-00000000.js"
      check_file(response, "<h1>shell</h1>")
      assert.equal("no-cache", response.headers["cache-control"])
    end)
  end)

  describe("that are directories", function()
    it("are answered with their index.html", function()
      local response = get "/files/sub/"
      check_file(response, "<h1>sub</h1>")
      assert.equal("text/html; charset=utf-8", response.headers["content-type"])
      check_file(get "/files/", "<h1>top</h1>")
      check_file(get "/", "<h1>root</h1>")
      check_file(get "/files/inside-dir/", "<h1>sub</h1>")
    end)

    for target, location in pairs {
      ["/files/sub"] = "/files/sub/",
      ["/files/inside-dir"] = "/files/inside-dir/",
      ["/files/%73ub"] = "/files/%73ub/",
      ["/files"] = "/files/",
      ["/spa"] = "/spa/",
    } do
      it("get their slash first: " .. target, function()
        local response = get(target)
        assert.equal(308, response.status)
        assert.equal(location, response.headers["location"])
        assert.equal("", response.body)
      end)
    end

    it("get their slash and keep their query", function()
      assert.equal("/files/sub/?a=1&b", get("/files/sub?a=1&b").headers["location"])
    end)

    it("do not exist without an index.html", function()
      check_missing(get "/files/bare/")
      check_missing(get "/files/odd/")
    end)
  end)

  describe("that are not there", function()
    for _, target in ipairs {
      "/files/nothing", "/files/nothing/", "/files/sub/nothing.txt", "/files/a.txt/", "/files/a.txt/b", "/files/A.TXT",
      "/files/a.txt%20", "/files/a.txt.", "/files/" .. ("n"):rep(300), "/files/" .. ("n/"):rep(60), "/filesa.txt",
      "/files/dangling", "/files/loop", "/files/pipe", "/nothing",
    } do
      it("are 404: " .. target:sub(1, 40), function()
        check_missing(get(target))
      end)
    end
  end)

  describe("with a fallback", function()
    for _, target in ipairs { "/spa/nothing", "/spa/some/route", "/spa/a.txt/b", "/spa/bare/", "/spa/.secret" } do
      it("answer with it where there is none: " .. target, function()
        local response = get(target)
        check_file(response, "<h1>top</h1>")
        assert.equal("text/html; charset=utf-8", response.headers["content-type"])
      end)
    end

    it("are served where there are some", function()
      check_file(get "/spa/a.txt", digits)
      check_file(get "/spa/sub/", "<h1>sub</h1>")
      assert.equal(308, get("/spa/sub").status)
    end)
  end)

  describe("that are hidden or outside", function()
    for _, target in ipairs {
      "/files/.secret", "/files/%2esecret", "/files/.git/config", "/files/%2Egit/config", "/files/sub/.hidden",
      "/files/sub/%2ehidden", "/files/.git/", "/files/.git",
      "/files/outside.txt", "/files/outside-absolute.txt", "/files/outside-dir/outside.txt",
      "/files/outside-dir/public/a.txt", "/files/outside-root/etc/passwd", "/files/sub/outside-far.txt",
      "/files/inside-dir/outside-far.txt",
      "/files/../outside.txt", "/files/%2e%2e/outside.txt", "/files/.%2e/outside.txt", "/files/%2E./outside.txt",
      "/files/sub/../../outside.txt", "/files/sub/%2e%2e/%2e%2e/outside.txt", "/files/./../outside.txt",
      "/files//../outside.txt", "/files/../../../../../../etc/passwd",
      "/files/..%2foutside.txt", "/files/%2e%2e%2foutside.txt", "/files/sub%2f..%2f..%2foutside.txt",
      "/files/..%5coutside.txt", "/files/%2e%2e%5coutside.txt", "/files/sub%5c..%5c..%5coutside.txt",
      "/files/..%252foutside.txt", "/files/%252e%252e/outside.txt", "/files/%252e%252e%252foutside.txt",
      "/files/%c0%ae%c0%ae/outside.txt", "/files/%c0%ae%c0%ae%c0%afoutside.txt", "/files/..%c0%afoutside.txt",
      "/files/%e0%80%ae%e0%80%ae/outside.txt", "/files/%uff0e%uff0e/outside.txt", "/files/\u{2024}\u{2024}/outside.txt",
      "/files/%ef%bc%8e%ef%bc%8e/outside.txt",
      "/files/....//outside.txt", "/files/...//outside.txt", "/files/..;/outside.txt", "/files/..%00/outside.txt",
      "/files/a.txt%00.html", "/files/%00", "/files/..\\outside.txt",
      "/files//etc/passwd", "/files///etc/passwd", "/files/%2fetc/passwd", "/files/%2Fetc%2Fpasswd", "/%2fetc%2fpasswd",
      "//etc/passwd", "/files%2f..%2foutside.txt", "/files%2fa.txt", "/files-other/x.txt", "/filesx/../outside.txt",
      "/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "http://test/../outside.txt",
      "http://test/files/%2e%2e/outside.txt", "file:///etc/passwd", "/files/outside-dir/", "/files/outside-root/",
      "/app.lua", "/files/../app.lua", "/app.db",
    } do
      it("are not served: " .. target, function()
        local response = get(target)
        assert.is_true(response.status == 404 or response.status == 400, response.status .. " " .. response.body)
        assert.is_nil(response.body:find(outside, 1, true))
        assert.is_nil(response.body:find("root:", 1, true))
        assert.truthy(response:json().error.code)
      end)
    end

    it("are not served as a fallback either", function()
      for _, target in ipairs { "/spa/outside.txt", "/spa/outside-absolute.txt", "/spa/.git/config", "/spa/.secret" } do
        assert.is_nil(get(target).body:find(outside, 1, true))
        assert.is_nil(get(target).body:find("root:", 1, true))
      end
    end)
  end)

  describe("are not sent again", function()
    local tag, modified

    setup(function()
      local response = get "/files/a.txt"
      tag, modified = response.headers["etag"], response.headers["last-modified"]
    end)

    it("to a client that asks for changes: it has a tag and a date for that", function()
      assert.truthy(tag:match('^"[^"]+"$'))
      assert.truthy(modified:match("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"))
      assert.equal("no-cache", get("/files/a.txt").headers["cache-control"])
    end)

    local function check_same(response)
      assert.equal(304, response.status)
      assert.equal("", response.body)
      assert.equal(tag, response.headers["etag"])
      assert.equal(modified, response.headers["last-modified"])
      assert.is_nil(response.headers["content-length"])
      assert.is_nil(response.headers["content-range"])
    end

    it("to one that has the tag", function()
      check_same(get("/files/a.txt", "If-None-Match: " .. tag))
      check_same(get("/files/a.txt", "If-None-Match: W/" .. tag))
      check_same(get("/files/a.txt", 'If-None-Match: "x", W/"y",' .. tag .. ' , "z"'))
      check_same(get("/files/a.txt", "If-None-Match: *"))
      check_same(ask("HEAD", "/files/a.txt", "If-None-Match: " .. tag))
      check_same(get("/files/a.txt", "If-None-Match: " .. tag, "Range: bytes=0-1"))
    end)

    it("but are to one that has another tag", function()
      check_file(get("/files/a.txt", 'If-None-Match: "x"'), digits)
      check_file(get("/files/a.txt", "If-None-Match: " .. tag:sub(2, -2)), digits)
      check_file(get("/files/empty.txt", "If-None-Match: " .. tag), "")
    end)

    it("to one that has the date, and no tag", function()
      check_same(get("/files/a.txt", "If-Modified-Since: " .. modified))
      check_file(get("/files/a.txt", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"), digits)
      check_file(get("/files/a.txt", "If-Modified-Since: yesterday"), digits)
      check_file(get("/files/a.txt", "If-Modified-Since: " .. modified, 'If-None-Match: "x"'), digits)
    end)

    it("until they change", function()
      write(dir .. "/public/changing.txt", "one")
      local first = get("/files/changing.txt").headers["etag"]
      write(dir .. "/public/changing.txt", "two")
      local second = get("/files/changing.txt", "If-None-Match: " .. first)
      check_file(second, "two")
      assert.not_equal(first, second.headers["etag"])
    end)
  end)

  describe("in part", function()
    for range, part in pairs {
      ["0-0"] = { 0, 0 },
      ["0-3"] = { 0, 3 },
      ["4-6"] = { 4, 6 },
      ["9-9"] = { 9, 9 },
      ["5-"] = { 5, 9 },
      ["0-"] = { 0, 9 },
      ["-3"] = { 7, 9 },
      ["-1"] = { 9, 9 },
      ["-10"] = { 0, 9 },
      ["-999"] = { 0, 9 },
      ["8-999"] = { 8, 9 },
      ["3-18446744073709551615"] = { 3, 9 },
    } do
      it("are served: " .. range, function()
        local response = get("/files/a.txt", "Range: bytes=" .. range)
        assert.equal(206, response.status)
        assert.equal(digits:sub(part[1] + 1, part[2] + 1), response.body)
        assert.equal(("bytes %d-%d/10"):format(part[1], part[2]), response.headers["content-range"])
        assert.equal("text/plain; charset=utf-8", response.headers["content-type"])
        assert.truthy(response.headers["etag"])
      end)
    end

    for _, range in ipairs { "10-", "10-12", "999-", "18446744073709551615-", "-0" } do
      it("do not exist: " .. range, function()
        local response = get("/files/a.txt", "Range: bytes=" .. range)
        assert.equal(416, response.status)
        assert.equal("bytes */10", response.headers["content-range"])
        assert.equal("range_not_satisfiable", response:json().error.code)
      end)
    end

    it("do not exist of an empty file", function()
      assert.equal(416, get("/files/empty.txt", "Range: bytes=0-").status)
      assert.equal(416, get("/files/empty.txt", "Range: bytes=-1").status)
    end)

    for _, range in ipairs {
      "bytes=0-1,3-4", "bytes=0-1, 3-4", "bytes=0-0,-1", "items=0-1", "bytes", "bytes=", "bytes=-", "bytes=a-b",
      "bytes=5-2", "bytes=1-2x", "bytes=1", "bytes=--1", "bytes=+1-2", "bytes 0-1", "bytes=18446744073709551616-",
    } do
      it("are served whole, where it is not one good range: " .. range, function()
        check_file(get("/files/a.txt", "Range: " .. range), digits)
      end)
    end

    it("are served if they are still the same", function()
      local whole = get "/files/a.txt"
      local function status(condition)
        return get("/files/a.txt", "Range: bytes=0-1", "If-Range: " .. condition).status
      end
      assert.equal("bytes", whole.headers["accept-ranges"])
      assert.equal(206, status(whole.headers["etag"]))
      assert.equal(206, status(whole.headers["last-modified"]))
      assert.equal(200, status('"x"'))
      assert.equal(200, status("W/" .. whole.headers["etag"]))
      assert.equal(200, status("Thu, 01 Jan 1970 00:00:00 GMT"))
    end)
  end)

  describe("to other methods", function()
    it("HEAD: headers and no body", function()
      for _, target in ipairs { "/files/a.txt", "/files/sub/", "/files/empty.txt", "/files/nothing", "/files/sub" } do
        local by_get, by_head = get(target), ask("HEAD", target)
        assert.equal(by_get.status, by_head.status)
        assert.equal("", by_head.body)
        for _, name in ipairs { "content-length", "content-type", "etag", "last-modified", "location" } do
          assert.equal(by_get.headers[name], by_head.headers[name], name)
        end
      end
      assert.equal(200, ask("HEAD", "/files/a.txt", "Range: bytes=0-1").status)
    end)

    it("POST, PUT, PATCH, DELETE: 405, whether there is a file or not", function()
      for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
        for _, target in ipairs { "/files/a.txt", "/files/nothing", "/files/" } do
          local response = ask(method, target)
          assert.equal(405, response.status)
          assert.equal("GET, HEAD, OPTIONS", response.headers["allow"])
        end
      end
      check_file(get "/files/a.txt", digits)
    end)

    it("OPTIONS: the others", function()
      local response = ask("OPTIONS", "/files/a.txt")
      assert.equal(204, response.status)
      assert.equal("GET, HEAD, OPTIONS", response.headers["allow"])
    end)
  end)

  describe("that are large", function()
    local size = 12 * 1024 * 1024
    local text

    setup(function()
      local seed = {}
      for i = 1, 4096 do
        seed[i] = string.char(math.random(0, 255))
      end
      text = table.concat(seed):rep(size // 4096)
      write(dir .. "/public/large.bin", text)
    end)

    local function start()
      local socket = broker:socket()
      socket.handle:recv_buffer_size(65536)
      socket:send(raw.head("GET /files/large.bin HTTP/1.1", "Host: test"))
      socket:wait_for("\r\n\r\n")
      return socket
    end

    local function descriptors()
      local count, listing = 0, uv.fs_scandir(("/proc/%d/fd"):format(broker.pid))
      while uv.fs_scandir_next(listing) do
        count = count + 1
      end
      return count
    end

    it("reach a slow reader whole, while others are answered at once", function()
      local socket = start()
      raw.sip(socket, 1024 * 1024, 30)
      local slowest, answers = 0, 0
      local function done()
        return socket.closed or socket.taken >= size + #socket.pieces[1]:match("^.-\r\n\r\n")
      end
      while not done() do
        local from = wait.now()
        assert.equal("hit", broker:request("GET", "/hit").body)
        check_file(broker:request("GET", "/files/a.txt"), digits)
        slowest, answers = math.max(slowest, wait.now() - from), answers + 1
      end
      socket.received = table.concat(socket.pieces)
      local response = http.take_response(socket, "GET")
      assert.is_true(response.body == text)
      assert.is_true(answers >= 10, answers .. " answers meanwhile")
      assert.is_true(slowest < 1000, slowest .. " ms for a short answer")
      socket:close()
    end)

    it("reach many readers at once", function()
      local before = descriptors()
      local sockets = {}
      for i = 1, 8 do
        sockets[i] = start()
        raw.sip(sockets[i], 4 * 1024 * 1024, 10)
      end
      for _, socket in ipairs(sockets) do
        wait.until_true("the whole", function() return socket.closed or socket.taken > size end)
        socket:close()
      end
      raw.wait_metric(broker, "connections", 1)
      assert.is_true(descriptors() <= before + 1)
    end)

    it("leave nothing behind when their readers leave", function()
      raw.wait_metric(broker, "connections", 1)
      local before = descriptors()
      for _ = 1, 30 do
        local socket = start()
        socket:pause()
        socket:close()
      end
      raw.wait_metric(broker, "connections", 1)
      wait.until_true("the files to be closed", function() return descriptors() <= before + 1 end)
    end)

    it("that shrink on the way end the connection instead of the promise", function()
      write(dir .. "/public/shrinking.bin", text)
      local socket = broker:socket()
      socket.handle:recv_buffer_size(65536)
      socket:send(raw.head("GET /files/shrinking.bin HTTP/1.1", "Host: test"))
      socket:wait_for("\r\n\r\n")
      socket:pause()
      write(dir .. "/public/shrinking.bin", "short")
      raw.sip(socket, size, 10)
      socket:wait_closed()
      assert.is_true(socket.taken < size)
      socket:close()
    end)

    it("are served in part from their middle", function()
      local response = get("/files/large.bin", ("Range: bytes=%d-%d"):format(size // 2 + 1, size - 2))
      assert.equal(206, response.status)
      assert.is_true(response.body == text:sub(size // 2 + 2, size - 1))
    end)
  end)
end)
