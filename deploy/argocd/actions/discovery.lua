-- Which actions make sense now. Only kinds with a power state can be started and stopped.
local actions = {["refresh"] = {["disabled"] = obj.metadata.deletionTimestamp ~= nil}}
local wanted = obj.spec.desiredState
if wanted ~= nil then
  actions["start"] = {["disabled"] = wanted == "Running"}
  actions["stop"] = {["disabled"] = wanted == "Stopped"}
end
return actions
