package hook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// decodeCloudEvents reads what CloudEvents 1.0 sends over HTTP. One event, binary (attributes in ce- headers, the body is its data) or
// structured (application/cloudevents+json), is an object with its attributes as members and data beside them; a batch
// (application/cloudevents-batch+json) is an array of those. Data is read by its datacontenttype: JSON and XML as a tree, a form as
// decodeForm reads it, other text as text; what is none of these stands as data_base64. The error says what is wrong, and quotes nothing
// of the body; in a batch what is wrong with one event stands in its place, as unreadable.
func decodeCloudEvents(r *Request) (node, error) {
	kind := r.Header.Get("Content-Type")
	if inHeaders(kind) {
		return binary(r, kind)
	}
	media := bare(kind)
	batch := media == "application/cloudevents-batch+json"
	if !batch && media != "application/cloudevents+json" {
		return nil, errors.New("CloudEvents are taken in JSON: send application/cloudevents+json, or the attributes in ce- headers")
	}
	root, err := parse(r.Body)
	if err != nil {
		return nil, err
	}
	if !batch {
		return structured(root)
	}
	list, ok := root.(array)
	if !ok {
		return nil, errors.New("a batch of CloudEvents is a JSON array")
	}
	for i, element := range list {
		if list[i], err = structured(element); err != nil {
			list[i] = unreadable{err}
		}
	}
	return list, nil
}

// inHeaders says that an event of this Content-Type has its attributes in headers.
func inHeaders(kind string) bool { return !strings.HasPrefix(bare(kind), "application/cloudevents") }

// bare is a media type without its parameters, in small letters, be they as they may.
func bare(kind string) string {
	media, _, _ := strings.Cut(kind, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// unreadable stands in a batch where an event would, had it been one.
type unreadable struct{ error }

// required are the attributes that every event has.
var required = [...]string{"specversion", "id", "source", "type"}

// complete says which attribute an event lacks.
func complete(event object) error {
	for _, name := range required {
		switch v, _ := event.get(name); v := v.(type) {
		case nil:
			return fmt.Errorf("the CloudEvent lacks the attribute %s", name)
		case string:
			if v == "" {
				return fmt.Errorf("the CloudEvent's attribute %s is empty", name)
			}
			if name == "specversion" && v != "1.0" {
				return errors.New("the CloudEvent's specversion is not 1.0")
			}
		default:
			return fmt.Errorf("the CloudEvent's attribute %s is not a text", name)
		}
	}
	return nil
}

// binary reads an event whose attributes stand in headers.
func binary(r *Request, kind string) (node, error) {
	event := make(object, 0, 8)
	for key, values := range r.Header {
		name, ours := strings.CutPrefix(strings.ToLower(key), "ce-")
		if !ours {
			continue
		}
		if !isAttribute(name) {
			return nil, errors.New("a ce- header is not the name of a CloudEvents attribute: those are of a-z and 0-9, and neither data nor datacontenttype")
		}
		if len(values) != 1 {
			return nil, fmt.Errorf("the header ce-%s stands %d times: send it once", name, len(values))
		}
		value, err := unescaped(values[0])
		if err != nil {
			return nil, fmt.Errorf("the header ce-%s: %w", name, err)
		}
		event = append(event, member{name, value})
	}
	slices.SortFunc(event, func(a, b member) int { return strings.Compare(a.name, b.name) }) // headers have no order
	if err := complete(event); err != nil {
		return nil, err
	}
	if kind != "" {
		event = append(event, member{"datacontenttype", kind})
	}
	if len(r.Body) == 0 {
		return event, nil
	}
	data, err := payload(r.Body, kind)
	if err != nil {
		return nil, err
	}
	return append(event, data), nil
}

// isAttribute says whether a header may carry the attribute: data and its type stand elsewhere.
func isAttribute(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && name != "data" && name != "datacontenttype"
}

// unescaped is a header's value as the attribute has it: quotes around it taken away, then %XX decoded once.
func unescaped(value string) (string, error) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		inner := make([]byte, 0, len(value))
		for i := 1; i < len(value)-1; i++ {
			if value[i] == '\\' && i < len(value)-2 {
				i++
			}
			inner = append(inner, value[i])
		}
		value = string(inner)
	}
	plain, err := url.PathUnescape(value)
	if err != nil {
		return "", errors.New("a % is not followed by two hex digits: write %25")
	}
	if !utf8.ValidString(plain) || strings.ContainsRune(plain, 0) {
		return "", errors.New("not valid UTF-8, or a NUL in it")
	}
	return plain, nil
}

// structured reads an event that is a JSON object.
func structured(n node) (node, error) {
	event, ok := n.(object)
	if !ok {
		return nil, errors.New("a CloudEvent is a JSON object")
	}
	if err := complete(event); err != nil {
		return nil, err
	}
	kind := "application/json" // as the JSON format has it
	if v, ok := event.get("datacontenttype"); ok && v != nil {
		if kind, ok = v.(string); !ok {
			return nil, errors.New("the CloudEvent's attribute datacontenttype is not a text")
		}
	}
	encoded, isEncoded := event.get("data_base64")
	data, isPlain := event.get("data")
	text, isText := data.(string)
	var raw []byte
	switch {
	case isEncoded && isPlain:
		return nil, errors.New("the CloudEvent has both data and data_base64: send one")
	case isEncoded:
		coded, ok := encoded.(string)
		var err error
		if raw, err = base64.StdEncoding.DecodeString(coded); err != nil || !ok {
			return nil, errors.New("the CloudEvent's data_base64 is not base64")
		}
	case isText && !isJSON(mediaType(kind)):
		raw = []byte(text)
	default: // data stands there as it is, or not at all
		return event, nil
	}
	event = slices.DeleteFunc(event, func(m member) bool { return m.name == "data" || m.name == "data_base64" })
	if len(raw) == 0 {
		return event, nil
	}
	decoded, err := payload(raw, kind)
	if err != nil {
		return nil, err
	}
	return append(event, decoded), nil
}

// payload is an event's data as a member: read by its type, else as it came.
func payload(raw []byte, kind string) (member, error) {
	media := mediaType(kind)
	var data node
	var err error
	switch {
	case isJSON(media):
		data, err = parse(raw)
	case isXML(media):
		data, err = decodeXML(raw)
	case isForm(media):
		data, err = decodeForm(&Request{Header: http.Header{"Content-Type": {kind}}, Body: raw})
	case strings.HasPrefix(media, "text/") && utf8.Valid(raw):
		data = string(raw)
	default:
		return member{"data_base64", base64.StdEncoding.EncodeToString(raw)}, nil
	}
	if err != nil {
		return member{}, fmt.Errorf("the CloudEvent's data: %w", err)
	}
	return member{"data", data}, nil
}

// mediaType is the type without its parameters, in small letters; "" when it is none.
func mediaType(kind string) string {
	t, _, err := mime.ParseMediaType(kind)
	if err != nil {
		return ""
	}
	return t
}
