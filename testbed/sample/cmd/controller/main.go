// Command controller stands for the controller of a service: it says which release it is and waits to be ended.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"@HOST@/@OWNER@/@REPOSITORY@/pkg/version"
)

func main() {
	showVersion := flag.Bool("version", false, "print the release and exit")
	flag.Parse()
	fmt.Printf("@SERVICE@-controller %s %s %s\n", version.GitVersion, version.GitCommit, version.BuildDate)
	if *showVersion {
		return
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
