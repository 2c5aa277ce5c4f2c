// Command leadpact runs a marketing-sales service level agreement: webhooks in, leads to reps, clocks on promises, and a ledger of
// who kept them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// version is set at release by -ldflags "-X main.version=…".
var version = ""

// program is every command.
type program struct {
	Serve  serveCommand  `cmd:"" help:"Run all roles, or some."`
	Demo   demoCommand   `cmd:"" help:"Run everything here with simulated senders and reps, and watch it."`
	Init   initCommand   `cmd:"" help:"Write a first agreement and its roster: five questions, or flags."`
	Check  checkCommand  `cmd:"" help:"Find the faults of an agreement or a roster."`
	Schema schemaCommand `cmd:"" help:"Print the JSON Schema of an agreement or a roster, for editors."`
	Diff   diffCommand   `cmd:"" help:"Say what differs between two versions of the agreement, in the words of the contract."`
	Due    dueCommand    `cmd:"" help:"Say when a promise falls due, and why."`
	Try    tryCommand    `cmd:"" help:"Show what would become of one lead, why, and what would have decided otherwise. Nothing is written."`
	Source sourceCommand `cmd:"" help:"Connect a tool: list those that are known, try a body of theirs, print a request that the door takes."`
	Render renderCommand `cmd:"" help:"Draw the agreement as people sign it: a page, a PDF, and its meetings as a calendar file."`

	Keygen      keygenCommand      `cmd:"" help:"Make a key to sign agreements with."`
	Sign        signCommand        `cmd:"" help:"Sign an agreement for marketing or for sales."`
	Activate    activateCommand    `cmd:"" help:"Let a signed version of the agreement come into force."`
	Versions    versionsCommand    `cmd:"" help:"List the versions of the agreement, or print one."`
	Acknowledge acknowledgeCommand `cmd:"" help:"Say that you know a version of the agreement."`
	Coverage    coverageCommand    `cmd:"" help:"Say who of the roster has acknowledged a version, and who has not."`
	Roster      rosterCommand      `cmd:"" help:"Change the roster of running processes, or show its history."`

	Quarantine quarantineCommand `cmd:"" help:"What could not be taken in: list, show, retry, drop."`

	Token   tokenCommand   `cmd:"" help:"Make a token for a person and add it to a token file."`
	Replay  replayCommand  `cmd:"" help:"Send recorded leads and outcomes through the webhook door as history."`
	Adopt   adoptCommand   `cmd:"" help:"Hand off leads of history: named ones, or those that a filter finds."`
	Verify  verifyCommand  `cmd:"" help:"Check every promise that the stores can prove; a line each."`
	Migrate migrateCommand `cmd:"" help:"Bring the database to this program's schema."`
	Version versionCommand `cmd:"" help:"Print the version."`

	LogLevel  *slog.Level `help:"Least level that is logged: debug, info, warn, error. Unless given it is info, and warn beside the demonstration's ticker." env:"LEADPACT_LOG_LEVEL"`
	LogFormat string      `help:"Form of the log: json, text, or auto (text on a terminal)." enum:"auto,json,text" default:"auto" env:"LEADPACT_LOG_FORMAT"`
}

func main() { os.Exit(run(os.Args[1:])) }

// failed ends the program with a code and no further word: what was wrong has been said.
type failed struct{ code int }

func (f failed) Error() string { return fmt.Sprintf("exit code %d", f.code) }

// run is the program; tests call it with their own arguments.
func run(args []string) int {
	var p program
	parser, err := kong.New(&p, kong.Name("leadpact"),
		kong.Description("A marketing-sales service level agreement that runs."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "leadpact:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "leadpact: %v (leadpact --help tells what there is)\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	parsed.BindTo(ctx, (*context.Context)(nil))
	usual := slog.LevelInfo
	if parsed.Command() == "demo" {
		usual = slog.LevelWarn // the ticker stays readable
	}
	err = parsed.Run(p.logger(usual))
	var f failed
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	default:
		fmt.Fprintln(os.Stderr, "leadpact:", err)
		return 1
	}
}

// logger writes to standard error: standard output belongs to what a command answers. usual is the least level unless one is given.
func (p *program) logger(usual slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: usual}
	if p.LogLevel != nil {
		o.Level = *p.LogLevel
	}
	if p.LogFormat == "json" || (p.LogFormat == "auto" && !term.IsTerminal(int(os.Stderr.Fd()))) {
		return slog.New(slog.NewJSONHandler(os.Stderr, o)).With("service", "leadpact", "version", programVersion())
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	_, err := fmt.Println("leadpact", programVersion())
	return err
}
