-- wrk -s urls.lua URL -- unique FROM | pick FROM OF
local from, of, n

function init(args)
  from = tonumber(args[2])
  of = args[1] == "pick" and tonumber(args[3])
  n = -1
end

function request()
  n = n + 1
  return wrk.format("GET", "/api/items?n=" .. (from + (of and math.random(0, of - 1) or n)))
end
