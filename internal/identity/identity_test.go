package identity_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/identity"
)

func TestTokenSurvivesTheFileAndTheFileHoldsNoToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	made, err := identity.NewTokens(nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := made.Issue(identity.Person{ID: "amy", Role: identity.Rep})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), token) {
		t.Error("the file holds the token itself")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode().Perm())
	}
	loaded, err := identity.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := loaded.Who(token); !ok || p.ID != "amy" || p.Role != identity.Rep {
		t.Errorf("the token is %v, %v", p, ok)
	}
}

func TestLoadRefusesUnknownRoles(t *testing.T) {
	t.Parallel()
	if _, err := identity.NewTokens([]identity.Entry{{Person: "x", Role: "king", SHA256: strings.Repeat("0", 64)}}); err == nil {
		t.Error("a role that does not exist was taken")
	}
}

func TestWellFormedFindsATypingError(t *testing.T) {
	t.Parallel()
	tokens, _ := identity.NewTokens(nil)
	token, err := tokens.Issue(identity.Person{ID: "amy", Role: identity.Rep})
	if err != nil {
		t.Fatal(err)
	}
	if !identity.WellFormed(token) {
		t.Error("a fresh token is not well-formed")
	}
	for i := 3; i < len(token); i++ {
		c := byte('a')
		if token[i] == 'a' {
			c = 'b'
		}
		if bad := token[:i] + string(c) + token[i+1:]; identity.WellFormed(bad) {
			// The last letter carries padding bits only in part.
			if i < len(token)-1 {
				t.Fatalf("letter %d changed and nobody noticed", i)
			}
		}
	}
}

func TestUnaryAsksForAToken(t *testing.T) {
	t.Parallel()
	tokens, _ := identity.NewTokens(nil)
	token, err := tokens.Issue(identity.Person{ID: "amy", Role: identity.Rep})
	if err != nil {
		t.Fatal(err)
	}
	call := func(authorization ...string) (identity.Person, error) {
		ctx := metadata.NewIncomingContext(context.Background(), metadata.MD{"authorization": authorization})
		var who identity.Person
		_, err := tokens.Unary()(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/leadpact.v1.LeadService/GetLead"},
			func(ctx context.Context, _ any) (any, error) {
				who, _ = identity.From(ctx)
				return struct{}{}, nil
			})
		return who, err
	}
	if who, err := call("Bearer " + token); err != nil || who.ID != "amy" {
		t.Errorf("a good token gives %v, %v", who, err)
	}
	for _, bad := range [][]string{nil, {""}, {"Bearer "}, {token}, {"Bearer x"}, {"Bearer " + token, "Bearer " + token}} {
		if _, err := call(bad...); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%d values: %v", len(bad), err)
		}
	}
}
