local translate = require("pillar.lua_pattern").translate

describe("a Lua pattern", function()
  it("is translated to a regular expression", function()
    for pattern, regex in pairs {
      ["^%l[%w-]*$"] = "^[a-z][0-9A-Za-z\\-]*$",
      ["a.*b"] = "a[\\s\\S]*b",
      ["a.-b"] = "a[\\s\\S]*?b",
      ["^.+@.+%..+$"] = "^[\\s\\S]+@[\\s\\S]+\\.[\\s\\S]+$",
      ["()(a)b?"] = "(?:a)b?",
      ["%%/{|}"] = "%\\/\\{\\|\\}",
      ["a$b^"] = "a\\$b\\^",
      ["[]%]^]"] = "[\\]\\]\\^]",
      ["[^%d_]+"] = "[^0-9_]+",
      ["[a-c%-]"] = "[a-c\\-]",
      ["%D*"] = "[^0-9]*",
      ["\n"] = "\\u000a",
      [""] = "",
    } do
      assert.same({ true, regex }, { translate(pattern) }, pattern)
    end
  end)

  it("has none where bytes and characters differ, or ECMA-262 has no words", function()
    for _, pattern in ipairs { ".", "^..$", "a.?b", ".+.+", ".+a*.+", "%W", "[^a]", "ä", "[ä]", "[%W]", "%b()",
      "%f[%w]", "(a)%1", "[z-a]" } do
      assert.same({ true }, { translate(pattern) }, pattern)
    end
  end)

  it("is refused where matching it would raise an error", function()
    for pattern, problem in pairs {
      ["(a"] = "a ) is missing",
      ["a)"] = "a ) closes nothing",
      ["[a"] = "a ] is missing",
      ["[a%]"] = "a ] is missing",
      ["[]"] = "a ] is missing",
      ["a%"] = "it ends with a lone %",
      ["%b("] = "%b needs two characters",
      ["%fa"] = "%f needs a set, %f[...]",
      ["%1"] = "%1 refers to no capture",
      ["(%1)"] = "%1 refers to no capture",
      ["%0"] = "%0 refers to no capture",
      [("()"):rep(33)] = "it has more than 32 captures",
    } do
      assert.same({ false, problem }, { translate(pattern) }, pattern)
    end
  end)
end)
