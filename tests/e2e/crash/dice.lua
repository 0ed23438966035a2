--- Numbers that a seed decides (SplitMix64): two of them do not disturb each other, as math.random would.

---@class Dice
local Dice = {}
Dice.__index = Dice

---@param seed integer
---@return Dice
function Dice.new(seed)
  return setmetatable({ state = seed * 0x632be59bd9b4e019 }, Dice)
end

--- An integer from `low` to `high`, both included.
function Dice:number(low, high)
  self.state = self.state + 0x9e3779b97f4a7c15
  local x = self.state
  x = (x ~ (x >> 30)) * 0xbf58476d1ce4e5b9
  x = (x ~ (x >> 27)) * 0x94d049bb133111eb
  x = x ~ (x >> 31)
  return low + (x >> 1) % (high - low + 1)
end

function Dice:chance(percent)
  return self:number(1, 100) <= percent
end

function Dice:pick(list)
  return list[self:number(1, #list)]
end

--- Puts the list in a random order, in place.
function Dice:shuffle(list)
  for i = #list, 2, -1 do
    local j = self:number(1, i)
    list[i], list[j] = list[j], list[i]
  end
  return list
end

return Dice
