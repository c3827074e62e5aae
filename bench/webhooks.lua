-- Sends the requests of the file named by BENCH_REQUESTS one after the other (each is preceded by its length and a line
-- feed) and prints the rate, the 95th percentile in microseconds and how many were not answered with 200.
local requests, place = {}, 0
local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
while true do
  local line = file:read("*l")
  if not line then break end
  requests[#requests + 1] = file:read(tonumber(line))
end
file:close()

function request()
  place = place + 1
  return requests[(place - 1) % #requests + 1]
end

function done(summary, latency, rates)
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(95),
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
