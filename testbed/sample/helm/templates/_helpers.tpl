{{/* The name of the application this chart installs */}}
{{- define "ack-@SERVICE@-controller.app.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The full name: the release's and the chart's, at most 63 characters, as Kubernetes asks of some names */}}
{{- define "ack-@SERVICE@-controller.app.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- default (printf "%s-%s" .Release.Name $name) .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name and version as used by the chart label */}}
{{- define "ack-@SERVICE@-controller.chart.name-version" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the service account to use */}}
{{- define "ack-@SERVICE@-controller.service-account.name" -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
