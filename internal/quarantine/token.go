package quarantine

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
)

// tokenOf says where a page ended: room, instant and key.
func tokenOf(row at) string {
	return base64.RawURLEncoding.EncodeToString([]byte(row.service + "\n" + strconv.FormatInt(event.Micros(row.At), 10) + "\n" + row.Key))
}

func parseToken(token string) (room string, after store.QuarantinePlace, err error) {
	if token == "" {
		return "", after, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	parts := strings.SplitN(string(text), "\n", 3)
	if err == nil && len(parts) == 3 {
		var micros int64
		if micros, err = strconv.ParseInt(parts[1], 10, 64); err == nil {
			return parts[0], store.QuarantinePlace{At: event.Time(micros), Key: parts[2]}, nil
		}
	}
	return "", after, errors.New("the page_token is none of an answer before: leave it out to begin with the oldest")
}
