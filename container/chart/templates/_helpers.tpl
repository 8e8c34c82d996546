{{- define "cosmolet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "cosmolet.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "cosmolet.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cosmolet.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "cosmolet.labels" -}}
helm.sh/chart: {{ include "cosmolet.chart" . }}
{{ include "cosmolet.podLabels" . }}
{{- end }}

{{- /* Without the chart's version: where the image stays, an update makes no new pods. */}}
{{- define "cosmolet.podLabels" -}}
{{ include "cosmolet.selectorLabels" . }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/component: announcer
app.kubernetes.io/part-of: cosmolet
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "cosmolet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cosmolet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cosmolet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "cosmolet.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "cosmolet.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- /* Where probes reach it; in a network of the pod's own 127.0.0.1 would be out of the kubelet's reach. */}}
{{- define "cosmolet.listenAddress" -}}
{{- ternary "${NODE_IP}" "127.0.0.1" (or .Values.metrics.enabled (not .Values.hostNetwork)) }}
{{- end }}

{{- /* cosmolet.yaml: the values, less those of the original Cosmolet that no longer act, in the program's own spelling. */}}
{{- define "cosmolet.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $listen := printf "%s:%v" (include "cosmolet.listenAddress" .) .Values.metrics.port }}
{{- $http := dict "listen" $listen }}
{{- if .Values.metrics.tls.secretName }}
{{- $_ := set $http "tls_certificate_file" "/etc/cosmolet-tls/tls.crt" }}
{{- $_ := set $http "tls_key_file" "/etc/cosmolet-tls/tls.key" }}
{{- if .Values.metrics.tls.clientCA }}{{ $_ := set $http "client_ca_file" "/etc/cosmolet-tls/ca.crt" }}{{ end }}
{{- end }}
{{- $config = mergeOverwrite (dict "http" $http) (omit $config "loopIntervalSeconds" "bgp") }}
{{- with $config.frr }}
{{- $frr := omit . "configPath" "socketPath" "config_path" }}
{{- with .socketPath }}{{ $_ := set $frr "socket_path" . }}{{ end }}
{{- $_ := set $config "frr" $frr }}
{{- end }}
{{- if eq (dig "logging" "format" "" $config) "text" }}
{{- $_ := set $config.logging "format" "logfmt" }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "cosmolet.frrConfigMap" -}}
{{- default (printf "%s-frr" (include "cosmolet.fullname" . | trunc 59)) .Values.frr.sidecar.existingConfigMap }}
{{- end }}

{{- /* Of a monitor's values, and whether the port speaks TLS. */}}
{{- define "cosmolet.monitorEndpoint" -}}
port: metrics
honorLabels: true # the namespace of a service is not that of the pod
{{- if .tls }}
scheme: https
{{- end }}
{{- with .tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .authorization }}
authorization:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
