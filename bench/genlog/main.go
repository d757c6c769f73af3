// Command genlog writes the syslog of a mail server that also has sshd: logins,
// deliveries, and those who guess passwords. The same flags give the same log.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "genlog:", err)
		os.Exit(1)
	}
}

// run writes the log to out, and to say which services' lines fail how often.
func run(args []string, out, say io.Writer) error {
	var o options
	fs := flag.NewFlagSet("genlog", flag.ContinueOnError)
	fs.SetOutput(say)
	fs.IntVar(&o.lines, "lines", 1_000_000, "how many lines")
	fs.Float64Var(&o.percent, "percent", 10, "how many of 100 lines fail")
	fs.Uint64Var(&o.seed, "seed", 1, "another log for each")
	if err := fs.Parse(args); err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<16)
	fails, err := write(w, o)
	if err != nil {
		return err
	}
	for _, s := range services() {
		fmt.Fprintln(say, s, fails[s])
	}
	return w.Flush()
}
