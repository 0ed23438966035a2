--- A disk of a test's own, that can be filled. It is a small tmpfs where the machine allows mounts (root, or user
--- namespaces): in a mount namespace of its own, so that it is gone with the last process that uses it. Elsewhere it is
--- a plain folder, and what fills it is a limit on the size of the broker's files, which gives EFBIG from the kernel.

local uv = require "luv"
local Broker = require "support.broker"
local wait = require "support.wait"

---@class Disk
---@field kind "tmpfs"|"limit"|"ext4"
---@field dir string as the broker sees it
local Disk = {}
Disk.__index = Disk

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("a")
  return pipe:close() == true, text
end

Disk.run = run

local is_root = run("test $(id -u) = 0")
local namespace = is_root and "-m" or "-rm"
local enter = is_root and "-m -r" or "-U -m -r --preserve-credentials"
Disk.is_root = is_root

--- Mounts it in a namespace that lasts as long as its standard input is open: a test that is killed leaves nothing.
local function mount(dir, how)
  local input, output = uv.new_pipe(false), uv.new_pipe(false)
  local said, holder = "", nil
  local pid
  holder, pid = uv.spawn("unshare", {
    args = { namespace, "--propagation", "private", "sh", "-c", how .. " && echo mounted && exec cat", "sh", dir },
    stdio = { input, output, nil },
  }, function() holder:close() end)
  if not holder then
    return nil
  end
  output:read_start(function(_, data) said = said .. (data or "ended\n") end)
  wait.until_true("a mount", function() return said:find("\n", 1, true) end)
  if said ~= "mounted\n" then
    input:close()
    output:close()
    return nil
  end
  return { input = input, output = output, pid = pid }
end

local function new(kind, how)
  local dir = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/pillar-disk-XXXXXX"))
  local holder = how and mount(dir, how)
  return setmetatable({ dir = dir, holder = holder, kind = holder and kind or "limit" }, Disk)
end

--- A disk of so many MiB, and how it is filled said where the tests are watched.
function Disk.new(mebibytes)
  local disk = new("tmpfs", ("mount -t tmpfs -o size=%dm tmpfs \"$1\""):format(mebibytes))
  io.write("[disk: ", disk.kind, "]")
  return disk
end

--- A file system of its own in a file, which can be made read-only by force; nil where the machine has no such thing.
function Disk.new_ext4()
  local image = os.tmpname()
  local disk = is_root and run("truncate -s 16M " .. image .. " && /sbin/mkfs.ext4 -q -F " .. image)
    and new("ext4", "mount -o loop " .. image .. " \"$1\"")
  os.remove(image)
  if disk and disk.kind ~= "ext4" then
    disk:remove()
    disk = nil
  end
  io.write("[disk: ", disk and disk.kind or "no ext4 in a file here", "]")
  return disk
end

--- A command that sees the disk.
function Disk:command(command)
  if not self.holder then
    return command
  end
  return ("nsenter -t %d %s %s"):format(self.holder.pid, enter, command)
end

--- The words to put before the broker's command, for Broker.start and Broker.spawn.
function Disk:prefix()
  local words = {}
  for word in self:command(""):gmatch("%S+") do
    words[#words + 1] = word
  end
  return #words > 0 and words or nil
end

--- A file of the disk, as the test sees it.
function Disk:path(name)
  return ("%s%s/%s"):format(self.holder and "/proc/" .. self.holder.pid .. "/root" or "", self.dir, name)
end

function Disk:start(options)
  options.prefix = options.prefix or self:prefix()
  options.database = "sqlite:" .. self.dir .. "/app.db"
  return Broker.start(options)
end

--- What another program reads in the database.
function Disk:sql(statement)
  local _, text = run(self:command(("sqlite3 '%s/app.db' \"%s\""):format(self.dir, statement)))
  return (text:gsub("\n$", ""))
end

local function size_of(path)
  local stat = uv.fs_stat(path)
  return stat and stat.size or 0
end

Disk.size_of = size_of

--- Takes all that is free. Where there is only a limit, `limit` is the size beyond which a file does not grow.
function Disk:fill(broker, limit)
  if self.kind == "limit" then
    assert(run(("prlimit --pid %d --fsize=%d:"):format(broker.pid, limit or 0)))
    return
  end
  local file = assert(io.open(self:path("ballast"), "w"))
  file:setvbuf("no")
  for _, size in ipairs { 1 << 20, 4096 } do
    local piece = ("x"):rep(size)
    while file:write(piece) do
    end
  end
  file:close()
end

function Disk:free(broker)
  if self.kind == "limit" then
    assert(run(("prlimit --pid %d --fsize=unlimited:"):format(broker.pid)))
  else
    assert(os.remove(self:path("ballast")))
  end
end

--- As the kernel does when it finds the file system broken.
function Disk:make_read_only()
  assert(run(self:command("mount -o remount,abort " .. self.dir)))
end

function Disk:remove()
  if self.holder then
    self.holder.input:close()
    self.holder.output:close()
    self.holder = nil
  end
  os.execute("rm -rf '" .. self.dir .. "'")
end

return Disk
