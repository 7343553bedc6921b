{{- define "scenarist.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* The namespace of the Jobs of runs: never the release's own, whose Secrets a Job could mount. */}}
{{- define "scenarist.runsNamespace" -}}
{{- $name := .Values.dispatcher.runsNamespace.name | default (printf "%s-runs" .Release.Namespace) -}}
{{- if eq $name .Release.Namespace -}}
{{- fail "dispatcher.runsNamespace.name must be another namespace than the release's" -}}
{{- end -}}
{{ $name }}
{{- end }}

{{/* What selects the pods of a component: (list $ "web"). */}}
{{- define "scenarist.selector" -}}
app.kubernetes.io/name: scenarist
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "scenarist.metadata" -}}
name: {{ include "scenarist.name" (index . 0) }}-{{ index . 1 }}
labels:
  {{- include "scenarist.selector" . | nindent 2 }}
{{- end }}

{{/* An image with its digest, or else its tag, or else this version: (list $ .Values.image.bot). */}}
{{- define "scenarist.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}{{ $image.repository }}@{{ $image.digest }}
{{- else -}}{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}{{ end -}}
{{- end }}

{{/* The environment of a process: (list $ .Values.web). */}}
{{- define "scenarist.env" -}}
{{- $root := index . 0 }}{{ $process := index . 1 -}}
- name: SCENARIST_DATABASE_URL
  valueFrom:
    secretKeyRef: {{ toJson $root.Values.database.secret }}
- name: SCENARIST_BROKER_URL
  {{- if $root.Values.broker.embedded }}
  value: redis://{{ include "scenarist.name" $root }}-broker:6379/0
  {{- else }}
  valueFrom:
    secretKeyRef: {{ toJson $root.Values.broker.secret }}
  {{- end }}
- name: SCENARIST_METRICS_ADDRESS
  value: 0.0.0.0:9464
{{- if ne $root.Values.runner.kind "celery" }}
- name: SCENARIST_RUNNER
  value: {{ $root.Values.runner.kind }}
{{- end }}
{{- with $root.Values.publicUrl }}
- name: SCENARIST_PUBLIC_URL
  value: {{ quote . }}
{{- end }}
{{- range $name, $value := merge (dict) $process.settings $root.Values.settings }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- range $name, $secret := $process.secrets }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {{ toJson $secret }}
{{- end }}
{{- end }}

{{/* What all pods of this chart have in common. */}}
{{- define "scenarist.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "scenarist.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "scenarist.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "scenarist.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 20
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}

{{/* Spreads the pods of a component over nodes: (list $ "web"). */}}
{{- define "scenarist.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "scenarist.selector" . | nindent 8 }}
{{- end }}

{{/* A disruption budget: (list $ "web" .Values.web). A pod that is not ready may always be evicted. */}}
{{- define "scenarist.disruption" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "scenarist.metadata" (list (index . 0) (index . 1)) | nindent 2 }}
spec:
  minAvailable: {{ (index . 2).minAvailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "scenarist.selector" (list (index . 0) (index . 1)) | nindent 6 }}
{{- end }}
