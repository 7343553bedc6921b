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

{{/* The pod of a runner: (list $ false), or (list $ true) for one that does a single run and leaves. */}}
{{- define "scenarist.runnerPod" -}}
{{- $root := index . 0 }}{{ $once := index . 1 }}{{ $runner := $root.Values.runner -}}
{{ include "scenarist.pod" $root }}
{{ include "scenarist.spread" (list $root "runner") }}
hostUsers: {{ $runner.hostUsers }}
{{- with $runner.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
# A worker that is told to stop stores its turn and gives its runs back.
terminationGracePeriodSeconds: {{ $runner.terminationGracePeriodSeconds }}
securityContext:
  {{- include "scenarist.podSecurity" $root | nindent 2 }}
containers:
  - name: worker
    image: {{ include "scenarist.image" (list $root $root.Values.image.runner) }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    {{- if $once }}
    args: [worker, --next, --wait, "{{ int $runner.keda.ageSeconds }}"]
    {{- else }}
    args: [worker, --queues, runs, --concurrency, "{{ $runner.concurrency }}"]
    ports:
      - {name: metrics, containerPort: 9464}
    {{- end }}
    env:
      {{- include "scenarist.env" (list $root $runner) | nindent 6 }}
      {{- with $runner.registriesProxy }}
      {{- if .url }}
      - name: HTTPS_PROXY
        value: {{ quote .url }}
      - name: NO_PROXY
        value: {{ quote .noProxy }}
      {{- end }}
      {{- end }}
    {{- if not $once }}
    {{- include "scenarist.probes" $root | nindent 4 }}
    {{- end }}
    securityContext:
      {{- include "scenarist.containerSecurity" $root | nindent 6 }}
      procMount: {{ $runner.procMount }}
      seccompProfile: {{ toJson $runner.seccompProfile }}
    resources: {{ toJson $runner.resources }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/scenarist}
      - {name: tmp, mountPath: /tmp}
volumes:
  - name: state
    emptyDir: {sizeLimit: {{ $runner.stateSize }}}
  - name: tmp
    emptyDir: {sizeLimit: {{ $runner.tmpSize }}}
nodeSelector: {{ toJson $runner.nodeSelector }}
tolerations: {{ toJson $runner.tolerations }}
{{- if $once }}
restartPolicy: Never
{{- end }}
{{- end }}

{{/* Whether KEDA makes the Jobs of runs, and so there is no dispatcher. */}}
{{- define "scenarist.scaledJobs" -}}
{{- $runner := .Values.runner -}}
{{- if and $runner.keda.enabled (eq $runner.keda.kind "ScaledJob") -}}
{{- if ne $runner.kind "kubernetes" }}{{ fail "runner.keda.kind: ScaledJob needs runner.kind: kubernetes" }}{{ end -}}
true
{{- end -}}
{{- end }}
