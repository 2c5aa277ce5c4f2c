package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof" // its init also registers on http.DefaultServeMux, which nothing here serves
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// check is one condition of readiness.
type check struct {
	name string
	ok   func(context.Context) error
}

// watchdogs are what whoever runs the process asks, on the public door and on the admin door alike.
func (a *App) watchdogs() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", a.metrics)
	return mux
}

// metricsHandler is one for all doors, so that its bound on scrapes at a time holds over them.
func (a *App) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{
		Registry: a.registry, EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// httpDoor serves webhooks (when the process has the role), /livez, /readyz and /metrics.
func (a *App) httpDoor(hooks http.Handler) *http.Server {
	return &http.Server{
		Handler:           straight(hooks, a.watchdogs()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ConnState:         newConnections(mostConnections).track,
	}
}

// adminDoor serves profiles beside what the public door tells of the process. It leaves out pprof's cmdline: a database's password
// may stand there.
func (a *App) adminDoor() *http.Server {
	mux := a.watchdogs()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	// No time limit on answers: a profile takes as long as it is asked to.
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10}
}

// straight hands what is for the hooks to them before the mux can redirect a path that it would rather have cleaned: a sender
// that is redirected may drop the body, or the endpoint.
func straight(hooks http.Handler, mux *http.ServeMux) http.Handler {
	if hooks == nil {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(strings.TrimLeft(r.URL.Path, "/"), "v1/hooks") {
			hooks.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// readyz answers 200 when every check holds, else 503 with a line for each that does not.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	text, ready := "", true
	for _, c := range a.checks {
		line := "ok"
		if err := c.ok(ctx); err != nil {
			ready, line = false, err.Error()
		}
		text += c.name + ": " + line + "\n"
	}
	if a.draining.Load() {
		ready = false
		text += "stopping\n"
	}
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write([]byte(text)) // whoever asked may have gone
}

// Ready says why the process is not ready; nil when it is.
func (a *App) Ready(ctx context.Context) error {
	for _, c := range a.checks {
		if err := c.ok(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// grpcDoor is the server that every role registers its services on. A panic costs its call alone.
func (a *App) grpcDoor() (*grpc.Server, *health.Server) {
	rescue := recovery.WithRecoveryHandlerContext(func(_ context.Context, p any) error {
		a.logger.Error("a call panicked", "panic", fmt.Sprint(p))
		return status.Error(codes.Internal, "the call failed inside; it was logged")
	})
	srv := grpc.NewServer(
		grpc.ChainUnaryInterceptor(recovery.UnaryServerInterceptor(rescue), a.tokens.Unary()),
		grpc.ChainStreamInterceptor(recovery.StreamServerInterceptor(rescue), a.tokens.Stream()),
		grpc.MaxRecvMsgSize(2<<20),
		grpc.MaxConcurrentStreams(1000),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 20 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
	)
	h := health.NewServer()
	healthv1.RegisterHealthServer(srv, h)
	return srv, h
}

// listen binds before anything serves, so that an address with port 0 works and a taken one is told at once.
func listen(ctx context.Context, what, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for %s on %s: %w (choose another address with --%s)", what, addr, err, what)
	}
	return l, nil
}

// stopGRPC lets calls end until ctx does, then cuts what is left: a watcher's stream never ends by itself.
func stopGRPC(srv *grpc.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan struct{})
		go func() { srv.GracefulStop(); close(done) }()
		t := time.NewTimer(time.Second)
		defer t.Stop()
		select {
		case <-done:
		case <-t.C:
			srv.Stop()
			<-done
		case <-ctx.Done():
			srv.Stop()
			<-done
		}
		return nil
	}
}

// stopAdmin cuts what is in flight: a process that leaves does not wait for a profile of minutes.
func stopAdmin(srv *http.Server) func(context.Context) error {
	return func(context.Context) error { return srv.Close() }
}

// stopHTTP finishes the requests in flight.
func stopHTTP(srv *http.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := srv.Shutdown(ctx); err != nil {
			return errors.Join(err, srv.Close())
		}
		return nil
	}
}
