package hook

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/internal/preset"
)

// ErrMedia says that a body is of a type that its source does not write. The error around it says which are taken.
var ErrMedia = errors.New("the media type is not one that this source writes")

// Format tells how a body is written, by its media type. It fails with ErrMedia.
func (s *Source) Format(h http.Header) (preset.Format, error) {
	given := h.Get("Content-Type")
	if given == "application/json" && s.Tool.Formats[0] == preset.JSON { // as most senders write it
		return preset.JSON, nil
	}
	t, params, err := mime.ParseMediaType(given)
	if err != nil && s.Tool.Formats[0] == preset.CloudEvents && given == "" {
		return preset.CloudEvents, nil // an event without data
	}
	if charset := params["charset"]; err != nil || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return "", s.otherMedia()
	}
	var f preset.Format
	switch {
	case s.Tool.Formats[0] == preset.CloudEvents:
		f = preset.CloudEvents
	case isJSON(t):
		f = preset.JSON
	case isForm(t):
		f = preset.Form
	case isXML(t):
		f = preset.XML
	}
	if !slices.Contains(s.Tool.Formats, f) {
		return "", s.otherMedia()
	}
	return f, nil
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

func isForm(media string) bool {
	return media == "application/x-www-form-urlencoded" || media == "multipart/form-data"
}

func isXML(media string) bool {
	return media == "text/xml" || media == "application/xml" || strings.HasSuffix(media, "+xml")
}

func (s *Source) otherMedia() error {
	var want []string
	for _, f := range s.Tool.Formats {
		switch f {
		case preset.JSON:
			want = append(want, "application/json")
		case preset.Form:
			want = append(want, "application/x-www-form-urlencoded or multipart/form-data")
		case preset.XML:
			want = append(want, "text/xml")
		case preset.CloudEvents:
			want = append(want, "application/cloudevents+json or an event's own type")
		}
	}
	return fmt.Errorf("%w: send %s in UTF-8", ErrMedia, strings.Join(want, " or "))
}

// decode reads a body strictly.
func (s *Source) decode(r *Request) (node, error) {
	f, err := s.Format(r.Header)
	if err != nil {
		return nil, err
	}
	var root node
	switch f {
	case preset.JSON:
		root, err = parse(r.Body)
	case preset.Form:
		root, err = decodeForm(r)
	case preset.XML:
		root, err = decodeXML(r.Body)
	case preset.CloudEvents:
		if s.Verify.Kind.Signs() && inHeaders(r.Header.Get("Content-Type")) { // a signed body would pass under forged ids
			return nil, errors.New("binary mode needs a proof that covers the headers: send structured events, or use bearer")
		}
		root, err = decodeCloudEvents(r)
	}
	if err != nil {
		return nil, err
	}
	return s.unpack(root)
}

// unpack reads the members whose text is JSON.
func (s *Source) unpack(root node) (node, error) {
	o, ok := root.(object)
	if !ok {
		return root, nil
	}
	for _, name := range s.Map.Unpack {
		for i := range o {
			text, isText := o[i].value.(string)
			if o[i].name != name || !isText || text == "" {
				continue
			}
			inner, err := parse([]byte(text))
			if err != nil {
				return nil, fmt.Errorf("what stands in %q is not JSON as it should be: %w", name, err)
			}
			o[i].value = inner
		}
	}
	return root, nil
}
