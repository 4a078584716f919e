-- The stop obeys spec.disruption. Argo CD's self-heal puts back what Git says: change it there, too, if it is to stay.
obj.spec.desiredState = "Stopped"
return obj
