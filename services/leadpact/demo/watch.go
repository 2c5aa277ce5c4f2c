package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// watch follows the breaches over gRPC, as a manager's tool does: when the stream breaks it resumes from its cursor.
type watch struct {
	client leadpactv1.ComplianceServiceClient

	mu       sync.Mutex
	cursor   string
	clocks   map[string]int
	repeated int
}

func newWatch(conn grpc.ClientConnInterface) *watch {
	return &watch{client: leadpactv1.NewComplianceServiceClient(conn), clocks: map[string]int{}}
}

func (w *watch) run(ctx context.Context) error {
	for ctx.Err() == nil {
		stream, err := w.client.WatchBreaches(ctx, &leadpactv1.WatchBreachesRequest{Cursor: w.place()})
		for err == nil {
			var m *leadpactv1.WatchBreachesResponse
			if m, err = stream.Recv(); err == nil {
				w.take(m)
			}
		}
		if c := status.Code(err); c != codes.Canceled && c != codes.Unavailable {
			return fmt.Errorf("watch breaches: %w", err)
		}
		t := time.NewTimer(100 * time.Millisecond) // a door that is away fails at once, again and again
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}

func (w *watch) place() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cursor
}

func (w *watch) take(m *leadpactv1.WatchBreachesResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cursor = m.GetCursor()
	if m.GetCorrection() != nil {
		return
	}
	if w.clocks[m.GetBreach().GetClockId()]++; w.clocks[m.GetBreach().GetClockId()] > 1 {
		w.repeated++
	}
}

// count is how many breaches came, and how many came again.
func (w *watch) count() (breaches, repeated int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.clocks), w.repeated
}
