package route

import "github.com/leadpact/leadpact/internal/agreement"

// Way is the place of the first route that takes the lead, or -1. A condition that costs too much on this lead does not hold: the last
// route takes all.
func Way(routes []agreement.Route, lead *agreement.Lead) int {
	for i, r := range routes {
		if holds, err := r.When.Holds(lead); err == nil && holds {
			return i
		}
	}
	return -1
}
