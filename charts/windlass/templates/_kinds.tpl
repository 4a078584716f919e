{{- /*
Every kind that the operator serves, one line each: roles and the deletion policy are made from it, and a test holds it
equal to crds/. scale: it has a /scale. protected: its spec has deletionProtection. cluster: it is cluster-scoped.
verbs: what the operator does with it, where that is not the usual. beside: what it does with what else is in the object's namespace.
*/ -}}
{{- define "windlass.kinds" -}}
- {kind: Fleet, group: appstream.windlass.dev, plural: fleets, scale: true, protected: true}
- {kind: Stack, group: appstream.windlass.dev, plural: stacks, protected: true}
- {kind: ImageBuilder, group: appstream.windlass.dev, plural: imagebuilders, protected: true}
- {kind: Instance, group: lightsail.windlass.dev, plural: instances, protected: true, beside: {secrets: [get], configmaps: [get]}}
- {kind: AccessGrant, group: access.windlass.dev, plural: accessgrants, beside: {secrets: [get, list, watch, create, update, delete]}}
- {kind: Account, group: aws.windlass.dev, plural: accounts, cluster: true, verbs: [list, watch]}
{{- end }}
