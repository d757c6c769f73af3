module github.com/edgeban/edgeban/e2e/lab

go 1.26.0

replace github.com/edgeban/edgeban => ../..

require (
	github.com/edgeban/edgeban v0.0.0-00010101000000-000000000000
	github.com/fsnotify/fsnotify v1.10.1
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.48.0
)

require go.yaml.in/yaml/v3 v3.0.6 // indirect
