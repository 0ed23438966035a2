local lexer = require "pillar.lexer"

--- "name:a@1 string:b@2"
local function words(text)
  local list = {}
  for i, token in ipairs(lexer.tokens(text)) do
    list[i] = ("%s:%s@%d"):format(token.kind, token.text, token.line)
  end
  return table.concat(list, " ")
end

describe("the words of a Lua text", function()
  it("are names, strings, numbers and symbols, with their lines", function()
    assert.equal("name:a@1 symbol:=@1 string:b@1 symbol:..@1 string:c@1 symbol:,@2 number:1.5e3@2 symbol:...@2",
      words('a = "b" .. \'c\'\n, 1.5e3 ...'))
    assert.equal("name:x@1 symbol:==@1 name:y@1 symbol:.@1 name:z@1 symbol::@1 name:w@1 symbol:=@1 number:.5@1",
      words("x == y.z:w = .5"))
    assert.equal("", words(""))
    assert.equal("name:_a1@2", words("\n_a1\n"))
  end)

  it("are not in comments", function()
    assert.equal("name:a@1 name:b@2 name:c@4", words("a -- x 'y\nb --[[ x\n y ]]\nc -- z"))
    assert.equal("name:a@1 name:b@3", words("a --[==[ ]] \n ]=] \n]==] b"))
    assert.equal("name:a@2", words("#!/usr/bin/env pillar\na"))
    assert.equal("name:a@1 name:b@1 symbol:-@1 symbol:-@1 name:c@1", words("a b - - c"))
  end)

  it("have strings with quotes and line ends in them", function()
    assert.equal([[string:a\"b@1 name:x@1]], words([["a\"b" x]]))
    assert.equal([[string:a\\@1 name:x@1]], words([['a\\' x]]))
    assert.equal("string:a\\\nb@1 name:x@2", words("'a\\\nb' x"))
    assert.equal("string:\na ]=] 'b\n@1 name:x@3", words("[==[\na ]=] 'b\n]==] x"))
    assert.equal("name:a@1 symbol:[@1 name:b@1 symbol:]@1 symbol:[@1 string:c@1 symbol:]@1", words("a[b]['c']"))
  end)

  it("come to an end where the text is not whole", function()
    for _, text in ipairs { '"a', "[[a", "--[[a", "'a\\", "[=", "a\n'" } do
      assert.is_table(lexer.tokens(text))
    end
  end)
end)
