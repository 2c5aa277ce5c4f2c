package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// startLimit bounds initdb, and the server's start, on a slow and busy disk.
	startLimit = 90 * time.Second
	// stopLimit bounds a stop that waits for running statements to be rolled back.
	stopLimit = 20 * time.Second
	// tries is how often another port is taken when somebody else was faster.
	tries = 3
)

// server is a running PostgreSQL with a temporary data folder.
type server struct {
	url     string
	folder  *folder
	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// startServer makes a cluster in a temporary folder below base and starts it; it returns when the server takes connections.
func startServer(ctx context.Context, from binaries, owner account, base string, say func(string, ...any)) (_ *server, err error) {
	place, err := makeFolder(base)
	if err != nil {
		return nil, err
	}
	s := &server{folder: place}
	dir := place.path
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	password := rand.Text()
	passwordFile := filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return nil, fmt.Errorf("write the server's password: %w", err)
	}
	if err := errors.Join(owner.own(dir), owner.own(passwordFile)); err != nil {
		return nil, fmt.Errorf("give the data folder to %s: %w", owner.name, err)
	}
	say("initdb in %s%s", dir, owner.phrase())
	if err := s.initialise(ctx, from, owner, passwordFile); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		err = s.start(ctx, from, owner, port)
		if err == nil {
			s.url = (&url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password),
				Host: net.JoinHostPort("127.0.0.1", port), Path: "/postgres", RawQuery: "sslmode=disable"}).String()
			say("PostgreSQL %s takes connections on 127.0.0.1:%s", from.version, port)
			return s, nil
		}
		if ctx.Err() != nil || try == tries || !strings.Contains(s.log(), "Address already in use") {
			return nil, err
		}
	}
}

// initialise makes the cluster: UTF-8, bytes for the operating system's part, people's order for the rest.
func (s *server) initialise(ctx context.Context, from binaries, owner account, passwordFile string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	initdb := s.command(ctx, from, owner, "initdb", "-D", s.data(), "-U", "postgres", "--pwfile", passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", initdb.Path, errors.Join(err, ctx.Err()), output)
	}
	return nil
}

// start runs the server on the port and waits until it says that it is ready.
func (s *server) start(ctx context.Context, from binaries, owner account, port string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	log, err := os.Create(filepath.Join(s.folder.path, "log"))
	if err != nil {
		return fmt.Errorf("make the server's log: %w", err)
	}
	defer log.Close()
	// Not under ctx, which would kill it: stop ends it in order.
	s.process = s.command(context.WithoutCancel(ctx), from, owner, "postgres", "-D", s.data(), "-p", port, "-k", s.folder.path,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "timezone=UTC", "-c", "log_timezone=UTC",
		"-c", "jit=off")
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.process.Path, err)
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = s.process.Wait() // how it ended stands in its log
	}()
	// The server tells its state in its lock file; there is nothing to wait on, so look again and again.
	for look := time.NewTicker(20 * time.Millisecond); ; <-look.C {
		lock, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		if lines := strings.Split(string(lock), "\n"); err == nil && len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%s ended while starting; its log:\n%s", s.process.Path, s.log())
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w; its log:\n%s", s.process.Path, ctx.Err(), s.log())
		default:
		}
	}
}

// stop ends the server and removes its data. It is safe on a server that never started.
func (s *server) stop() error {
	var stopped error
	if s.ended != nil {
		// Fast, then immediate, then by force: what is lost is thrown away anyway, but a server that can't stop is news.
		stopped = errors.New("the server did not stop")
		for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
			_ = s.process.Process.Signal(how)
			select {
			case <-s.ended:
				stopped = nil
			case <-time.After(stopLimit):
				continue
			}
			break
		}
	}
	return errors.Join(stopped, s.folder.remove())
}

// command is one of PostgreSQL's programs, run by the owner with nothing of the caller's environment in it.
func (s *server) command(ctx context.Context, from binaries, owner account, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(from.dir, program), arguments...)
	command.Dir = s.folder.path
	command.Env = []string{"PATH=" + from.dir + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	if from.libraries != "" {
		command.Env = append(command.Env, "LD_LIBRARY_PATH="+from.libraries)
	}
	command.SysProcAttr = attributes(owner)
	command.WaitDelay = time.Second
	return command
}

func (s *server) data() string { return filepath.Join(s.folder.path, "data") }

// log is what the server has said so far.
func (s *server) log() string {
	file, err := os.Open(filepath.Join(s.folder.path, "log"))
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	said, err := io.ReadAll(io.LimitReader(file, 1<<16))
	if err != nil {
		return err.Error()
	}
	return string(said)
}

// phrase names the account in a line of progress.
func (a account) phrase() string {
	if a.name == "" {
		return ""
	}
	return " as user " + a.name
}

// freePort asks the kernel for a port. Somebody may take it before the server does, hence the tries.
func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}
