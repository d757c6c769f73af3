// Command edgeban keeps attackers out at the edge of your network.
package main

import (
	"os"

	"github.com/edgeban/edgeban/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
