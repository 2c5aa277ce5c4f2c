package stage

import (
	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
)

// Why a lead is not handed off.
const (
	// DoNotContact: the person forbade all contact.
	DoNotContact = "do_not_contact"
	// NoConsent: the person has not granted what the agreement needs, or has withdrawn it.
	NoConsent = "consent"
)

// Withheld says why a lead may not be handed off now; "" when it may.
func Withheld(a *agreement.Agreement, k lead.Knowledge) string {
	if k.Withdrawn(lead.Contact) {
		return DoNotContact
	}
	for _, purpose := range a.Consent.Needed {
		if !k.Granted(purpose) {
			return NoConsent
		}
	}
	return ""
}

// takenBack says why a lead that was handed off must be let go; "" when it need not. Only a person's own withdrawal does that: an
// agreement that comes to need more does not reach back to what was handed off before it.
func takenBack(a *agreement.Agreement, k lead.Knowledge) string {
	if k.Withdrawn(lead.Contact) {
		return DoNotContact
	}
	for _, purpose := range a.Consent.Needed {
		if k.Withdrawn(purpose) {
			return NoConsent
		}
	}
	return ""
}
