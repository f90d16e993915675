// Command jobstore is the command line of a jobs store: it lists, counts and
// changes the jobs in a file, and takes them in and out as JSON. Run
// "jobstore --help" for its commands, and "jobstore demo" for a tour.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// The first Ctrl-C asks the command to stop, a second one ends the process.
	context.AfterFunc(ctx, stop)
	os.Exit(command.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
