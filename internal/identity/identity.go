// Package identity says who calls: a token's person and role.
package identity

import "context"

// Role is what a person may do. Finer rights come from it.
type Role string

// The roles.
const (
	Rep     Role = "rep"
	Manager Role = "manager"
	Admin   Role = "admin"
)

// Person is whoever a token belongs to. ID is the roster's id for a rep.
type Person struct {
	ID   string
	Role Role
}

type key struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, p Person) context.Context { return context.WithValue(ctx, key{}, p) }

// From returns the caller; false when the call carried no valid token.
func From(ctx context.Context) (Person, bool) {
	p, ok := ctx.Value(key{}).(Person)
	return p, ok
}
