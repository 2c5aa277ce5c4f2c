package hook

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/preset"
)

func cloudEvent(body string, headers ...string) *Request {
	r := &Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// binaryHeaders are those of an event without data.
func binaryHeaders(more ...string) []string {
	return append([]string{"Ce-Specversion", "1.0", "Ce-Id", "e-1", "Ce-Source", "/crm", "Ce-Type", "lead.made"}, more...)
}

func TestDecodeCloudEvents(t *testing.T) {
	t.Parallel()
	attributes := object{{"id", "e-1"}, {"source", "/crm"}, {"specversion", "1.0"}, {"type", "lead.made"}}
	with := func(more ...member) object { return append(attributes[:4:4], more...) }
	const inJSON = `"id":"e-1","source":"/crm","specversion":"1.0","type":"lead.made"`
	const structuredJSON, batchJSON = "application/cloudevents+json", "application/cloudevents-batch+json; charset=utf-8"
	ada := object{{"email", "ada@example.com"}}
	for _, c := range []struct {
		name string
		r    *Request
		want node
	}{
		{"binary without data", cloudEvent("", binaryHeaders()...), attributes},
		{"binary JSON", cloudEvent(`{"email":"ada@example.com"}`, binaryHeaders("Content-Type", "application/json; charset=utf-8")...),
			with(member{"datacontenttype", "application/json; charset=utf-8"}, member{"data", ada})},
		{"binary of JSON's kind", cloudEvent(`[1]`, binaryHeaders("Content-Type", "application/vnd.lead+json")...),
			with(member{"datacontenttype", "application/vnd.lead+json"}, member{"data", array{number("1")}})},
		{"binary XML", cloudEvent("<lead><email>ada@example.com</email></lead>", binaryHeaders("Content-Type", "text/xml")...),
			with(member{"datacontenttype", "text/xml"}, member{"data", object{{"lead", ada}}})},
		{"binary form", cloudEvent("email=ada%40example.com", binaryHeaders("Content-Type", "application/x-www-form-urlencoded")...),
			with(member{"datacontenttype", "application/x-www-form-urlencoded"}, member{"data", ada})},
		{"binary text", cloudEvent("hello", binaryHeaders("Content-Type", "text/plain")...), with(member{"datacontenttype", "text/plain"}, member{"data", "hello"})},
		{"binary of a kind that we do not read", cloudEvent("\x00\x01", binaryHeaders("Content-Type", "application/octet-stream")...),
			with(member{"datacontenttype", "application/octet-stream"}, member{"data_base64", "AAE="})},
		{"binary of no kind", cloudEvent("{", binaryHeaders()...), with(member{"data_base64", "ew=="})},
		{"escaped headers", cloudEvent("", binaryHeaders("Ce-Subject", `Euro%20%E2%82%AC%20%F0%9F%98%80+%25`, "Ce-Comment", `"a\"b\\%22"`)...),
			object{{"comment", `a"b\"`}, attributes[0], attributes[1], attributes[2], {"subject", "Euro € 😀+%"}, attributes[3]}},
		{"structured", cloudEvent(`{`+inJSON+`,"time":"2026-03-04T11:00:00Z","data":{"email":"ada@example.com"}}`, "Content-Type", structuredJSON),
			with(member{"time", "2026-03-04T11:00:00Z"}, member{"data", ada})},
		{"structured without data", cloudEvent(`{`+inJSON+`,"datacontenttype":null}`, "Content-Type", structuredJSON), with(member{"datacontenttype", nil})},
		{"structured text as JSON", cloudEvent(`{`+inJSON+`,"data":"{}"}`, "Content-Type", structuredJSON), with(member{"data", "{}"})},
		{"structured text as XML", cloudEvent(`{`+inJSON+`,"datacontenttype":"text/xml","data":"<email>ada@example.com</email>"}`, "Content-Type", structuredJSON),
			with(member{"datacontenttype", "text/xml"}, member{"data", ada})},
		{"structured base64 of JSON", cloudEvent(`{`+inJSON+`,"datacontenttype":"application/json","data_base64":"eyJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSJ9"}`, "Content-Type", structuredJSON),
			with(member{"datacontenttype", "application/json"}, member{"data", ada})},
		{"structured base64 without a type", cloudEvent(`{`+inJSON+`,"data_base64":"eyJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSJ9"}`, "Content-Type", structuredJSON),
			with(member{"data", ada})},
		{"structured base64 of something else", cloudEvent(`{`+inJSON+`,"datacontenttype":"image/png","data_base64":"AAE="}`, "Content-Type", structuredJSON),
			with(member{"datacontenttype", "image/png"}, member{"data_base64", "AAE="})},
		{"an empty batch", cloudEvent(`[]`, "Content-Type", batchJSON), array{}},
		{"a batch", cloudEvent(`[{`+inJSON+`},{`+inJSON+`,"data":{"email":"ada@example.com"}}]`, "Content-Type", batchJSON),
			array{attributes, with(member{"data", ada})}},
	} {
		got, err := decodeCloudEvents(c.r)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(member{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestDecodeCloudEventsRefuses(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	const structuredJSON, batchJSON = "application/cloudevents+json", "application/cloudevents-batch+json"
	in := func(body string) *Request { return cloudEvent(body, "Content-Type", structuredJSON) }
	without := func(name string) *Request {
		r := cloudEvent("", binaryHeaders()...)
		r.Header.Del("Ce-" + name)
		return r
	}
	const good = `"id":"e-1","source":"/crm","specversion":"1.0","type":"lead.made"`
	for _, c := range []struct {
		name string
		r    *Request
		want string
	}{
		{"no headers", cloudEvent(`{"a":1}`, "Content-Type", "application/json"), "lacks the attribute specversion"},
		{"no id", without("Id"), "lacks the attribute id"},
		{"no source", without("Source"), "lacks the attribute source"},
		{"no type", without("Type"), "lacks the attribute type"},
		{"no version", without("Specversion"), "lacks the attribute specversion"},
		{"an empty id", cloudEvent("", "Ce-Specversion", "1.0", "Ce-Id", "", "Ce-Source", "/", "Ce-Type", "t"), "attribute id is empty"},
		{"an id twice", cloudEvent("", binaryHeaders("Ce-Id", canary)...), "ce-id stands 2 times"},
		{"version 0.3", cloudEvent("", "Ce-Specversion", "0.3", "Ce-Id", "1", "Ce-Source", "/", "Ce-Type", "t"), "specversion is not 1.0"},
		{"a broken escape", cloudEvent("", binaryHeaders("Ce-Subject", canary+"%2")...), "ce-subject: a %"},
		{"an escape of no UTF-8", cloudEvent("", binaryHeaders("Ce-Subject", canary+"%ff")...), "ce-subject: not valid UTF-8"},
		{"a NUL", cloudEvent("", binaryHeaders("Ce-Subject", canary+"%00")...), "ce-subject: not valid UTF-8"},
		{"data in a header", cloudEvent("", binaryHeaders("Ce-Data", canary)...), "not the name"},
		{"an attribute of other letters", cloudEvent("", binaryHeaders("Ce-"+canary+"-X", "1")...), "not the name"},
		{"binary of broken JSON", cloudEvent(`{"`+canary, binaryHeaders("Content-Type", "application/json")...), "data: not valid JSON"},
		{"binary of broken XML", cloudEvent(`<`+canary, binaryHeaders("Content-Type", "text/xml")...), "data: not valid XML"},
		{"another format", cloudEvent(`x`, "Content-Type", "application/cloudevents+avro"), "taken in JSON"},
		{"a batch of another format", cloudEvent(`x`, "Content-Type", "application/cloudevents-batch+xml"), "taken in JSON"},
		{"no JSON", in(canary), "not valid JSON"},
		{"no object", in(`["` + canary + `"]`), "is a JSON object"},
		{"null as id", in(`{"id":null,"source":"/","specversion":"1.0","type":"t"}`), "lacks the attribute id"},
		{"a number as id", in(`{"id":7,"source":"/","specversion":"1.0","type":"t"}`), "attribute id is not a text"},
		{"a number as type of the data", in(`{` + good + `,"datacontenttype":7}`), "datacontenttype is not a text"},
		{"data twice", in(`{` + good + `,"data":1,"data_base64":"AAE="}`), "both data and data_base64"},
		{"base64 that is none", in(`{` + good + `,"data_base64":"` + canary + `!"}`), "not base64"},
		{"base64 that is no text", in(`{` + good + `,"data_base64":7}`), "not base64"},
		{"base64 of broken JSON", in(`{` + good + `,"data_base64":"eyI="}`), "data: not valid JSON"},
		{"a batch that is no array", cloudEvent(`{`+good+`}`, "Content-Type", batchJSON), "JSON array"},
	} {
		got, err := decodeCloudEvents(c.r)
		switch {
		case err == nil:
			t.Errorf("%s is read as %v", c.name, got)
		case !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	n, err := decodeCloudEvents(cloudEvent(`[{`+good+`},7,{"id":"`+canary+`"}]`, "Content-Type", batchJSON))
	list, _ := n.(array)
	if err != nil || len(list) != 3 {
		t.Fatalf("a batch with bad events: %v, %v", n, err)
	}
	if _, ok := list[0].(object); !ok {
		t.Errorf("the good event beside bad ones is %v", list[0])
	}
	for _, bad := range list[1:] {
		if u, ok := bad.(unreadable); !ok || strings.Contains(u.Error(), canary) {
			t.Errorf("a bad event of a batch is %v", bad)
		}
	}
}

func FuzzDecodeCloudEvents(f *testing.F) {
	f.Add("application/cloudevents+json", "", `{"id":"1","source":"/","specversion":"1.0","type":"t","data_base64":"e30="}`)
	f.Add("application/cloudevents-batch+json", "", `[{"id":"1","source":"/","specversion":"1.0","type":"t","data":{}},{}]`)
	f.Add("application/json", `"quoted \" %41"`, `{"email":"a@b.org"}`)
	f.Add("text/xml", "%e2%82%ac", `<a><b/></a>`)
	f.Add("multipart/form-data; boundary=x", "%", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--")
	f.Fuzz(func(t *testing.T, kind, subject, body string) {
		n, err := decodeCloudEvents(cloudEvent(body, binaryHeaders("Content-Type", kind, "Ce-Subject", subject)...))
		if err != nil {
			return
		}
		events, batch := n.(array)
		if !batch {
			events = array{n}
		}
		for _, e := range events {
			if _, bad := e.(unreadable); bad && batch {
				continue
			}
			o, ok := e.(object)
			if !ok {
				t.Fatalf("an event is %v", e)
			}
			if err := complete(o); err != nil {
				t.Error(err)
			}
			if err := wellFormed(o, 0); err != nil {
				t.Error(err)
			}
		}
	})
}

// A source of CloudEvents takes each mode, but binary only where no signature lets it be forged; in a batch the bad events alone are refused.
func TestCloudEventsSource(t *testing.T) {
	t.Parallel()
	a := parsed(t, strings.Replace(contract, "\ncalendars:", "\n  events: {preset: cloudevents, secret: env:EVENTS}\ncalendars:", 1))
	source, ok := a.Source("events")
	if !ok {
		t.Fatal("no source")
	}
	s := New(a, source)
	const attributes = `"id":"e-1","source":"/crm","specversion":"1.0","type":"lead.made"`
	for name, r := range map[string]*Request{
		"binary": cloudEvent(`{"email":"ada@example.com","company":"Engines"}`,
			binaryHeaders("Content-Type", "application/json", "Ce-Time", "2026-03-04T11:00:00Z")...),
		"structured": cloudEvent(`{`+attributes+`,"time":"2026-03-04T11:00:00Z","data":{"email":"ada@example.com","fields":{"company":"Engines"}}}`,
			"Content-Type", "application/cloudevents+json; charset=UTF-8"),
		"batch": cloudEvent(`[{`+attributes+`,"time":"2026-03-04T11:00:00Z","data":{"email":"ada@example.com","company":"Engines"}},{"id":"hunter2"},7]`,
			"Content-Type", "application/cloudevents-batch+json"),
	} {
		got, err := s.Read(r, noon)
		if err != nil || len(got.Events) != 1 {
			t.Errorf("%s: %v, %+v", name, err, got)
			continue
		}
		e := got.Events[0].Event
		if lr := e.GetLeadReceived(); e.GetId() != "/crm:e-1" || lr.GetKind() != "lead.made" || lr.GetEmail() != "ada@example.com" ||
			lr.GetFields()["company"].GetText() != "Engines" || e.GetOccurredAt() != event.Micros(noon)-3600e6 {
			t.Errorf("%s: read as %v", name, e)
		}
		if name != "batch" {
			continue
		}
		if len(got.Refused) != 2 || got.Refused[0].Index != 1 || !strings.Contains(got.Refused[0].Detail, "specversion") || strings.Contains(got.Refused[0].Detail, "hunter2") {
			t.Errorf("refused %+v", got.Refused)
		}
	}
	for kind, refused := range map[preset.ProofKind]bool{
		preset.HMAC: true, preset.Digest: true, preset.StandardWebhook: true, preset.Bearer: false, preset.Basic: false, preset.Header: false, preset.Query: false,
	} {
		of := source
		of.Verify.Kind = kind
		signed := New(a, of)
		_, err := signed.Read(cloudEvent(`{"email":"ada@example.com"}`, binaryHeaders("Content-Type", "application/json")...), noon)
		if (err != nil) != refused || (refused && !strings.Contains(err.Error(), "binary mode needs a proof that covers the headers")) {
			t.Errorf("binary mode by %s: %v", kind, err)
		}
		got, err := signed.Read(cloudEvent(`{`+attributes+`,"data":{"email":"ada@example.com"}}`, "Content-Type", "Application/CloudEvents+JSON"), noon)
		if err != nil || len(got.Events) != 1 {
			t.Errorf("structured mode by %s: %v, %+v", kind, err, got)
		}
	}
	if _, err := s.Read(cloudEvent(`{"email":"ada@example.com"}`, "Content-Type", "application/json"), noon); err == nil || !strings.Contains(err.Error(), "lacks the attribute") {
		t.Errorf("JSON that is no CloudEvent: %v", err)
	}
}
