-- A thousand connections come and go, of every kind, and nothing of them is left. With PILLAR_VALGRIND set, the broker
-- runs under valgrind, which makes a leak an exit status.

local Broker = require "support.broker"
local Socket = require "support.socket"
local http = require "support.http"
local wait = require "support.wait"

local valgrind = {
  "valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
  "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=9",
}

describe("a thousand connections", function()
  it("leave nothing behind", function()
    wait.patience = 120000
    local broker = Broker.start {
      script = "tests/e2e/apps/lab.lua",
      prefix = os.getenv("PILLAR_VALGRIND") and valgrind or nil,
      args = { "--loops", "2", "--handler-deadline", "60s" },
    }
    local kinds = {
      function() return broker:start_stream { query = "?user=ada" }.socket end,
      function() return broker:start_stream { query = "?user=ada&lastEventId=nonsense" }.socket end,
      function() return broker:start_stream {}.socket end,
      function() return broker:socket() end,
      function(i)
        return broker:start_request("POST", "/notes",
          { headers = { ["X-User"] = "ada" }, json = { body = "note " .. i } }).socket
      end,
      function()
        local socket = broker:socket()
        socket:send("GET /notes HTTP/1.1\r\nHost: x\r\nX-User: ada\r\n\r\nGET /text HTTP/1.1\r\nHo")
        return socket
      end,
      function()
        local socket = broker:socket()
        socket:send("POST /json HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        return socket
      end,
      function()
        local socket = broker:socket()
        socket:send("nonsense\r\n\r\n")
        return socket
      end,
      function()
        return http.start(broker.port, "GET", "/files/", {}).socket
      end,
      function()
        return broker:start_request("POST", "/raise",
          { headers = { ["X-User"] = "ada" }, json = { body = "x" } }).socket
      end,
    }
    for round = 1, 10 do
      local sockets = {}
      for i = 1, 100 do
        sockets[i] = kinds[i % #kinds + 1](round * 100 + i)
      end
      broker:request("GET", "/healthz")
      for i = 1, 100 do
        sockets[i]:close()
      end
    end
    wait.until_true("the connections to be gone", function() return broker:metric("connections") == 1 end)
    assert.is_true(broker:metric("connections_opened_total") > 1000)
    Socket.close_all()
    broker:stop() -- fails unless it ends with status 0, with valgrind's verdict and every handle closed
  end)
end)
