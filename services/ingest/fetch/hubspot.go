package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// HubSpotContact is the preset's word for what HubSpot's app webhooks leave out.
const HubSpotContact = "hubspot-contact"

const (
	// rate and burst keep any ten seconds below HubSpot's bound of a hundred questions: burst + 10·rate.
	rate  = 8.0
	burst = 20.0
	// concurrent questions of one source.
	concurrent = 4
	// hubSpotAddress is where HubSpot answers. No agreement can name another: a token is shown to nobody else.
	hubSpotAddress = "https://api.hubapi.com"
	// patience bounds one question.
	patience = 10 * time.Second
	// largest bounds an answer in bytes.
	largest = 1 << 20
	// pause is how long a sender is left alone that asks for it without saying how long, and longest when it asks for more.
	pause   = 10 * time.Second
	longest = time.Hour
)

// hubSpot reads contacts from HubSpot.
type hubSpot struct {
	address string
	client  *http.Client
	now     func() time.Time
}

func newHubSpot(address string, now func() time.Time) *hubSpot {
	if address == "" {
		address = hubSpotAddress
	}
	return &hubSpot{address: address, now: now, client: &http.Client{
		Timeout: patience,
		// A token goes nowhere else, wherever an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: concurrent, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: patience, ForceAttemptHTTP2: true},
	}}
}

// Pace implements Fetcher.
func (h *hubSpot) Pace() Pace { return Pace{Rate: rate, Burst: burst, Concurrent: concurrent} }

var objectID = regexp.MustCompile(`^[0-9]{1,20}$`)

// Fetch implements Fetcher.
func (h *hubSpot) Fetch(ctx context.Context, w Wanted) ([]byte, error) {
	if !objectID.MatchString(w.ID) {
		return nil, fmt.Errorf("the id is no number of HubSpot's: %w", ErrGone)
	}
	query := url.Values{}
	if len(w.Properties) > 0 {
		query.Set("properties", strings.Join(w.Properties, ","))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.address+"/crm/v3/objects/contacts/"+w.ID+"?"+query.Encode(), nil)
	if err != nil {
		return nil, errors.New("the address of HubSpot is none")
	}
	request.Header.Set("Authorization", "Bearer "+w.Token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "leadpact")
	response, err := h.client.Do(request)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // the address names the contact
		}
		return nil, fmt.Errorf("ask HubSpot: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	switch code := response.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone:
		return nil, ErrGone
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, ErrRefused
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return nil, BusyError{h.wait(response.Header.Get("Retry-After"))}
	case code != http.StatusOK:
		return nil, fmt.Errorf("HubSpot answered %d", code)
	case err != nil:
		return nil, fmt.Errorf("read HubSpot's answer: %w", err)
	case len(body) > largest:
		return nil, fmt.Errorf("HubSpot's answer holds more than %d bytes", largest)
	}
	return body, nil
}

// wait reads a Retry-After: seconds or a date.
func (h *hubSpot) wait(header string) time.Duration {
	asked := pause
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && seconds >= 0 && seconds < longest.Seconds() {
		asked = time.Duration(seconds * float64(time.Second))
	} else if err == nil && seconds > 0 {
		asked = longest
	} else if date, err := http.ParseTime(header); err == nil {
		asked = date.Sub(h.now())
	}
	return min(max(asked, 0), longest)
}
