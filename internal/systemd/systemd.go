// Package systemd tells the service manager how the daemon fares, where there is one.
package systemd

import (
	"net"
	"os"
	"strings"
)

// Notify tells a state: sd_notify(3).
func Notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if strings.HasPrefix(path, "@") {
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return // whoever started us does not listen; nothing depends on it
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}
