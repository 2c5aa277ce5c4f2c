package river

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// span is the time from the first event's commit to the last commit. It also takes the jobs' failures: one that is tried again a
// second later would be no measurement.
type span struct {
	mu          sync.Mutex
	left        int // commits to come
	first, last time.Time
	done        chan struct{}
	moved       chan struct{} // has something when a commit came
	failed      chan error    // holds the first failure
}

func newSpan(leads, handed int) *span {
	return &span{left: leads + handed, done: make(chan struct{}), moved: make(chan struct{}, 1), failed: make(chan error, 1)}
}

// committed notes that a fact or an assignment is safe.
func (s *span) committed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	if s.first.IsZero() {
		s.first = s.last
	}
	if s.left--; s.left == 0 {
		close(s.done)
	}
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// wait returns when all is committed, something failed, or nothing has moved for too long.
func (s *span) wait(ctx context.Context) error {
	idle := time.NewTimer(patience)
	defer idle.Stop()
	for {
		select {
		case <-s.done:
			return nil
		case err := <-s.failed:
			return err
		case <-s.moved:
			idle.Reset(patience)
		case <-idle.C:
			s.mu.Lock()
			left := s.left
			s.mu.Unlock()
			return fmt.Errorf("the pipeline on River stands still with %d commits to come", left)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *span) length() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Sub(s.first)
}

// HandleError implements river.ErrorHandler.
func (s *span) HandleError(_ context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	s.fail(fmt.Errorf("work job %d of kind %s: %w", job.ID, job.Kind, err))
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (s *span) HandlePanic(_ context.Context, job *rivertype.JobRow, panicked any, trace string) *river.ErrorHandlerResult {
	s.fail(fmt.Errorf("job %d of kind %s panicked: %v\n%s", job.ID, job.Kind, panicked, trace))
	return nil
}

func (s *span) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}
