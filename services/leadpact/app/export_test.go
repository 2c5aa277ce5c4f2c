package app

import (
	"context"

	"google.golang.org/grpc"
)

// Services are those that the gRPC door serves.
func (a *App) Services() map[string]grpc.ServiceInfo { return a.grpc.GetServiceInfo() }

// Add adds a part to a crew, before Run.
func (a *App) Add(crew, name string, run func(context.Context) error) {
	if crew == "relays" {
		a.relays = append(a.relays, runner{name, run})
		return
	}
	a.workers = append(a.workers, runner{name, run})
}
