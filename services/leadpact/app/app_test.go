package app_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/verify"
	"github.com/leadpact/leadpact/services/scoring"
)

func TestMain(m *testing.M) {
	beVictimIfAsked()
	goleak.VerifyTestMain(m)
}

func raise(id, email string) map[string]any {
	return map[string]any{"id": id, "type": "form_submitted", "email": email, "hand_raiser": true}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	cfg := apptest.Config(t, t.TempDir())
	cfg.Agreement = ""
	s := apptest.Run(t, cfg)
	apptest.Until(t, "nothing but an agreement is missing", func() error {
		code, body := s.Get(t, "/readyz")
		if code != 503 || !strings.Contains(body, "bus: ok") || !strings.Contains(body, "ingest: no agreement is in force yet") {
			return errors.New(body)
		}
		return nil
	})
	if code, body := s.Get(t, "/livez"); code != 200 || body != "ok\n" {
		t.Errorf("/livez answers %d %q", code, body)
	}
	token, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	admin := leadpactv1.NewAgreementServiceClient(s.Dial(t, strings.TrimSpace(string(token))))
	text := sealtest.Keyed(t, apptest.Agreement)
	if _, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text, Signatures: sealtest.Seal(t, text)}); err != nil {
		t.Fatal(err)
	}
	apptest.Until(t, "readiness", func() error { return s.Ready(t.Context()) })
	code, body := s.Get(t, "/readyz")
	if code != 200 || len(strings.Fields(body)) == 0 {
		t.Errorf("/readyz answers %d %q", code, body)
	}
	for _, part := range []string{"bus", "ingest", "scoring store", "handoff store", "compliance store"} {
		if !strings.Contains(body, part+": ok\n") {
			t.Errorf("/readyz says nothing good of %s: %q", part, body)
		}
	}
}

func TestFromWebhookToBreach(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	watch, err := leadpactv1.NewComplianceServiceClient(s.Dial(t, s.Token("mia"))).WatchBreaches(t.Context(), &leadpactv1.WatchBreachesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	s.Post(t, "website", raise("1", "lea@example.com"))
	first := s.Assigned(t, "lea@example.com")
	if first.GetGrade() != "" || len(first.GetClocks()) != 1 || first.GetClocks()[0].GetName() != "first-response" {
		t.Errorf("the inbox shows %v", first)
	}
	m, err := watch.Recv()
	if err != nil {
		t.Fatal(err)
	}
	b := m.GetBreach()
	if b.GetLead() != first.GetLead() || b.GetRecordedAt().AsTime().Before(b.GetDueAt().AsTime()) || b.GetDueAt().AsTime().Sub(b.GetStartedAt().AsTime()) != time.Second {
		t.Errorf("the breach is %v", b)
	}
	text, breachShown := "", regexp.MustCompile(`(?m)^leadpact_breaches_total{clock="first-response",grade="",shard="\d",team="t"} [12]$`)
	apptest.Until(t, "the breach in /metrics", func() error {
		_, text = s.Get(t, "/metrics")
		if !breachShown.MatchString(text) {
			return errors.New("it is not there")
		}
		return nil
	})
	for _, name := range []string{
		"leadpact_build_info", "leadpact_bus_lag_messages", "leadpact_bus_stream_max_bytes", "leadpact_outbox_messages", "leadpact_outbox_oldest_seconds",
		"leadpact_quarantine_rows", "leadpact_handoff_assignments_total", "go_goroutines", "process_start_time_seconds",
	} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
	if strings.Contains(text, first.GetLead()) || strings.Contains(text, `"ann"`) || strings.Contains(text, `"bob"`) || strings.Contains(text, "example.com") {
		t.Error("/metrics names a lead or a rep")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("metric %s: %s", p.Metric, p.Text)
	}
}

// TestEveryMethodAsksForAToken calls whatever is registered, so that a method added tomorrow is asked too.
func TestEveryMethodAsksForAToken(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	asked := 0
	for _, token := range []string{"", "lp_wrong", "lp_" + strings.Repeat("a", 58)} {
		conn := s.Dial(t, token)
		for service, info := range s.Services() {
			for _, m := range info.Methods {
				err := call(t, conn, "/"+service+"/"+m.Name, m.IsServerStream)
				if service == healthv1.Health_ServiceDesc.ServiceName {
					if status.Code(err) == codes.Unauthenticated {
						t.Errorf("%s/%s asks machines for a token", service, m.Name)
					}
					continue
				}
				asked++
				if status.Code(err) != codes.Unauthenticated {
					t.Errorf("%s/%s without a token of ours: %v", service, m.Name, err)
				}
			}
		}
	}
	if asked < 3*16 {
		t.Errorf("%d calls: services are missing", asked)
	}
}

func call(t *testing.T, conn *grpc.ClientConn, method string, stream bool) error {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if !stream {
		return conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})
	}
	st, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err == nil {
		err = errors.Join(st.SendMsg(&emptypb.Empty{}), st.CloseSend())
	}
	if err == nil {
		err = st.RecvMsg(&emptypb.Empty{})
	}
	return err
}

// TestPartFails closes the bus behind the consumers' backs.
func TestPartFails(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Bus().Close(ctx); err != nil {
		t.Fatal(err)
	}
	err := s.Wait(t)
	if err == nil || !strings.Contains(err.Error(), "stop workers: ") || !strings.Contains(err.Error(), "closed") {
		t.Errorf("the process ended with %v", err)
	}
}

// TestPartEnds: a part that ends without an error is as dead.
func TestPartEnds(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(context.Context) error{
		"it ended although nobody stopped it": func(context.Context) error { return nil },
		"context canceled":                    func(context.Context) error { return context.Canceled },
		"no more":                             func(context.Context) error { return errors.New("no more") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range []string{"workers", "relays"} {
				a, err := app.New(t.Context(), apptest.Config(t, t.TempDir()))
				if err != nil {
					t.Fatal(err)
				}
				a.Add(kind, "thing", run)
				err = a.Run(t.Context())
				if want := fmt.Sprintf("stop %s: thing: %s", kind, name); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the process ended with %v, not with %q", err, want)
				}
			}
		})
	}
}

func TestTakenAddress(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() // nothing was accepted
	for _, door := range []string{"http", "grpc"} {
		data := t.TempDir()
		cfg := apptest.Config(t, data)
		if door == "http" {
			cfg.HTTP = taken.Addr().String()
		} else {
			cfg.GRPC = taken.Addr().String()
		}
		_, err := app.New(t.Context(), cfg)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "listen for "+door+" on "+taken.Addr().String()) ||
			!strings.Contains(err.Error(), "choose another address with --"+door) {
			t.Errorf("%s: %v", door, err)
		}
		// What was opened before is closed again: the folder is free.
		apptest.Start(t, apptest.Config(t, data))
	}
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	_, err := app.New(t.Context(), apptest.Config(t, s.Data))
	if !errors.Is(err, embedded.ErrLocked) || !strings.Contains(err.Error(), s.Data) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the second process got %v", err)
	}
	s.Post(t, "website", raise("1", "lea@example.com"))
	s.Assigned(t, "lea@example.com")
}

// TestStop ends in the midst of work. What was written is told: the outboxes are empty.
func TestStop(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	if _, err := leadpactv1.NewComplianceServiceClient(s.Dial(t, s.Token("mia"))).WatchBreaches(t.Context(), &leadpactv1.WatchBreachesRequest{}); err != nil {
		t.Fatal(err) // a watcher never ends by itself
	}
	for i := range 30 {
		s.Post(t, "website", raise(fmt.Sprint(i), fmt.Sprintf("lead%d@example.com", i)))
	}
	began := time.Now()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopping took %s", took)
	}
	stores := apptest.Stores(t, s.Data)
	for name, queued := range map[string]func(context.Context) (int, time.Time, error){
		"scoring": stores.Scoring.Queued, "handoff": stores.Handoff.Queued, "compliance": stores.Compliance.Queued,
	} {
		if n, _, err := queued(t.Context()); n != 0 || err != nil {
			t.Errorf("the outbox of %s holds %d messages, %v", name, n, err)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := apptest.Start(t, apptest.Config(t, data))
	s.Post(t, "website", raise("1", "lea@example.com"), map[string]any{"id": "2", "type": "page_viewed", "email": "tom@example.com"})
	held := s.Assigned(t, "lea@example.com")
	conn := s.Dial(t, s.Token(held.GetRep()))
	if _, err := leadpactv1.NewHandoffServiceClient(conn).Accept(t.Context(), &leadpactv1.AcceptRequest{Lead: held.GetLead(), RequestId: "r"}); err != nil {
		t.Logf("too late to accept, and so much the better: %v", err)
	}
	settled(t, s)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	before := kept(t, data)
	s = apptest.Start(t, apptest.Config(t, data))
	s.Post(t, "website", map[string]any{"id": "2", "type": "page_viewed", "email": "tom@example.com"}) // the sender was not sure
	token, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := leadpactv1.NewLeadServiceClient(s.Dial(t, strings.TrimSpace(string(token)))).GetLead(t.Context(),
		&leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "lea@example.com"}})
	if err != nil || resp.GetLead().GetId() != held.GetLead() {
		t.Errorf("the lead is %v, %v; it was %s", resp, err, held.GetLead())
	}
	settled(t, s)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, was := range before {
		if is := kept(t, data)[name]; is != was {
			t.Errorf("%s is %q, it was %q", name, is, was)
		}
	}
}

// settled waits until nothing is on its way, and demands that every promise holds.
func settled(t *testing.T, s *apptest.Site) {
	t.Helper()
	var out strings.Builder
	err := verify.Run(t.Context(), verify.Options{
		Stores: apptest.Stores(t, s.Data), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &out,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// kept is what a restart must not change.
func kept(t *testing.T, data string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{"lead.key", "admin.token", "tokens.json"} {
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	var err error
	s := apptest.Stores(t, data)
	if out["knowledge"], err = scoring.Digest(t.Context(), s.Scoring); err != nil {
		t.Fatal(err)
	}
	return out
}
