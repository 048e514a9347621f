// Command proxy_rules prints, for each URL among its arguments, the proxy that Go's net/http takes for it from the
// environment: a hyphen for none. Its rules are those of golang.org/x/net/http/httpproxy.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	for _, url := range os.Args[1:] {
		request, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		proxy, err := http.ProxyFromEnvironment(request)
		switch {
		case err != nil:
			fmt.Println("error:", err)
		case proxy == nil:
			fmt.Println("-")
		default:
			fmt.Println(proxy)
		}
	}
}
