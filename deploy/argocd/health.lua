-- The health of every Windlass object, by the rules that Flux and Helm 4 go by (kstatus), so that all tools say the same.
if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "Deleting"}
end
if obj.status == nil or obj.status.observedGeneration == nil then
  return {status = "Progressing", message = "Not looked at yet"}
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The latest change is not looked at yet"}
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Reconciling" and condition.status == "True" then
    return {status = "Progressing", message = condition.message}
  end
  if condition.type == "Stalled" and condition.status == "True" then
    return {status = "Degraded", message = condition.message}
  end
end
for _, condition in ipairs(obj.status.conditions or {}) do
  -- An AccessGrant that is over has no Ready any more.
  if condition.type == "Ended" and condition.status == "True" then
    return {status = "Healthy", message = condition.message}
  end
  if condition.type == "Ready" and condition.status ~= "True" then
    return {status = "Progressing", message = condition.message}
  end
  if condition.type == "Ready" then
    return {status = "Healthy", message = condition.message}
  end
end
return {status = "Healthy"}
