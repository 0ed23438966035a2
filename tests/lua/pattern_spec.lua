local pattern = require "pillar.pattern"

describe("a route's path", function()
  it("is good", function()
    for _, path in ipairs { "/", "/a", "/a/", "/a-b/c.d/~e", "/:id", "/a/:a/:b", "/*rest", "/a/:id/*rest", "/ä" } do
      assert.is_nil(pattern.problem(path), path)
    end
  end)

  it("is bad", function()
    for _, path in ipairs { "", "a", "/a b", "/a//b", "/a?b", "/a#b", "/%41", "/a\\b", "/a\n", "/.", "/a/../b", "/:",
      "/*", "/a:b", "/a*", "/:1", "/:a-b", "/:a/:a", "/:a/*a", "/*a/b" } do
      assert.is_string(pattern.problem(path), path)
    end
    assert.is_string(pattern.problem(7))
  end)
end)
