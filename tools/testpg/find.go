package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// oldest is the oldest major version that can be used: the first whose default order can be ICU's.
const oldest = 15

// binaries is a folder with initdb and postgres in it.
type binaries struct {
	dir       string
	libraries string // folders for the dynamic linker, joined by colons; empty for what the system itself installed
	version   string
}

// source is a place that binaries may come from. Its find returns errNone, with a reason, when there are none.
type source struct {
	name string
	find func(*finder, context.Context) (binaries, error)
}

var errNone = errors.New("none")

func sources() []source {
	return []source{
		{"path", (*finder).onPath},
		{"system", (*finder).inSystem},
		{"apt", (*finder).fromDebian},
		{"npm", (*finder).fromNPM},
	}
}

func sourceNames() []string {
	all := sources()
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.name)
	}
	return names
}

// finder looks for PostgreSQL's binaries, on this machine first.
type finder struct {
	allowed []source
	cache   string
	say     func(string, ...any)
}

func newFinder(from, cache string, say func(string, ...any)) (*finder, error) {
	f := &finder{cache: cache, say: say}
	for name := range strings.SplitSeq(from, ",") {
		known := false
		for _, s := range sources() {
			if s.name == name {
				f.allowed, known = append(f.allowed, s), true
			}
		}
		if !known {
			return nil, fmt.Errorf("-from %s: there are %s", name, strings.Join(sourceNames(), ", "))
		}
	}
	if f.cache != "" {
		return f, nil
	}
	// Not below root's home: the account that the server runs as could not reach it there.
	base := "/var/cache"
	if os.Geteuid() != 0 {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return nil, fmt.Errorf("find a cache folder (name one with -cache): %w", err)
		}
	}
	f.cache = filepath.Join(base, "leadpact")
	return f, nil
}

// find returns the first binaries that a source has. A source that fails, offline for instance, does not keep the next
// one from being asked; its error is told when all have failed.
func (f *finder) find(ctx context.Context) (binaries, error) {
	var reasons []string
	for _, s := range f.allowed {
		found, err := s.find(f, ctx)
		if err == nil {
			f.say("PostgreSQL %s in %s", found.version, found.dir)
			return found, nil
		}
		if ctx.Err() != nil {
			return binaries{}, ctx.Err()
		}
		reason := fmt.Sprintf("%s: %v", s.name, err)
		if !errors.Is(err, errNone) {
			f.say("%s", reason)
		}
		reasons = append(reasons, "  "+reason)
	}
	return binaries{}, fmt.Errorf("no PostgreSQL %d or newer could be had:\n%s\n"+
		"install it (Debian: apt-get install postgresql), or set %s to the URL of a server where databases may be created",
		oldest, strings.Join(reasons, "\n"), variable)
}

// onPath takes what the caller's PATH offers.
func (f *finder) onPath(ctx context.Context) (binaries, error) {
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return binaries{}, fmt.Errorf("%w: no initdb on PATH", errNone)
	}
	// A packager's wrapper may stand on PATH as a link; postgres lies beside the real one.
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		return binaries{}, fmt.Errorf("follow %s: %w", initdb, err)
	}
	return inspect(ctx, filepath.Dir(initdb), "")
}

// inSystem takes the newest of Debian's installed versions.
func (f *finder) inSystem(ctx context.Context) (binaries, error) {
	return newest(ctx, "/usr/lib/postgresql", "")
}

// newest inspects the highest numbered version below a folder laid out as Debian does, VERSION/bin.
func newest(ctx context.Context, folder, libraries string) (binaries, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return binaries{}, fmt.Errorf("look for versions: %w", err)
	}
	best := 0
	for _, entry := range entries {
		major, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A client package alone leaves a folder without a server.
		if _, err := os.Stat(filepath.Join(folder, entry.Name(), "bin", "initdb")); err == nil {
			best = max(best, major)
		}
	}
	if best == 0 {
		return binaries{}, fmt.Errorf("%w: no server in %s", errNone, folder)
	}
	return inspect(ctx, filepath.Join(folder, strconv.Itoa(best), "bin"), libraries)
}

// inspect asks the server's program for its version, which also shows that it runs on this machine at all.
func inspect(ctx context.Context, dir, libraries string) (binaries, error) {
	command := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version")
	command.Env = []string{"LC_ALL=C"}
	if libraries != "" {
		command.Env = append(command.Env, "LD_LIBRARY_PATH="+libraries)
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return binaries{}, fmt.Errorf("%s --version: %w %s", command.Path, err, output)
	}
	version, major, err := parseVersion(string(output))
	if err != nil {
		return binaries{}, err
	}
	if major < oldest {
		return binaries{}, fmt.Errorf("%w: %s in %s is older than %d", errNone, version, dir, oldest)
	}
	return binaries{dir, libraries, version}, nil
}

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" as 15.18 and 15.
func parseVersion(said string) (version string, major int, err error) {
	_, rest, found := strings.Cut(said, "(PostgreSQL) ")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return "", 0, fmt.Errorf("this is no version of PostgreSQL: %q", said)
	}
	number, _, _ := strings.Cut(fields[0], ".")
	// A version before its release is 19beta1, 19devel.
	if end := strings.IndexFunc(number, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		number = number[:end]
	}
	if major, err = strconv.Atoi(number); err != nil {
		return "", 0, fmt.Errorf("this is no version of PostgreSQL: %q", said)
	}
	return fields[0], major, nil
}
