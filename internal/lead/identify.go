package lead

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// longestEmail is what RFC 5321 allows for a path, without its brackets.
const longestEmail = 254

// Identify returns what names the person of a fact, the strongest first: "email:" and the canonical address when there is a valid
// one, then "id:SOURCE:EXTERNAL" when the source has an id for the person. None means that the fact has no person.
func Identify(source, email, externalID string) []string {
	var out []string
	if canonical, err := Canonical(email); err == nil {
		out = append(out, "email:"+canonical)
	}
	if id := strings.TrimSpace(externalID); id != "" {
		out = append(out, "id:"+source+":"+id)
	}
	return out
}

// Canonical is the form under which addresses of one mailbox match: lower case, the domain in its IDNA form, without a +tag, and
// for Gmail without dots. It is for matching only, never for writing to: a mail system may tell apart what it treats as one. The
// error never repeats the address.
func Canonical(email string) (string, error) {
	email = strings.TrimSpace(email)
	if len(email) > 4*longestEmail {
		return "", fmt.Errorf("read an e-mail address: it has %d bytes", len(email))
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil {
		return "", fmt.Errorf("read an e-mail address: it is not of the form name@domain")
	}
	at := strings.LastIndexByte(parsed.Address, '@')
	// As browsers look names up, and no empty label either.
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
	domain, err := profile.ToASCII(strings.ToLower(norm.NFC.String(parsed.Address[at+1:])))
	if err != nil || domain == "" {
		return "", fmt.Errorf("read an e-mail address: its domain is not a name")
	}
	// NFC again after the change of case: some letters come apart in it.
	local := norm.NFC.String(strings.ToLower(norm.NFC.String(parsed.Address[:at])))
	if before, _, _ := strings.Cut(local, "+"); before != "" {
		local = before
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		domain = "gmail.com"
		if plain := strings.ReplaceAll(local, ".", ""); plain != "" {
			local = plain
		}
	}
	// String quotes a local part that needs it, so that the canonical form is an address again.
	canonical := strings.Trim((&mail.Address{Address: local + "@" + domain}).String(), "<>")
	if len(canonical) > longestEmail {
		return "", fmt.Errorf("read an e-mail address: it has %d bytes, %d are allowed", len(canonical), longestEmail)
	}
	return canonical, nil
}

// encoding of ids: lower case, so that they read the same in URLs, subjects and file names.
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// ID is the lead's id: the first 128 bits of HMAC-SHA256 over the identifier that was seen first, 26 letters and digits. Who lacks
// the key cannot tell from an id whether an address is known here.
func ID(key []byte, identifier string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(identifier)) // a hash never fails
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16])
}
