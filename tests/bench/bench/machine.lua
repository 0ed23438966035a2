--- The machine: which processors are used, and what is said of it beside the results.

local machine = {}

local function lines_of(path)
  local file = io.open(path)
  return file and file:lines() or function() end
end

local function processors()
  local count, model = 0, nil
  for line in lines_of "/proc/cpuinfo" do
    count = count + (line:find "^processor%s*:" and 1 or 0)
    model = model or line:match "^model name%s*:%s*(.-)%s*$"
  end
  return math.max(count, 1), model or "unknown processor"
end

--- The first line that a command prints, on whichever channel; "" where there is none.
local function said_by(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local line = pipe:read()
  return pipe:close() and line or ""
end

local count, model = processors()

-- A client that shares its server's processor still gives figures, though they mean little.
machine.server = "0"
machine.client = count > 1 and "1" or "0"
machine.both = count > 1 and "0,1" or "0"

local function memory_gib()
  for line in lines_of "/proc/meminfo" do
    local kib = line:match "^MemTotal:%s*(%d+)"
    if kib then
      return ("%.0f GiB"):format(tonumber(kib) / 1024 / 1024)
    end
  end
  return "unknown memory"
end

--- What the results were measured on, as one line of text.
function machine.describe()
  return ("%d × %s, %s, %s"):format(count, model, memory_gib(), said_by "uname -srm")
end

--- What was measured, as one line of text.
function machine.versions()
  local list = { "Pillar " .. said_by "git describe --always --dirty" }
  list[#list + 1] = said_by("nginx -v"):match "nginx/[%d.]+"
  local nchan = said_by("dpkg-query -W -f '${Version}' libnginx-mod-nchan"):match "^[^ ]*%d[^ ]*$"
  list[#list + 1] = nchan and "nchan " .. nchan
  list[#list + 1] = "Node " .. said_by "node --version"
  return table.concat(list, ", ")
end

return machine
