-- What the guard refuses, byte for byte: each request alone, with another one behind it, and one byte at a time. None
-- of them may reach the script, and nothing behind a refused request is ever read as a request.

local Broker = require "support.broker"
local Socket = require "support.socket"
local raw = require "support.raw"

local app = [[
local app = require("pillar").app()
app:anonymous()
app:get("/hit", function() return "hit" end)
app:post("/hit", function(req) return req.body end)
return app
]]

local head = raw.head
local behind = head("GET /hit?smuggled HTTP/1.1", "Host: test")

local function get(...)
  return head("GET /hit HTTP/1.1", "Host: test", ...)
end

local function target(text)
  return head("GET " .. text .. " HTTP/1.1", "Host: test")
end

local function line(text)
  return head(text, "Host: test")
end

local function host(...)
  return head("GET /hit HTTP/1.1", ...)
end

local function post(...)
  return head("POST /hit HTTP/1.1", "Host: test", ...)
end

local function length(text)
  return post("Content-Length: " .. text) .. "hello"
end

local function coding(text)
  return post("Transfer-Encoding: " .. text) .. "5\r\nhello\r\n0\r\n\r\n"
end

local function chunks(text)
  return post("Transfer-Encoding: chunked") .. text
end

local bad = "bad_request"

-- name, bytes, status, code
local groups = {
  { "a bare LF", {
    { "behind the request line", "GET /hit HTTP/1.1\nHost: test\r\n\r\n", 400, bad },
    { "behind a field", "GET /hit HTTP/1.1\r\nHost: test\nX-A: 1\r\n\r\n", 400, bad },
    { "as the empty line", "GET /hit HTTP/1.1\r\nHost: test\r\n\n", 400, bad },
    { "everywhere", "GET /hit HTTP/1.1\nHost: test\n\n", 400, bad },
    { "before the request line", "\n" .. get(), 400, bad },
    { "in a field's value", get("X-A: one\ntwo"), 400, bad },
    { "that hides a Content-Length", get("X-A: one\nContent-Length: 5"), 400, bad },
    { "behind a chunk's size", chunks "5\nhello\r\n0\r\n\r\n", 400, bad },
    { "behind a chunk's data", chunks "5\r\nhello\n0\r\n\r\n", 400, bad },
    { "behind the last chunk's size", chunks "5\r\nhello\r\n0\n\r\n", 400, bad },
    { "at the end of a chunked body", chunks "5\r\nhello\r\n0\r\n\n", 400, bad },
    { "behind a trailer", chunks "5\r\nhello\r\n0\r\nX-A: 1\n\r\n", 400, bad },
    { "in a chunk extension", chunks "5;a\n\r\nhello\r\n0\r\n\r\n", 400, bad },
  } },
  { "a bare CR", {
    { "behind the request line", "GET /hit HTTP/1.1\rHost: test\r\n\r\n", 400, bad },
    { "doubled", "GET /hit HTTP/1.1\r\r\nHost: test\r\n\r\n", 400, bad },
    { "in a field's value", get("X-A: one\rtwo"), 400, bad },
    { "in a field's name", get("X\rA: one"), 400, bad },
    { "before a field", "GET /hit HTTP/1.1\r\n\rHost: test\r\n\r\n", 400, bad },
    { "before the request line", "\r" .. get(), 400, bad },
    { "in the target", target "/hit\r", 400, bad },
    { "in the empty line", "GET /hit HTTP/1.1\r\nHost: test\r\n\r\r\n", 400, bad },
    { "behind a chunk's size", chunks "5\rhello\r\n0\r\n\r\n", 400, bad },
    { "behind a chunk's data", chunks "5\r\nhello\r0\r\n\r\n", 400, bad },
    { "in a chunk extension", chunks "5;a\rb\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "in a trailer", chunks "0\r\nX-A: 1\r2\r\n\r\n", 400, bad },
    { "at the end of a chunked body", chunks "0\r\n\r\r\n", 400, bad },
  } },
  { "a folded field", {
    { "with a space", get("X-A: one", " two"), 400, bad },
    { "with a tab", get("X-A: one", "\ttwo"), 400, bad },
    { "that is empty", get("X-A: one", " "), 400, bad },
    { "as the first", head("GET /hit HTTP/1.1", " Host: test"), 400, bad },
    { "that looks like a field", get("X-A: one", " Content-Length: 5"), 400, bad },
    { "among the trailers", chunks "0\r\nX-A: 1\r\n two\r\n\r\n", 400, bad },
  } },
  { "a malformed field", {
    { "space before the colon", host("Host : test"), 400, bad },
    { "tab before the colon", host("Host\t: test"), 400, bad },
    { "space before the colon of Transfer-Encoding", post("Transfer-Encoding : chunked") .. "0\r\n\r\n", 400, bad },
    { "space before the colon of Content-Length", post("Content-Length : 5") .. "hello", 400, bad },
    { "space in the name", get("X A: 1"), 400, bad },
    { "no name", get(": 1"), 400, bad },
    { "no colon", get("X-A"), 400, bad },
    { "parenthesis in the name", get("X(A): 1"), 400, bad },
    { "at sign in the name", get("X@A: 1"), 400, bad },
    { "quote in the name", get('"X-A": 1'), 400, bad },
    { "8-bit name", get("X-\xc3\xa4: 1"), 400, bad },
    { "control character in the name", get("X\x01A: 1"), 400, bad },
    { "control character in the value", get("X-A: \x1b[1m"), 400, bad },
    { "DEL in the value", get("X-A: \x7f"), 400, bad },
    { "vertical tab in the value", get("X-A: one\vtwo"), 400, bad },
    { "space before the colon of a trailer", chunks "0\r\nX-A : 1\r\n\r\n", 400, bad },
    { "a coding in a trailer's longer name", chunks "0\r\nTransfer-Encodings: 1\r\n\r\n", 400, bad },
    { "a length in a trailer", chunks "0\r\nContent-Length: 5\r\n\r\n", 400, bad },
    { "a coding in a trailer", chunks "0\r\nX-A: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400, bad },
    { "a trailer without a colon", chunks "0\r\nX-A\r\n\r\n", 400, bad },
    { "a trailer without a name", chunks "0\r\n: 1\r\n\r\n", 400, bad },
    { "control character in a trailer", chunks "0\r\nX-A: \x01\r\n\r\n", 400, bad },
  } },
  { "Transfer-Encoding", {
    { "gzip", coding "gzip", 501, "not_implemented" },
    { "identity", coding "identity", 501, "not_implemented" },
    { "nothing", coding "", 501, "not_implemented" },
    { "chunked twice in a list", coding "chunked, chunked", 501, "not_implemented" },
    { "chunked twice in two fields", coding "chunked\r\nTransfer-Encoding: chunked", 400, bad },
    { "gzip and chunked in a list", coding "gzip, chunked", 501, "not_implemented" },
    { "chunked and gzip in a list", coding "chunked, gzip", 501, "not_implemented" },
    { "identity and chunked in two fields", coding "identity\r\nTransfer-Encoding: chunked", 501, "not_implemented" },
    { "chunked and identity in two fields", coding "chunked\r\nTransfer-Encoding: identity", 400, bad },
    { "Chunked", coding "Chunked", 501, "not_implemented" },
    { "CHUNKED", coding "CHUNKED", 501, "not_implemented" },
    { "chunked with a comma", coding "chunked,", 501, "not_implemented" },
    { "chunked with a comma before", coding ",chunked", 501, "not_implemented" },
    { "chunked with a parameter", coding "chunked;q=1", 501, "not_implemented" },
    { "chunked in quotes", coding '"chunked"', 501, "not_implemented" },
    { "xchunked", coding "xchunked", 501, "not_implemented" },
    { "chunkedx", coding "chunkedx", 501, "not_implemented" },
    { "chunked behind a vertical tab", coding "\vchunked", 400, bad },
    { "chunked behind a no-break space", coding "\xc2\xa0chunked", 501, "not_implemented" },
    { "chunked with a tab behind it", coding "chunked\t", 400, bad },
    { "under a longer name", post("Transfer-Encodings: chunked") .. "0\r\n\r\n", 400, bad },
    { "in HTTP/1.0", head("POST /hit HTTP/1.0", "Transfer-Encoding: chunked") .. "0\r\n\r\n", 400, bad },
    { "in HTTP/1.0 with Content-Length",
      head("POST /hit HTTP/1.0", "Transfer-Encoding: chunked", "Content-Length: 5") .. "0\r\n\r\n", 400, bad },
    { "before Content-Length", coding "chunked\r\nContent-Length: 5", 400, bad },
    { "behind Content-Length", post("Content-Length: 5", "Transfer-Encoding: chunked") .. "0\r\n\r\n", 400, bad },
    { "with Content-Length 0", post("Content-Length: 0", "Transfer-Encoding: chunked") .. "0\r\n\r\n", 400, bad },
    { "gzip on a GET", get("Transfer-Encoding: gzip"), 501, "not_implemented" },
  } },
  { "a chunk", {
    { "without a size", chunks "\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "whose size is no number", chunks "g\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "whose size says 0x", chunks "0x5\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "whose size is negative", chunks "-5\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "whose size is signed", chunks "+5\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "with a space before its size", chunks " 5\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "with a space behind its size", chunks "5 \r\nhello\r\n0\r\n\r\n", 400, bad },
    { "with a tab behind its size", chunks "5\t;a\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "longer than its size", chunks "4\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "shorter than its size", chunks "6\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "larger than the limit", chunks "1001\r\n", 413, "body_too_large" },
    { "of 2^32 bytes", chunks "100000000\r\n", 413, "body_too_large" },
    { "of 2^63 bytes", chunks "8000000000000000\r\n", 413, "body_too_large" },
    { "of 2^64 - 1 bytes", chunks "ffffffffffffffff\r\n", 413, "body_too_large" },
    { "of 2^64 bytes", chunks "10000000000000000\r\n", 413, "body_too_large" },
    { "of 2^64 + 5 bytes", chunks "10000000000000005\r\nhello\r\n0\r\n\r\n", 413, "body_too_large" },
    { "with too many zeros", chunks("5\r\nhello\r\n" .. ("0"):rep(16) .. "\r\n\r\n"), 413, "body_too_large" },
    { "that makes the body larger than the limit",
      chunks("800\r\n" .. ("x"):rep(0x800) .. "\r\n801\r\n"), 413, "body_too_large" },
    { "with an extension beyond measure", chunks("5;" .. ("e"):rep(300) .. "\r\nhello\r\n0\r\n\r\n"), 400, bad },
    { "with an extension without end", chunks("5;" .. ("e"):rep(4000)), 400, bad },
  } },
  { "a chunked body", {
    { "with too many extensions", chunks((("1;" .. ("e"):rep(200) .. "\r\nx\r\n"):rep(20))), 431, "headers_too_large" },
    { "in too many pieces", chunks(("1\r\nx\r\n"):rep(700)), 431, "headers_too_large" },
    { "with too many trailers", chunks("0\r\n" .. ("X: 1\r\n"):rep(21) .. "\r\n"), 431, "too_many_headers" },
    { "with trailers too large", chunks("0\r\nX-A: " .. ("v"):rep(4000)), 431, "headers_too_large" },
    { "with a trailer's name too large", chunks("0\r\n" .. ("n"):rep(4000)), 431, "headers_too_large" },
    { "with trailers that together are too large", chunks("0\r\n" .. ("X-A: " .. ("v"):rep(300) .. "\r\n"):rep(12)),
      431, "headers_too_large" },
  } },
  { "Content-Length", {
    { "2^31", length "2147483648", 413, "body_too_large" },
    { "2^32 + 5", length "4294967301", 413, "body_too_large" },
    { "2^63 - 1", length "9223372036854775807", 413, "body_too_large" },
    { "2^63", length "9223372036854775808", 413, "body_too_large" },
    { "2^64 - 1", length "18446744073709551615", 413, "body_too_large" },
    { "2^64", length "18446744073709551616", 413, "body_too_large" },
    { "2^64 + 5", length "18446744073709551621", 413, "body_too_large" },
    { "of forty digits", length(("9"):rep(40)), 413, "body_too_large" },
    { "one above the limit", length "4097", 413, "body_too_large" },
    { "negative", length "-5", 400, bad },
    { "minus zero", length "-0", 400, bad },
    { "signed", length "+5", 400, bad },
    { "empty", length "", 400, bad },
    { "two numbers", length "5 5", 400, bad },
    { "a list of equal numbers", length "5, 5", 400, bad },
    { "a list without a space", length "5,5", 400, bad },
    { "a list of different numbers", length "5, 6", 400, bad },
    { "with a comma", length "5,", 400, bad },
    { "hexadecimal", length "0x5", 400, bad },
    { "with a point", length "5.0", 400, bad },
    { "with an exponent", length "5e0", 400, bad },
    { "with a group separator", length "1_0", 400, bad },
    { "a word", length "five", 400, bad },
    { "in Arabic digits", length "\xd9\xa5", 400, bad },
    { "behind a vertical tab", length "\v5", 400, bad },
    { "with a tab behind it", length "5\t", 400, bad },
    { "twice, different", length "5\r\nContent-Length: 6", 400, bad },
    { "twice, equal", length "5\r\nContent-Length: 5", 400, bad },
    { "twice on a GET", get("Content-Length: 0", "Content-Length: 5"), 400, bad },
  } },
  { "the version", {
    { "HTTP/2.0", line "GET /hit HTTP/2.0", 505, "version_not_supported" },
    { "HTTP/3.0", line "GET /hit HTTP/3.0", 505, "version_not_supported" },
    { "HTTP/1.2", line "GET /hit HTTP/1.2", 505, "version_not_supported" },
    { "HTTP/1.9", line "GET /hit HTTP/1.9", 505, "version_not_supported" },
    { "HTTP/0.9", line "GET /hit HTTP/0.9", 505, "version_not_supported" },
    { "HTTP/0.0", line "GET /hit HTTP/0.0", 505, "version_not_supported" },
    { "HTTP/1.10", line "GET /hit HTTP/1.10", 400, bad },
    { "HTTP/01.1", line "GET /hit HTTP/01.1", 400, bad },
    { "HTTP/1", line "GET /hit HTTP/1", 400, bad },
    { "HTTP/2", line "GET /hit HTTP/2", 400, bad },
    { "HTTP/1.", line "GET /hit HTTP/1.", 400, bad },
    { "HTTP/1,1", line "GET /hit HTTP/1,1", 400, bad },
    { "HTTP/+1.1", line "GET /hit HTTP/+1.1", 400, bad },
    { "http/1.1", line "GET /hit http/1.1", 400, bad },
    { "HTTPS/1.1", line "GET /hit HTTPS/1.1", 400, bad },
    { "ICE/1.0", line "GET /hit ICE/1.0", 400, bad },
    { "garbage", line "GET /hit garbage", 400, bad },
    { "nothing", line "GET /hit", 400, bad },
    { "nothing but a space", line "GET /hit ", 400, bad },
    { "a space behind it", line "GET /hit HTTP/1.1 ", 400, bad },
    { "a tab behind it", line "GET /hit HTTP/1.1\t", 400, bad },
  } },
  { "the request line", {
    { "with two spaces before the target", line "GET  /hit HTTP/1.1", 400, bad },
    { "with two spaces behind the target", line "GET /hit  HTTP/1.1", 400, bad },
    { "with tabs", line "GET\t/hit\tHTTP/1.1", 400, bad },
    { "with a space before the method", line " GET /hit HTTP/1.1", 400, bad },
    { "without a target", line "GET HTTP/1.1", 400, bad },
    { "with an empty target", line "GET  HTTP/1.1", 400, bad },
    { "with one word too many", line "GET /hit /hit HTTP/1.1", 400, bad },
    { "without anything", "\r\n\r\n", 400, bad },
    { "behind two empty lines", "\r\n\r\n" .. get(), 400, bad },
    { "with a method that is no token", line "G(ET /hit HTTP/1.1", 400, bad },
    { "with an 8-bit method", line "G\xc3\x8bT /hit HTTP/1.1", 400, bad },
    { "with a control character in the method", line "G\x01ET /hit HTTP/1.1", 400, bad },
    { "with an unknown method", line "BREW /hit HTTP/1.1", 501, "not_implemented" },
    { "with a method in lower case", line "get /hit HTTP/1.1", 501, "not_implemented" },
    { "with TRACE", line "TRACE /hit HTTP/1.1", 501, "not_implemented" },
    { "with CONNECT", line "CONNECT test:80 HTTP/1.1", 501, "not_implemented" },
    { "with CONNECT and a path", line "CONNECT /hit HTTP/1.1", 501, "not_implemented" },
    { "of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501, "not_implemented" },
    { "that is the beginning of a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, bad },
  } },
  { "Host", {
    { "missing", head("GET /hit HTTP/1.1", "X-A: 1"), 400, bad },
    { "missing, and no field at all", "GET /hit HTTP/1.1\r\n\r\n", 400, bad },
    { "missing with an absolute target", head("GET http://test/hit HTTP/1.1", "X-A: 1"), 400, bad },
    { "twice, equal", host("Host: test", "Host: test"), 400, bad },
    { "twice, different", host("Host: test", "Host: other"), 400, bad },
    { "twice in HTTP/1.0", head("GET /hit HTTP/1.0", "Host: test", "Host: test"), 400, bad },
    { "empty", host("Host:"), 400, bad },
    { "blank", host("Host: \t "), 400, bad },
    { "with a space", host("Host: a b"), 400, bad },
    { "with a slash", host("Host: test/hit"), 400, bad },
    { "with user information", host("Host: user@test"), 400, bad },
    { "with a query", host("Host: test?a"), 400, bad },
    { "with a fragment", host("Host: test#a"), 400, bad },
    { "with a quote", host('Host: "test"'), 400, bad },
    { "with a backslash", host("Host: test\\a"), 400, bad },
    { "with an angle bracket", host("Host: <test>"), 400, bad },
    { "with 8-bit characters", host("Host: t\xc3\xa4st"), 400, bad },
    { "malformed in HTTP/1.0", head("GET /hit HTTP/1.0", "Host: a b"), 400, bad },
    { "without a name", host("Host: :80"), 400, bad },
    { "with a port that is no number", host("Host: test:port"), 400, bad },
    { "with a port beyond 65535", host("Host: test:65536"), 400, bad },
    { "with two ports", host("Host: test:80:80"), 400, bad },
    { "with an open bracket", host("Host: [::1"), 400, bad },
    { "with brackets in the middle", host("Host: a[::1]"), 400, bad },
    { "with a malformed percent escape", host("Host: te%zzst"), 400, bad },
  } },
  { "the target", {
    { "//x", target "//x", 400, bad },
    { "//", target "//", 400, bad },
    { "//hit", target "//test/hit", 400, bad },
    { "with a fragment", target "/hit#a", 400, bad },
    { "with an empty fragment", target "/hit#", 400, bad },
    { "with a fragment in its query", target "/hit?a#b", 400, bad },
    { "that is a fragment", target "#a", 400, bad },
    { "with 8-bit characters", target "/h\xc3\xaft", 400, bad },
    { "with 8-bit characters in its query", target "/hit?a=\xff", 400, bad },
    { "with a control character", target "/hit\x01", 400, bad },
    { "with a DEL", target "/hit\x7f", 400, bad },
    { "with a tab", target "/hit\t", 400, bad },
    { "with a backslash", target "/hit\\", 400, bad },
    { "with a quote", target '/hit"', 400, bad },
    { "with angle brackets", target "/hit<a>", 400, bad },
    { "without a slash", target "hit", 400, bad },
    { "that is a query", target "?a=1", 400, bad },
    { "* with GET", target "*", 400, bad },
    { "* with something behind it", head("OPTIONS *x HTTP/1.1", "Host: test"), 400, bad },
    { "with another scheme", target "ftp://test/hit", 400, bad },
    { "with https", target "https://test/hit", 400, bad },
    { "with a scheme without a host", target "http://", 400, bad },
    { "with a scheme without a host, and a path", target "http:///hit", 400, bad },
    { "with a scheme and one slash", target "http:/hit", 400, bad },
    { "with user information", target "http://user@test/hit", 400, bad },
    { "that is an authority", target "test:80", 400, bad },
  } },
  { "NUL", {
    { "before the request line", "\0" .. get(), 400, bad },
    { "in the method", line "G\0ET /hit HTTP/1.1", 400, bad },
    { "in the target", target "/hit\0", 400, bad },
    { "in the query", target "/hit?a=\0", 400, bad },
    { "in the version", line "GET /hit HTTP/1.1\0", 400, bad },
    { "in a field's name", get("X\0A: 1"), 400, bad },
    { "in a field's value", get("X-A: 1\0"), 400, bad },
    { "in Host", host("Host: te\0st"), 400, bad },
    { "in Content-Length", length "5\0", 400, bad },
    { "in Transfer-Encoding", coding "chunked\0", 400, bad },
    { "between CR and LF", "GET /hit HTTP/1.1\r\0\nHost: test\r\n\r\n", 400, bad },
    { "in a chunk's size", chunks "5\0\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "in a chunk extension", chunks "5;\0\r\nhello\r\n0\r\n\r\n", 400, bad },
    { "behind a chunk's data", chunks "5\r\nhello\0\r\n0\r\n\r\n", 400, bad },
    { "in a trailer's name", chunks "0\r\nX\0: 1\r\n\r\n", 400, bad },
    { "in a trailer's value", chunks "0\r\nX-A: \0\r\n\r\n", 400, bad },
  } },
}

local ways = {
  { "alone", "", nil },
  { "with a request behind it", behind, nil },
  { "one byte at a time, with a request behind it", behind, 1 },
}

describe("the guard", function()
  local broker

  setup(function()
    broker = Broker.start {
      text = app,
      args = { "--max-header-bytes", "2KiB", "--max-headers", "20", "--max-body-bytes", "4KiB" },
    }
  end)

  teardown(function()
    Socket.close_all()
    broker:stop()
  end)

  local function check_refusal(bytes, size, status, code)
    local handlers, refused = broker:metric("handlers_total"), broker:metric("requests_refused_total")
    local responses = raw.talk(broker.port, bytes, { size = size })
    assert.equal(1, #responses, "one response, and then the connection is closed")
    local response = responses[1]
    assert.equal(status, response.status, response.body)
    assert.equal("close", response.headers["connection"])
    assert.equal("application/json", response.headers["content-type"])
    local body = response:json()
    assert.equal(code, body.error.code)
    assert.equal("string", type(body.error.message))
    assert.not_equal("", body.error.message)
    body.error.code, body.error.message = nil, nil
    assert.same({ error = {} }, body)
    assert.equal(handlers, broker:metric("handlers_total"), "it reached the script")
    assert.equal(refused + 1, broker:metric("requests_refused_total"))
  end

  for _, group in ipairs(groups) do
    describe("refuses " .. group[1], function()
      for _, case in ipairs(group[2]) do
        for _, way in ipairs(ways) do
          it(("%s, %s"):format(case[1], way[1]), function()
            check_refusal(case[2] .. way[2], way[3], case[3], case[4])
          end)
        end
      end
    end)
  end

  -- The same bytes but for what makes them bad: otherwise anything at all might be what is refused above.
  describe("lets pass", function()
    local good = {
      { "a GET", get(), "hit" },
      { "an empty line before the request line", "\r\n" .. get(), "hit" },
      { "fields with and without space around their values", get("X-A:1", "X-B: \t 2 \t ", "X-C:"), "hit" },
      { "8-bit field values", get("X-A: \xc3\xa4 \xff"), "hit" },
      { "every character of a token as a field's name", get("!#$%&'*+-.^_`|~09azAZ: 1"), "hit" },
      { "a body with a length", length "5", "hello" },
      { "a length with zeros before it", length "0005", "hello" },
      { "a length with space around it", length "   5   ", "hello" },
      { "a length at the limit", post("Content-Length: 4096") .. ("x"):rep(4096), ("x"):rep(4096) },
      { "a body of any bytes", length("5"):gsub("hello", "\0\r\n\xff\n"), "\0\r\n\xff\n" },
      { "a chunked body", coding "chunked", "hello" },
      { "a coding with space around it", coding "   chunked   ", "hello" },
      { "chunks of any case and with zeros", chunks "0A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n",
        "01234567890123456789" },
      { "a chunk extension", chunks "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n", "hello" },
      { "trailers", chunks "5\r\nhello\r\n0\r\nX-A: 1\r\nX-B:\r\n\r\n", "hello" },
      { "a chunked body at the limit", chunks("1000\r\n" .. ("x"):rep(4096) .. "\r\n0\r\n\r\n"), ("x"):rep(4096) },
      { "an IPv6 host", host("Host: [::1]:8080"), "hit" },
      { "a host with a port", host("Host: test.example:65535"), "hit" },
      { "a host without the port's number", host("Host: test:"), "hit" },
      { "HTTP/1.0 without Host", head("GET /hit HTTP/1.0", "Connection: keep-alive"), "hit" },
    }
    for _, case in ipairs(good) do
      for _, size in ipairs { false, 1 } do
        it(case[1] .. (size and ", one byte at a time" or ""), function()
          local socket = broker:socket()
          raw.send(socket, case[2] .. behind, size or nil)
          local responses = raw.read(socket, 2)
          socket:close()
          assert.equal(200, responses[1].status, responses[1].body)
          assert.equal(case[3], responses[1].body)
          assert.equal(200, responses[2].status)
          assert.equal("hit", responses[2].body)
        end)
      end
    end
  end)
end)
