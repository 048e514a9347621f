// Registry serves go-containerregistry's registry with the referrers API, which `crane registry serve` has no flag for.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	log.SetFlags(0)
	address := flag.String("address", "127.0.0.1:0", "where to listen; port 0 is a free one")
	disk := flag.String("disk", "", "folder for blobs, which is there; without it they are kept in memory")
	referrers := flag.Bool("referrers", true, "serve the referrers API")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("registry: takes no arguments: %q", flag.Args())
	}
	if err := serve(*address, *disk, *referrers); err != nil {
		log.Fatalf("registry: %v", err)
	}
}

func serve(address, disk string, referrers bool) error {
	blobs := registry.NewInMemoryBlobHandler()
	if disk != "" {
		folder, err := os.Stat(disk)
		if err != nil {
			return err
		}
		if !folder.IsDir() {
			return fmt.Errorf("%s is not a folder", disk)
		}
		blobs = registry.NewDiskBlobHandler(disk)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	log.Printf("serving on %s", listener.Addr())
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: registry.New(
			registry.WithReferrersSupport(referrers),
			registry.WithBlobHandler(blobs),
			registry.Logger(log.New(os.Stderr, "", log.LstdFlags)),
		),
	}
	return server.Serve(listener)
}
