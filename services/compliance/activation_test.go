package compliance

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// TestActivateTakesNothingThatIsNotSealed: refused, nothing is stored, nobody is told.
func TestActivateTakesNothingThatIsNotSealed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := soon(newReplica(t, s, "a"))
		admin := leadpactv1.NewAgreementServiceClient(serve(t, a)(identity.Admin))
		first, seal := signed(t, "1")
		second, sealOfSecond := next(t, "2", first)
		rotated := sealtest.KeyedBy(t, second, "marketing", "new sales")
		try := func(what string, text, seal []byte, code codes.Code, words string) {
			t.Helper()
			before, err := s.ListAgreements(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text, Signatures: seal})
			if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), words) {
				t.Errorf("%s: got %v, want %v: %s", what, err, code, words)
			}
			if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != len(before) {
				t.Errorf("%s: %d versions were stored, %v", what, len(rows)-len(before), err)
			}
			if got := told(t, s); len(got) > 0 {
				t.Errorf("%s: told %v", what, got)
			}
		}
		try("no keys", unsigned(t), nil, codes.FailedPrecondition, "names no keys to sign it with: leadpact keygen")
		try("no keys, and somebody's signatures", unsigned(t), seal, codes.FailedPrecondition, "names no keys")
		try("keys and no signatures", first, nil, codes.InvalidArgument, "signatures:1:1: marketing has not signed")
		try("one signature", first, bytes.SplitAfter(seal, []byte("\n"))[0], codes.InvalidArgument, "sales has not signed")
		try("of another text", first, sealOfSecond, codes.InvalidArgument, "of another text, or was changed")
		try("no signatures at all", first, []byte("yes"), codes.InvalidArgument, "signatures:1:1: \"yes\" is neither marketing nor sales")
		for i := 0; i < len(first); i += 97 {
			spoilt := bytes.Clone(first)
			spoilt[i] ^= 2
			try(fmt.Sprintf("byte %d flipped", i), spoilt, seal, codes.InvalidArgument, ":")
		}
		if _, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: first, Signatures: seal}); err != nil {
			t.Fatal(err)
		}
		told(t, s)
		try("keys dropped", bytes.Replace(unsigned(t), []byte(`version: "1"`), []byte(`version: "2"`), 1), nil, codes.FailedPrecondition, "names the keys of both sides and this one names none")
		try("a key swapped by its new owner", rotated, sealtest.SealBy(t, rotated, "marketing", "new sales"), codes.InvalidArgument, "sales was made with another key")
		if _, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: rotated, Signatures: sealtest.Seal(t, rotated)}); err != nil {
			t.Errorf("a key changed by its old owner: %v", err)
		}
		told(t, s)
		third := sealtest.Following(t, bytes.Replace(rotated, []byte(`version: "2"`), []byte(`version: "3"`), 1), rotated)
		try("the old key after that", third, sealtest.Seal(t, third), codes.InvalidArgument, "sales was made with another key")
	})
}

// TestAVersionGivenUpStaysSo: what both signed once comes into force in its place alone, whoever activates it.
func TestAVersionGivenUpStaysSo(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		admin := leadpactv1.NewAgreementServiceClient(serve(t, soon(newReplica(t, s, "a")))(identity.Admin))
		activate := func(text, seal []byte) (*leadpactv1.Version, error) {
			answer, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text, Signatures: seal})
			return answer.GetVersion(), err
		}
		first, sealOfFirst := signed(t, "1")
		draft, sealOfDraft := next(t, "2, a draft", first)
		second, sealOfSecond := next(t, "2", first)
		third, sealOfThird := next(t, "3", second)
		one, err := activate(first, sealOfFirst)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what string, text, seal []byte, last *leadpactv1.Version) {
			t.Helper()
			_, err := activate(text, seal)
			words := fmt.Sprintf("write the line follows: %q into it", last.GetHash())
			if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: got %v, want %v: %s", what, err, codes.FailedPrecondition, words)
			}
		}
		mute, sealOfMute := signed(t, "1, once more")
		refused("it follows nothing", mute, sealOfMute, one)
		refused("the one between is missing", third, sealOfThird, one)
		two, err := activate(second, sealOfSecond)
		if err != nil {
			t.Fatal(err)
		}
		refused("a draft", draft, sealOfDraft, two)
		from, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		scheduled, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: third, Signatures: sealOfThird, ActiveFrom: timestamppb.New(from.Add(time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		fourth, sealOfFourth := next(t, "4", second)
		refused("beside one that is scheduled", fourth, sealOfFourth, scheduled.GetVersion())
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 3 {
			t.Errorf("%d versions are stored, %v", len(rows), err)
		}
	})
}

func TestActivateAtATime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		a.cfg.Notice = time.Hour
		admin := leadpactv1.NewAgreementServiceClient(serve(t, a)(identity.Admin))
		now, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string][]byte{}
		texts["1"], _ = signed(t, "1")
		texts["2"], _ = next(t, "2", texts["1"])
		texts["3"], _ = next(t, "3", texts["2"])
		try := func(version string, from time.Time) (*leadpactv1.Version, error) {
			text := texts[version]
			seal := sealtest.Seal(t, text)
			req := &leadpactv1.ActivateRequest{Text: text, Signatures: seal}
			if !from.IsZero() {
				req.ActiveFrom = timestamppb.New(from)
			}
			answer, err := admin.Activate(t.Context(), req)
			return answer.GetVersion(), err
		}
		refused := func(version string, from time.Time, words string) {
			t.Helper()
			if _, err := try(version, from); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), words) {
				t.Errorf("version %s at %v: got %v, want %s", version, from, err, words)
			}
		}
		refused("1", now.Add(-time.Minute), "which lies in the past")
		refused("1", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), "9999-12-31T00:00:00Z is more than a year ahead")
		one, err := try("1", time.Time{})
		if err != nil || !one.GetInForce() {
			t.Fatalf("the first: %v, %v", one, err)
		}
		refused("2", now.Add(-time.Second), "which lies in the past")
		refused("2", now.AddDate(1, 0, 1), "is more than a year ahead")
		refused("2", now.Add(30*time.Minute), "is too near: every service must know a version 1h0m0s before")
		tomorrow := now.AddDate(0, 0, 1)
		two, err := try("2", tomorrow)
		if err != nil || two.GetInForce() || !two.GetActiveFrom().AsTime().Equal(tomorrow) {
			t.Fatalf("tomorrow's: %v, %v", two, err)
		}
		if again, err := try("2", time.Time{}); err != nil || !again.GetActiveFrom().AsTime().Equal(tomorrow) {
			t.Errorf("tomorrow's again: %v, %v", again, err)
		}
		if again, err := try("1", time.Time{}); err != nil || !again.GetInForce() {
			t.Errorf("the one in force again: %v, %v", again, err)
		}
		refused("2", tomorrow.Add(time.Hour), "is scheduled for")
		refused("3", time.Time{}, "a version is scheduled for")
		refused("3", tomorrow, "a version is scheduled for")
		three, err := try("3", tomorrow.Add(time.Microsecond))
		if err != nil {
			t.Fatal(err)
		}
		active, err := admin.GetActive(t.Context(), &leadpactv1.GetActiveRequest{})
		if err != nil || active.GetVersion().GetHash() != one.GetHash() {
			t.Errorf("in force: %v, %v", active, err)
		}
		versions, err := admin.ListVersions(t.Context(), &leadpactv1.ListVersionsRequest{})
		if err != nil || len(versions.GetVersions()) != 3 || versions.GetVersions()[0].GetHash() != three.GetHash() ||
			versions.GetVersions()[0].GetInForce() || !versions.GetVersions()[2].GetInForce() {
			t.Errorf("versions: %v, %v", versions, err)
		}
		if n := standingAt(t, a, versionsName); n != 1 {
			t.Errorf("%v versions came into force, want 1", n)
		}
	})
}

// TestOneOfManyFollows: of versions that are activated at once, each sealed by itself, one follows the first.
func TestOneOfManyFollows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		a, b := newReplica(t, s, "a"), newReplica(t, p.another(t), "b")
		text, seal := signed(t, "1")
		if _, err := a.ActivateText(t.Context(), Activation{Text: text, Signatures: seal, Actor: "dana"}); err != nil {
			t.Fatal(err)
		}
		now, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var taken atomic.Int32
		var group errgroup.Group
		for i := range 6 {
			text, seal := next(t, fmt.Sprint(i+2), text)
			group.Go(func() error {
				_, err := []replica{a, b}[i%2].ActivateText(t.Context(), Activation{Text: text, Signatures: seal, Actor: "dana", From: now.Add(time.Hour)})
				if refused := (*RefusedError)(nil); errors.As(err, &refused) {
					return nil
				}
				taken.Add(1)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 2 || taken.Load() != 1 {
			t.Errorf("%d were taken, %d versions are stored, %v", taken.Load(), len(rows), err)
		}
	})
}

// TestTrial: a text without keys is taken as it is where that is asked for, and never after one with keys.
func TestTrial(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := soon(newReplica(t, s, "a"))
		trial := func(text, seal []byte) error {
			_, err := a.ActivateText(t.Context(), Activation{Text: text, Signatures: seal, Actor: "dana", Trial: true})
			return err
		}
		again := func(version string) []byte {
			return bytes.Replace(unsigned(t), []byte(`version: "1"`), fmt.Appendf(nil, "version: %q", version), 1)
		}
		text, seal := signed(t, "3")
		faults, refused := agreement.Faults(nil), (*RefusedError)(nil)
		if err := trial(unsigned(t), nil); err != nil {
			t.Error(err)
		}
		if err := trial(again("2"), nil); err != nil {
			t.Error(err)
		}
		if err := trial(text, nil); !errors.As(err, &faults) {
			t.Errorf("keys and no signatures: %v", err)
		}
		if err := trial(text, seal); err != nil {
			t.Error(err)
		}
		if err := trial(again("4"), nil); !errors.As(err, &refused) {
			t.Errorf("without keys after one with keys: %v", err)
		}
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 3 || len(rows[0].Signatures) > 0 || !bytes.Equal(rows[2].Signatures, seal) {
			t.Errorf("versions %v, %v", rows, err)
		}
	})
}
