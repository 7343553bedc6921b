"""Runs in Kubernetes Jobs: the values file, the manifest of a Job, the calls of the REST API, and how Jobs
end."""
