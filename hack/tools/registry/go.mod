module example.invalid/hack/tools/registry

go 1.26.0

tool example.invalid/hack/tools/registry

require github.com/google/go-containerregistry v0.22.1
