package hook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const outbound = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00D000000000001EAA</OrganizationId>
   <SessionId xsi:nil="true"/>
   <!-- two leads -->
   <Notification>
    <Id>04l000000000001AAA</Id>
    <sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>00Q000000000001</sf:Id>
     <sf:Company>Analytical &amp; Engines</sf:Company>
     <sf:Email><![CDATA[ada@example.com]]></sf:Email>
     <sf:Phone xsi:nil="1"></sf:Phone>
     <sf:Rating></sf:Rating>
    </sObject>
   </Notification>
   <Notification><Id>04l000000000002AAA</Id></Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>
`

func TestDecodeXML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       node
	}{
		{"an outbound message", outbound, object{{"Envelope", object{{"Body", object{{"notifications", object{
			{"OrganizationId", "00D000000000001EAA"},
			{"SessionId", nil},
			{"Notification", array{
				object{
					{"Id", "04l000000000001AAA"},
					{"sObject", object{
						{"Id", "00Q000000000001"}, {"Company", "Analytical & Engines"}, {"Email", "ada@example.com"}, {"Phone", nil}, {"Rating", ""},
						{"@type", "Lead"},
					}},
				},
				object{{"Id", "04l000000000002AAA"}},
			}},
		}}}}}}}},
		{"a text", "<a>1</a>", object{{"a", "1"}}},
		{"a byte order mark", "\ufeff<a/>", object{{"a", ""}}},
		{"blanks around", "<?xml version='1.0'?>\n<a>\n  1 2\r\n</a>\n<!-- end -->\n", object{{"a", "1 2"}}},
		{"three of a name, one empty", `<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><b i:nil="true"/><c>1</c><b>2</b><b><d/></b></a>`, object{{"a", object{
			{"b", array{nil, "2", object{{"d", ""}}}}, {"c", "1"},
		}}}},
		{"text beside elements", "<a>x<b>1</b>y</a>", object{{"a", object{{"b", "1"}}}}},
		{"a text with a type", `<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xsd:string">t</a>`, object{{"a", "t"}}},
		{"another's nil and type", `<a nil="true" type="t"><b type="u">1</b></a>`, object{{"a", object{{"b", "1"}}}}},
		{"entities", "<a>&lt;&gt;&amp;&quot;&apos;&#x41;&#66;</a>", object{{"a", `<>&"'AB`}}},
		{"a charset in other letters", `<?xml version="1.0" encoding="Utf-8"?><a>ü</a>`, object{{"a", "ü"}}},
	} {
		got, err := decodeXML([]byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(member{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestDecodeXMLRefuses(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	for _, c := range []struct{ name, body, want string }{
		{"nothing", "", "no XML element"},
		{"blanks", " \n", "no XML element"},
		{"text", canary, "not valid XML"},
		{"text behind", "<a/>" + canary, "not valid XML"},
		{"two roots", "<a/><b/>", "more than one"},
		{"cut off", "<a><" + canary, "not valid XML"},
		{"not closed", "<a><b></b>", "not valid XML"},
		{"closed by another", "<a><b></" + canary + "></a>", "not valid XML"},
		{"JSON", `{"` + canary + `":1}`, "not valid XML"},
		{"no UTF-8", "<a>\xff</a>", "not valid UTF-8"},
		{"UTF-16", "\xff\xfe<\x00a\x00", "not valid UTF-8"},
		{"Latin 1", `<?xml version="1.0" encoding="ISO-8859-1"?><a>` + canary + `</a>`, "another charset"},
		{"XML 1.1", `<?xml version="1.1"?><a/>`, "not valid XML"},
		{"a document type", `<!DOCTYPE a SYSTEM "http://` + canary + `/"><a/>`, "document type"},
		{"billion laughs", `<!DOCTYPE l [<!ENTITY a "` + canary + `"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>`, "document type"},
		{"an entity of nobody", "<a>&" + canary + ";</a>", "not valid XML"},
		{"an entity of HTML", "<a>&nbsp;</a>", "not valid XML"},
		{"a NUL by number", "<a>&#0;</a>", "not valid XML"},
		{"a control character", "<a>\x01</a>", "not valid XML"},
		{"an attribute without quotes", "<a b=" + canary + "/>", "not valid XML"},
		{"too deep", nested(maxDepth + 1), "nested deeper than 64"},
		{"far too deep", strings.Repeat("<a>", 100_000), "nested deeper than 64"},
		{"too many", "<a>" + strings.Repeat("<b/>", maxElements) + "</a>", "more than 20000"},
	} {
		got, err := decodeXML([]byte(c.body))
		switch {
		case err == nil:
			t.Errorf("%s is read as %v", c.name, got)
		case !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for name, body := range map[string]string{"as deep as allowed": nested(maxDepth), "as many as allowed": "<a>" + strings.Repeat("<b/>", maxElements-1) + "</a>"} {
		if _, err := decodeXML([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeXML(f *testing.F) {
	for _, s := range []string{
		outbound, "<a/>", "<a><b>1</b><b>2</b></a>", "<!DOCTYPE a><a/>", "<a>&#65;<![CDATA[x]]></a>", "\ufeff<a/>", `<?xml encoding="x"?><a/>`,
		`<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1" i:type=":"><b i:type="x:"/></a>`, strings.Repeat("<a>", 70),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := decodeXML(body)
		if err != nil {
			if len(err.Error()) > 200 {
				t.Errorf("a long error: %q", err)
			}
			return
		}
		root, ok := n.(object)
		if !ok || len(root) != 1 {
			t.Fatalf("the root is %v", n)
		}
		if err := wellFormed(n, 0); err != nil {
			t.Errorf("%v: %q", err, body)
		}
	})
}

// wellFormed says whether n is a tree that a body can be: no name twice, nothing too deep, no arrays in arrays of XML's.
func wellFormed(n node, depth int) error {
	if depth > 2*maxDepth {
		return fmt.Errorf("deeper than %d", depth)
	}
	switch v := n.(type) {
	case nil, string, bool, number:
	case array:
		for _, e := range v {
			if err := wellFormed(e, depth+1); err != nil {
				return err
			}
		}
	case object:
		seen := map[string]bool{}
		for _, m := range v {
			if seen[m.name] {
				return fmt.Errorf("%q stands twice", m.name)
			}
			seen[m.name] = true
			if err := wellFormed(m.value, depth+1); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("a %T in the tree", n)
	}
	return nil
}
