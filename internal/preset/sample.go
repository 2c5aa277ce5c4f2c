package preset

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

//go:embed samples
var samples embed.FS

// Sample is a body as the tool posts it, of people who do not exist, and its media type. A preset without a sample of its own has that
// of the one it extends.
func Sample(name string) (body []byte, contentType string, err error) {
	for at := name; at != ""; {
		p, err := ByName(at)
		if err != nil {
			return nil, "", err
		}
		found, err := fs.Glob(samples, "samples/"+at+".*")
		if err != nil {
			return nil, "", fmt.Errorf("the samples of %q: %w", name, err)
		}
		if len(found) > 0 {
			body, err = samples.ReadFile(found[0])
			return body, p.mediaType(found[0], body), err
		}
		at = p.Extends
	}
	return nil, "", fmt.Errorf("the preset %q has no sample", name)
}

// mediaType is that of a sample, by the ending of its file.
func (p Preset) mediaType(file string, body []byte) string {
	switch path.Ext(file) {
	case ".xml":
		return "text/xml; charset=utf-8"
	case ".form":
		if rest, ok := bytes.CutPrefix(body, []byte("--")); ok { // several parts
			boundary, _, _ := bytes.Cut(rest, []byte("\n"))
			return "multipart/form-data; boundary=" + string(boundary)
		}
		return "application/x-www-form-urlencoded"
	}
	if slices.Contains(p.Formats, CloudEvents) {
		return "application/cloudevents+json"
	}
	return "application/json"
}
