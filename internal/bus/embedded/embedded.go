// Package embedded runs a NATS server with JetStream inside the process: no socket, one data folder, every write fsynced before
// it is acknowledged.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// MaxPayload is the largest message in bytes that the server takes.
const MaxPayload = 8 << 20

const readyWithin = 30 * time.Second

// ErrLocked: another process works on the same folder.
var ErrLocked = errors.New("embedded: data folder is in use")

// Config says where the server keeps its data.
type Config struct {
	Dir string // made when it is not there
	// MaxStore bounds all streams together, in bytes; 0 leaves it to the server, which takes three quarters of the free disk.
	MaxStore int64
	Logger   *slog.Logger // nil discards
}

// Server is a running server.
type Server struct {
	nats *server.Server
	lock *os.File
}

// Start opens or creates the data in cfg.Dir and returns when the server takes connections. A folder that another live process
// holds is ErrLocked: two servers on one folder would destroy it.
func Start(cfg Config) (*Server, error) {
	if cfg.Dir == "" {
		return nil, errors.New("embedded: no data folder given")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: make data folder: %w", err)
	}
	lock, err := acquire(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName:             "leadpact",
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		JetStream:              true,
		StoreDir:               cfg.Dir,
		JetStreamMaxStore:      cfg.MaxStore,
		SyncAlways:             true, // JetStream acknowledges before fsync without it
		MaxPayload:             MaxPayload,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded: configure the server on %s: %w", cfg.Dir, err)
	}
	if cfg.Logger != nil {
		srv.SetLoggerV2(logger{cfg.Logger}, false, false, false)
	}
	s := &Server{nats: srv, lock: lock}
	srv.Start()
	if !srv.ReadyForConnections(readyWithin) || !srv.JetStreamEnabled() {
		ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("embedded: the server on %s did not come up: see its log lines above", cfg.Dir), s.Stop(ctx))
	}
	return s, nil
}

// Stop ends the server and returns when everything is on disk and the folder is free.
func (s *Server) Stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		_ = s.lock.Close() // closing gives the lock back
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("embedded: the server is still stopping: %w", ctx.Err())
	}
}

// InProcessConn is a connection to the server that passes through memory.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Durable says whether the running server fsyncs each write before it acknowledges it, by its own configuration.
func (s *Server) Durable() bool {
	cfg := s.nats.JetStreamConfig()
	return cfg != nil && cfg.SyncAlways
}

// acquire takes the lock that the kernel gives back when the process ends, however it ends.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded: open lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s is held by another process: stop it, or give this one a folder of its own", ErrLocked, filepath.Dir(path))
	}
	return f, nil
}

// logger passes the server's lines on.
type logger struct{ to *slog.Logger }

func (l logger) Noticef(format string, v ...any) {
	l.to.Debug("event log", "says", fmt.Sprintf(format, v...))
}
func (l logger) Warnf(format string, v ...any) {
	l.to.Warn("event log", "says", fmt.Sprintf(format, v...))
}
func (l logger) Fatalf(format string, v ...any) {
	l.to.Error("event log", "says", fmt.Sprintf(format, v...))
}
func (l logger) Errorf(format string, v ...any) {
	l.to.Error("event log", "says", fmt.Sprintf(format, v...))
}
func (l logger) Debugf(string, ...any) {}
func (l logger) Tracef(string, ...any) {}
