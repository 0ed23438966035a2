-- Counts what the core costs, and compares it with what is recorded.
--   lua5.4 check.lua instructions|memory FIGURES PROGRAM [--record]
-- Ends with 77, which ctest takes for a test that was skipped, where the recorded figures do not apply.
local kind, path, program, mode = table.unpack(arg)

local SKIPPED = 77
-- In percent. Memory is the same each time; instructions are too, but for what a small change elsewhere does to them.
local tolerance = kind == "instructions" and 5 or 0

-- The processor would choose among the C library's ways to copy and compare: all are to count the same one.
local environment = "env -i PATH=\"$PATH\" GLIBC_TUNABLES=glibc.cpu.hwcaps="
  .. "-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,-SSSE3,-SSE4_1,-SSE4_2,-ERMS,-FSRM"

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  if not pipe:close() then
    print("It failed: " .. command)
    os.exit(1)
  end
  return lines
end

-- A list of { name, value }, and the environment that they were counted in.
local function count_memory()
  local lines = lines_of(quoted(program))
  local figures = {}
  for i = 2, #lines do
    local value, name = lines[i]:match("^(%d+) (.+)$")
    figures[#figures + 1] = { name = name, value = tonumber(value) }
  end
  return figures, lines[1]
end

local function read_dumps(file)
  local figures = {}
  local units, name
  for line in io.lines(file) do
    local total = line:match("^summary: (%d+)")
    if line:find("^desc: Trigger: Client Request: ") then
      units, name = line:match("^desc: Trigger: Client Request: (%d+) (.+)$")
    elseif total and name then
      figures[#figures + 1] = { name = name, value = math.floor(tonumber(total) / tonumber(units) + 0.5) }
      name = nil
    end
  end
  return figures
end

local function count_instructions()
  local file = program .. ".callgrind"
  lines_of(environment .. " valgrind --quiet --tool=callgrind --collect-atstart=no --combine-dumps=yes"
    .. " --callgrind-out-file=" .. quoted(file) .. " " .. quoted(program))
  return read_dumps(file)
end

-- The file's sections in their order: a head, `[kind] environment`, and lines of a value and a name. What stands above
-- the first one is kept.
local function read_figures()
  local top, sections = {}, {}
  for line in io.lines(path) do
    local head, where = line:match("^%[(%w+)%] (.*)$")
    local value, name = line:match("^ *(%d+)  (.+)$")
    if head then
      sections[#sections + 1] = { kind = head, environment = where, figures = {} }
    elseif value then
      table.insert(sections[#sections].figures, { name = name, value = tonumber(value) })
    elseif #sections == 0 then
      top[#top + 1] = line
    end
  end
  return top, sections
end

local function section_of(sections)
  for _, section in ipairs(sections) do
    if section.kind == kind then
      return section
    end
  end
  error(path .. " has no section [" .. kind .. "]")
end

local function write_figures(top, sections)
  local text = { table.concat(top, "\n") }
  for i, section in ipairs(sections) do
    text[#text + 1] = (i > 1 and "\n" or "") .. "[" .. section.kind .. "] " .. section.environment
    for _, figure in ipairs(section.figures) do
      text[#text + 1] = ("%7d  %s"):format(figure.value, figure.name)
    end
  end
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(table.concat(text, "\n"), "\n"))
end

-- Prints both values of each figure. Returns true when they agree.
local function compare(recorded, counted)
  local before, good = {}, true
  for _, figure in ipairs(recorded) do
    before[figure.name] = figure.value
  end
  print("recorded     now")
  for _, figure in ipairs(counted) do
    local was, now = before[figure.name], figure.value
    before[figure.name] = nil
    local same = was and math.abs(now - was) * 100 <= tolerance * was
    local verdict = ""
    if not was then
      verdict = "   <-- not recorded"
    elseif not same then
      verdict = was == 0 and "   <-- more" or ("   <-- %+.1f %%"):format((now - was) * 100 / was)
    end
    print(("%8s %7d  %s%s"):format(was or "-", now, figure.name, verdict))
    good = good and same
  end
  for name, was in pairs(before) do
    print(("%8d       -  %s   <-- not counted"):format(was, name))
    good = false
  end
  return good
end

local top, sections = read_figures()
local section = section_of(sections)
local figures, here
if kind == "memory" then
  figures, here = count_memory()
else
  here = lines_of(quoted(program))[1]
end

if mode ~= "--record" and here ~= section.environment then
  print(("skipped: the figures are recorded for %s, and this is %s"):format(section.environment, here))
  os.exit(SKIPPED)
end
figures = figures or count_instructions()
if mode == "--record" then
  section.figures, section.environment = figures, here
  write_figures(top, sections)
elseif not compare(section.figures, figures) then
  print("\nThis is " .. (tolerance > 0 and ("more than %d %% off"):format(tolerance) or "not")
    .. " what tests/cost/figures.txt records. If that is meant, record it anew, and say why\n"
    .. "in the commit: cmake --build --preset release --target record-cost")
  os.exit(1)
end
