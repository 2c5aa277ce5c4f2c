package app

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// quarantineLives is how long raw bytes in quarantine are kept: they may name a person.
const quarantineLives = 30 * 24 * time.Hour

// expire returns the part that clears a service's quarantine of what is older than it may be, at the start and every hour.
func (a *App) expire(service string, s store.Base) runner {
	return runner{service + " quarantine", func(ctx context.Context) error {
		t := time.NewTicker(time.Hour)
		defer t.Stop()
		for {
			now, err := s.Now(ctx)
			gone := 0
			if err == nil {
				gone, err = s.ExpireQuarantined(ctx, now.Add(-quarantineLives))
			}
			switch {
			case err != nil && ctx.Err() == nil:
				a.logger.Warn("quarantine not cleared; tried again within the hour", "role", service, "error", err)
			case gone > 0:
				a.logger.Info("quarantine cleared of what was too old", "role", service, "events", gone)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-t.C:
			}
		}
	}}
}
