-- Has the operator look at the object, and at AWS, now.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["windlass.dev/reconcile-requested-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
