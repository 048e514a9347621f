// Package version says which release of the controller this is.
package version

// Set by the linker when a release is built.
var (
	GitVersion string
	GitCommit  string
	BuildDate  string
)
