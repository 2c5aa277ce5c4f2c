package hook

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

const urlencoded = "application/x-www-form-urlencoded"

func formed(contentType, body string) (node, error) {
	return decodeForm(&Request{Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)})
}

func TestForms(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]node{
		"email=a%40b.org&name=Ada+L":         object{{"email", "a@b.org"}, {"name", "Ada L"}},
		"contact%5Bemail%5D=a&contact[id]=7": object{{"contact", object{{"email", "a"}, {"id", "7"}}}},
		"c[fields][39]=x&c[fields][40]=y":    object{{"c", object{{"fields", object{{"39", "x"}, {"40", "y"}}}}}},
		"tags[]=a&tags[]=b":                  object{{"tags", array{"a", "b"}}},
		"t=1&t=2":                            object{{"t", array{"1", "2"}}},
		"phone=%2B1+555&empty=&none":         object{{"phone", "+1 555"}, {"empty", ""}, {"none", ""}},
		"tag=%5BKRC%5D+x%2C+%5BKRC%5D+y":     object{{"tag", "[KRC] x, [KRC] y"}},
		"[odd]=1&a[b=2&a[b]c=3":              object{{"[odd]", "1"}, {"a[b", "2"}, {"a[b]c", "3"}},
		"a=1&a[b]=2":                         object{{"a", object{{"b", "2"}}}},
		"":                                   object{},
		"&&a=1&\r\n":                         object{{"a", "1"}},
	} {
		if got, err := formed(urlencoded, body); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v; want %#v", body, got, err, want)
		}
	}
	const parts = "--X\r\nContent-Disposition: form-data; name=\"submissionID\"\r\n\r\n17\r\n" +
		"--X\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\nContent-Type: application/pdf\r\n\r\nsecret\r\n" +
		"--X\r\nContent-Disposition: form-data; name=\"q[mail]\"\r\n\r\na@b.org\r\n--X--\r\n"
	want := object{{"submissionID", "17"}, {"q", object{{"mail", "a@b.org"}}}}
	if got, err := formed("multipart/form-data; boundary=X", parts); err != nil || !reflect.DeepEqual(got, node(want)) {
		t.Errorf("parts: %#v, %v", got, err)
	}
}

func TestFormsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ media, body string }{
		"bad escape":    {urlencoded, "email=secret%4"},
		"bad UTF-8":     {urlencoded, "email=secret%ff"},
		"NUL":           {urlencoded, "email=secret%00"},
		"too many":      {urlencoded, strings.Repeat("secret=1&", maxPairs+1)},
		"too deep":      {urlencoded, "secret" + strings.Repeat("[a]", maxDepth) + "=1"},
		"cut off":       {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\n17"},
		"other bounds":  {"multipart/form-data; boundary=Y", "--X\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\n17\r\n--X--"},
		"no boundary":   {"multipart/form-data", "--X"},
		"no media type": {"", "a=1"},
	} {
		if _, err := formed(c.media, c.body); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the body: %v", name, err)
		}
	}
}

// A form gives the same lead as the JSON of the same things.
func TestFormSource(t *testing.T) {
	t.Parallel()
	s := sourceOf(t, "page")
	got, err := s.Read(&Request{
		Header: http.Header{"Content-Type": {urlencoded + "; charset=UTF-8"}},
		Body:   []byte("id=7&email=a%40b.org&first_name=Ada&last_name=L&org[name]=Acme&company=other&employees=50&wants_call=on"),
	}, noon)
	if err != nil || len(got.Events) != 1 {
		t.Fatal(err, got.Refused)
	}
	lr := got.Events[0].Event.GetLeadReceived()
	want := &eventv1.LeadReceived{
		Email: "a@b.org", Name: "Ada L", ContentHash: lr.GetContentHash(),
		Fields: map[string]*eventv1.Value{"company": textValue("Acme"), "employees": numberValue(50), "wants_call": flagValue(true)},
	}
	if got.Events[0].Event.GetId() != "7" || !proto.Equal(lr, want) {
		t.Errorf("got %v, want %v", lr, want)
	}
}

func FuzzForm(f *testing.F) {
	f.Add(urlencoded, "a[b][]=1&a[b][]=2&%zz")
	f.Add("multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n")
	f.Fuzz(func(t *testing.T, media, body string) {
		if n, err := formed(media, body); err == nil {
			if _, ok := n.(object); !ok {
				t.Errorf("a form gave %T", n)
			}
		}
	})
}
